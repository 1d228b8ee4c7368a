"""An incident, what happened in it, what it rests on, and whom it concerns (groups, never persons)."""

from __future__ import annotations

from django.conf import settings
from django.contrib.postgres.fields import ArrayField
from django.contrib.postgres.indexes import GinIndex
from django.contrib.postgres.search import SearchVector, SearchVectorField
from django.db import models
from django.db.models import Q

from apps.common import clock
from apps.incidents import states

SEVERITIES = ("low", "medium", "high", "critical")
ORIGINS = ("escalation", "person", "complaint", "api")
LANGUAGE = "english"


class Incident(models.Model):
    """One incident: one cause, however many findings it shows in.

    `cause_key` names the cause for machines and is unique among the incidents that are not closed; empty where people
    opened it. `revision` counts every step, so that nobody overwrites what they have not seen.
    """

    model = models.ForeignKey("registry.MonitoredModel", on_delete=models.PROTECT, related_name="incidents")
    title = models.CharField(max_length=200)
    summary = models.TextField()
    severity = models.CharField(max_length=10, choices=[(name, name) for name in SEVERITIES])
    severity_rank = models.GeneratedField(
        expression=models.Case(
            *(models.When(severity=name, then=models.Value(rank)) for rank, name in enumerate(SEVERITIES)),
            default=models.Value(0),
        ),
        output_field=models.SmallIntegerField(),
        db_persist=True,
    )
    state = models.CharField(max_length=15, choices=[(name, name) for name in states.ALL], default=states.OPEN)
    origin = models.CharField(max_length=12, choices=[(name, name) for name in ORIGINS])
    cause_key = models.CharField(max_length=300, blank=True)
    causes = ArrayField(models.CharField(max_length=40), default=list, blank=True, help_text="keys of causes.CAUSES")
    explanation = models.TextField(blank=True, help_text="the root cause in words")
    lessons = models.TextField(blank=True)
    opened_by = models.CharField(max_length=200)
    lead = models.ForeignKey(
        settings.AUTH_USER_MODEL, null=True, blank=True, on_delete=models.PROTECT, related_name="+"
    )
    began_at = models.DateTimeField(null=True, blank=True, help_text="since when people were concerned, if known")
    aware_at = models.DateTimeField(help_text="when the house became aware; the regulatory clocks start here")
    opened_at = models.DateTimeField(default=clock.now)
    closed_at = models.DateTimeField(null=True, blank=True)
    reopened_at = models.DateTimeField(null=True, blank=True)
    revision = models.PositiveIntegerField(default=1)
    search = models.GeneratedField(
        expression=SearchVector("title", weight="A", config=LANGUAGE)
        + SearchVector("summary", "explanation", "lessons", weight="B", config=LANGUAGE),
        output_field=SearchVectorField(),
        db_persist=True,
    )

    class Meta:
        db_table = "incidents_incident"
        ordering = ["-id"]
        constraints = [
            models.UniqueConstraint(
                fields=["cause_key"],
                condition=~Q(cause_key="") & ~Q(state=states.CLOSED),
                name="incidents_one_open_for_each_cause",
            ),
            models.CheckConstraint(
                condition=Q(state=states.CLOSED, closed_at__isnull=False)
                | (~Q(state=states.CLOSED) & Q(closed_at=None)),
                name="incidents_closed_has_a_time",
            ),
            models.CheckConstraint(condition=Q(severity__in=SEVERITIES), name="incidents_severity_is_known"),
        ]
        indexes = [
            GinIndex(fields=["search"], name="incidents_search"),
            models.Index(fields=["state", "-id"], name="incidents_by_state"),
            models.Index(fields=["model", "state", "-id"], name="incidents_of_model"),
            models.Index(fields=["-severity_rank", "-id"], name="incidents_by_severity"),
        ]

    def __str__(self) -> str:
        return f"Incident {self.pk}: {self.title}"


