"""What people and channels are told."""

from __future__ import annotations

from django.conf import settings
from django.db import models
from django.db.models import Q

from apps.common import clock


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
            models.Index(fields=["-created_at"], condition=Q(state="dead"), name="responses_dead_letters"),
            models.Index(fields=["created_at"], name="responses_outbox_created"),
        ]

    def __str__(self) -> str:
        return f"{self.title} by {self.channel}"


class MailPreference(models.Model):
    """How a person wants to be told by mail; who has no row gets every message."""

    class Mail(models.TextChoices):
        EACH = "each"
        DAILY = "daily"
        NEVER = "never"

    person = models.OneToOneField(settings.AUTH_USER_MODEL, on_delete=models.CASCADE, related_name="+")
    mail = models.CharField(max_length=10, choices=Mail.choices)
    at_least = models.CharField(max_length=10, help_text="the mildest severity that is mailed at once")
    since = models.DateTimeField(default=clock.now)
    digest_day = models.DateField(null=True, blank=True, help_text="of the last digest")
    digest_until = models.DateTimeField(null=True, blank=True, help_text="what the last digest reached")

    class Meta:
        db_table = "responses_mailpreference"

    def __str__(self) -> str:
        return f"{self.mail}, from {self.at_least}"
