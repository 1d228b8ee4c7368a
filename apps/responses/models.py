"""Findings and what people are told about them."""

from __future__ import annotations

from django.conf import settings
from django.db import models
from django.db.models import Q

from apps.common import clock
from apps.responses.ladder import CLOSE_AFTER


class Answered(models.Model):
    """A run that has been answered, whatever the answer was."""

    run_id = models.BigIntegerField(primary_key=True)
    model = models.ForeignKey("registry.MonitoredModel", on_delete=models.CASCADE, related_name="+")
    window = models.CharField(max_length=3)
    as_of = models.DateTimeField()
    answered_at = models.DateTimeField(default=clock.now)

    class Meta:
        db_table = "responses_answered"
        indexes = [models.Index(fields=["model", "window", "-as_of"], name="responses_answered_newest")]

    def __str__(self) -> str:
        return f"run {self.run_id}"


class Finding(models.Model):
    """One disparity out of bounds, from its opening to its closing; a relapse is a new finding.

    `windows` says, for each window that was in breach, how many evaluations in a row have been within bounds since
    (`ladder.Recovery`). Severity, sentence, value, interval and bound are those of the last breach; aggregates only.
    """

    class State(models.TextChoices):
        OPEN = "open"
        CLOSED = "closed"

    class Tier(models.TextChoices):
        ALERT = "alert"

    model = models.ForeignKey("registry.MonitoredModel", on_delete=models.PROTECT, related_name="+")
    metric = models.CharField(max_length=60)
    attribute = models.CharField(max_length=400)
    group = models.CharField(max_length=400, blank=True, help_text="empty for an aggregate over groups")
    reference = models.CharField(max_length=400, blank=True)
    state = models.CharField(max_length=10, choices=State.choices, default=State.OPEN)
    tier = models.CharField(max_length=20, choices=Tier.choices, default=Tier.ALERT)
    severity = models.CharField(max_length=10)
    sentence = models.TextField()
    window = models.CharField(max_length=3, help_text="the window that the values are from")
    value = models.FloatField(null=True)
    low = models.FloatField(null=True)
    high = models.FloatField(null=True)
    bound_low = models.FloatField(null=True)
    bound_high = models.FloatField(null=True)
    run_id = models.BigIntegerField(help_text="the run that the values are from")
    windows = models.JSONField(default=dict)
    opened_at = models.DateTimeField()
    opened_as_of = models.DateTimeField()
    opened_run_id = models.BigIntegerField()
    last_as_of = models.DateTimeField()
    last_verdict = models.CharField(max_length=15)
    unjudged_since = models.DateTimeField(null=True, blank=True)
    alerted_at = models.DateTimeField(null=True, blank=True)
    acknowledged_at = models.DateTimeField(null=True, blank=True)
    acknowledged_by = models.ForeignKey(
        settings.AUTH_USER_MODEL, null=True, blank=True, on_delete=models.PROTECT, related_name="+"
    )
    acknowledgement = models.TextField(blank=True)
    closed_at = models.DateTimeField(null=True, blank=True)

    class Meta:
        db_table = "responses_finding"
        ordering = ["-opened_at", "-id"]
        constraints = [
            models.UniqueConstraint(
                fields=["model", "metric", "attribute", "group"],
                condition=Q(state="open"),
                name="responses_one_open_finding",
            ),
            models.CheckConstraint(
                condition=Q(state="open", closed_at=None) | Q(state="closed", closed_at__isnull=False),
                name="responses_closed_has_a_time",
            ),
            models.CheckConstraint(
                condition=Q(acknowledged_by=None, acknowledged_at=None)
                | Q(acknowledged_by__isnull=False, acknowledged_at__isnull=False),
                name="responses_acknowledged_by_somebody",
            ),
        ]
        indexes = [models.Index(fields=["model", "state"], name="responses_finding_state")]

    def __str__(self) -> str:
        return f"{self.metric} of {self.attribute} {self.group}".strip()

    @property
    def standing(self) -> str:
        """What the last evaluation said, in words."""
        if self.state == self.State.CLOSED:
            return f"Closed after {CLOSE_AFTER} evaluations in a row within bounds."
        if self.unjudged_since:
            return f"Not judged any more since {self.unjudged_since:%d %B %Y, %H:%M} UTC; it stays open."
        if self.last_verdict == "within":
            return f"Within bounds again; closes after {CLOSE_AFTER} such evaluations in a row."
        if self.last_verdict == "breach":
            return "In breach at the last evaluation."
        return "The last evaluation had too little evidence to judge; it stays open."


