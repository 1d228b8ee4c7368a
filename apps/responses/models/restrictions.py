"""What a model may not decide at present, the status that says so, and the gateways that have acknowledged it."""

from __future__ import annotations

from django.conf import settings
from django.contrib.postgres.fields import ArrayField
from django.db import models
from django.db.models import Q

from apps.common import clock
from apps.responses import ladder
from apps.responses.models.findings import Cause


class Restriction(models.Model):
    """A directive: these types of decision are blocked. At most one of a model is proposed or in force.

    breach_at: when the breach was computed that asked for it. sequence: the number of the first status that carried
    it. acknowledged_at: when the last of the gateways known at that time had it in effect.
    """

    class State(models.TextChoices):
        PROPOSED = ladder.PROPOSED
        IN_FORCE = ladder.IN_FORCE, "In force"
        DECLINED = ladder.DECLINED
        LIFTED = ladder.LIFTED

    model = models.ForeignKey("registry.MonitoredModel", on_delete=models.PROTECT, related_name="+")
    cause = models.ForeignKey(Cause, null=True, on_delete=models.PROTECT, related_name="restrictions")
    state = models.CharField(max_length=10, choices=State.choices)
    automatic = models.BooleanField(help_text="in force without anybody's confirmation, as the policy said")
    blocked_decision_types = ArrayField(models.CharField(max_length=60))
    reason = models.TextField(help_text="goes to the gateways: aggregates only")
    breach_at = models.DateTimeField()
    proposed_at = models.DateTimeField()
    in_force_at = models.DateTimeField(null=True, blank=True)
    decided_by = models.ForeignKey(
        settings.AUTH_USER_MODEL, null=True, blank=True, on_delete=models.PROTECT, related_name="+"
    )
    note = models.TextField(blank=True, help_text="why it was confirmed or declined, in that person's words")
    sequence = models.BigIntegerField(null=True, blank=True)
    acknowledged_at = models.DateTimeField(null=True, blank=True)
    lifted_at = models.DateTimeField(null=True, blank=True)
    approval_id = models.BigIntegerField(null=True, blank=True, help_text="the request by which it was lifted")

    class Meta:
        db_table = "responses_restriction"
        ordering = ["-id"]
        constraints = [
            models.UniqueConstraint(
                fields=["model"], condition=Q(state__in=ladder.LIVE), name="responses_one_live_restriction"
            ),
            models.CheckConstraint(
                condition=Q(state__in=(ladder.PROPOSED, ladder.DECLINED), in_force_at=None)
                | Q(state__in=(ladder.IN_FORCE, ladder.LIFTED), in_force_at__isnull=False),
                name="responses_in_force_has_a_time",
            ),
            models.CheckConstraint(
                condition=Q(state=ladder.LIFTED, lifted_at__isnull=False, approval_id__isnull=False)
                | (~Q(state=ladder.LIFTED) & Q(lifted_at=None, approval_id=None)),
                name="responses_lifted_by_a_signed_request",
            ),
            models.CheckConstraint(
                condition=Q(automatic=True) | Q(state=ladder.PROPOSED) | Q(decided_by__isnull=False),
                name="responses_somebody_decided",
            ),
        ]
        indexes = [models.Index(fields=["model", "-id"], name="responses_restriction_of")]

    def __str__(self) -> str:
        return f"restriction {self.pk} of model {self.model_id}, {self.state}"


class RestrictionStep(models.Model):
    """A step in a restriction's life; written once."""

    restriction = models.ForeignKey(Restriction, on_delete=models.PROTECT, related_name="steps")
    at = models.DateTimeField(default=clock.now)
    event = models.CharField(max_length=20)
    from_state = models.CharField(max_length=10, blank=True)
    to_state = models.CharField(max_length=10)
    actor = models.CharField(max_length=200)
    text = models.TextField(blank=True)

    class Meta:
        db_table = "responses_restrictionstep"
        ordering = ["at", "id"]

    def __str__(self) -> str:
        return f"{self.event} at {self.at:%Y-%m-%d %H:%M}"


class ModelStatus(models.Model):
    """What a model's gateways are told; `sequence` rises with every change of it."""

    model = models.OneToOneField(
        "registry.MonitoredModel", primary_key=True, on_delete=models.CASCADE, related_name="+"
    )
    sequence = models.BigIntegerField(default=0)
    tier = models.CharField(max_length=20, default=ladder.NO_TIER)
    restriction = models.ForeignKey(Restriction, null=True, blank=True, on_delete=models.PROTECT, related_name="+")
    changed_at = models.DateTimeField(default=clock.now)

    class Meta:
        db_table = "responses_modelstatus"

    def __str__(self) -> str:
        return f"status {self.sequence} of model {self.model_id}"


class Gateway(models.Model):
    """A gateway that serves a model, known since it acknowledged a status for the first time.

    token: the actor by which it asks. retired_at: people say that it serves no more, and nobody waits for it.
    """

    model = models.ForeignKey("registry.MonitoredModel", on_delete=models.CASCADE, related_name="+")
    token = models.CharField(max_length=200)
    name = models.CharField(max_length=80)
    first_seen_at = models.DateTimeField()
    sequence = models.BigIntegerField()
    acknowledged_at = models.DateTimeField()
    retired_at = models.DateTimeField(null=True, blank=True)

    class Meta:
        db_table = "responses_gateway"
        ordering = ["name", "id"]
        constraints = [
            models.UniqueConstraint(fields=["model", "token", "name"], name="responses_gateway_once"),
        ]

    def __str__(self) -> str:
        return self.name


class Acknowledgement(models.Model):
    """A gateway had a status in effect; written once for each number."""

    gateway = models.ForeignKey(Gateway, on_delete=models.CASCADE, related_name="acknowledgements")
    sequence = models.BigIntegerField()
    restriction = models.ForeignKey(Restriction, null=True, on_delete=models.PROTECT, related_name="acknowledgements")
    at = models.DateTimeField(default=clock.now)

    class Meta:
        db_table = "responses_acknowledgement"
        ordering = ["id"]
        constraints = [
            models.UniqueConstraint(fields=["gateway", "sequence"], name="responses_acknowledged_once"),
        ]

    def __str__(self) -> str:
        return f"number {self.sequence} by gateway {self.gateway_id}"