class IncidentStep(models.Model):
    """Something that happened in an incident, a move between states included: its timeline. Append-only."""

    incident = models.ForeignKey(Incident, on_delete=models.PROTECT, related_name="steps")
    at = models.DateTimeField(default=clock.now)
    event = models.CharField(max_length=30)
    from_state = models.CharField(max_length=15, blank=True)
    to_state = models.CharField(max_length=15)
    actor = models.CharField(max_length=200)
    text = models.TextField(blank=True)
    detail = models.JSONField(default=dict)

    class Meta:
        db_table = "incidents_step"
        ordering = ["id"]
        indexes = [models.Index(fields=["incident", "id"], name="incidents_steps_of")]

    def __str__(self) -> str:
        return f"{self.event} by {self.actor}"


class Evidence(models.Model):
    """A document as it was when it was put in: canonical JSON, compressed, and the SHA-256 of the JSON. Append-only."""

    class Kind(models.TextChoices):
        RUN = "run"
        CHART = "chart"

    incident = models.ForeignKey(Incident, on_delete=models.PROTECT, related_name="evidence")
    kind = models.CharField(max_length=10, choices=Kind.choices)
    title = models.CharField(max_length=300)
    run_id = models.BigIntegerField(null=True, blank=True)
    content = models.BinaryField()
    digest = models.CharField(max_length=64)
    added_by = models.CharField(max_length=200)
    added_at = models.DateTimeField(default=clock.now)

    class Meta:
        db_table = "incidents_evidence"
        ordering = ["id"]
        constraints = [
            models.UniqueConstraint(fields=["incident", "digest"], name="incidents_same_evidence_once"),
        ]

    def __str__(self) -> str:
        return self.title


class IncidentLink(models.Model):
    """What an incident has to do with: a finding, a run, a version, a complaint, a case of the board. Append-only."""

    class Kind(models.TextChoices):
        FINDING = "finding"
        RUN = "run"
        VERSION = "version"
        THRESHOLD = "threshold"
        COMPLAINT = "complaint"
        INCIDENT = "incident"
        CASE = "case"

    incident = models.ForeignKey(Incident, on_delete=models.PROTECT, related_name="links")
    kind = models.CharField(max_length=10, choices=Kind.choices)
    target = models.CharField(max_length=100, help_text="the id of what is linked, or a version's name")
    label = models.CharField(max_length=500, blank=True)
    added_by = models.CharField(max_length=200)
    added_at = models.DateTimeField(default=clock.now)

    class Meta:
        db_table = "incidents_link"
        ordering = ["id"]
        constraints = [
            models.UniqueConstraint(fields=["incident", "kind", "target"], name="incidents_linked_once"),
        ]
        indexes = [models.Index(fields=["kind", "target"], name="incidents_link_target")]

    def __str__(self) -> str:
        return f"{self.kind} {self.target}"


class AffectedGroup(models.Model):
    """A group that an incident concerns, and how many of it: decisions from a run, people as somebody has counted them.

    None where the number is hidden because the group is small, or where nobody has counted. Nobody is named.
    """

    incident = models.ForeignKey(Incident, on_delete=models.PROTECT, related_name="affected")
    attribute = models.CharField(max_length=400)
    group = models.CharField(max_length=400)
    decisions = models.PositiveIntegerField(null=True, blank=True)
    window = models.CharField(max_length=3, blank=True)
    run_id = models.BigIntegerField(null=True, blank=True)
    people = models.PositiveIntegerField(null=True, blank=True)
    too_small = models.BooleanField(default=False)
    source = models.CharField(max_length=300, blank=True, help_text="how the people were counted")

    class Meta:
        db_table = "incidents_affected"
        ordering = ["id"]
        constraints = [
            models.UniqueConstraint(fields=["incident", "attribute", "group"], name="incidents_group_once"),
            models.CheckConstraint(
                condition=Q(people=None) | Q(people__gte=10), name="incidents_small_groups_are_not_counted"
            ),
            models.CheckConstraint(
                condition=Q(too_small=False) | Q(decisions=None, people=None), name="incidents_hidden_is_hidden"
            ),
        ]

    def __str__(self) -> str:
        return f"{self.attribute} {self.group}"