class FindingTransition(models.Model):
    """A step in a finding's life; written once."""

    finding = models.ForeignKey(Finding, on_delete=models.PROTECT, related_name="transitions")
    at = models.DateTimeField(default=clock.now)
    event = models.CharField(max_length=30)
    from_state = models.CharField(max_length=10, blank=True)
    to_state = models.CharField(max_length=10)
    actor = models.CharField(max_length=200)
    run_id = models.BigIntegerField(null=True)
    as_of = models.DateTimeField(null=True)
    detail = models.JSONField(default=dict)

    class Meta:
        db_table = "responses_findingtransition"
        ordering = ["at", "id"]

    def __str__(self) -> str:
        return f"{self.event} at {self.at:%Y-%m-%d %H:%M}"


class Notification(models.Model):
    """A message in a person's inbox; what it says consists of aggregates."""

    person = models.ForeignKey(settings.AUTH_USER_MODEL, on_delete=models.CASCADE, related_name="+")
    model = models.ForeignKey("registry.MonitoredModel", null=True, on_delete=models.CASCADE, related_name="+")
    dedup_key = models.CharField(max_length=100)
    title = models.CharField(max_length=200)
    body = models.TextField()
    severity = models.CharField(max_length=10, blank=True)
    path = models.CharField(max_length=300, help_text="where to read on, below PUBLIC_URL")
    detected_at = models.DateTimeField()
    created_at = models.DateTimeField(default=clock.now)
    read_at = models.DateTimeField(null=True, blank=True)

    class Meta:
        db_table = "responses_notification"
        ordering = ["-created_at", "-id"]
        constraints = [
            models.UniqueConstraint(fields=["person", "dedup_key"], name="responses_notified_once"),
        ]
        indexes = [
            models.Index(fields=["person", "-created_at"], condition=Q(read_at=None), name="responses_unread"),
            models.Index(fields=["created_at"], name="responses_notified_at"),
        ]

    def __str__(self) -> str:
        return self.title


class OutboxMessage(models.Model):
    """A message that must leave the house; written in the transaction of what it tells."""

    class State(models.TextChoices):
        PENDING = "pending"
        SENT = "sent"
        DEAD = "dead"

    channel = models.CharField(max_length=60, help_text="kind and fingerprint of a notification address")
    dedup_key = models.CharField(max_length=100)
    title = models.CharField(max_length=200)
    body = models.TextField()
    severity = models.CharField(max_length=10, blank=True)
    state = models.CharField(max_length=10, choices=State.choices, default=State.PENDING)
    attempts = models.PositiveSmallIntegerField(default=0)
    detected_at = models.DateTimeField()
    created_at = models.DateTimeField(default=clock.now)
    next_attempt_at = models.DateTimeField(default=clock.now)
    lease = models.UUIDField(null=True, blank=True)
    lease_until = models.DateTimeField(null=True, blank=True)
    sent_at = models.DateTimeField(null=True, blank=True)
    last_error = models.TextField(blank=True)

    class Meta:
        db_table = "responses_outboxmessage"
        ordering = ["id"]
        constraints = [
            models.UniqueConstraint(fields=["channel", "dedup_key"], name="responses_sent_once"),
            models.CheckConstraint(
                condition=Q(state="sent", sent_at__isnull=False) | (~Q(state="sent") & Q(sent_at=None)),
                name="responses_sent_has_a_time",
            ),
        ]
        indexes = [
            models.Index(fields=["next_attempt_at"], condition=Q(state="pending"), name="responses_to_send"),
            models.Index(fields=["created_at"], name="responses_outbox_created"),
        ]

    def __str__(self) -> str:
        return f"{self.title} by {self.channel}"
