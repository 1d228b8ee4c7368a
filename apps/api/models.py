"""Bearer tokens of programs, and the answers kept for repeated requests."""

from __future__ import annotations

from django.contrib.postgres.fields import ArrayField
from django.db import models

from apps.common import clock


class ApiToken(models.Model):
    """What a program may do; only the SHA-256 of the token is kept."""

    name = models.CharField(max_length=80, unique=True)
    digest = models.BinaryField(max_length=32, unique=True)
    scopes = ArrayField(models.CharField(max_length=32))
    model = models.ForeignKey(
        "registry.MonitoredModel", null=True, blank=True, on_delete=models.CASCADE, related_name="tokens"
    )
    issued_by = models.CharField(max_length=200, help_text="As the audit log names them.")
    created_at = models.DateTimeField(default=clock.now, editable=False)
    expires_at = models.DateTimeField()
    revoked_at = models.DateTimeField(null=True, blank=True)
    last_used_at = models.DateTimeField(null=True, blank=True, help_text="To the hour.")

    class Meta:
        ordering = ["name"]

    def __str__(self) -> str:
        return self.name


class IdempotentAnswer(models.Model):
    """The answer to a request with an Idempotency-Key, given again for 24 hours."""

    token = models.ForeignKey(ApiToken, on_delete=models.CASCADE, related_name="answers")
    key = models.CharField(max_length=200)
    path = models.CharField(max_length=300)
    body_digest = models.BinaryField(max_length=32)
    status = models.PositiveSmallIntegerField()
    body = models.BinaryField()
    created_at = models.DateTimeField(default=clock.now, editable=False)

    class Meta:
        constraints = [models.UniqueConstraint(fields=["token", "path", "key"], name="api_answer_once")]
        indexes = [models.Index(fields=["created_at"], name="api_answer_age")]

    def __str__(self) -> str:
        return f"{self.path} {self.key}"
