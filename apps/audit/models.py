"""The audit log and its Merkle tree. Triggers refuse every change to what has been written (migration 0002)."""

from __future__ import annotations

from django.contrib.postgres.fields import ArrayField
from django.contrib.postgres.indexes import GinIndex, OpClass
from django.db import models
from django.db.models import Case, F, Func, TextField, Value, When
from django.db.models.fields.json import KT
from django.db.models.functions import Concat, Substr, Upper

FAMILY = Func(F("action"), Value("."), Value(1), function="split_part", output_field=TextField())
"""The part of an action in front of its dot."""

ABOUT = Case(
    When(subject__startswith="model:", then=Substr("subject", 7)), default=KT("detail__model"), output_field=TextField()
)
"""The slug of the model that an entry concerns."""

WORDS = ("text", "reason", "note", "message", "title", "name")
"""The parts of a detail that people wrote or that are written for them."""

_PARTS = ("actor", "action", "subject", *(KT(f"detail__{name}") for name in WORDS))
SAID = Concat(*(part for each in _PARTS for part in (each, Value(" "))), output_field=TextField())
"""What an entry says in words: without digests and figures, which would swell its index."""


class AuditEntry(models.Model):
    """Who did what to what, and when. `leaf_hash` covers the other columns (see `encoding`)."""

    at = models.DateTimeField()
    actor = models.CharField(max_length=200)
    action = models.CharField(max_length=100)
    subject = models.CharField(max_length=300)
    detail = models.JSONField(default=dict)
    leaf_hash = models.BinaryField(max_length=32)

    class Meta:
        db_table = "audit_entry"
        ordering = ["-id"]
        indexes = [
            models.Index(fields=["at", "id"], name="audit_entry_time"),
            models.Index(fields=["actor", "at", "id"], name="audit_entry_who"),
            models.Index(fields=["action", "at", "id"], name="audit_entry_kind"),
            models.Index(FAMILY, "at", "id", name="audit_entry_family"),
            models.Index(fields=["subject", "at", "id"], name="audit_entry_object"),
            models.Index(ABOUT, "at", "id", name="audit_entry_about"),
            GinIndex(OpClass(Upper(SAID), "gin_trgm_ops"), name="audit_entry_said"),
        ]

    def __str__(self) -> str:
        return f"{self.at:%Y-%m-%d %H:%M:%S} {self.actor} {self.action} {self.subject}"


class AuditPending(models.Model):
    """A committed entry that has no place in the tree yet; a trigger writes it beside each entry."""

    entry = models.OneToOneField(AuditEntry, primary_key=True, on_delete=models.PROTECT, related_name="+")

    class Meta:
        db_table = "audit_pending"

    def __str__(self) -> str:
        return f"entry {self.entry_id}"


class AuditLeaf(models.Model):
    """The place of an entry in the tree: `leaf_index` counts from 0 without gaps."""

    leaf_index = models.BigIntegerField(primary_key=True)
    entry = models.OneToOneField(AuditEntry, on_delete=models.PROTECT, related_name="leaf")
    leaf_hash = models.BinaryField(max_length=32)

    class Meta:
        db_table = "audit_leaf"

    def __str__(self) -> str:
        return f"leaf {self.leaf_index}"


class AuditNode(models.Model):
    """The root of a complete subtree of 2**level leaves, level 1 and up."""

    pk = models.CompositePrimaryKey("level", "position")
    level = models.SmallIntegerField()
    position = models.BigIntegerField()
    node_hash = models.BinaryField(max_length=32)

    class Meta:
        db_table = "audit_node"

    def __str__(self) -> str:
        return f"node {self.level}/{self.position}"


class AuditVerification(models.Model):
    """One check of the whole log; `checked` leaves and their `peaks` are where it goes on."""

    class State(models.TextChoices):
        WAITING = "waiting"
        RUNNING = "running"
        INTACT = "intact"
        BROKEN = "broken"

    requested_at = models.DateTimeField()
    requested_by = models.CharField(max_length=200)
    finished_at = models.DateTimeField(null=True)
    state = models.CharField(max_length=10, choices=State.choices, default=State.WAITING)
    size = models.BigIntegerField(default=0)
    checked = models.BigIntegerField(default=0)
    heads = models.BigIntegerField(default=0)
    peaks = ArrayField(models.BinaryField(), default=list)
    root = models.BinaryField(default=bytes)
    faults = models.JSONField(default=list)

    class Meta:
        db_table = "audit_verification"

    def __str__(self) -> str:
        return f"check {self.pk} of the audit log: {self.state}"
