"""Runs and what pages draw from them. Hour cubes live in the schema ``cube`` and are plain SQL (`cubes.py`)."""

from __future__ import annotations

from django.conf import settings
from django.contrib.postgres.fields import ArrayField
from django.db import models
from django.db.models import Q

from apps.common import clock


class Window(models.TextChoices):
    """The three windows of every evaluation, shortest first."""

    DAY = "24h"
    WEEK = "7d"
    MONTH = "30d"


class RunState(models.TextChoices):
    PROVISIONAL = "provisional"
    FINAL = "final"


class MonitoringRun(models.Model):
    """One evaluation of one window: what went in, what came out, and what it was compared with.

    Immutable: a trigger refuses UPDATE and DELETE, but for what `superseded` lets go. A restatement (late events,
    labels or attributes, another policy) is the next revision of the same (model, window, as_of).
    """

    model = models.ForeignKey("registry.MonitoredModel", on_delete=models.PROTECT, related_name="+")
    window = models.CharField(max_length=3, choices=Window.choices)
    as_of = models.DateTimeField()
    revision = models.PositiveIntegerField()
    from_at = models.DateTimeField()
    to_at = models.DateTimeField()
    n = models.BigIntegerField()
    state = models.CharField(max_length=11, choices=RunState.choices)
    coverage = models.JSONField(help_text="share of events with a known attribute, by attribute")
    label_coverage = models.FloatField(null=True)
    # The governance wing is not imported here, so its policy is an id with its digest and not a foreign key.
    policy_version_id = models.BigIntegerField()
    policy_digest = models.CharField(max_length=64)
    cubes = models.PositiveIntegerField()
    cubes_digest = models.CharField(max_length=64)
    code_version = models.CharField(max_length=100)
    seed = models.BigIntegerField()
    document = models.BinaryField(help_text="canonical JSON, zlib")
    document_digest = models.CharField(max_length=64, help_text="SHA-256 of the canonical JSON")
    computed_at = models.DateTimeField(default=clock.now)

    class Meta:
        db_table = "monitoring_run"
        constraints = [
            models.UniqueConstraint(
                fields=["model", "window", "as_of", "revision"], name="monitoring_run_once_per_revision"
            ),
            models.CheckConstraint(condition=Q(revision__gte=1), name="monitoring_run_revision_from_1"),
            models.CheckConstraint(condition=Q(from_at__lt=models.F("to_at")), name="monitoring_run_range"),
        ]

    def __str__(self) -> str:
        return f"{self.window} to {self.as_of:%Y-%m-%d %H:%M}, revision {self.revision}"


class MonitoringPoint(models.Model):
    """One value of one run, for trends: aggregates, and groups of a single attribute; newest revision only."""

    model = models.ForeignKey(
        "registry.MonitoredModel", on_delete=models.PROTECT, related_name="+", db_constraint=False, db_index=False
    )
    # Checked by the code that writes both: without an index on it, every run that goes would read all points.
    run = models.ForeignKey(
        MonitoringRun, on_delete=models.PROTECT, related_name="+", db_constraint=False, db_index=False
    )
    window = models.CharField(max_length=3, choices=Window.choices)
    as_of = models.DateTimeField()
    metric = models.CharField(max_length=60)
    attribute = models.CharField(max_length=400)
    group = models.CharField(max_length=80, blank=True, help_text="empty for an aggregate over groups")
    value = models.FloatField(null=True)
    low = models.FloatField(null=True)
    high = models.FloatField(null=True)
    n = models.BigIntegerField(null=True, help_text="empty where the group is too small to be shown")
    verdict = models.CharField(max_length=13, blank=True, help_text="empty where the policy sets no bound")
    severity = models.CharField(max_length=8, blank=True)

    class Meta:
        db_table = "monitoring_point"
        constraints = [
            models.UniqueConstraint(
                fields=["model", "window", "attribute", "metric", "group", "as_of"], name="monitoring_point_once"
            ),
        ]
        indexes = [models.Index(fields=["model", "window", "as_of"], name="monitoring_point_of_run")]

    def __str__(self) -> str:
        return f"{self.metric} {self.attribute}"


class MonitoringStanding(models.Model):
    """The worst value of a model's newest runs, as `monitoring.standing` keeps it for tables of models."""

    model = models.OneToOneField(
        "registry.MonitoredModel", primary_key=True, on_delete=models.PROTECT, related_name="+", db_constraint=False
    )
    runs = ArrayField(models.BigIntegerField(), help_text="the runs that it speaks of; others make it void")
    worst = models.JSONField(null=True, help_text="apps.monitoring.rows.Point; empty where nothing was judged")

    class Meta:
        db_table = "monitoring_standing"

    def __str__(self) -> str:
        return f"standing of model {self.model_id}"


