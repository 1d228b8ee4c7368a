"""The threshold register: what counted as a breach, from when, on whose assessment. Nothing in it ever changes."""

from __future__ import annotations

from django.db import models
from django.db.models import F, Q

from apps.common import clock


class Assessment(models.Model):
    """An assessment before release, as it was imported: what the model's fairness was expected to be. Append-only."""

    model = models.ForeignKey("registry.MonitoredModel", on_delete=models.PROTECT, related_name="assessments")
    reference = models.CharField(max_length=200)
    title = models.CharField(max_length=200)
    assessor = models.CharField(max_length=200)
    assessed_on = models.DateField()
    content = models.JSONField(help_text="apps.thresholds.assessments.Assessed.to_dict()")
    source = models.TextField(help_text="the file as it came")
    digest = models.CharField(max_length=64, help_text="SHA-256 of the file's bytes")
    imported_by = models.CharField(max_length=200)
    imported_at = models.DateTimeField(default=clock.now)

    class Meta:
        db_table = "thresholds_assessment"
        ordering = ["-id"]
        constraints = [
            models.UniqueConstraint(fields=["model", "reference"], name="thresholds_assessment_once_per_model"),
            models.CheckConstraint(condition=Q(reference__regex=r"\S"), name="thresholds_assessment_has_reference"),
        ]

    def __str__(self) -> str:
        return self.reference


class PolicyVersion(models.Model):
    """One version of a model's policy, numbered from 1 without gaps. A trigger refuses UPDATE and DELETE.

    A second one guards what may be added: the first version comes with the model's registration, every later one with
    a request that bears its signatures and was written for the version before it, or as an emergency with its reason.
    """

    class Way(models.TextChoices):
        REGISTRATION = "registration", "with the model's registration"
        SIGNED = "signed", "proposed and signed"
        EMERGENCY = "emergency", "in an emergency, without a signature"

    model = models.ForeignKey("registry.MonitoredModel", on_delete=models.PROTECT, related_name="policy_versions")
    version = models.PositiveIntegerField()
    body = models.JSONField(help_text="biasgov.fairness.policy.Policy.to_dict()")
    digest = models.CharField(max_length=64, help_text="SHA-256 of the body's canonical JSON")
    effective_from = models.DateTimeField()
    assessment_reference = models.CharField(max_length=200)
    assessment = models.ForeignKey(
        Assessment, null=True, blank=True, on_delete=models.PROTECT, related_name="policy_versions"
    )
    legal_basis = models.JSONField(default=list, help_text="keys of apps.thresholds.citations.CITATIONS")
    justification = models.TextField(blank=True)
    limits = models.JSONField(default=dict, help_text="term -> the loosest number that compliance alone may sign")
    review_due = models.DateField()
    way = models.CharField(max_length=12, choices=Way.choices)
    approval = models.OneToOneField(
        "approvals.Approval", null=True, blank=True, on_delete=models.PROTECT, related_name="+"
    )
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
            models.CheckConstraint(
                condition=Q(way="signed", approval__isnull=False) | (~Q(way="signed") & Q(approval__isnull=True)),
                name="thresholds_signed_by_a_request",
            ),
            models.CheckConstraint(
                condition=~Q(way="emergency") | Q(justification__regex=r"\S"), name="thresholds_emergency_has_a_reason"
            ),
            models.CheckConstraint(
                condition=Q(version=1) | Q(effective_from__gte=F("published_at")), name="thresholds_not_backdated"
            ),
        ]
        indexes = [
            models.Index(fields=["model", "effective_from", "version"], name="thresholds_by_start"),
            models.Index(fields=["-published_at", "-id"], name="thresholds_newest_first"),
            models.Index(fields=["model", "-version"], include=["id", "effective_from"], name="thresholds_latest"),
        ]

    def __str__(self) -> str:
        return f"version {self.version} from {self.effective_from:%Y-%m-%d %H:%M}"


class Review(models.Model):
    """A calibration review that kept a version, with its signatures. Append-only; a change is a version of its own."""

    policy_version = models.ForeignKey(PolicyVersion, on_delete=models.PROTECT, related_name="reviews")
    approval = models.OneToOneField("approvals.Approval", on_delete=models.PROTECT, related_name="+")
    next_due = models.DateField()
    reviewed_at = models.DateTimeField(default=clock.now)

    class Meta:
        db_table = "thresholds_review"
        ordering = ["-id"]

    def __str__(self) -> str:
        return f"kept until {self.next_due}"


class Backtest(models.Model):
    """A proposal whose bounds are run over stored evaluations: asked for by the web side, answered by the compute side.

    `digest` covers the policies that are compared, so that an answer belongs to exactly one text.
    """

    class State(models.TextChoices):
        WAITING = "waiting"
        DONE = "done"
        FAILED = "failed"

    model = models.ForeignKey("registry.MonitoredModel", on_delete=models.PROTECT, related_name="+")
    approval = models.ForeignKey("approvals.Approval", on_delete=models.PROTECT, related_name="+")
    digest = models.CharField(max_length=64)
    policies = models.JSONField(help_text="{today, proposed}: Policy.to_dict() each")
    state = models.CharField(max_length=7, choices=State.choices, default=State.WAITING)
    attempts = models.PositiveSmallIntegerField(default=0)
    asked_at = models.DateTimeField(default=clock.now)
    lease_until = models.DateTimeField(null=True)
    result = models.JSONField(null=True)
    note = models.CharField(max_length=200, blank=True, help_text="why it failed, or how far it is, without any value")
    computed_at = models.DateTimeField(null=True)

    class Meta:
        db_table = "thresholds_backtest"
        ordering = ["-id"]
        constraints = [
            models.UniqueConstraint(fields=["approval", "digest"], name="thresholds_backtest_once_per_text"),
        ]
        indexes = [models.Index(fields=["asked_at"], condition=Q(state="waiting"), name="thresholds_backtest_waiting")]

    def __str__(self) -> str:
        return f"back-test of request {self.approval_id}"
