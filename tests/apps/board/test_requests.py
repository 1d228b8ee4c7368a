"""A request that needs the board: the board decides, and no member stands for it."""

from __future__ import annotations

from datetime import timedelta

import pytest
from django.db import connection, transaction
from django.db.utils import DatabaseError, IntegrityError

from apps.accounts.roles import BOARD
from apps.approvals import selectors as approvals
from apps.approvals import services as signing
from apps.approvals.models import Approval, Resolution, Signature
from apps.approvals.selectors import ApprovalView
from apps.board import selectors, services
from apps.board.models import Case, RulesVersion
from apps.board.rules import Rules, rules_in_force
from apps.common import clock
from apps.common.errors import Refused
from tests.apps.approvals.conftest import Effects
from tests.apps.approvals.test_signing import sign
from tests.board import by_the_board, convened, impartial, opened, vote
from tests.cast import Cast, slipped_in

pytestmark = pytest.mark.django_db


def state_of(view: ApprovalView) -> str:
    found = approvals.approval(view.id)
    assert found is not None
    return found.state


def test_compliance_and_the_board_together_bring_it_about(request_: ApprovalView, cast: Cast, effects: Effects) -> None:
    assert sign(request_, cast.compliance).state == "submitted"
    assert by_the_board(request_).state == "effective"
    assert effects == [(request_.id, "system:board")]


def test_the_board_may_come_first(request_: ApprovalView, cast: Cast, effects: Effects) -> None:
    view = by_the_board(request_)
    assert [need.verb for need in view.open_needs] == ["threshold.sign"]
    assert effects == []
    assert sign(request_, cast.compliance).state == "effective"
    assert len(effects) == 1


def test_a_no_of_the_board_rejects_it_with_its_reasons(request_: ApprovalView, cast: Cast, effects: Effects) -> None:
    case = opened("approval", request_.id)
    for person, choice in zip(impartial(case), ("against", "against", "for"), strict=True):
        vote(case, person, choice, f"{choice}, says {person.username}")
    assert state_of(request_) == "rejected"
    text = approvals.steps(request_.id)[-1].text
    assert text.startswith("The board says no: 1 for, 2 against, nobody abstained.")
    assert "against, says board" in text
    assert "for, says" not in text
    assert effects == []


def test_no_member_signs_or_rejects_for_the_board(request_: ApprovalView, cast: Cast, effects: Effects) -> None:
    for verb in (
        lambda: sign(request_, cast.board),
        lambda: signing.approval_reject(approval_id=request_.id, person=cast.board, reason="I say so."),
    ):
        with pytest.raises(Refused) as refused:
            verb()
        assert refused.value.code == "board"
    assert approvals.approvals_waiting_for(cast.board) == ()
    assert approvals.signable(cast.board, request_) is None
    assert state_of(request_) == "submitted"


def refused_by_the_database(work: object) -> str:
    with pytest.raises(DatabaseError) as told, transaction.atomic():
        work()  # type: ignore[operator]
    return str(told.value)


def test_the_database_takes_no_members_signature_for_the_board(
    request_: ApprovalView, cast: Cast, effects: Effects
) -> None:
    sign(request_, cast.compliance)
    given = {"approval_id": request_.id, "digest": request_.digest, "verb": "threshold.relax"}
    said = refused_by_the_database(
        lambda: Signature.objects.create(
            person=cast.board, requester_id=request_.requester_id, confirmed_at=clock.now(), **given
        )
    )
    assert "no signature stands for the board" in said
    case = opened("approval", request_.id)
    vote(case, cast.board)
    for number in (case.pk, 0):
        said = refused_by_the_database(lambda number=number: Resolution.objects.create(case_id=number, **given))
        assert "has not agreed" in said
    said = refused_by_the_database(lambda: Approval.objects.filter(pk=request_.id).update(state="signed"))
    assert "lacks signatures" in said


def test_a_decision_for_one_text_is_none_for_another(request_: ApprovalView, cast: Cast, effects: Effects) -> None:
    by_the_board(request_)
    changed = signing.approval_change(
        approval_id=request_.id,
        person=cast.owner,
        title="Relax it further",
        content={"bound": 0.9, "far": True},
        reason="More.",
    )
    assert changed.resolutions == ()
    sign(changed, cast.compliance)
    assert state_of(request_) == "submitted"
    case = Case.objects.get(kind="approval", subject_id=request_.id)
    said = refused_by_the_database(
        lambda: Resolution.objects.create(
            approval_id=request_.id, digest=changed.digest, verb="threshold.relax", case_id=case.pk
        )
    )
    assert "has not agreed" in said
    assert by_the_board(changed).state == "effective"
    assert Case.objects.filter(kind="approval", subject_id=request_.id).count() == 2


