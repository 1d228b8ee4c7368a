"""Training sets that were shown here before they were learned from."""

from __future__ import annotations

from django.db import models

from apps.common import clock


class RetrainingCheck(models.Model):
    """One training set, what was found about its labels, and whether it may be used."""

    class State(models.TextChoices):
        ALLOWED = "allowed"
        HELD = "held"
        RELEASED = "released"

    model = models.ForeignKey("registry.MonitoredModel", on_delete=models.PROTECT, related_name="retraining_checks")
    name = models.CharField(max_length=200)
    manifest = models.JSONField()
    lineage = models.JSONField(help_text="what the event log says about the named events")
    reasons = models.JSONField(default=list)
    state = models.CharField(max_length=8, choices=State.choices)
    checked_by = models.CharField(max_length=200)
    checked_at = models.DateTimeField(default=clock.now)
    released_at = models.DateTimeField(null=True, blank=True)

    class Meta:
        db_table = "retraining_check"
        ordering = ["-id"]
        indexes = [models.Index(fields=["model", "-id"], name="retraining_of_model")]
        constraints = [
            models.CheckConstraint(
                condition=models.Q(state="released", released_at__isnull=False)
                | ~models.Q(state="released") & models.Q(released_at=None),
                name="retraining_released_at_a_time",
            )
        ]

    def __str__(self) -> str:
        return self.name
