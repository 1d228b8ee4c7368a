"""The threshold register: what counted as a breach, from when, on whose assessment. Nothing in it ever changes."""

from __future__ import annotations

from django.db import models
from django.db.models import Q

from apps.common import clock


class PolicyVersion(models.Model):
    """One version of a model's policy, numbered from 1 without gaps. A trigger refuses UPDATE and DELETE."""

    model = models.ForeignKey("registry.MonitoredModel", on_delete=models.PROTECT, related_name="policy_versions")
    version = models.PositiveIntegerField()
    body = models.JSONField(help_text="biasgov.fairness.policy.Policy.to_dict()")
    digest = models.CharField(max_length=64, help_text="SHA-256 of the body's canonical JSON")
    effective_from = models.DateTimeField()
    assessment_reference = models.CharField(max_length=200)
    legal_basis = models.JSONField(default=list, help_text="keys of apps.thresholds.citations.CITATIONS")
    justification = models.TextField(blank=True)
    published_by = models.CharField(max_length=200)
    published_at = models.DateTimeField(default=clock.now)

    class Meta:
        db_table = "thresholds_policyversion"
        ordering = ["model_id", "-version"]
        constraints = [
            models.UniqueConstraint(fields=["model", "version"], name="thresholds_version_once_per_model"),
            models.CheckConstraint(condition=Q(version__gte=1), name="thresholds_version_from_1"),
            models.CheckConstraint(
                condition=Q(assessment_reference__regex=r"\S"), name="thresholds_assessment_is_named"
            ),
        ]

    def __str__(self) -> str:
        return f"version {self.version} from {self.effective_from:%Y-%m-%d %H:%M}"
