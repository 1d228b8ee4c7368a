"""What the web side leaves for the compute side. Blocks and data keys are in the schema ``vault``, plain SQL."""

from __future__ import annotations

import uuid

from django.db import models

from apps.common import clock


class AttributeSchema(models.Model):
    """The attributes and levels that all models together declared at a time; versions count up and never change."""

    version = models.PositiveSmallIntegerField(primary_key=True)
    levels = models.JSONField(help_text="{attribute: [levels]}, sorted")
    created_at = models.DateTimeField(default=clock.now)

    class Meta:
        db_table = "vault_schema"

    def __str__(self) -> str:
        return f"attribute schema {self.version}"


class VaultUpload(models.Model):
    """Attributes on their way into the vault, sealed to the compute side until it opens them."""

    class State(models.TextChoices):
        RECEIVING = "receiving"
        PENDING = "pending"
        STORING = "storing"
        STORED = "stored"
        REFUSED = "refused"
        WITHDRAWN = "withdrawn"

    id = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)
    actor = models.CharField(max_length=200)
    form = models.CharField(max_length=6, default="batch", help_text="csv, json or ndjson for a file")
    received_at = models.DateTimeField(default=clock.now, help_text="when its receipt began")
    touched_at = models.DateTimeField(default=clock.now, help_text="when its newest part came")
    taken = models.BigIntegerField(default=0, help_text="bytes of the file that are in parts")
    heading = models.JSONField(default=list, help_text="how the columns of a CSV file are told apart")
    attributes = models.JSONField(null=True, help_text="names that the sender may change; null: everything")
    schema = models.ForeignKey(AttributeSchema, on_delete=models.PROTECT, db_column="schema_version", related_name="+")
    sealed_to = models.CharField(max_length=16, help_text="fingerprint of the public key")
    parts = models.PositiveIntegerField(default=0)
    subjects = models.PositiveIntegerField(default=0)
    state = models.CharField(max_length=9, choices=State.choices, default=State.RECEIVING)
    position = models.PositiveIntegerField(default=0, help_text="how many, in the order of pseudonyms, are done")
    stored = models.PositiveIntegerField(default=0)
    replaced = models.PositiveIntegerField(default=0)
    reason = models.CharField(max_length=300, blank=True)
    opened_at = models.DateTimeField(null=True)

    class Meta:
        db_table = "vault_upload"
        indexes = [
            models.Index(
                fields=["received_at"],
                condition=models.Q(state__in=["receiving", "pending", "storing"]),
                name="vault_upload_open",
            ),
            models.Index(fields=["-received_at"], name="vault_upload_newest"),
        ]

    def __str__(self) -> str:
        return f"upload {self.pk}"


class VaultUploadPart(models.Model):
    """People of an upload, sealed to the compute side; gone once the upload is stored, refused or withdrawn."""

    pk = models.CompositePrimaryKey("upload_id", "place")
    upload = models.ForeignKey(VaultUpload, on_delete=models.PROTECT, related_name="+")
    place = models.PositiveIntegerField()
    sealed = models.BinaryField()
    ends_at = models.BigIntegerField(default=0, help_text="byte of the file behind the last of it")
    digest = models.BinaryField(default=b"", help_text="HMAC of the bytes of the file that it was made of")

    class Meta:
        db_table = "vault_upload_part"

    def __str__(self) -> str:
        return f"part {self.place} of upload {self.upload_id}"


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
            models.Index(fields=["requested_at"], condition=models.Q(state="pending"), name="vault_erasure_pending"),
        ]

    def __str__(self) -> str:
        return f"erasure {self.pk}"
