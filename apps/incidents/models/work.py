"""What has to be done about an incident, by when, and what it costs."""

from __future__ import annotations

from decimal import Decimal

from django.conf import settings
from django.db import models
from django.db.models import F, Q
from django.db.models.functions import Round

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


class Action(models.Model):
    """Something that a person has to do by a moment: of an incident, or of a case that the board has decided."""

    class State(models.TextChoices):
        OPEN = "open"
        DONE = "done"
        DROPPED = "dropped"

    model = models.ForeignKey(
        "registry.MonitoredModel", null=True, blank=True, on_delete=models.PROTECT, related_name="+"
    )
    incident = models.ForeignKey(Incident, null=True, blank=True, on_delete=models.PROTECT, related_name="actions")
    case_id = models.BigIntegerField(null=True, blank=True, help_text="the case of the board whose condition it is")
    title = models.CharField(max_length=300)
    owner = models.ForeignKey(settings.AUTH_USER_MODEL, on_delete=models.PROTECT, related_name="+")
    due_at = models.DateTimeField()
    state = models.CharField(max_length=10, choices=State.choices, default=State.OPEN)
    outcome = models.TextField(blank=True, help_text="what was done and where it can be seen, or why it was dropped")
    added_by = models.CharField(max_length=200)
    added_at = models.DateTimeField(default=clock.now)
    ended_by = models.CharField(max_length=200, blank=True)
    ended_at = models.DateTimeField(null=True, blank=True)

    class Meta:
        db_table = "incidents_action"
        ordering = ["due_at", "id"]
        constraints = [
            models.CheckConstraint(
                condition=Q(incident__isnull=False) | Q(case_id__isnull=False), name="incidents_action_belongs"
            ),
            models.CheckConstraint(
                condition=Q(state="open", ended_at=None)
                | (~Q(state="open") & Q(ended_at__isnull=False) & Q(outcome__regex=r"\S")),
                name="incidents_action_end_says_what",
            ),
        ]
        indexes = [
            models.Index(fields=["incident", "due_at"], name="incidents_actions_of"),
            models.Index(fields=["case_id"], name="incidents_actions_of_case"),
            models.Index(fields=["owner", "due_at"], condition=Q(state="open"), name="incidents_actions_due"),
        ]

    def __str__(self) -> str:
        return self.title


class CostLine(models.Model):
    """A line of the cost ledger: quantity times unit amount. A wrong line is taken back by another one. Append-only."""

    class Kind(models.TextChoices):
        PENALTY = "penalty"
        HOURS = "hours"
        CHURN = "churn"
        REDRESS = "redress"
        OTHER = "other"

    incident = models.ForeignKey(Incident, on_delete=models.PROTECT, related_name="costs")
    kind = models.CharField(max_length=10, choices=Kind.choices)
    description = models.CharField(max_length=300)
    quantity = models.DecimalField(max_digits=14, decimal_places=2, default=Decimal(1))
    unit_amount = models.DecimalField(max_digits=16, decimal_places=2)
    amount = models.DecimalField(max_digits=20, decimal_places=2)
    currency = models.CharField(max_length=3)
    incurred_on = models.DateField()
    booked_by = models.CharField(max_length=200)
    booked_at = models.DateTimeField(default=clock.now)
    reverses = models.OneToOneField("self", null=True, blank=True, on_delete=models.PROTECT, related_name="reversed_by")

    class Meta:
        db_table = "incidents_cost"
        ordering = ["id"]
        constraints = [
            models.CheckConstraint(
                condition=Q(amount=Round(F("quantity") * F("unit_amount"), 2)), name="incidents_cost_adds_up"
            ),
            models.CheckConstraint(condition=Q(currency__regex=r"^[A-Z]{3}$"), name="incidents_cost_has_a_currency"),
            models.CheckConstraint(
                condition=Q(reverses=None, quantity__gt=0) | Q(reverses__isnull=False, quantity__lt=0),
                name="incidents_cost_is_taken_back_by_a_line",
            ),
        ]
        indexes = [models.Index(fields=["incident", "id"], name="incidents_costs_of")]

    def __str__(self) -> str:
        return f"{self.description}: {self.amount} {self.currency}"


class SavedView(models.Model):
    """A filter of a register under a name, of one person."""

    person = models.ForeignKey(settings.AUTH_USER_MODEL, on_delete=models.CASCADE, related_name="+")
    register = models.CharField(max_length=20)
    name = models.CharField(max_length=60)
    query = models.CharField(max_length=2000)
    created_at = models.DateTimeField(default=clock.now)

    class Meta:
        db_table = "incidents_savedview"
        ordering = ["name", "id"]
        constraints = [
            models.UniqueConstraint(fields=["person", "register", "name"], name="incidents_view_name_once"),
        ]

    def __str__(self) -> str:
        return self.name