def test_a_request_that_changes_while_the_board_votes_ends_the_case(
    request_: ApprovalView, cast: Cast, effects: Effects
) -> None:
    case = opened("approval", request_.id)
    vote(case, cast.board)
    signing.approval_change(
        approval_id=request_.id, person=cast.owner, title="Other", content={"bound": 1, "far": True}, reason="So."
    )
    with pytest.raises(Refused) as refused:
        vote(case, impartial(case)[1])
    assert refused.value.code == "changed"
    services.cases_advance()
    services.cases_advance()
    assert list(Case.objects.order_by("id").values_list("state", flat=True)) == ["lapsed", "convened"]


@pytest.mark.parametrize("how", ["withdrawn", "rejected", "expired"])
def test_a_request_that_ends_ends_its_case(request_: ApprovalView, cast: Cast, effects: Effects, how: str) -> None:
    case = convened("approval", request_.id)
    moment = clock.now()
    if how == "withdrawn":
        signing.approval_withdraw(approval_id=request_.id, person=cast.owner)
    elif how == "rejected":
        signing.approval_reject(approval_id=request_.id, person=cast.compliance, reason="No.")
    else:
        moment += timedelta(days=8)
    with clock.frozen(moment):
        services.cases_advance()
        assert services.cases_advance() == 0
    case.refresh_from_db()
    assert case.state == "lapsed"


def test_who_asked_never_votes_whatever_their_roles(request_: ApprovalView, cast: Cast, effects: Effects) -> None:
    slipped_in(cast.owner, BOARD)
    case = opened("approval", request_.id)
    seat = selectors.case(case.pk).member(cast.owner)
    assert (seat.standing, seat.conflict) == ("conflict", "Asked for it.")
    with pytest.raises(Refused) as refused:
        vote(case, cast.owner)
    assert refused.value.code == "own_request"
    assert selectors.votes_waiting_for(cast.owner) == ()


def test_an_effect_that_is_refused_leaves_the_decision_and_rejects_the_request(
    request_: ApprovalView, cast: Cast, effects: Effects
) -> None:
    sign(request_, cast.compliance)
    effects.refuses = True
    view = by_the_board(request_)
    assert view.state == "rejected"
    assert "can no longer be done" in approvals.steps(request_.id)[-1].text
    assert Case.objects.get().outcome == "carried"
    assert effects == []


def test_who_has_signed_in_another_role_has_no_vote(request_: ApprovalView, cast: Cast, effects: Effects) -> None:
    slipped_in(cast.compliance, BOARD)
    convened("approval", request_.id)
    sign(request_, cast.compliance)
    case = opened("approval", request_.id)
    assert cast.compliance not in impartial(case)
    assert by_the_board(request_).state == "effective"


def test_the_board_agrees_to_its_own_rules(cast: Cast) -> None:
    wanted = {"quorum_share": 60, "tie": "chair", "chair": "board"}
    with pytest.raises(Refused):
        services.rules_propose(person=cast.compliance, rules={**wanted, "chair": "officer"}, reason="A chair.")
    view = services.rules_propose(person=cast.compliance, rules=wanted, reason="We need a chair.")
    assert rules_in_force() == Rules()
    assert by_the_board(view).state == "effective"
    assert rules_in_force() == Rules(quorum_share=60, tie="chair", chair="board")
    assert Case.objects.get().rules["quorum_share"] == 50


def test_the_database_takes_no_rules_that_the_board_has_not_agreed_to(cast: Cast) -> None:
    wanted = Rules(quorum_share=1).plain()
    view = services.rules_propose(person=cast.compliance, rules=wanted, reason="So that we decide at all.")
    for approval_id in (0, view.id):
        said = refused_by_the_database(
            lambda number=approval_id: RulesVersion.objects.create(
                rules=wanted, approval_id=number, set_by="user:compliance"
            )
        )
        assert "has not agreed to these rules" in said


def test_with_one_member_only_nothing_is_decided(cast: Cast, request_: ApprovalView, effects: Effects) -> None:
    case = opened("approval", request_.id)
    first, *others = impartial(case)
    for person in others:
        services.conflict_declare(case_id=case.pk, person=person, reason="I wrote the model.")
    vote(case, first)
    assert case.state == "voting"
    with connection.cursor() as cursor, pytest.raises(IntegrityError, match="quorum"), transaction.atomic():
        cursor.execute(
            "UPDATE board_case SET state = 'decided', outcome = 'carried', ended_at = vote_until WHERE id = %s",
            [case.pk],
        )
