"""Decisions of a model that a person has decided otherwise: which event, who, when and why. Never about whom."""

from __future__ import annotations

from django.db import models
from django.db.models import F, Q

from apps.common import clock
from apps.overrides.categories import CATEGORIES


class Override(models.Model):
    """One decision that a person has decided otherwise. Append-only (migration 0002).

    The event is named by its key in the event log; what is known of its subject stays there and in the vault.
    """

    model = models.ForeignKey("registry.MonitoredModel", on_delete=models.PROTECT, related_name="overrides")
    event_key = models.UUIDField()
    occurred_at = models.DateTimeField(help_text="when the model had decided")
    from_decision = models.PositiveSmallIntegerField()
    to_decision = models.PositiveSmallIntegerField()
    category = models.CharField(max_length=20, choices=list(CATEGORIES.items()))
    reason = models.CharField(max_length=1000, blank=True)
    by = models.CharField(max_length=200, help_text="who decided, as the sender names its people")
    overridden_at = models.DateTimeField()
    recorded_by = models.CharField(max_length=200)
    recorded_at = models.DateTimeField(default=clock.now)

    class Meta:
        db_table = "overrides_override"
        ordering = ["-id"]
        constraints = [
            models.UniqueConstraint(fields=["model", "event_key"], name="overrides_once_for_each_event"),
            models.CheckConstraint(
                condition=Q(from_decision__lte=1, to_decision__lte=1) & ~Q(from_decision=F("to_decision")),
                name="overrides_decides_otherwise",
            ),
            models.CheckConstraint(condition=Q(overridden_at__gte=F("occurred_at")), name="overrides_comes_later"),
        ]
        indexes = [
            models.Index(fields=["model", "-id"], name="overrides_of_model"),
            models.Index(fields=["model", "occurred_at"], name="overrides_by_time"),
        ]

    def __str__(self) -> str:
        return f"{self.from_decision} to {self.to_decision} by {self.by}"
