"""What has to be done about an incident, by when, and what it costs."""

from __future__ import annotations

from django.db import models
from django.db.models import F, Q

from apps.common import clock
from apps.incidents.models.incidents import Incident


class RegulatoryClock(models.Model):
    """A deadline from a citation. It counts from the start; whether it applies is decided by a person."""

    class State(models.TextChoices):
        PROPOSED = "proposed"
        RUNNING = "running"
        REPORTED = "reported"
        SET_ASIDE = "set_aside"

    incident = models.ForeignKey(Incident, on_delete=models.PROTECT, related_name="clocks")
    rule = models.CharField(max_length=20, help_text="a key of clocks.RULES")
    state = models.CharField(max_length=10, choices=State.choices, default=State.PROPOSED)
    started_at = models.DateTimeField()
    due_at = models.DateTimeField()
    decided_by = models.CharField(max_length=200, blank=True)
    decided_at = models.DateTimeField(null=True, blank=True)
    reported_at = models.DateTimeField(null=True, blank=True)
    note = models.TextField(blank=True, help_text="why it does not apply, or how and to whom was reported")
    added_at = models.DateTimeField(default=clock.now)

    class Meta:
        db_table = "incidents_clock"
        ordering = ["due_at", "id"]
        constraints = [
            models.UniqueConstraint(fields=["incident", "rule"], name="incidents_clock_once"),
            models.CheckConstraint(condition=Q(due_at__gt=F("started_at")), name="incidents_clock_runs_forward"),
            models.CheckConstraint(
                condition=(Q(state="reported") & Q(reported_at__isnull=False))
                | (~Q(state="reported") & Q(reported_at=None)),
                name="incidents_reported_has_a_time",
            ),
            models.CheckConstraint(
                condition=~Q(state__in=["reported", "set_aside"]) | Q(note__regex=r"\S"),
                name="incidents_clock_end_says_why",
            ),
        ]
        indexes = [
            models.Index(
                fields=["due_at"], condition=Q(state__in=["proposed", "running"]), name="incidents_clocks_due"
            ),
        ]

    def __str__(self) -> str:
        return f"{self.rule} due {self.due_at:%Y-%m-%d %H:%M}"
