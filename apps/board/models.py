"""Cases of the ethics board. The rules that matter are the database's as well (migration 0002)."""

from __future__ import annotations

from django.conf import settings
from django.db import models
from django.db.models import F, Q

from apps.board import states
from apps.common import clock


class RulesVersion(models.Model):
    """How the board decides, from a moment on: what a decision of the board has set. Append-only."""

    rules = models.JSONField(help_text="see rules.Rules")
    approval_id = models.BigIntegerField(help_text="the request by which the board agreed to them")
    set_by = models.CharField(max_length=200)
    set_at = models.DateTimeField(default=clock.now)

    class Meta:
        db_table = "board_rules"
        ordering = ["-id"]

    def __str__(self) -> str:
        return f"rules of {self.set_at:%Y-%m-%d}"


class Case(models.Model):
    """A question that is put to the board: about an incident, or about a request that needs the board.

    `key` tells one occasion from another of the same subject: the digest of a request. `rules` are the board's rules as
    they were when it was convened. `digest`, from the opening of the vote on, covers all that is voted on: subject,
    `facts`, question, papers, conditions and rules. `tally` is how the votes were counted.
    """

    kind = models.CharField(max_length=20, help_text="see matters.Matter")
    subject_id = models.BigIntegerField()
    key = models.CharField(max_length=64, blank=True)
    model = models.ForeignKey(
        "registry.MonitoredModel", null=True, blank=True, on_delete=models.PROTECT, related_name="+"
    )
    title = models.CharField(max_length=200)
    question = models.TextField()
    facts = models.JSONField(default=list, help_text="[[label, text]]: the subject as it stood when voting opened")
    requester = models.ForeignKey(
        settings.AUTH_USER_MODEL, null=True, blank=True, on_delete=models.PROTECT, related_name="+"
    )
    rules = models.JSONField()
    state = models.CharField(max_length=10, choices=[(name, name) for name in states.ALL], default=states.CONVENED)
    convened_by = models.CharField(max_length=200)
    convened_at = models.DateTimeField(default=clock.now)
    papers_until = models.DateTimeField()
    opened_at = models.DateTimeField(null=True, blank=True)
    vote_until = models.DateTimeField(null=True, blank=True)
    remind_at = models.DateTimeField(null=True, blank=True)
    digest = models.CharField(max_length=64, blank=True)
    ended_at = models.DateTimeField(null=True, blank=True)
    outcome = models.CharField(max_length=10, blank=True)
    tally = models.JSONField(default=dict)

    class Meta:
        db_table = "board_case"
        ordering = ["-id"]
        constraints = [
            models.UniqueConstraint(
                fields=["kind", "subject_id"], condition=Q(state__in=states.OPEN), name="board_one_case_for_a_subject"
            ),
            models.CheckConstraint(condition=Q(question__regex=r"\S"), name="board_question_is_asked"),
            models.CheckConstraint(
                condition=Q(state=states.DECIDED, outcome__in=[states.CARRIED, states.FAILED])
                | (~Q(state=states.DECIDED) & Q(outcome="")),
                name="board_decided_has_an_outcome",
            ),
            models.CheckConstraint(
                condition=Q(state__in=states.OPEN, ended_at=None)
                | (~Q(state__in=states.OPEN) & Q(ended_at__isnull=False)),
                name="board_ended_has_a_time",
            ),
        ]
        indexes = [
            models.Index(fields=["kind", "subject_id", "key"], name="board_case_about"),
            models.Index(fields=["state", "-id"], name="board_case_by_state"),
        ]

    def __str__(self) -> str:
        return f"Case {self.pk}: {self.title}"


class Seat(models.Model):
    """A member of the board for one case. Append-only."""

    case = models.ForeignKey(Case, on_delete=models.PROTECT, related_name="seats")
    person = models.ForeignKey(settings.AUTH_USER_MODEL, on_delete=models.PROTECT, related_name="+")
    drawn_at = models.DateTimeField(default=clock.now)

    class Meta:
        db_table = "board_seat"
        ordering = ["id"]
        constraints = [models.UniqueConstraint(fields=["case", "person"], name="board_one_seat_each")]

    def __str__(self) -> str:
        return f"seat of {self.person_id} in case {self.case_id}"


