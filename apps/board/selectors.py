"""Reading the board's cases: a list, one case, and what waits for whom."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from django.db.models import Exists, OuterRef, QuerySet

from apps.accounts.models import User
from apps.accounts.permissions import may
from apps.accounts.roles import BOARD
from apps.accounts.selectors import people_with_role
from apps.board import matters, states
from apps.board.counting import Count
from apps.board.models import Case, CaseStep, Condition, Conflict, Paper, Seat, Vote
from apps.board.rules import Rules
from apps.board.voting import tally


@dataclass(frozen=True, slots=True)
class CaseRow:
    """A case in a list."""

    id: int
    kind: str
    subject_id: int
    model_slug: str
    model_name: str
    title: str
    question: str
    state: str
    outcome: str
    convened_at: datetime
    papers_until: datetime
    vote_until: datetime | None
    ended_at: datetime | None

    @property
    def due(self) -> datetime | None:
        """What is next in an open case: the opening of the vote or its end."""
        return {states.CONVENED: self.papers_until, states.VOTING: self.vote_until}.get(self.state)


@dataclass(frozen=True, slots=True)
class MemberView:
    """A member of a case. standing: ``member``, ``conflict`` or ``left`` (no longer of the board)."""

    person_id: int
    actor: str
    name: str
    standing: str
    conflict: str
    vote: VoteView | None


@dataclass(frozen=True, slots=True)
class VoteView:
    choice: str
    reason: str
    digest: str
    cast_at: datetime


@dataclass(frozen=True, slots=True)
class PaperView:
    id: int
    title: str
    text: str
    link: str
    added_by: str
    added_at: datetime


@dataclass(frozen=True, slots=True)
class ConditionView:
    id: int
    title: str
    owner: str
    hours: int
    added_by: str


@dataclass(frozen=True, slots=True)
class CaseDetail:
    """One case with all that belongs to it. facts: as they were when voting opened, before that as they are now.

    key: see `Case.key`. path: the page of what it is about; "" where that is no longer there. count: of the votes; of
    a decided case None, whose `tally` says how they were counted.
    """

    row: CaseRow
    key: str
    model_id: int | None
    facts: tuple[tuple[str, str], ...]
    path: str
    rules: Rules
    digest: str
    requester_id: int | None
    convened_by: str
    opened_at: datetime | None
    papers: tuple[PaperView, ...]
    conditions: tuple[ConditionView, ...]
    members: tuple[MemberView, ...]
    count: Count | None
    tally: Mapping[str, Any]
    steps: tuple[CaseStep, ...]

    def member(self, person: User) -> MemberView | None:
        """The person's seat, or None."""
        return next((each for each in self.members if each.person_id == person.pk), None)

    def may_vote(self, person: User) -> bool:
        """Whether this person's vote is open."""
        seat = self.member(person)
        return (
            self.row.state == states.VOTING
            and seat is not None
            and (seat.standing, seat.vote) == ("member", None)
            and self.requester_id != person.pk
        )


def cases(
    *, open_only: bool = False, kind: str = "", before_id: int | None = None, limit: int = 50
) -> tuple[CaseRow, ...]:
    """Cases, newest first; `before_id` continues after that one. One query."""
    rows = _rows()
    if open_only:
        rows = rows.filter(state__in=states.OPEN)
    if kind:
        rows = rows.filter(kind=kind)
    if before_id is not None:
        rows = rows.filter(pk__lt=before_id)
    return tuple(map(_row, rows.order_by("-id")[:limit]))


def cases_about(kind: str, subject_id: int) -> tuple[CaseRow, ...]:
    """The cases of one subject, newest first."""
    return tuple(map(_row, _rows().filter(kind=kind, subject_id=subject_id).order_by("-id")))


def has_open_case(kind: str, subject_id: int) -> bool:
    """Whether the board has still to decide on a subject."""
    return Case.objects.filter(kind=kind, subject_id=subject_id, state__in=states.OPEN).exists()


