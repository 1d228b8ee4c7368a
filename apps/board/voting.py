"""Voting: opened on a digest, given once by each member, counted, carried out.

A vote is given once. It stands like a signature under exactly the digest that was read; what could change a mind is a
new paper, and papers end before voting opens (docs/decisions).
"""

from __future__ import annotations

import hashlib
import json
from datetime import datetime

from django.db import transaction

from apps.accounts.models import User
from apps.accounts.roles import BOARD, COMPLIANCE, OFFICER
from apps.accounts.second_factors import lacks_second_factor
from apps.accounts.selectors import people_with_role
from apps.approvals.services import CONFIRMED_FOR
from apps.board import matters, states, steps
from apps.board.convening import conflict_note, seats_draw
from apps.board.counting import Count, count
from apps.board.matters import Decision, Subject
from apps.board.models import Case, Condition, Conflict, Paper, Seat, Vote
from apps.board.rules import Rules
from apps.board.wording import decision_sentence
from apps.common import clock
from apps.common.errors import Refused
from apps.common.wording import shortened
from apps.registry import selectors as registry
from apps.responses.announcements import announce

REMIND_BEFORE = 8
"""Business hours before the end of a vote at which members are reminded, and between reminders after it."""


@transaction.atomic
def voting_open(*, case_id: int, person: User) -> Case:
    """Open the vote before the papers' time is over. Raises PermissionDenied, or Refused (``state``, ``changed``)."""
    case = steps.held_for(case_id, person, steps.MANAGE)
    steps.demand_gathering(case)
    subject = standing_of(case)
    if subject is None:
        raise Refused("case", "What this case is about has changed or ended.", code="changed")
    open_vote(case, subject, actor=person.actor)
    return case


def open_vote(case: Case, subject: Subject, *, actor: str) -> None:
    """Open the vote on what the case says now; in the caller's transaction, which holds the case."""
    seats_draw(case, subject)
    rules, now = Rules.of(case.rules), clock.now()
    case.facts = [list(fact) for fact in subject.facts]
    until = rules.hours.deadline(now, rules.voting_hours)
    early = max(rules.voting_hours - REMIND_BEFORE, rules.voting_hours / 2)
    steps.move(
        case,
        "voting_opened",
        actor=actor,
        text=case.question,
        facts=case.facts,
        digest=digest_of(case),
        opened_at=now,
        vote_until=min(until, subject.until) if subject.until else until,
        remind_at=rules.hours.deadline(now, early),
    )
    announce(
        model=None,
        key=f"case-{case.pk}-voting",
        title=shortened(f"Ethics board, vote: {case.title}", 200),
        body=f"{case.question}\n\nThe vote ends at {case.vote_until:%Y-%m-%d %H:%M} UTC.",
        severity="",
        path=f"/board/{case.pk}/",
        detected_at=now,
        roles=(BOARD,),
    )


@transaction.atomic
def conflict_declare(*, case_id: int, person: User, reason: str) -> None:
    """Declare one's own conflict of interest. A vote that one has given counts no more; there is no way back.

    Raises PermissionDenied for who has no seat, Refused where the case has ended or no reason is given.
    """
    case = steps.held_for(case_id, person, steps.VOTE)
    steps.demand_seat(case, person)
    if case.state not in states.OPEN:
        raise Refused("case", f"This case is {case.state}.", code="state")
    why = steps.check_text("reason", reason, longest=5000, missing="Say what your interest is.")
    if not conflict_note(case, person, why, actor=person.actor):
        raise Refused("case", "You have declared a conflict of interest here.", code="conflict")
    if case.state == states.VOTING:
        decide_if_done(case)


@transaction.atomic
def vote_cast(
    *, case_id: int, person: User, choice: str, reason: str, digest: str, confirmed_at: datetime | None
) -> Case:
    """Vote on a case as it was read; the last vote decides it, in the same transaction.

    Parameters
    ----------
    digest
        That of the case that the person has read.
    confirmed_at
        When the person last proved who they are; at most five minutes ago.

    Raises
    ------
    PermissionDenied
        The person is no member of the board, or has no seat in this case.
    Refused
        ``own_request``, ``conflict``, ``not_confirmed``, ``second_factor`` (none is set up), ``state`` (not open for
        votes), ``ended`` (the time is over and the quorum was there), ``changed`` (since it was read), ``voted``; or
        choice or reason is missing.
    """
    case = steps.held_for(case_id, person, steps.VOTE)
    if case.requester_id == person.pk:
        raise Refused("case", "Nobody votes on their own request.", code="own_request")
    steps.demand_seat(case, person)
    steps.demand_impartial(case, person)
    now = clock.now()
    if confirmed_at is None or now - confirmed_at > CONFIRMED_FOR:
        raise Refused("confirmation", "Confirm that it is you, then vote.", code="not_confirmed")
    if lacks_second_factor(person):
        raise Refused("person", "Set up a second factor first: a vote must be yours alone.", code="second_factor")
    if case.state != states.VOTING:
        raise Refused("case", f"In this case {states.TITLES[case.state]}; no vote can be given.", code="state")
    if digest != case.digest:
        raise Refused("digest", "This is not what the board votes on. Read the case again.", code="changed")
    if Vote.objects.filter(case=case, person=person).exists():
        raise Refused("case", "You have voted in this case; a vote is given once.", code="voted")
    if standing_of(case) is None:
        raise Refused("case", "What this case is about has changed or ended.", code="changed")
    if case.vote_until and now >= case.vote_until and tally(case).quorate:
        raise Refused("case", "The time for votes is over.", code="ended")
    if choice not in states.CHOICES:
        raise Refused("choice", "Vote for, against, or abstain.")
    why = steps.check_text("reason", reason, longest=5000, missing="Give your reason; it stands in the minutes.")
    Vote.objects.create(
        case=case,
        person=person,
        choice=choice,
        reason=why,
        digest=digest,
        confirmed_at=confirmed_at,
        cast_at=now,
    )
    steps.note(case, "vote_cast", actor=person.actor, detail={"choice": choice, "reason": why})
    decide_if_done(case)
    return case


