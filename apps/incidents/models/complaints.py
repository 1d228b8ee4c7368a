"""The complaints register: what was complained about, never who complained."""

from __future__ import annotations

from django.contrib.postgres.indexes import GinIndex
from django.contrib.postgres.search import SearchVector, SearchVectorField
from django.db import models
from django.db.models import F, Q

from apps.common import clock
from apps.incidents import complaint_states as states
from apps.incidents.models.incidents import LANGUAGE, Incident


class Complaint(models.Model):
    """A complaint about a model's decisions. `reference` is its number where the person's data are kept."""

    class Source(models.TextChoices):
        CUSTOMER = "customer"
        REPRESENTATIVE = "representative"
        REGULATOR = "regulator"
        OMBUDSMAN = "ombudsman"
        STAFF = "staff"

    class Channel(models.TextChoices):
        LETTER = "letter"
        MAIL = "mail"
        PHONE = "phone"
        WEB = "web"
        BRANCH = "branch"
        MEDIA = "media"

    model = models.ForeignKey("registry.MonitoredModel", on_delete=models.PROTECT, related_name="complaints")
    source = models.CharField(max_length=15, choices=Source.choices)
    channel = models.CharField(max_length=10, choices=Channel.choices)
    reference = models.CharField(max_length=100, blank=True)
    summary = models.TextField()
    attribute = models.CharField(max_length=400, blank=True, help_text="the protected attribute it speaks of, if any")
    rule = models.CharField(max_length=20, help_text="a key of clocks.COMPLAINT_RULES")
    received_at = models.DateTimeField()
    due_at = models.DateTimeField()
    state = models.CharField(max_length=10, choices=[(name, name) for name in states.ALL], default=states.RECEIVED)
    outcome = models.CharField(max_length=15, blank=True, choices=[(name, name) for name in states.OUTCOMES])
    answer = models.TextField(blank=True, help_text="what was found and answered, without names")
    answered_at = models.DateTimeField(null=True, blank=True)
    incident = models.ForeignKey(Incident, null=True, blank=True, on_delete=models.PROTECT, related_name="complaints")
    recorded_by = models.CharField(max_length=200)
    recorded_at = models.DateTimeField(default=clock.now)
    search = models.GeneratedField(
        expression=SearchVector("summary", "answer", "reference", config=LANGUAGE),
        output_field=SearchVectorField(),
        db_persist=True,
    )

    class Meta:
        db_table = "incidents_complaint"
        ordering = ["-id"]
        constraints = [
            models.CheckConstraint(condition=Q(due_at__gt=F("received_at")), name="incidents_complaint_due_later"),
            models.CheckConstraint(
                condition=(Q(state=states.ANSWERED) & ~Q(outcome="") & Q(answered_at__isnull=False))
                | (~Q(state=states.ANSWERED) & Q(outcome="", answered_at=None)),
                name="incidents_answered_has_an_outcome",
            ),
        ]
        indexes = [
            GinIndex(fields=["search"], name="incidents_complaint_search"),
            models.Index(fields=["model", "-received_at"], name="incidents_complaints_of"),
            models.Index(fields=["state", "-id"], name="incidents_complaint_state"),
            models.Index(fields=["due_at"], condition=Q(state__in=states.UNANSWERED), name="incidents_complaints_due"),
        ]

    def __str__(self) -> str:
        return f"Complaint {self.pk}"


class ComplaintStep(models.Model):
    """Something that happened to a complaint. Append-only."""

    complaint = models.ForeignKey(Complaint, on_delete=models.PROTECT, related_name="steps")
    at = models.DateTimeField(default=clock.now)
    event = models.CharField(max_length=30)
    from_state = models.CharField(max_length=10, blank=True)
    to_state = models.CharField(max_length=10)
    actor = models.CharField(max_length=200)
    text = models.TextField(blank=True)

    class Meta:
        db_table = "incidents_complaintstep"
        ordering = ["id"]
        indexes = [models.Index(fields=["complaint", "id"], name="incidents_complaint_steps")]

    def __str__(self) -> str:
        return f"{self.event} by {self.actor}"