def case(case_id: int) -> CaseDetail | None:
    """One case with all that belongs to it, or None. A constant number of queries."""
    found = _rows().filter(pk=case_id).first()
    if found is None:
        return None
    subject = matters.matter(found.kind).subject(found.subject_id)
    facts: Iterable[Sequence[str]] = found.facts
    if found.state == states.CONVENED and subject is not None:
        facts = subject.facts
    return CaseDetail(
        row=_row(found),
        key=found.key,
        model_id=found.model_id,
        facts=tuple((label, text) for label, text in facts),
        path=subject.path if subject else "",
        rules=Rules.of(found.rules),
        digest=found.digest,
        requester_id=found.requester_id,
        convened_by=found.convened_by,
        opened_at=found.opened_at,
        papers=tuple(
            PaperView(each.pk, each.title, each.text, each.link, each.added_by, each.added_at)
            for each in Paper.objects.filter(case=found).order_by("id")
        ),
        conditions=tuple(
            ConditionView(each.pk, each.title, each.owner.display_name, each.hours, each.added_by)
            for each in Condition.objects.filter(case=found, dropped_by="").select_related("owner").order_by("id")
        ),
        members=_members(found),
        count=tally(found) if found.state == states.VOTING else None,
        tally=found.tally,
        steps=tuple(CaseStep.objects.filter(case=found).order_by("id")),
    )


def votes_waiting_for(person: User, *, limit: int = 50) -> tuple[CaseRow, ...]:
    """Cases in which this person's vote is open, those that end first before the others."""
    if not may(person, "board.vote"):
        return ()
    return tuple(map(_row, _open_to(person).order_by("vote_until", "id")[:limit]))


def cases_waiting_for(person: User, case_ids: Collection[int]) -> frozenset[int]:
    """Those of these cases in which this person's vote is open. One query beside those for the person's roles."""
    if not may(person, "board.vote"):
        return frozenset()
    return frozenset(_open_to(person).filter(pk__in=list(case_ids)).values_list("pk", flat=True))


def votes_waiting_count(person: User, most: int | None = None) -> int:
    """How many cases wait for this person's vote, counted up to `most`."""
    return _open_to(person)[:most].count() if may(person, "board.vote") else 0


def _open_to(person: User) -> QuerySet[Case]:
    def mine(model: Any) -> Exists:
        return Exists(model.objects.filter(case=OuterRef("pk"), person=person))

    return _rows().filter(mine(Seat), ~mine(Conflict), ~mine(Vote), state=states.VOTING).exclude(requester=person)


def _members(found: Case) -> tuple[MemberView, ...]:
    from_tally = {each["person"]: each["standing"] for each in found.tally.get("members", ())}
    conflicts = dict(Conflict.objects.filter(case=found).values_list("person_id", "reason"))
    votes = {each.person_id: each for each in Vote.objects.filter(case=found)}
    holders = set(people_with_role(BOARD).values_list("pk", flat=True))
    members = []
    for seat in Seat.objects.filter(case=found).select_related("person").order_by("id"):
        vote = votes.get(seat.person_id)
        now = "conflict" if seat.person_id in conflicts else "member" if seat.person_id in holders else "left"
        members.append(
            MemberView(
                person_id=seat.person_id,
                actor=seat.person.actor,
                name=seat.person.display_name,
                standing=from_tally.get(seat.person.actor, now),
                conflict=conflicts.get(seat.person_id, ""),
                vote=VoteView(vote.choice, vote.reason, vote.digest, vote.cast_at) if vote else None,
            )
        )
    return tuple(members)


def _rows() -> QuerySet[Case]:
    return Case.objects.select_related("model")


def _row(found: Case) -> CaseRow:
    return CaseRow(
        id=found.pk,
        kind=found.kind,
        subject_id=found.subject_id,
        model_slug=found.model.slug if found.model else "",
        model_name=found.model.name if found.model else "",
        title=found.title,
        question=found.question,
        state=found.state,
        outcome=found.outcome,
        convened_at=found.convened_at,
        papers_until=found.papers_until,
        vote_until=found.vote_until,
        ended_at=found.ended_at,
    )