def decide_if_done(case: Case) -> bool:
    """Decide a held case on which everybody has voted, or whose time is over with the quorum there."""
    counted = tally(case)
    over = case.vote_until is not None and clock.now() >= case.vote_until
    if not counted.quorate or not (counted.complete or over):
        return False
    subject = standing_of(case)
    if subject is None:
        lapse(case)
        return True
    _decide(case, subject, counted)
    return True


def lapse(case: Case) -> None:
    """End a held case without a decision: what it is about has changed or ended."""
    text = "What the case is about has changed or ended before the board decided."
    steps.move(case, "lapsed", actor=steps.SYSTEM, text=text, ended_at=clock.now())


def tally(case: Case) -> Count:
    """How the votes stand now. Who has lost the role or declared a conflict is not counted, nor is their vote."""
    rules = Rules.of(case.rules)
    members = {person.pk: person.username for person in people_with_role(BOARD)}
    seated = set(Seat.objects.filter(case=case).values_list("person_id", flat=True))
    apart = set(Conflict.objects.filter(case=case).values_list("person_id", flat=True))
    eligible = [person for person in members if person in seated - apart]
    votes = dict(Vote.objects.filter(case=case).values_list("person_id", "choice"))
    chair = next((person for person, name in members.items() if rules.chair and name == rules.chair), None)
    return count(rules, eligible, votes, chair)


def standing_of(case: Case) -> Subject | None:
    """What the case is about, if the board can still decide on it as it was put to it; else None."""
    subject = matters.matter(case.kind).subject(case.subject_id)
    if subject is None or not subject.open or subject.key != case.key:
        return None
    return subject


def digest_of(case: Case) -> str:
    """What is voted on: SHA-256 of the canonical JSON of subject, facts, question, papers, conditions and rules."""
    covered = {
        "about": [case.kind, case.subject_id, case.key],
        "title": case.title,
        "question": case.question,
        "facts": case.facts,
        "rules": case.rules,
        "papers": list(Paper.objects.filter(case=case).order_by("id").values_list("title", "text", "link", "added_by")),
        "conditions": list(
            Condition.objects.filter(case=case, dropped_by="")
            .order_by("id")
            .values_list("title", "owner__username", "hours")
        ),
    }
    canonical = json.dumps(covered, sort_keys=True, separators=(",", ":"), ensure_ascii=False, allow_nan=False)
    return hashlib.sha256(canonical.encode()).hexdigest()


def _decide(case: Case, subject: Subject, counted: Count) -> None:
    now = clock.now()
    sentence = decision_sentence(counted)
    tallied = {
        "eligible": counted.eligible,
        "needed": counted.needed,
        "for": counted.votes_for,
        "against": counted.votes_against,
        "abstain": counted.abstentions,
        "tie": counted.tie,
        "members": _roll(case),
    }
    steps.move(
        case,
        "decided",
        actor=steps.SYSTEM,
        text=sentence,
        detail=tallied,
        outcome=counted.outcome,
        tally=tallied,
        ended_at=now,
    )
    carried = counted.outcome == states.CARRIED
    side = states.FOR if carried else states.AGAINST
    reasons = Vote.objects.filter(case=case, choice=side).order_by("id").values_list("reason", flat=True)
    decision = Decision(
        case_id=case.pk,
        subject_id=case.subject_id,
        key=case.key,
        model_id=case.model_id,
        carried=carried,
        sentence=sentence,
        reasons=tuple(reasons),
    )
    takes_effect = matters.matter(case.kind).decided(decision)
    if carried and takes_effect:
        _conditions(case, now)
    announce(
        model=registry.model_spec_by_id(case.model_id) if case.model_id else None,
        key=f"case-{case.pk}-decided",
        title=shortened(f"Ethics board: {'yes' if carried else 'no'} to {case.title}", 200),
        body=f"{case.question}\n\n{sentence}",
        severity="" if carried else "high",
        path=subject.path,
        detected_at=now,
        roles=(BOARD, OFFICER, COMPLIANCE),
    )


def _roll(case: Case) -> list[dict[str, str]]:
    """Every member of the case as they stood when the votes were counted; for the minutes."""
    members = set(people_with_role(BOARD).values_list("pk", flat=True))
    apart = dict(Conflict.objects.filter(case=case).values_list("person_id", "reason"))
    votes = dict(Vote.objects.filter(case=case).values_list("person_id", "choice"))
    roll = []
    for seat in Seat.objects.filter(case=case).select_related("person").order_by("id"):
        standing = "conflict" if seat.person_id in apart else "member" if seat.person_id in members else "left"
        roll.append(
            {
                "person": seat.person.actor,
                "name": seat.person.display_name,
                "standing": standing,
                "vote": votes.get(seat.person_id, ""),
            }
        )
    return roll


def _conditions(case: Case, now: datetime) -> None:
    hours = Rules.of(case.rules).hours
    for each in Condition.objects.filter(case=case, dropped_by="").select_related("owner").order_by("id"):
        matters.condition_take(
            matters.ConditionOfCase(
                case_id=case.pk,
                kind=case.kind,
                subject_id=case.subject_id,
                model_id=case.model_id,
                title=each.title,
                owner=each.owner,
                due_at=hours.deadline(now, each.hours),
            )
        )
