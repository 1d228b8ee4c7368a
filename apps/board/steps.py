"""Holding a case and writing down what happens to it: guarded UPDATE, step row and audit entry, in one transaction.

Everything that happens to one case happens one after the other: each verb holds its row until it is done. A case is
held before what it is about, and nobody who holds a request or an incident takes a case.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from django.core.exceptions import PermissionDenied
from django.db import IntegrityError

from apps.accounts.models import User
from apps.accounts.permissions import demand, may
from apps.audit import services as audit
from apps.board import states
from apps.board.models import Case, CaseStep, Conflict, Seat
from apps.common import clock
from apps.common.errors import Refused
from apps.registry.selectors import slug_of

SYSTEM = "system:board"
VOTE, VIEW, CONVENE, MANAGE = "board.vote", "board.view", "board.convene", "board.manage"
LONGEST_TEXT = 20_000


def held(case_id: int) -> Case:
    """The case, held until the transaction ends. Raises Refused (``unknown``) if there is none."""
    found = Case.objects.select_for_update(of=("self",)).filter(pk=case_id).first()
    if found is None:
        raise Refused("case", f"There is no case {case_id}.", code="unknown")
    return found


def held_for(case_id: int, person: User, *verbs: str) -> Case:
    """The case, held for a person who may do any of `verbs`. Raises PermissionDenied for others."""
    if not any(may(person, verb) for verb in verbs):
        demand(person, verbs[0])
    return held(case_id)


def demand_gathering(case: Case) -> None:
    """Raises Refused (``state``) once voting has opened: what is voted on stays as it is."""
    if case.state != states.CONVENED:
        raise Refused("case", f"In this case {states.TITLES[case.state]}; its papers stay as they are.", code="state")


def demand_impartial(case: Case, person: User) -> None:
    """Raises Refused (``conflict``) for a member who has declared a conflict of interest."""
    if Conflict.objects.filter(case=case, person=person).exists():
        raise Refused("case", "You have a conflict of interest here: you read and take no part.", code="conflict")


def demand_seat(case: Case, person: User) -> None:
    """Raises PermissionDenied for who has no seat in the case."""
    if not Seat.objects.filter(case=case, person=person).exists():
        raise PermissionDenied("You are no member of the board in this case.")


def check_text(field: str, text: str, *, longest: int = LONGEST_TEXT, missing: str = "") -> str:
    """The text without blanks around it. Raises Refused where it is too long, cannot be stored, or is missing."""
    stripped = text.strip()
    if missing and not stripped:
        raise Refused(field, missing, code="missing")
    if len(stripped) > longest:
        raise Refused(field, f"It has {len(stripped):,} characters; at most {longest:,} fit.")
    if "\0" in stripped:
        raise Refused(field, "The character U+0000 is not allowed.")
    return stripped


def move(
    case: Case, event: str, *, actor: str, text: str = "", detail: Mapping[str, Any] | None = None, **changes: Any
) -> None:
    """Take a step of the table `states.STEPS`. Raises Refused (``state``) if it has no such step."""
    before = case.state
    after = states.STEPS.get((before, event))
    if after is None:
        raise Refused("case", f"In this case {states.TITLES[before]}; that cannot be done to it now.", code="state")
    _update(case, before, {**changes, "state": after})
    note(case, event, actor=actor, text=text, detail=detail, before=before)


def change(case: Case, event: str, *, actor: str, text: str = "", **changes: Any) -> None:
    """Change what does not move the case."""
    _update(case, case.state, changes)
    note(case, event, actor=actor, text=text)


def note(
    case: Case,
    event: str,
    *,
    actor: str,
    text: str = "",
    detail: Mapping[str, Any] | None = None,
    before: str | None = None,
) -> None:
    """Write down what has happened."""
    CaseStep.objects.create(
        case=case,
        event=event,
        from_state=case.state if before is None else before,
        to_state=case.state,
        actor=actor,
        text=text,
        at=clock.now(),
    )
    audit.append(
        actor=actor,
        action=f"case.{event}",
        subject=f"case:{case.pk}",
        model=slug_of(case.model_id),
        detail={
            "about": f"{case.kind}:{case.subject_id}",
            "state": case.state,
            **({"digest": case.digest} if case.digest else {}),
            **({"text": text} if text else {}),
            **(detail or {}),
        },
    )


def _update(case: Case, before: str, fields: Mapping[str, Any]) -> None:
    if Case.objects.filter(pk=case.pk, state=before).update(**fields) != 1:
        raise IntegrityError(f"case {case.pk} moved although its row was held")
    for name, value in fields.items():
        setattr(case, name, value)
