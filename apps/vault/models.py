"""What the web side leaves for the compute side. Records and data keys are in the schema ``vault``, plain SQL."""

from __future__ import annotations

import uuid

from django.db import models
from django.db.models import Q

from apps.common import clock


class VaultUpload(models.Model):
    """Attributes on their way into the vault, sealed to the compute side until it opens them."""

    class State(models.TextChoices):
        PENDING = "pending"
        STORED = "stored"
        REFUSED = "refused"

    id = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)
    actor = models.CharField(max_length=200)
    received_at = models.DateTimeField(default=clock.now)
    subjects = models.PositiveIntegerField()
    attributes = models.JSONField(null=True, help_text="names that the sender may change; null: the whole record")
    sealed_to = models.CharField(max_length=16, help_text="fingerprint of the public key")
    sealed = models.BinaryField(null=True)
    state = models.CharField(max_length=8, choices=State.choices, default=State.PENDING)
    stored = models.PositiveIntegerField(default=0)
    reason = models.CharField(max_length=200, blank=True)
    opened_at = models.DateTimeField(null=True)

    class Meta:
        db_table = "vault_upload"
        constraints = [
            models.CheckConstraint(
                condition=Q(state="pending", sealed__isnull=False) | ~Q(state="pending") & Q(sealed__isnull=True),
                name="vault_upload_sealed_only_while_pending",
            )
        ]
        indexes = [
            models.Index(fields=["received_at"], condition=Q(state="pending"), name="vault_upload_pending"),
        ]

    def __str__(self) -> str:
        return f"upload {self.pk}"


class VaultErasure(models.Model):
    """A wish to have a subject's attributes erased; everything received before it goes."""

    class State(models.TextChoices):
        PENDING = "pending"
        DONE = "done"

    subject = models.UUIDField(help_text="pseudonym")
    actor = models.CharField(max_length=200)
    requested_at = models.DateTimeField(default=clock.now)
    state = models.CharField(max_length=8, choices=State.choices, default=State.PENDING)
    executed_at = models.DateTimeField(null=True)

    class Meta:
        db_table = "vault_erasure"
        indexes = [
            models.Index(fields=["subject", "requested_at"], name="vault_erasure_of_subject"),
            models.Index(fields=["requested_at"], condition=Q(state="pending"), name="vault_erasure_pending"),
        ]

    def __str__(self) -> str:
        return f"erasure {self.pk}"
