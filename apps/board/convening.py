"""Convening the board: the case, its members, and what they will read and vote on."""

from __future__ import annotations

import re
from urllib.parse import urlsplit

from django.db import IntegrityError, transaction

from apps.accounts.models import User
from apps.accounts.permissions import demand, may
from apps.accounts.roles import BOARD
from apps.accounts.selectors import people_with_role
from apps.board import states, steps
from apps.board.matters import Subject, matter
from apps.board.models import Case, Condition, Conflict, Paper, Seat
from apps.board.rules import rules_in_force
from apps.common import clock
from apps.common.errors import Refused
from apps.common.wording import shortened
from apps.responses.announcements import announce

_NO_ADDRESS = re.compile(r"[\s\\\x00-\x20\x7f]")
_LONGEST_TITLE = 200
_LONGEST_QUESTION = 2000
_MOST = 100
"""Papers or conditions of one case."""


@transaction.atomic
def case_convene(*, kind: str, subject_id: int, person: User, question: str = "") -> Case:
    """Put a matter to the board by hand. question: "" for the matter's own.

    Raises PermissionDenied, or Refused: the matter does not exist, is closed, is put to the board by itself, or has a
    case that is open (``exists``).
    """
    demand(person, steps.CONVENE)
    try:
        declared = matter(kind)
    except KeyError:
        raise Refused("kind", f"Nothing called {kind!r} is put to the board.", code="unknown_kind") from None
    if not declared.by_hand:
        raise Refused("kind", f"A {declared.title} is put to the board by itself.", code="by_itself")
    subject = declared.subject(subject_id)
    if subject is None:
        raise Refused("subject", f"There is no {declared.title} {subject_id}.", code="unknown")
    if not subject.open:
        raise Refused("subject", f"This {declared.title} is closed; the board has nothing to decide.", code="closed")
    return convene(kind, subject, actor=person.actor, question=question)


def convene(kind: str, subject: Subject, *, actor: str, question: str = "") -> Case:
    """The case of a subject, with its members, told to them; in the caller's transaction.

    Raises Refused (``exists``) where an open case is about the same: of two who convene at once one does.
    """
    asked = steps.check_text("question", question or subject.question, longest=_LONGEST_QUESTION)
    rules, now = rules_in_force(), clock.now()
    case = Case(
        kind=kind,
        subject_id=subject.id,
        key=subject.key,
        model_id=subject.model_id,
        title=shortened(subject.title, _LONGEST_TITLE),
        question=asked,
        requester=subject.requester,
        rules=rules.plain(),
        convened_by=actor,
        convened_at=now,
        papers_until=rules.hours.deadline(now, rules.papers_hours),
    )
    try:
        with transaction.atomic():
            case.save()
    except IntegrityError:
        running = Case.objects.filter(kind=kind, subject_id=subject.id, state__in=states.OPEN).first()
        if running is None:
            raise
        raise Refused("subject", f"Case {running.pk} about this is open.", code="exists") from None
    steps.note(case, "convened", actor=actor, text=asked, detail={"rules": case.rules}, before=states.ABSENT)
    seats_draw(case, subject)
    announce(
        model=None,
        key=f"case-{case.pk}-convened",
        title=shortened(f"Ethics board convened: {case.title}", _LONGEST_TITLE),
        body=f"{asked}\n\nPapers are gathered until voting opens at {case.papers_until:%Y-%m-%d %H:%M} UTC.",
        severity="",
        path=f"/board/{case.pk}/",
        detected_at=now,
        roles=(BOARD,),
    )
    return case


def seats_draw(case: Case, subject: Subject) -> int:
    """A seat for everybody in the board's role who has none; how many. Parties of the matter have a conflict."""
    taken = set(Seat.objects.filter(case=case).values_list("person_id", flat=True))
    fresh = [person for person in people_with_role(BOARD) if person.pk not in taken]
    if fresh:
        now = clock.now()
        Seat.objects.bulk_create(Seat(case=case, person=person, drawn_at=now) for person in fresh)
        names = ", ".join(person.display_name for person in fresh)
        steps.note(case, "members_drawn", actor=steps.SYSTEM, text=names)
    seated = taken | {person.pk for person in fresh}
    for person, reason in subject.parties:
        if person.pk in seated:
            conflict_note(case, person, reason, actor=steps.SYSTEM)
    return len(fresh)


