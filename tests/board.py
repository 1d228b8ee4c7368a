"""The ethics board of the tests: members enough for a quorum, and how they decide."""

from __future__ import annotations

from apps.accounts.models import User
from apps.accounts.roles import BOARD
from apps.accounts.selectors import people_with_role
from apps.accounts.services import person_create
from apps.approvals import selectors as approvals
from apps.approvals.selectors import ApprovalView
from apps.board import services
from apps.board.models import Case, Conflict, Seat
from apps.common import clock

NAMES = ("Bea Brandt", "Bo Berg", "Bina Basu", "Ben Bauer", "Bao Bui")


def members(number: int = 3) -> list[User]:
    """The members of the board, brought up to `number`."""
    there = list(people_with_role(BOARD))
    for place in range(len(there), number):
        name = NAMES[place] if place < len(NAMES) else f"Member Number{place}"
        there.append(person_create(username=f"board-{place}", name=name, actor="system:tests", roles=[BOARD]))
    return there


def convened(kind: str, subject_id: int) -> Case:
    """The open case about it, as the schedule convenes it."""
    services.cases_advance()
    return Case.objects.get(kind=kind, subject_id=subject_id, state__in=("convened", "voting"))


def opened(kind: str, subject_id: int) -> Case:
    """The same, its vote opened by the schedule once the papers' time is over."""
    case = convened(kind, subject_id)
    if case.state == "convened":
        with clock.frozen(case.papers_until):
            services.cases_advance()
        case.refresh_from_db()
    return case


def vote(case: Case, person: User, choice: str = "for", reason: str = "Because.") -> None:
    """A vote on the case as it stands, by a person who has just confirmed."""
    case.refresh_from_db()
    moment = max(clock.now(), case.opened_at)
    with clock.frozen(moment):
        services.vote_cast(
            case_id=case.pk, person=person, choice=choice, reason=reason, digest=case.digest, confirmed_at=moment
        )
    case.refresh_from_db()


def impartial(case: Case) -> list[User]:
    """The members who may vote, in the order of their seats."""
    apart = Conflict.objects.filter(case=case).values("person_id")
    seats = Seat.objects.filter(case=case).exclude(person_id__in=apart).select_related("person").order_by("id")
    return [seat.person for seat in seats]


def by_the_board(view: ApprovalView, choice: str = "for") -> ApprovalView:
    """Have the whole board vote `choice` on a request that needs it."""
    members()
    case = opened("approval", view.id)
    for person in impartial(case):
        vote(case, person, choice)
    found = approvals.approval(view.id)
    assert found is not None
    return found
