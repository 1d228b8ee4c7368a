"""What the web side leaves for the compute side. Blocks and data keys are in the schema ``vault``, plain SQL."""

from __future__ import annotations

import uuid

from django.conf import settings
from django.db import models
from django.db.models import Q

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
    """A wish to have a subject's attributes erased; everything received before it goes.

    The pseudonym is needed until nothing that was received before is still sealed, and goes then.
    """

    class State(models.TextChoices):
        PENDING = "pending"
        DONE = "done"

    subject = models.UUIDField(null=True, help_text="pseudonym; null once nothing needs it any more")
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


class VaultAccess(models.Model):
    """The right of a person to see the attributes of named people, once; it comes with the signature under a request.

    `sealed` are the values, sealed to a key of the requester's browser, from when the compute side has opened them to
    the one look.
    """

    class State(models.TextChoices):
        GRANTED = "granted"
        ASKED = "asked"
        SEALED = "sealed"
        SHOWN = "shown"
        ENDED = "ended"
        EXPIRED = "expired"

    OPEN = (State.GRANTED, State.ASKED, State.SEALED)

    approval = models.OneToOneField("approvals.Approval", on_delete=models.PROTECT, primary_key=True, related_name="+")
    person = models.ForeignKey(settings.AUTH_USER_MODEL, on_delete=models.PROTECT, related_name="+")
    until = models.DateTimeField()
    state = models.CharField(max_length=7, choices=State.choices, default=State.GRANTED)
    public_key = models.BinaryField(null=True)
    asked_at = models.DateTimeField(null=True)
    sealed = models.BinaryField(null=True)
    sealed_at = models.DateTimeField(null=True)
    shown_at = models.DateTimeField(null=True)
    reason = models.CharField(max_length=300, blank=True)

    class Meta:
        db_table = "vault_access"
        constraints = [
            models.CheckConstraint(
                condition=Q(state="sealed", sealed__isnull=False) | (~Q(state="sealed") & Q(sealed__isnull=True)),
                name="vault_access_sealed_only_until_shown",
            )
        ]
        indexes = [
            models.Index(
                fields=["asked_at"],
                condition=Q(state__in=["granted", "asked", "sealed"]),
                name="vault_access_open",
            )
        ]

    def __str__(self) -> str:
        return f"access by request {self.pk}"


class VaultAccessStep(models.Model):
    """What happened to an access. Append-only, but for `announced_at`: when the data protection contact was told."""

    access = models.ForeignKey(VaultAccess, on_delete=models.PROTECT, related_name="+")
    event = models.CharField(max_length=8)
    actor = models.CharField(max_length=200)
    at = models.DateTimeField(default=clock.now)
    announced_at = models.DateTimeField(null=True)

    class Meta:
        db_table = "vault_access_step"
        indexes = [
            models.Index(fields=["access", "id"], name="vault_access_steps_of"),
            models.Index(fields=["event", "at"], name="vault_access_steps_by_event"),
            models.Index(fields=["id"], condition=Q(announced_at__isnull=True), name="vault_access_unannounced"),
        ]

    def __str__(self) -> str:
        return f"{self.event} by {self.actor}"


class VaultKeyReport(models.Model):
    """How the keys stand, as the compute side said last: one row, and no key in it."""

    keys = models.JSONField(help_text="[{version, wrapped_by, created_at, sealed, people}], oldest first")
    floor = models.PositiveIntegerField()
    next_at = models.DateTimeField(null=True, help_text="when the newest is replaced by its age")
    reported_at = models.DateTimeField(default=clock.now)

    class Meta:
        db_table = "vault_key_report"
        constraints = [models.CheckConstraint(condition=Q(id=1), name="vault_key_report_is_one")]

    def __str__(self) -> str:
        return f"keys at {self.reported_at}"
