"""What the pipeline must remember: runs that wait for an answer, and that it was alive."""

from __future__ import annotations

from django.contrib.postgres.fields import ArrayField
from django.db import models

from apps.common import clock


class Side(models.TextChoices):
    COMPUTE = "compute"
    GOVERNANCE = "governance"


class UnansweredEvaluation(models.Model):
    """Runs of one evaluation that the governance wing has not answered yet; written together with the runs."""

    model = models.ForeignKey("registry.MonitoredModel", on_delete=models.CASCADE, related_name="+")
    as_of = models.DateTimeField()
    run_ids = ArrayField(models.BigIntegerField())
    created_at = models.DateTimeField(default=clock.now)

    class Meta:
        db_table = "pipeline_unanswered"
        indexes = [models.Index(fields=["as_of", "id"], name="pipeline_unanswered_oldest")]

    def __str__(self) -> str:
        return f"model {self.model_id} as of {self.as_of:%Y-%m-%d %H:%M}"


class Heartbeat(models.Model):
    """A minute in which a side of the pipeline did its round."""

    pk = models.CompositePrimaryKey("side", "minute")
    side = models.CharField(max_length=10, choices=Side.choices)
    minute = models.DateTimeField()

    class Meta:
        db_table = "pipeline_heartbeat"

    def __str__(self) -> str:
        return f"{self.side} {self.minute:%Y-%m-%d %H:%M}"


class Alarm(models.Model):
    """Something is wrong with the measuring itself: from when it was noticed to when it was over.

    `model` is null where the whole installation is concerned; `attribute` tells alarms of one kind apart.
    """

    class Kind(models.TextChoices):
        STALE = "stale", "Daily window too old"
        COVERAGE = "coverage", "Attributes missing"
        AUDIT = "audit", "Audit log in doubt"

    model = models.ForeignKey("registry.MonitoredModel", null=True, on_delete=models.CASCADE, related_name="+")
    kind = models.CharField(max_length=10, choices=Kind.choices)
    attribute = models.CharField(max_length=40, blank=True)
    message = models.TextField()
    raised_at = models.DateTimeField(default=clock.now)
    cleared_at = models.DateTimeField(null=True)

    class Meta:
        db_table = "pipeline_alarm"
        constraints = [
            models.UniqueConstraint(
                fields=["model", "kind", "attribute"],
                condition=models.Q(cleared_at=None),
                nulls_distinct=False,
                name="pipeline_one_open_alarm",
            )
        ]

    def __str__(self) -> str:
        return self.message


class LetGo(models.Model):
    """Up to when the events of a model are gone or nobody's any more: such hours are not counted again."""

    model = models.OneToOneField(
        "registry.MonitoredModel", on_delete=models.CASCADE, primary_key=True, related_name="+"
    )
    before = models.DateTimeField()

    class Meta:
        db_table = "pipeline_let_go"

    def __str__(self) -> str:
        return f"model {self.model_id} before {self.before}"
