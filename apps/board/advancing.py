"""What the schedule does for the board: convene it, open and end votes, remind. All of it finds its own work."""

from __future__ import annotations

import logging

from django.db import transaction
from django.db.models import Q

from apps.accounts.roles import BOARD, COMPLIANCE, OFFICER
from apps.board import matters, states, steps
from apps.board.convening import convene, seats_draw
from apps.board.models import Case
from apps.board.rules import Rules
from apps.board.voting import REMIND_BEFORE, decide_if_done, lapse, open_vote, standing_of, tally
from apps.board.wording import standing_sentence
from apps.common import clock
from apps.common.errors import Refused
from apps.common.wording import shortened
from apps.responses.announcements import announce

logger = logging.getLogger(__name__)

AT_ONCE = 100


def cases_advance() -> int:
    """One round: what has no case gets one, and every open case is looked at; how many something happened to.

    Each case is a transaction of its own, and one that fails does not hold up the others.
    """
    return _convene_waiting() + sum(map(_advanced, _looked_at()))


def _convene_waiting() -> int:
    convened = 0
    for matter in matters.matters():
        known = set(Case.objects.filter(kind=matter.kind).values_list("subject_id", "key"))
        missing = [each for each in matter.waiting() if each not in known]
        for subject_id, key in missing[:AT_ONCE]:
            try:
                with transaction.atomic():
                    convened += _convened(matter, subject_id, key)
            except Exception:
                logger.exception("Convening the board on %s %s failed.", matter.kind, subject_id)
    return convened


def _convened(matter: matters.Matter, subject_id: int, key: str) -> bool:
    subject = matter.subject(subject_id)
    if subject is None or not subject.open or subject.key != key:
        return False
    try:
        convene(matter.kind, subject, actor=steps.SYSTEM)
    except Refused as refusal:
        if refusal.code != "exists":
            raise
        return False
    return True


def _looked_at() -> list[int]:
    """Open cases, the longest waiting first."""
    return list(Case.objects.filter(state__in=states.OPEN).order_by("id").values_list("pk", flat=True))


def _advanced(case_id: int) -> bool:
    try:
        with transaction.atomic():
            return _advance(case_id)
    except Exception:
        logger.exception("Advancing case %s failed.", case_id)
        return False


def _advance(case_id: int) -> bool:
    due = Q(pk=case_id, state__in=states.OPEN)
    case = Case.objects.select_for_update(of=("self",), skip_locked=True).filter(due).first()
    if case is None:
        return False
    now = clock.now()
    subject = standing_of(case)
    if subject is None:
        lapse(case)
        return True
    if case.state == states.CONVENED:
        if now < case.papers_until:
            return False
        open_vote(case, subject, actor=steps.SYSTEM)
        return True
    if decide_if_done(case):
        return True
    counted = tally(case)
    moved = counted.eligible < counted.needed and bool(seats_draw(case, subject))
    if case.remind_at and now >= case.remind_at:
        _remind(case)
        moved = True
    return moved


def _remind(case: Case) -> None:
    """Tell the board that a vote ends soon; once it should have ended, also those who convene and keep it."""
    now, hours = clock.now(), Rules.of(case.rules).hours
    late = case.vote_until is not None and now >= case.vote_until
    said = standing_sentence(tally(case))
    again = hours.deadline(now, REMIND_BEFORE)
    if not late and case.vote_until is not None:
        again = max(case.vote_until, now)
    steps.change(case, "reminded", actor=steps.SYSTEM, text=said, remind_at=again)
    announce(
        model=None,
        key=f"case-{case.pk}-reminder-{now:%Y%m%d%H%M}",
        title=shortened(f"Ethics board, {'overdue' if late else 'vote ends soon'}: {case.title}", 200),
        body=f"{case.question}\n\n{said}",
        severity="high" if late else "",
        path=f"/board/{case.pk}/",
        detected_at=now,
        roles=(BOARD, OFFICER, COMPLIANCE) if late else (BOARD,),
    )