class MonitoringDue(models.Model):
    """An evaluation that must happen. `generation` rises with every reason; the lease belongs to one worker."""

    model = models.ForeignKey("registry.MonitoredModel", on_delete=models.CASCADE, related_name="+")
    as_of = models.DateTimeField()
    generation = models.BigIntegerField(default=1)
    marked_at = models.DateTimeField()
    ready_at = models.DateTimeField(help_text="not evaluated before")
    lease_until = models.DateTimeField(null=True)
    leased_by = models.CharField(max_length=64, blank=True)

    class Meta:
        db_table = "monitoring_due"
        constraints = [models.UniqueConstraint(fields=["model", "as_of"], name="monitoring_due_once")]

    def __str__(self) -> str:
        return f"model {self.model_id} as of {self.as_of:%Y-%m-%d %H:%M}"


class LatestEvaluation(models.Model):
    """When a model's live windows were last evaluated, whether or not anything had changed."""

    model = models.OneToOneField(
        "registry.MonitoredModel", primary_key=True, on_delete=models.CASCADE, related_name="+"
    )
    as_of = models.DateTimeField()
    evaluated_at = models.DateTimeField()

    class Meta:
        db_table = "monitoring_latest_evaluation"

    def __str__(self) -> str:
        return f"model {self.model_id} at {self.evaluated_at:%Y-%m-%d %H:%M}"


class CloserLook(models.Model):
    """A model whose live windows are evaluated more often than once an hour; a wish, written by the web side."""

    model = models.OneToOneField(
        "registry.MonitoredModel", primary_key=True, on_delete=models.CASCADE, related_name="+"
    )
    minutes = models.PositiveSmallIntegerField()
    since = models.DateTimeField(default=clock.now)

    class Meta:
        db_table = "monitoring_closer_look"
        constraints = [
            models.CheckConstraint(condition=Q(minutes__gte=1, minutes__lte=60), name="monitoring_closer_than_an_hour")
        ]

    def __str__(self) -> str:
        return f"model {self.model_id} every {self.minutes} minutes"


class OverrideRates(models.Model):
    """How often decisions were overridden, by group, in a period of 30 days: append-only, no small groups in it."""

    model = models.ForeignKey("registry.MonitoredModel", on_delete=models.PROTECT, related_name="+")
    as_of = models.DateTimeField()
    from_at = models.DateTimeField()
    document = models.JSONField()
    digest = models.CharField(max_length=64, help_text="SHA-256 of the canonical JSON")
    computed_at = models.DateTimeField(default=clock.now)

    class Meta:
        db_table = "monitoring_override_rates"
        constraints = [models.UniqueConstraint(fields=["model", "as_of"], name="monitoring_override_rates_once")]

    def __str__(self) -> str:
        return f"overrides of model {self.model_id} as of {self.as_of:%Y-%m-%d}"


class Recomputation(models.Model):
    """A run that somebody asked to have computed again: asked for by the web side, answered by the compute side.

    A row is asked for empty and answered once; the database takes none that comes with an answer.
    """

    class State(models.TextChoices):
        WAITING = "waiting"
        DONE = "done"
        FAILED = "failed"

    run_id = models.BigIntegerField(help_text="a provisional run may be let go of once it is superseded")
    model = models.ForeignKey("registry.MonitoredModel", on_delete=models.PROTECT, related_name="+")
    asked_by = models.ForeignKey(settings.AUTH_USER_MODEL, on_delete=models.PROTECT, related_name="+")
    asked_at = models.DateTimeField(default=clock.now)
    state = models.CharField(max_length=7, choices=State.choices, default=State.WAITING)
    attempts = models.PositiveSmallIntegerField(default=0)
    lease_until = models.DateTimeField(null=True)
    outcome = models.CharField(max_length=20, blank=True)
    result = models.JSONField(null=True, help_text="see recomputing.Recomputed")
    note = models.CharField(max_length=200, blank=True, help_text="why it failed, without any value")
    computed_at = models.DateTimeField(null=True)

    class Meta:
        db_table = "monitoring_recomputation"
        ordering = ["-id"]
        constraints = [
            models.UniqueConstraint(
                fields=["run_id"], condition=Q(state="waiting"), name="monitoring_recomputation_waits_once"
            ),
        ]
        indexes = [models.Index(fields=["run_id", "-id"], name="monitoring_recomputed_runs")]

    def __str__(self) -> str:
        return f"run {self.run_id} again"
