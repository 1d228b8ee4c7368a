"""Two hundred members at one case in the same moment: every vote is kept, and the board decides once."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from functools import partial

import pytest

from apps.accounts.models import User
from apps.approvals import selectors as approvals
from apps.approvals import services as signing
from apps.board import services
from apps.board.models import Case, CaseStep, Vote
from apps.common import clock
from apps.incidents.models import Action, Incident
from tests.apps.approvals.conftest import Effects
from tests.apps.approvals.conftest import effects as _effects
from tests.apps.approvals.test_at_once import together
from tests.apps.board.conftest import asked
from tests.apps.incidents.test_opening import escalate
from tests.board import members
from tests.cast import Cast

pytestmark = pytest.mark.django_db(transaction=True)

AT_ONCE = 200
effects = _effects


def cast_vote(case: Case, person: User, choice: str) -> object:
    return services.vote_cast(
        case_id=case.pk, person=person, choice=choice, reason="So.", digest=case.digest, confirmed_at=clock.now()
    )


def open_now(cast: Cast) -> Case:
    """The only case, its vote opened by hand."""
    services.cases_advance()
    case = Case.objects.get()
    services.voting_open(case_id=case.pk, person=cast.compliance)
    case.refresh_from_db()
    return case


def test_of_two_hundred_votes_none_is_lost_and_the_request_takes_effect_once(effects: Effects) -> None:
    cast = Cast.assemble()
    board = members(AT_ONCE)
    view = asked(cast)
    signing.approval_sign(approval_id=view.id, person=cast.compliance, digest=view.digest, confirmed_at=clock.now())
    case = open_now(cast)
    choices = ["for" if place % 3 else "against" for place in range(AT_ONCE)]
    verbs = [partial(cast_vote, case, person, choice) for person, choice in zip(board, choices, strict=True)]
    assert together(verbs) == Counter(done=AT_ONCE)
    case.refresh_from_db()
    assert Vote.objects.count() == AT_ONCE
    assert (case.tally["for"], case.tally["against"]) == (choices.count("for"), choices.count("against"))
    assert CaseStep.objects.filter(event="decided").count() == 1
    assert len(effects) == 1
    found = approvals.approval(view.id)
    assert found is not None
    assert found.state == "effective"


def test_votes_doubled_conflicts_and_the_schedule_at_once_leave_one_story() -> None:
    cast = Cast.assemble()
    board = members(40)
    incident = Incident.objects.get(pk=escalate(cast, "APAC").incident_id)
    services.cases_advance()
    case = Case.objects.get()
    services.condition_add(case_id=case.pk, person=board[0], title="Pin it", owner=cast.owner, hours=8)
    case = open_now(cast)
    apart = board[:5]
    verbs: list[Callable[[], object]] = [
        *(partial(cast_vote, case, person, choice) for person in board for choice in ("for", "against")),
        *(
            partial(services.conflict_declare, case_id=case.pk, person=person, reason="I hold shares.")
            for person in apart
        ),
        *([services.cases_advance] * 10),
        *(
            partial(services.case_convene, kind="incident", subject_id=incident.pk, person=cast.officer)
            for _ in range(5)
        ),
    ]
    outcomes = together(verbs)
    assert set(outcomes) <= {"done", "voted", "state", "conflict", "exists"}
    case.refresh_from_db()
    assert case.state == "decided"
    voted = set(Vote.objects.filter(case=case).values_list("person_id", flat=True))
    assert {person.pk for person in board[5:]} <= voted
    assert len(voted) == Vote.objects.filter(case=case).count()
    assert CaseStep.objects.filter(case=case, event="decided").count() == 1
    expected = 1 if case.outcome == "carried" else 0
    assert Action.objects.filter(case_id=case.pk).count() == expected


def test_of_many_rounds_at_once_one_convenes() -> None:
    cast = Cast.assemble()
    members(3)
    for number in range(5):
        escalate(cast, "APAC", cause=f"cause:{number}", run_id=71 + number)
    together([services.cases_advance] * 20)
    services.cases_advance()
    assert Case.objects.count() == Incident.objects.count() == 5
