"""Requests that need signatures. The rules that matter are the database's as well (migration 0002)."""

from __future__ import annotations

from django.conf import settings
from django.db import models
from django.db.models import F, Q

from apps.approvals import states
from apps.common import clock


class Approval(models.Model):
    """A request: what is asked for, by whom, and how far it has come.

    `digest` covers everything that a signature stands for, the revision included: a change makes another digest, and
    signatures under the former one count no more, not even when the change is undone.
    """

    kind = models.CharField(max_length=40)
    model = models.ForeignKey(
        "registry.MonitoredModel", null=True, blank=True, on_delete=models.PROTECT, related_name="approvals"
    )
    subject = models.CharField(max_length=300, help_text="what it is about, as the audit log names it")
    title = models.CharField(max_length=200)
    content = models.JSONField()
    reason = models.TextField()
    revision = models.PositiveIntegerField(default=1)
    digest = models.CharField(max_length=64)
    needs = models.JSONField(default=list, help_text="[{verb, why}], as they follow from the content")
    state = models.CharField(max_length=10, choices=[(name, name) for name in states.ALL], default=states.DRAFT)
    requester = models.ForeignKey(settings.AUTH_USER_MODEL, on_delete=models.PROTECT, related_name="+")
    created_at = models.DateTimeField(default=clock.now)
    submitted_at = models.DateTimeField(null=True, blank=True)
    expires_at = models.DateTimeField(null=True, blank=True)
    decided_at = models.DateTimeField(null=True, blank=True)
    effective_from = models.DateTimeField(null=True, blank=True)

    class Meta:
        db_table = "approvals_approval"
        ordering = ["-id"]
        constraints = [
            models.UniqueConstraint(fields=["id", "requester"], name="approvals_requester_of"),
            models.CheckConstraint(condition=Q(reason__regex=r"\S"), name="approvals_reason_is_given"),
            models.CheckConstraint(
                condition=Q(state=states.DRAFT) | Q(submitted_at__isnull=False) | Q(state=states.WITHDRAWN),
                name="approvals_submitted_before_all_else",
            ),
        ]
        indexes = [
            models.Index(fields=["state", "-id"], name="approvals_by_state"),
            models.Index(fields=["kind", "state", "-id"], name="approvals_by_kind"),
            models.Index(fields=["model", "-id"], name="approvals_of_model"),
            models.Index(fields=["requester", "-id"], name="approvals_of_requester"),
            models.Index(fields=["subject"], name="approvals_about"),
            models.Index(fields=["expires_at"], condition=Q(state=states.SUBMITTED), name="approvals_expiring"),
        ]

    def __str__(self) -> str:
        return self.title


class Signature(models.Model):
    """A signature under one digest of a request. `requester` is the request's, so that the table can refuse it."""

    approval = models.ForeignKey(Approval, on_delete=models.PROTECT, related_name="signatures")
    requester_id = models.BigIntegerField()
    person = models.ForeignKey(settings.AUTH_USER_MODEL, on_delete=models.PROTECT, related_name="+")
    verb = models.CharField(max_length=40, help_text="the need that it meets")
    digest = models.CharField(max_length=64)
    confirmed_at = models.DateTimeField(help_text="when the person last proved who they are")
    signed_at = models.DateTimeField(default=clock.now)

    class Meta:
        db_table = "approvals_signature"
        ordering = ["id"]
        constraints = [
            models.CheckConstraint(condition=~Q(person=F("requester_id")), name="approvals_nobody_signs_their_own"),
            models.UniqueConstraint(fields=["approval", "digest", "person"], name="approvals_signed_once"),
        ]

    def __str__(self) -> str:
        return f"{self.verb} by {self.person_id}"


class Resolution(models.Model):
    """A decision of the ethics board in favour of one digest of a request, where its signature is needed. Append-only.

    `case_id` is the case that was decided; the database takes a row only if it was, in favour and of this very text.
    """

    approval = models.ForeignKey(Approval, on_delete=models.PROTECT, related_name="resolutions")
    verb = models.CharField(max_length=40, help_text="the need that it meets")
    digest = models.CharField(max_length=64)
    case_id = models.BigIntegerField()
    decided_at = models.DateTimeField(default=clock.now)

    class Meta:
        db_table = "approvals_resolution"
        ordering = ["id"]
        constraints = [
            models.UniqueConstraint(fields=["approval", "digest", "verb"], name="approvals_resolved_once"),
        ]

    def __str__(self) -> str:
        return f"{self.verb} by case {self.case_id}"


class ApprovalStep(models.Model):
    """A step of a request's life, and remarks made on the way. Append-only."""

    approval = models.ForeignKey(Approval, on_delete=models.PROTECT, related_name="steps")
    event = models.CharField(max_length=20)
    from_state = models.CharField(max_length=10)
    to_state = models.CharField(max_length=10)
    actor = models.CharField(max_length=200)
    text = models.TextField(blank=True, help_text="the reason of a rejection, or the remark")
    revision = models.PositiveIntegerField()
    at = models.DateTimeField(default=clock.now)

    class Meta:
        db_table = "approvals_step"
        ordering = ["id"]
        indexes = [models.Index(fields=["approval", "id"], name="approvals_steps_of")]

    def __str__(self) -> str:
        return f"{self.event} by {self.actor}"
