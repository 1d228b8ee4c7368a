"""Proposals: what a signature needs, what it brings about, and every way around it that we could think of."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from django.core.exceptions import PermissionDenied
from django.db import DatabaseError, transaction
from django.http import Http404

from apps.accounts.models import User
from apps.accounts.roles import BOARD, COMPLIANCE
from apps.approvals import kinds
from apps.approvals import services as approvals
from apps.approvals.selectors import approval, steps
from apps.common import clock
from apps.common.errors import Refused
from apps.thresholds import services
from apps.thresholds.models import Backtest, PolicyVersion
from apps.thresholds.proposals import KIND
from apps.thresholds.selectors import backtest_state, newest_version, policy_in_force, policy_versions, proposal_of
from biasgov.fairness.policy import Bound, Policy
from tests.apps.thresholds.world import (
    EO,
    FAR,
    FOUND,
    LOOSER,
    STRICT,
    TIGHTER,
    computed,
    draft_of,
    drafted,
    proposed,
    published,
    registered,
    sign,
)
from tests.board import by_the_board
from tests.cast import Cast, model, slipped_in
from tests.sides import side

NOON = datetime(2026, 5, 4, 12, tzinfo=UTC)
DAY = timedelta(days=1)


@pytest.fixture(autouse=True)
def _noon() -> Iterator[None]:
    with clock.frozen(NOON):
        yield


def code(refused: pytest.ExceptionInfo[Refused]) -> str:
    return refused.value.code


def verbs(view: Any) -> list[str]:
    return [need.verb for need in view.needs]


def test_a_signed_proposal_is_the_next_version_with_all_that_it_said(cast: Cast) -> None:
    view = sign(proposed(cast.owned, cast.owner), cast.compliance)
    version = newest_version(cast.owned.id)
    assert view.state == "effective"
    assert (version.version, version.policy, version.way) == (2, LOOSER, "signed")
    assert (version.approval_id, version.published_by) == (view.id, "user:compliance")
    assert version.justification == view.reason
    assert version.assessment_reference == "RA-2026-031"
    assert policy_in_force(cast.owned.id, NOON) == version


def test_what_was_computed_is_part_of_what_is_signed(cast: Cast) -> None:
    view = proposed(cast.owned, cast.owner)
    assert view.content["backtest"] == FOUND
    assert view.revision == 2


def test_a_planned_version_waits_for_its_date(cast: Cast) -> None:
    view = sign(proposed(cast.owned, cast.owner, effective_from=NOON + 3 * DAY), cast.compliance)
    assert view.state == "signed"
    assert policy_in_force(cast.owned.id, NOON).version == 1
    with clock.frozen(NOON + 3 * DAY):
        assert policy_in_force(cast.owned.id, clock.now()).version == 2
        assert approvals.approvals_advance() == 1
        assert approval(view.id).state == "effective"


def test_a_date_that_has_passed_before_the_signature_is_not_backdated(cast: Cast) -> None:
    view = proposed(cast.owned, cast.owner, effective_from=NOON + DAY)
    with clock.frozen(NOON + 5 * DAY):
        assert sign(view, cast.compliance).state == "effective"
        assert newest_version(cast.owned.id).effective_from == NOON + 5 * DAY


@pytest.mark.parametrize("part", ["owner", "officer"])
def test_officers_and_owners_propose(cast: Cast, part: str) -> None:
    assert proposed(cast.owned, getattr(cast, part)).state == "submitted"


@pytest.mark.parametrize("part", ["compliance", "board", "auditor"])
def test_who_may_see_but_not_propose_does_not(cast: Cast, part: str) -> None:
    with pytest.raises(PermissionDenied):
        drafted(cast.owned, getattr(cast, part))


@pytest.mark.parametrize("part", ["steward", "administrator", "outsider"])
def test_to_others_the_model_does_not_exist(cast: Cast, part: str) -> None:
    with pytest.raises((Http404, PermissionDenied)):
        drafted(cast.owned, getattr(cast, part))


def test_an_owner_proposes_for_no_other_model(cast: Cast) -> None:
    other = model("other")
    registered(other)
    with pytest.raises(Http404):
        drafted(other, cast.owner)


def test_nobody_signs_their_own_whatever_their_roles(cast: Cast) -> None:
    for role in (COMPLIANCE, BOARD):
        slipped_in(cast.owner, role)
    view = proposed(cast.owned, cast.owner)
    with pytest.raises(Refused) as refused:
        sign(view, cast.owner)
    assert code(refused) == "own_request"
    assert newest_version(cast.owned.id).version == 1


@pytest.mark.parametrize(
    ("policy", "needed"),
    [
        (TIGHTER, ["threshold.sign"]),
        (LOOSER, ["threshold.sign"]),
        (Policy(bounds={EO: Bound(None, 0.08)}), ["threshold.sign"]),
        (Policy(bounds={EO: Bound(None, 0.081)}), ["threshold.sign", "threshold.relax"]),
        (FAR, ["threshold.sign", "threshold.relax"]),
        (Policy(bounds={"fpr_gap": Bound(-0.05, 0.05)}), ["threshold.sign", "threshold.relax"]),
        (Policy(bounds=STRICT.bounds, alpha=0.01), ["threshold.sign"]),
        (Policy(bounds=STRICT.bounds, alpha=0.001), ["threshold.sign", "threshold.relax"]),
        (Policy(bounds=STRICT.bounds, confidence=0.96), ["threshold.sign", "threshold.relax"]),
        (Policy(bounds=STRICT.bounds, minimum_group=51), ["threshold.sign", "threshold.relax"]),
    ],
)
def test_the_board_signs_what_goes_beyond_the_limits_of_the_version_before(
    cast: Cast, policy: Policy, needed: list[str]
) -> None:
    assert verbs(drafted(cast.owned, cast.owner, policy)) == needed


def test_the_limits_that_count_are_those_in_the_register_and_not_those_proposed(cast: Cast) -> None:
    roomy = {f"bounds.{EO}.upper": 0.5}
    view = drafted(cast.owned, cast.owner, FAR, limits=roomy)
    assert verbs(view) == ["threshold.sign", "threshold.relax"]
    assert "beyond the limits of version 1" in view.needs[1].why
    assert "lets compliance alone go further" in view.needs[1].why


def test_more_room_for_compliance_needs_the_board_even_where_no_bound_changes(cast: Cast) -> None:
    limits = {**newest_version(cast.owned.id).limits, f"bounds.{EO}.upper": 0.1}
    assert verbs(drafted(cast.owned, cast.owner, STRICT, limits=limits)) == ["threshold.sign", "threshold.relax"]


def test_without_the_board_nothing_that_needs_it_takes_effect(cast: Cast) -> None:
    view = sign(proposed(cast.owned, cast.owner, FAR), cast.compliance)
    assert (view.state, newest_version(cast.owned.id).version) == ("submitted", 1)
    assert by_the_board(view).state == "effective"
    assert newest_version(cast.owned.id).policy == FAR


def test_of_two_proposals_the_second_does_not_undo_the_first(cast: Cast) -> None:
    first = proposed(cast.owned, cast.owner, TIGHTER)
    second = proposed(cast.owned, cast.officer, LOOSER)
    sign(first, cast.compliance)
    with pytest.raises(Refused) as refused:
        sign(second, cast.compliance)
    assert code(refused) == "base_moved"
    assert approval(second.id).signatures == ()
    assert newest_version(cast.owned.id).policy == TIGHTER


def test_a_draft_on_an_older_version_cannot_be_submitted(cast: Cast) -> None:
    late = drafted(cast.owned, cast.officer)
    published(cast.owned, cast.owner, [cast.compliance], TIGHTER)
    with pytest.raises(Refused) as refused:
        services.proposal_submit(approval_id=late.id, person=cast.officer)
    assert code(refused) == "base_moved"


def test_an_emergency_takes_the_ground_from_what_was_proposed(cast: Cast) -> None:
    view = proposed(cast.owned, cast.owner)
    services.policy_publish_emergency(
        model_id=cast.owned.id, policy=TIGHTER, assessment_reference="RA-9", reason="Now.", person=cast.officer
    )
    with pytest.raises(Refused) as refused:
        sign(view, cast.compliance)
    assert code(refused) == "base_moved"


def test_keeping_a_planned_tightening_from_starting_is_a_relaxation(cast: Cast) -> None:
    published(cast.owned, cast.owner, [cast.compliance], TIGHTER, NOON + 30 * DAY)
    back = drafted(cast.owned, cast.owner, Policy(bounds={EO: Bound(None, 0.04)}))
    proposal = proposal_of(back.content)
    assert (proposal.replaces.version, proposal.base.version) == (1, 2)
    assert proposal.effect == "relaxation"


def test_a_start_after_a_planned_version_is_compared_with_that_one_alone(cast: Cast) -> None:
    published(cast.owned, cast.owner, [cast.compliance], LOOSER, NOON + 30 * DAY)
    after = drafted(cast.owned, cast.owner, STRICT, effective_from=NOON + 40 * DAY)
    assert proposal_of(after.content).effect == "tightening"
    at_once = drafted(cast.owned, cast.owner, LOOSER)
    assert proposal_of(at_once.content).effect == "relaxation"


def test_a_draft_whose_planned_neighbour_has_started_is_written_anew(cast: Cast) -> None:
    published(cast.owned, cast.owner, [cast.compliance], TIGHTER, NOON + DAY)
    view = drafted(cast.owned, cast.owner, LOOSER)
    computed()
    with clock.frozen(NOON + 2 * DAY), pytest.raises(Refused) as refused:
        services.proposal_submit(approval_id=view.id, person=cast.owner)
    assert code(refused) == "base_moved"


@pytest.mark.parametrize(
    ("field", "changes"),
    [
        ("effective_from", {"effective_from": NOON - timedelta(seconds=1)}),
        ("effective_from", {"effective_from": NOON + 400 * DAY}),
        ("effective_from", {"effective_from": datetime(2026, 6, 1)}),  # noqa: DTZ001
        ("review_due", {"review_due": NOON.date()}),
        ("review_due", {"review_due": (NOON + 367 * DAY).date()}),
        ("assessment_reference", {"assessment_reference": " "}),
        ("assessment_reference", {"assessment_reference": "RA-2026-014"}),
        ("legal_basis", {"legal_basis": []}),
        ("legal_basis", {"legal_basis": ["aia-9-7"]}),
        ("limits", {"limits": {}}),
        ("limits.bounds.fairness.upper", {"limits": {"bounds.fairness.upper": 1.0}}),
        ("limits.alpha", {"limits": {"alpha": float("nan")}}),
        ("policy", {"policy": STRICT, "assessment_reference": "RA-2026-014"}),
        ("reason", {"reason": "  "}),
    ],
)
def test_an_incomplete_proposal_is_refused(cast: Cast, field: str, changes: dict[str, Any]) -> None:
    with pytest.raises(Refused) as refused:
        drafted(cast.owned, cast.owner, **changes)
    assert refused.value.field == field
    assert not Backtest.objects.exists()


def test_a_tightening_may_rest_on_the_assessment_there_is(cast: Cast) -> None:
    assert drafted(cast.owned, cast.owner, TIGHTER, assessment_reference="RA-2026-014").state == "draft"


def test_nothing_is_submitted_without_its_back_test(cast: Cast) -> None:
    view = drafted(cast.owned, cast.owner)
    with pytest.raises(Refused) as refused:
        services.proposal_submit(approval_id=view.id, person=cast.owner)
    assert code(refused) == "backtest_missing"


def test_another_text_needs_another_back_test(cast: Cast) -> None:
    view = drafted(cast.owned, cast.owner)
    computed()
    draft = draft_of(cast.owned, Policy(bounds={EO: Bound(None, 0.06)}))
    services.proposal_change(approval_id=view.id, draft=draft, reason="Less.", title="Less", person=cast.owner)
    with pytest.raises(Refused) as refused:
        services.proposal_submit(approval_id=view.id, person=cast.owner)
    assert code(refused) == "backtest_missing"
    assert computed() == 1
    assert services.proposal_submit(approval_id=view.id, person=cast.owner).state == "submitted"


def test_an_old_back_test_is_computed_again(cast: Cast) -> None:
    view = drafted(cast.owned, cast.owner)
    computed()
    digest = proposal_of(view.content).text_digest
    with clock.frozen(NOON + 8 * DAY):
        with pytest.raises(Refused, match="back-test"):
            services.proposal_submit(approval_id=view.id, person=cast.owner)
        assert services.backtest_repeat(approval_id=view.id, digest=digest)
        assert backtest_state(view.id, digest).state == "waiting"
        computed()
        assert services.proposal_submit(approval_id=view.id, person=cast.owner).state == "submitted"


def test_a_back_test_nobody_computed_is_refused(cast: Cast) -> None:
    view = drafted(cast.owned, cast.owner)
    computed()
    for forged in ({**FOUND, "lost": 0}, {}):
        with pytest.raises(Refused) as refused:
            rewritten(view, cast.owner, {**view.content, "backtest": forged})
        assert refused.value.field == "content.backtest"


def rewritten(view: Any, by: User, content: dict[str, Any]) -> Any:
    """Past our own verbs, as somebody would who calls the engine."""
    return approvals.approval_change(
        approval_id=view.id, person=by, title=view.title, content=content, reason=view.reason
    )


def test_a_text_that_lies_about_what_it_replaces_is_refused(cast: Cast) -> None:
    published(cast.owned, cast.owner, [cast.compliance], TIGHTER)
    view = drafted(cast.owned, cast.owner)
    old = policy_versions(cast.owned.id)[-1]
    lie = {"id": old.id, "version": old.version, "digest": old.digest}
    for content in (
        {**view.content, "base": lie},
        {**view.content, "replaces": lie},
        {**view.content, "base": {**view.content["base"], "version": 9}},
        {**view.content, "extra": 1},
        {**view.content, "policy": {"bounds": {"fairness": {}}}},
        {**view.content, "base": {**view.content["base"], "id": 10**9}},
        {},
    ):
        with pytest.raises(Refused):
            rewritten(view, cast.owner, content)


def test_another_models_version_is_no_base(cast: Cast) -> None:
    other = model("other")
    theirs = registered(other, FAR)
    view = drafted(cast.owned, cast.owner)
    named = {"id": theirs.id, "version": 1, "digest": theirs.digest}
    with pytest.raises(Refused):
        rewritten(view, cast.owner, {**view.content, "base": named, "replaces": named})


def test_a_submitted_text_changed_past_our_verbs_keeps_its_back_test_and_loses_its_signatures(cast: Cast) -> None:
    view = sign(proposed(cast.owned, cast.owner, FAR), cast.compliance)
    with pytest.raises(Refused) as refused:
        rewritten(view, cast.owner, {**view.content, "backtest": None})
    assert code(refused) == "backtest_missing"
    changed = rewritten(view, cast.owner, dict(view.content))
    assert changed.signatures == ()
    with pytest.raises(Refused) as refused:
        sign(changed, cast.compliance, digest=view.digest)
    assert code(refused) == "changed"
    assert by_the_board(changed).state == "submitted"
    assert newest_version(cast.owned.id).version == 1


def test_a_text_without_its_back_test_has_no_effect_even_if_it_was_signed(cast: Cast) -> None:
    view = sign(proposed(cast.owned, cast.owner, FAR), cast.compliance)
    kinds.register(replace(KIND, ready=lambda content: None))
    try:
        changed = rewritten(view, cast.owner, {**view.content, "backtest": None})
    finally:
        kinds.register(KIND)
    sign(changed, cast.compliance)
    ended = by_the_board(changed)
    assert ended.state == "rejected"
    assert "Nothing is signed without its back-test." in steps(ended.id)[-1].text
    assert newest_version(cast.owned.id).version == 1


@pytest.mark.parametrize("answered", [False, True])
def test_the_engine_submits_no_proposal_past_its_back_test(cast: Cast, answered: bool) -> None:
    view = drafted(cast.owned, cast.owner)
    if answered:
        computed()
    with pytest.raises(Refused) as refused:
        approvals.approval_submit(approval_id=view.id, person=cast.owner)
    assert code(refused) == "backtest_missing"
    assert approval(view.id).state == "draft"


def test_a_submitted_proposal_is_not_changed_but_withdrawn(cast: Cast) -> None:
    view = proposed(cast.owned, cast.owner)
    with pytest.raises(Refused) as refused:
        services.proposal_change(
            approval_id=view.id, draft=draft_of(cast.owned, FAR), reason="More.", title="More", person=cast.owner
        )
    assert code(refused) == "state"
    assert approvals.approval_withdraw(approval_id=view.id, person=cast.owner).state == "withdrawn"
    with pytest.raises(Refused):
        sign(view, cast.compliance)


def test_a_replayed_submission_and_a_replayed_signature_do_nothing(cast: Cast) -> None:
    view = proposed(cast.owned, cast.owner)
    with pytest.raises(Refused):
        services.proposal_submit(approval_id=view.id, person=cast.owner)
    sign(view, cast.compliance)
    with pytest.raises(Refused):
        sign(view, cast.compliance)
    assert newest_version(cast.owned.id).version == 2


def test_somebody_elses_draft_is_not_submitted(cast: Cast) -> None:
    view = drafted(cast.owned, cast.owner)
    computed()
    with pytest.raises(Refused) as refused:
        services.proposal_submit(approval_id=view.id, person=cast.officer)
    assert code(refused) == "not_own"


def test_a_request_of_another_kind_is_no_proposal(cast: Cast) -> None:
    review = services.review_draft(
        model_id=cast.owned.id,
        next_due=(NOON + 300 * DAY).date(),
        assessment_reference="RA-1",
        evidence={},
        reason="Still right.",
        person=cast.owner,
    )
    with pytest.raises(Refused) as refused:
        services.proposal_submit(approval_id=review.id, person=cast.owner)
    assert code(refused) == "unknown"


def test_a_version_cannot_be_written_for_a_request_that_lacks_a_signature(cast: Cast) -> None:
    view = sign(proposed(cast.owned, cast.owner, FAR), cast.compliance)
    row = PolicyVersion.objects.get(model_id=cast.owned.id)
    row.pk, row.version, row.way, row.approval_id = None, 2, "signed", view.id
    row.body, row.limits = view.content["policy"], view.content["limits"]
    with pytest.raises(DatabaseError, match="no signed request"), transaction.atomic():
        row.save(force_insert=True)


def test_a_back_test_is_leased_once_and_given_up_after_three_dead_workers(cast: Cast) -> None:
    view = drafted(cast.owned, cast.owner)
    digest = proposal_of(view.content).text_digest
    with side("compute"):
        for number in range(3):
            with clock.frozen(NOON + number * timedelta(minutes=11)):
                assert services.backtest_lease() is not None
                assert services.backtest_lease() is None
        with clock.frozen(NOON + timedelta(hours=1)):
            assert services.backtest_lease() is None
    found = backtest_state(view.id, digest)
    assert (found.state, found.note) == ("failed", "It did not come to an end.")
    assert services.backtest_repeat(approval_id=view.id, digest=digest)
    assert not services.backtest_repeat(approval_id=view.id, digest=digest)
    with clock.frozen(NOON + timedelta(hours=2)):
        assert computed() == 1


def test_a_worker_that_comes_late_changes_no_answer(cast: Cast) -> None:
    view = drafted(cast.owned, cast.owner)
    with side("compute"):
        slow = services.backtest_lease()
        assert services.backtest_store(asked=slow, result=FOUND)
        assert not services.backtest_store(asked=slow, result={"lost": 0})
        assert not services.backtest_fail(asked=slow, note="late")
    assert backtest_state(view.id, proposal_of(view.content).text_digest).result == FOUND


def test_the_same_text_is_computed_once(cast: Cast) -> None:
    view = drafted(cast.owned, cast.owner)
    draft = replace(draft_of(cast.owned), review_due=(NOON + 100 * DAY).date())
    services.proposal_change(approval_id=view.id, draft=draft, reason="Sooner.", title="Sooner", person=cast.owner)
    assert computed() == 1


def test_an_expired_proposal_is_signed_by_nobody(cast: Cast) -> None:
    view = proposed(cast.owned, cast.owner)
    with clock.frozen(NOON + 30 * DAY):
        with pytest.raises(Refused) as refused:
            sign(view, cast.compliance)
        assert code(refused) == "expired"
        approvals.approvals_advance()
        assert approval(view.id).state == "expired"
