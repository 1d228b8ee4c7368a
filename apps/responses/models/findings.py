"""Findings, what they have in common, and their steps on the ladder."""

from __future__ import annotations

from datetime import timedelta

from django.conf import settings
from django.contrib.postgres.fields import ArrayField
from django.db import models
from django.db.models import Q

from apps.common import clock
from apps.responses import ladder

LONGEST_SILENCE = timedelta(days=30)


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


class Cause(models.Model):
    """What findings have in common that opened together: one incident, one deadline's worth of work (see `causes`).

    attributes: those that its findings are about. release: the version whose release they followed, if one did.
    """

    model = models.ForeignKey("registry.MonitoredModel", on_delete=models.PROTECT, related_name="+")
    attributes = ArrayField(models.CharField(max_length=40))
    release = models.CharField(max_length=100, blank=True)
    opened_at = models.DateTimeField()
    last_opened_as_of = models.DateTimeField(help_text="when its latest finding opened")
    escalated_at = models.DateTimeField(null=True, blank=True)
    incident_id = models.BigIntegerField(null=True, blank=True, help_text="the incident that its escalation opened")
    closed_at = models.DateTimeField(null=True, blank=True)

    class Meta:
        db_table = "responses_cause"
        ordering = ["-opened_at", "-id"]
        indexes = [models.Index(fields=["model"], condition=Q(closed_at=None), name="responses_open_cause")]

    def __str__(self) -> str:
        return f"cause {self.pk} of model {self.model_id}"

    @property
    def key(self) -> str:
        """The cause's name for other apps and machines."""
        return f"cause:{self.pk}"


class Finding(models.Model):
    """One disparity out of bounds, from its opening to its closing; a relapse is a new finding.

    `windows` says, for each window that was in breach, how many evaluations in a row have been within bounds since
    (`ladder.Recovery`); `persistence` how long it has been in breach (`ladder.Persistence`). Severity, sentence, value,
    interval and bound are those of the last breach; aggregates only.

    `tier` is the rung it is on, or was on when it closed; `entered` says of each rung up to that one since when and
    why. `told_severity` and `told_tier` are what people were told of last.
    """

    class State(models.TextChoices):
        OPEN = "open"
        CLOSED = "closed"

    class Tier(models.TextChoices):
        ALERT = ladder.ALERT
        MONITOR = ladder.MONITOR
        RESTRICT = ladder.RESTRICT
        ESCALATE = ladder.ESCALATE

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
    cause = models.ForeignKey(Cause, null=True, on_delete=models.PROTECT, related_name="findings")
    entered = models.JSONField(default=dict)
    deadline_at = models.DateTimeField(null=True, blank=True, help_text="by when it must be remediated")
    counts_from = models.DateTimeField(null=True, blank=True, help_text="when people last brought it down")
    windows = models.JSONField(default=dict)
    persistence = models.JSONField(default=dict)
    opened_at = models.DateTimeField()
    opened_as_of = models.DateTimeField()
    opened_run_id = models.BigIntegerField()
    last_as_of = models.DateTimeField()
    last_verdict = models.CharField(max_length=15)
    unjudged_since = models.DateTimeField(null=True, blank=True)
    alerted_at = models.DateTimeField(null=True, blank=True)
    told_severity = models.CharField(max_length=10, blank=True)
    told_tier = models.CharField(max_length=20, blank=True)
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
        indexes = [
            models.Index(fields=["model", "state"], name="responses_finding_state"),
            models.Index(fields=["deadline_at"], condition=Q(state="open"), name="responses_finding_deadline"),
        ]

    def __str__(self) -> str:
        return f"{self.metric} of {self.attribute} {self.group}".strip()

    @property
    def rung(self) -> str:
        """Where it stands on the ladder: its tier while it is open."""
        return str(self.tier) if self.state == self.State.OPEN else ladder.CLOSED

    @property
    def standing(self) -> str:
        """What the last evaluation said, in words."""
        if self.state == self.State.CLOSED:
            return "Closed: every window came back within bounds and stayed there."
        if self.unjudged_since:
            return f"Not judged any more since {self.unjudged_since:%d %B %Y, %H:%M} UTC; it stays open."
        if self.last_verdict == "within":
            return f"Within bounds again; {_DOWN[self.tier]} if that lasts."
        if self.last_verdict == "breach":
            return "In breach at the last evaluation."
        return "The last evaluation had too little evidence to judge; it stays open."


_DOWN = {
    ladder.ALERT: "it closes",
    ladder.MONITOR: "it steps down",
    ladder.RESTRICT: "people may bring it down",
    ladder.ESCALATE: "people may bring it down",
}


class FindingTransition(models.Model):
    """A step in a finding's life; written once."""

    finding = models.ForeignKey(Finding, on_delete=models.PROTECT, related_name="transitions")
    at = models.DateTimeField(default=clock.now)
    event = models.CharField(max_length=30)
    from_state = models.CharField(max_length=20, blank=True, help_text="the rung before; empty before the opening")
    to_state = models.CharField(max_length=20)
    actor = models.CharField(max_length=200)
    run_id = models.BigIntegerField(null=True)
    as_of = models.DateTimeField(null=True)
    detail = models.JSONField(default=dict)

    class Meta:
        db_table = "responses_findingtransition"
        ordering = ["at", "id"]

    def __str__(self) -> str:
        return f"{self.event} at {self.at:%Y-%m-%d %H:%M}"


class Silence(models.Model):
    """Alerts of a model, or of one finding, held back until a moment: by whom, and why.

    `severity` is what was known when it was set; what is worse, and the rungs from ``restrict`` up, are told in spite
    of it.
    """

    model = models.ForeignKey("registry.MonitoredModel", on_delete=models.PROTECT, related_name="+")
    finding = models.ForeignKey(Finding, null=True, blank=True, on_delete=models.PROTECT, related_name="+")
    severity = models.CharField(max_length=10)
    reason = models.TextField()
    person = models.ForeignKey(settings.AUTH_USER_MODEL, on_delete=models.PROTECT, related_name="+")
    set_at = models.DateTimeField(default=clock.now)
    until = models.DateTimeField()
    ended_at = models.DateTimeField(null=True, blank=True)

    class Meta:
        db_table = "responses_silence"
        ordering = ["-until", "-id"]
        constraints = [
            models.CheckConstraint(condition=Q(reason__regex=r"\S"), name="responses_silence_has_a_reason"),
            models.CheckConstraint(
                condition=Q(until__lte=models.F("set_at") + LONGEST_SILENCE), name="responses_silence_is_short"
            ),
            models.CheckConstraint(condition=Q(until__gt=models.F("set_at")), name="responses_silence_ends"),
        ]
        indexes = [models.Index(fields=["model", "until"], name="responses_silence_of_model")]

    def __str__(self) -> str:
        return f"silence of model {self.model_id} until {self.until:%Y-%m-%d %H:%M}"

    def holds_back(self, finding: Finding) -> bool:
        """Whether what is news of a finding of this model waits for the silence to end."""
        return (
            self.finding_id in (None, finding.pk)
            and ladder.rank(finding.severity) <= ladder.rank(self.severity)
            and ladder.height(finding.tier) < ladder.height(ladder.RESTRICT)
        )