def conflict_note(case: Case, person: User, reason: str, *, actor: str) -> bool:
    """Write a conflict of interest down; False if it is known."""
    _, fresh = Conflict.objects.get_or_create(
        case=case,
        person=person,
        defaults={"reason": reason, "declared_by": actor, "declared_at": clock.now()},
    )
    if fresh:
        steps.note(case, "conflict_declared", actor=actor, text=reason, detail={"member": person.actor})
    return fresh


@transaction.atomic
def question_change(*, case_id: int, person: User, question: str) -> None:
    """Put the question in other words before voting opens. Raises PermissionDenied, or Refused (``state``)."""
    case = steps.held_for(case_id, person, steps.MANAGE)
    steps.demand_gathering(case)
    asked = steps.check_text("question", question, longest=_LONGEST_QUESTION, missing="Ask what can be voted on.")
    steps.change(case, "question_changed", actor=person.actor, text=asked, question=asked)


@transaction.atomic
def paper_add(*, case_id: int, person: User, title: str, text: str = "", link: str = "") -> Paper:
    """Put a paper before the board: a text, a link, or both.

    Raises PermissionDenied, and Refused once voting has opened (``state``), for a member with a conflict, or where a
    part is missing or is no link.
    """
    case = steps.held_for(case_id, person, steps.VOTE, steps.CONVENE, steps.MANAGE)
    steps.demand_gathering(case)
    steps.demand_impartial(case, person)
    name = steps.check_text("title", title, longest=_LONGEST_TITLE, missing="Give the paper a title.")
    body = steps.check_text("text", text)
    address = _link(link)
    if not body and not address:
        raise Refused("text", "Write the paper's text, or link to it.", code="missing")
    _demand_room(Paper.objects.filter(case=case).count())
    paper = Paper.objects.create(
        case=case, title=name, text=body, link=address, added_by=person.actor, added_at=clock.now()
    )
    steps.note(case, "paper_added", actor=person.actor, text=name, detail={"paper": paper.pk, "link": address})
    return paper


@transaction.atomic
def condition_add(*, case_id: int, person: User, title: str, owner: User, hours: int) -> Condition:
    """Make it a condition of saying yes that `owner` does something within so many business hours of the decision.

    Raises PermissionDenied, and Refused once voting has opened (``state``), for a member with a conflict, or an owner
    who may not see incidents of the model.
    """
    case = steps.held_for(case_id, person, steps.VOTE, steps.MANAGE)
    steps.demand_gathering(case)
    steps.demand_impartial(case, person)
    what = steps.check_text("title", title, longest=300, missing="Say what has to be done.")
    if not 1 <= hours <= 2000:
        raise Refused("hours", "Give between 1 and 2,000 business hours.")
    if not may(owner, "incident.view", case.model_id):
        raise Refused("owner", f"{owner.display_name} may not see actions of this model.")
    _demand_room(Condition.objects.filter(case=case, dropped_by="").count())
    made = Condition.objects.create(
        case=case, title=what, owner=owner, hours=hours, added_by=person.actor, added_at=clock.now()
    )
    steps.note(case, "condition_added", actor=person.actor, text=what, detail={"owner": owner.actor, "hours": hours})
    return made


@transaction.atomic
def condition_drop(*, case_id: int, condition_id: int, person: User) -> None:
    """Take a condition out again before voting opens. Raises PermissionDenied, or Refused (``state``, ``unknown``)."""
    case = steps.held_for(case_id, person, steps.VOTE, steps.MANAGE)
    steps.demand_gathering(case)
    steps.demand_impartial(case, person)
    found = Condition.objects.filter(case=case, pk=condition_id, dropped_by="")
    title = found.values_list("title", flat=True).first()
    if title is None or found.update(dropped_by=person.actor) != 1:
        raise Refused("condition", "This case has no such condition.", code="unknown")
    steps.note(case, "condition_dropped", actor=person.actor, text=title)


def _link(link: str) -> str:
    """A web address or a page of ours. Raises Refused for anything a browser would run."""
    address = steps.check_text("link", link, longest=500)
    parts = urlsplit(address)
    ours = not parts.scheme and not parts.netloc and address.startswith("/")
    elsewhere = parts.scheme in ("http", "https") and bool(parts.netloc)
    # Browsers drop tabs and line ends from an address and take a backslash for a slash.
    if address and (_NO_ADDRESS.search(address) or not (ours or elsewhere)):
        raise Refused("link", "A link begins with https://, http:// or, for a page of this site, a slash.")
    return address


def _demand_room(number: int) -> None:
    if number >= _MOST:
        raise Refused("case", f"A case has at most {_MOST} of these.")
