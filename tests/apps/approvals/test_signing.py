"""Asking and signing: who may, what a signature stands for, and what the last one brings about."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest
from django.core.exceptions import PermissionDenied
from django.http import Http404

from apps.accounts.models import User
from apps.accounts.roles import BOARD, COMPLIANCE
from apps.accounts.services import person_create, role_revoke
from apps.approvals import kinds, selectors, services
from apps.approvals.models import Approval
from apps.approvals.selectors import ApprovalView
from apps.audit.selectors import entries
from apps.common import clock
from apps.common.errors import Refused
from apps.registry.spec import ModelSpec
from tests.apps.accounts.factors import set_up_app
from tests.apps.approvals.conftest import MATTER, Effects
from tests.board import by_the_board
from tests.cast import Cast, model, signed_in, slipped_in

pytestmark = pytest.mark.django_db


def drafted(cast: Cast, by: User | None = None, *, of: ModelSpec | None = None, **content: Any) -> ApprovalView:
    spec = of or cast.owned
    return services.approval_draft(
        kind=MATTER,
        model_id=spec.id,
        subject=f"model:{spec.slug}",
        title="Relax the bound",
        content={"bound": 0.04, **content},
        reason="The pilot had no such forms.",
        person=by or cast.owner,
    )


def asked(cast: Cast, by: User | None = None, **content: Any) -> ApprovalView:
    who = by or cast.owner
    return services.approval_submit(approval_id=drafted(cast, who, **content).id, person=who)


def sign(view: ApprovalView, by: User, **changes: Any) -> ApprovalView:
    given = {"digest": view.digest, "confirmed_at": clock.now(), **changes}
    return services.approval_sign(approval_id=view.id, person=by, **given)


def code_of(refused: pytest.ExceptionInfo[Refused]) -> str:
    return refused.value.code


def test_one_signature_brings_a_request_about(cast: Cast, effects: Effects) -> None:
    view = sign(asked(cast), cast.compliance)
    assert view.state == "effective"
    assert effects == [(view.id, "user:compliance")]
    said = [entry.action for entry in entries(subject=f"approval:{view.id}")]
    assert said == [
        "approval.became_effective",
        "approval.signed",
        "approval.signature_given",
        "approval.submitted",
        "approval.drafted",
    ]


def test_a_requester_cannot_sign_whatever_their_roles(cast: Cast, effects: Effects) -> None:
    slipped_in(cast.owner, COMPLIANCE)
    view = asked(cast)
    with pytest.raises(Refused) as refused:
        sign(view, cast.owner)
    assert code_of(refused) == "own_request"
    assert selectors.approvals_waiting_for(cast.owner) == ()
    assert effects == []


def test_beyond_the_limit_the_board_decides_too(cast: Cast, effects: Effects) -> None:
    view = asked(cast, far=True)
    slipped_in(cast.compliance, BOARD)
    view = sign(view, cast.compliance)
    assert view.state == "submitted"
    assert [need.verb for need in view.open_needs] == ["threshold.relax"]
    with pytest.raises(Refused) as refused:
        sign(view, cast.compliance)
    assert code_of(refused) == "signed"
    assert effects == []
    assert by_the_board(view).state == "effective"
    assert len(effects) == 1


def test_a_changed_request_has_to_be_signed_again_even_if_the_change_is_undone(cast: Cast, effects: Effects) -> None:
    view = sign(asked(cast, far=True), cast.compliance)
    text = {"title": view.title, "reason": view.reason, "person": cast.owner, "approval_id": view.id}
    services.approval_change(content={"bound": 0.05, "far": True}, **text)
    back = services.approval_change(content=dict(view.content), **text)
    assert back.content == view.content
    assert back.signatures == ()
    with pytest.raises(Refused) as refused:
        sign(view, cast.compliance)
    assert code_of(refused) == "changed"
    assert by_the_board(back).state == "submitted"
    assert sign(back, cast.compliance).state == "effective"


def test_a_change_that_needs_the_board_asks_for_it(cast: Cast, effects: Effects) -> None:
    view = asked(cast)
    changed = services.approval_change(
        approval_id=view.id, person=cast.owner, title="Further", content={"bound": 0.9, "far": True}, reason="So."
    )
    assert [need.verb for need in changed.needs] == ["threshold.sign", "threshold.relax"]
    assert sign(changed, cast.compliance).state == "submitted"


def test_a_signer_who_lost_the_role_counts_no_more(cast: Cast, effects: Effects) -> None:
    view = sign(asked(cast, far=True), cast.compliance)
    role_revoke(person=cast.compliance, role=COMPLIANCE, actor="system:tests")
    view = by_the_board(view)
    assert view.state == "submitted"
    assert [need.verb for need in view.open_needs] == ["threshold.sign"]
    other = person_create(username="cora", actor="system:tests", roles=[COMPLIANCE])
    assert sign(view, other).state == "effective"


@pytest.mark.parametrize("minutes", [None, 6])
def test_a_signature_asks_who_one_is(cast: Cast, effects: Effects, minutes: int | None) -> None:
    confirmed = None if minutes is None else clock.now() - timedelta(minutes=minutes)
    with pytest.raises(Refused) as refused:
        sign(asked(cast), cast.compliance, confirmed_at=confirmed)
    assert code_of(refused) == "not_confirmed"


def test_a_signature_needs_a_second_factor_where_the_house_asks_for_one(
    cast: Cast, effects: Effects, settings: Any
) -> None:
    settings.SIGNERS_NEED_SECOND_FACTOR = True
    view = asked(cast)
    with pytest.raises(Refused) as refused:
        sign(view, cast.compliance)
    assert code_of(refused) == "second_factor"
    set_up_app(signed_in(cast.compliance))
    assert sign(view, cast.compliance).state == "effective"


def test_a_request_expires(cast: Cast, effects: Effects) -> None:
    view = asked(cast)
    with clock.frozen(clock.now() + timedelta(days=8)):
        with pytest.raises(Refused) as refused:
            sign(view, cast.compliance)
        assert code_of(refused) == "expired"
        assert services.approvals_advance() == 1
        assert services.approvals_advance() == 0
    assert selectors.approval(view.id).state == "expired"


def test_a_request_that_cannot_end_does_not_keep_the_others_from_ending(cast: Cast, effects: Effects) -> None:
    def broken(view: ApprovalView, actor: str) -> None:
        if view.id == first.id:
            raise LookupError("what it is about is gone")

    kinds.register(replace(kinds.kind(MATTER), ended=broken))
    first, second = asked(cast), asked(cast)
    with clock.frozen(clock.now() + timedelta(days=8)):
        assert services.approvals_advance() == 1
    assert [selectors.approval(each.id).state for each in (first, second)] == ["submitted", "expired"]


def test_what_is_signed_for_later_becomes_effective_then(cast: Cast, effects: Effects) -> None:
    effects.holds_from = clock.now() + timedelta(days=3)
    view = sign(asked(cast), cast.compliance)
    assert view.state == "signed"
    assert services.approvals_advance() == 0
    with clock.frozen(effects.holds_from):
        assert services.approvals_advance() == 1
    assert selectors.approval(view.id).state == "effective"


def test_an_effect_that_is_refused_leaves_no_signature(cast: Cast, effects: Effects) -> None:
    effects.refuses = True
    view = asked(cast)
    with pytest.raises(Refused) as refused:
        sign(view, cast.compliance)
    assert code_of(refused) == "late"
    assert selectors.approval(view.id).signatures == ()
    assert selectors.approval(view.id).state == "submitted"


def test_a_rejection_needs_reasons_and_ends_it(cast: Cast, effects: Effects) -> None:
    view = asked(cast)
    with pytest.raises(Refused):
        services.approval_reject(approval_id=view.id, person=cast.compliance, reason="  ")
    rejected = services.approval_reject(approval_id=view.id, person=cast.compliance, reason="No evidence.")
    assert rejected.state == "rejected"
    assert selectors.steps(view.id)[-1].text == "No evidence."
    for verb in (lambda: sign(view, cast.compliance), lambda: withdraw(view, cast.owner)):
        with pytest.raises(Refused) as refused:
            verb()
        assert code_of(refused) == "state"


def withdraw(view: ApprovalView, by: User) -> ApprovalView:
    return services.approval_withdraw(approval_id=view.id, person=by)


def test_only_the_requester_withdraws_and_changes(cast: Cast, effects: Effects) -> None:
    view = asked(cast)
    with pytest.raises(Refused) as refused:
        withdraw(view, cast.compliance)
    assert code_of(refused) == "not_own"
    assert withdraw(view, cast.owner).state == "withdrawn"


def test_outsiders_do_not_learn_that_it_exists(cast: Cast, effects: Effects) -> None:
    view = asked(cast)
    for verb in (
        lambda: sign(view, cast.outsider),
        lambda: withdraw(view, cast.outsider),
        lambda: services.approval_reject(approval_id=view.id, person=cast.outsider, reason="x"),
        lambda: services.approval_remark(approval_id=view.id, person=cast.outsider, text="x"),
        lambda: drafted(cast, cast.outsider),
    ):
        with pytest.raises(Http404):
            verb()
    assert not selectors.may_read(cast.outsider, view)
    assert selectors.approvals_visible_to(cast.outsider) == ()


def test_who_may_read_but_not_sign_is_told_so(cast: Cast, effects: Effects) -> None:
    view = asked(cast)
    with pytest.raises(PermissionDenied):
        sign(view, cast.auditor)
    assert [each.id for each in selectors.approvals_visible_to(cast.auditor)] == [view.id]


def test_it_waits_for_those_whose_signature_is_missing(cast: Cast, effects: Effects) -> None:
    view = asked(cast, far=True)
    assert [each.id for each in selectors.approvals_waiting_for(cast.compliance)] == [view.id]
    sign(view, cast.compliance)
    for part in ("compliance", "board", "officer"):
        assert selectors.approvals_waiting_for(getattr(cast, part)) == ()
    assert [each.id for each in selectors.approvals_for_the_board()] == [view.id]


def test_what_waits_for_a_person_is_what_they_could_sign_and_is_counted_as_such(cast: Cast, effects: Effects) -> None:
    other = model("other")
    for part in ("officer", "owner"):
        slipped_in(getattr(cast, part), COMPLIANCE)
    for far in (False, True):
        for by in (cast.officer, cast.owner):
            views = [asked(cast, by, far=far) for _ in range(2)]
            drafted(cast, by, far=far)
            if far:
                for view, signer in zip(views, (cast.compliance, cast.owner), strict=True):
                    if signer != by:
                        sign(view, signer)
    asked(cast, cast.officer, of=other)
    role_revoke(person=cast.owner, role=COMPLIANCE, actor="system:tests")
    known = [selectors.approval(pk) for pk in Approval.objects.values_list("pk", flat=True)]
    several = set()
    for pk in User.objects.values_list("pk", flat=True):
        person = User.objects.get(pk=pk)
        expected = {view.id for view in known if selectors.signable(person, view)}
        assert {view.id for view in selectors.approvals_waiting_for(person)} == expected, person
        assert selectors.approvals_waiting_count(person) == len(expected), person
        several.add(len(expected))
    assert len(several) > 2


def test_what_waits_is_found_by_as_many_queries_however_many_have_signed(
    cast: Cast, effects: Effects, django_assert_max_num_queries: Any
) -> None:
    for place in range(4):
        signer = person_create(username=f"signer{place}", actor="system:tests", roles=[COMPLIANCE])
        sign(asked(cast, far=True), signer)
        asked(cast)
        reader = User.objects.get(pk=cast.compliance.pk)
        with django_assert_max_num_queries(8):
            assert len(selectors.approvals_waiting_for(reader)) == place + 1
    with django_assert_max_num_queries(8):
        assert len(selectors.approvals_visible_to(User.objects.get(pk=cast.compliance.pk))) == 8


def test_the_first_to_expire_are_taken_where_not_all_are_asked_for(cast: Cast, effects: Effects) -> None:
    with clock.frozen(clock.now() - timedelta(days=3)):
        first = asked(cast)
    later = [asked(cast) for _ in range(3)]
    assert [view.id for view in selectors.approvals_waiting_for(cast.compliance, limit=2)] == [first.id, later[0].id]
    assert selectors.approvals_waiting_count(cast.compliance) == 4


def test_what_is_not_ready_is_written_down_and_not_submitted(cast: Cast, effects: Effects) -> None:
    view = drafted(cast, unfinished=True)
    with pytest.raises(Refused) as refused:
        services.approval_submit(approval_id=view.id, person=cast.owner)
    assert code_of(refused) == "unfinished"
    assert selectors.approval(view.id).state == "draft"
    text = {"title": view.title, "reason": view.reason, "person": cast.owner, "approval_id": view.id}
    services.approval_change(content={"bound": 0.04}, **text)
    assert services.approval_submit(approval_id=view.id, person=cast.owner).state == "submitted"
    with pytest.raises(Refused):
        services.approval_change(content={"bound": 0.04, "unfinished": True}, **text)
    assert selectors.approval(view.id).content == {"bound": 0.04}


def test_a_draft_waits_for_nobody(cast: Cast, effects: Effects) -> None:
    view = drafted(cast)
    assert selectors.approvals_waiting_for(cast.compliance) == ()
    with pytest.raises(Refused) as refused:
        sign(view, cast.compliance)
    assert code_of(refused) == "state"


@pytest.mark.parametrize(
    ("field", "changes"),
    [
        ("title", {"title": " "}),
        ("title", {"title": "x" * 201}),
        ("reason", {"reason": ""}),
        ("content", {"content": {"bound": float("nan")}}),
        ("content.bound", {"content": {"bound": "impossible"}}),
        ("kind", {"kind": "coup"}),
    ],
)
def test_a_bad_request_names_its_field(cast: Cast, effects: Effects, field: str, changes: dict[str, Any]) -> None:
    given: dict[str, Any] = {
        "kind": MATTER,
        "model_id": cast.owned.id,
        "subject": "model:claims-triage",
        "title": "Relax",
        "content": {"bound": 0.04},
        "reason": "So.",
        "person": cast.owner,
    }
    with pytest.raises(Refused) as refused:
        services.approval_draft(**(given | changes))
    assert refused.value.field == field
    assert not Approval.objects.exists()


def test_remarks_stand_between_the_steps(cast: Cast, effects: Effects) -> None:
    view = asked(cast)
    services.approval_remark(approval_id=view.id, person=cast.auditor, text="Which forms?")
    assert [(each.event, each.actor) for each in selectors.steps(view.id)] == [
        ("drafted", "user:owner"),
        ("submitted", "user:owner"),
        ("remark", "user:auditor"),
    ]