class Conflict(models.Model):
    """A member's conflict of interest in a case: they read, and neither vote nor count. Append-only."""

    case = models.ForeignKey(Case, on_delete=models.PROTECT, related_name="conflicts")
    person = models.ForeignKey(settings.AUTH_USER_MODEL, on_delete=models.PROTECT, related_name="+")
    reason = models.TextField()
    declared_by = models.CharField(max_length=200)
    declared_at = models.DateTimeField(default=clock.now)

    class Meta:
        db_table = "board_conflict"
        ordering = ["id"]
        constraints = [
            models.UniqueConstraint(fields=["case", "person"], name="board_conflict_once"),
            models.CheckConstraint(condition=Q(reason__regex=r"\S"), name="board_conflict_says_why"),
        ]

    def __str__(self) -> str:
        return f"conflict of {self.person_id} in case {self.case_id}"


class Paper(models.Model):
    """Something the board reads before it votes. Append-only, and closed when voting opens."""

    case = models.ForeignKey(Case, on_delete=models.PROTECT, related_name="papers")
    title = models.CharField(max_length=200)
    text = models.TextField(blank=True)
    link = models.CharField(max_length=500, blank=True)
    added_by = models.CharField(max_length=200)
    added_at = models.DateTimeField(default=clock.now)

    class Meta:
        db_table = "board_paper"
        ordering = ["id"]
        constraints = [
            models.CheckConstraint(condition=Q(text__regex=r"\S") | ~Q(link=""), name="board_paper_has_content"),
        ]

    def __str__(self) -> str:
        return self.title


class Condition(models.Model):
    """A condition of saying yes, which becomes an action if the board says it; `hours` are business hours from then."""

    case = models.ForeignKey(Case, on_delete=models.PROTECT, related_name="conditions")
    title = models.CharField(max_length=300)
    owner = models.ForeignKey(settings.AUTH_USER_MODEL, on_delete=models.PROTECT, related_name="+")
    hours = models.PositiveIntegerField()
    added_by = models.CharField(max_length=200)
    added_at = models.DateTimeField(default=clock.now)
    dropped_by = models.CharField(max_length=200, blank=True)

    class Meta:
        db_table = "board_condition"
        ordering = ["id"]
        constraints = [
            models.CheckConstraint(condition=Q(hours__gt=0), name="board_condition_takes_time"),
        ]

    def __str__(self) -> str:
        return self.title


class Vote(models.Model):
    """A member's vote on one digest of a case, with its reason. Append-only: a vote is given once."""

    case = models.ForeignKey(Case, on_delete=models.PROTECT, related_name="votes")
    person = models.ForeignKey(settings.AUTH_USER_MODEL, on_delete=models.PROTECT, related_name="+")
    choice = models.CharField(max_length=10)
    reason = models.TextField()
    digest = models.CharField(max_length=64)
    confirmed_at = models.DateTimeField(help_text="when the person last proved who they are")
    cast_at = models.DateTimeField(default=clock.now)

    class Meta:
        db_table = "board_vote"
        ordering = ["id"]
        constraints = [
            models.UniqueConstraint(fields=["case", "person"], name="board_one_vote_each"),
            models.CheckConstraint(condition=Q(choice__in=states.CHOICES), name="board_vote_is_a_choice"),
            models.CheckConstraint(condition=Q(reason__regex=r"\S"), name="board_vote_says_why"),
            models.CheckConstraint(condition=Q(confirmed_at__lte=F("cast_at")), name="board_vote_was_confirmed"),
        ]

    def __str__(self) -> str:
        return f"{self.choice} by {self.person_id} in case {self.case_id}"


class CaseStep(models.Model):
    """Something that happened in a case, a move between states included. Append-only."""

    case = models.ForeignKey(Case, on_delete=models.PROTECT, related_name="steps")
    event = models.CharField(max_length=20)
    from_state = models.CharField(max_length=10, blank=True)
    to_state = models.CharField(max_length=10)
    actor = models.CharField(max_length=200)
    text = models.TextField(blank=True)
    at = models.DateTimeField(default=clock.now)

    class Meta:
        db_table = "board_step"
        ordering = ["id"]
        indexes = [models.Index(fields=["case", "id"], name="board_steps_of")]

    def __str__(self) -> str:
        return f"{self.event} by {self.actor}"
