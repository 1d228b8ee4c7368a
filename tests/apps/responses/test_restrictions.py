"""Restricting a model and lifting it: by whom, when, and what the gateways are told."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest
from django.core.exceptions import PermissionDenied
from django.db import DatabaseError, IntegrityError, connection, transaction
from django.http import Http404

from apps.accounts.roles import OFFICER
from apps.accounts.services import person_create
from apps.approvals.selectors import ApprovalView, approvals_waiting_for
from apps.approvals.services import approval_change, approval_sign
from apps.audit.selectors import entries
from apps.common import clock
from apps.common.errors import Refused
from apps.registry.spec import ModelSpec
from apps.responses import selectors
from apps.responses.gateways import acknowledgements_chase
from apps.responses.models import Acknowledgement, Restriction
from apps.responses.services import (
    gateway_retire,
    lift_request,
    restriction_confirm,
    restriction_decline,
    status_acknowledge,
)
from biasgov.client.status import Status, public_key, verify
from tests.apps.responses.worlds import HOUR, NOON, answer, answer_hours, look, publish
from tests.board import by_the_board
from tests.cast import PASSWORD, Cast, model
from tests.sides import side

DAY = timedelta(days=1)


@pytest.fixture
def cast(db: None) -> Cast:
    return Cast.assemble()


@pytest.fixture
def spec(cast: Cast) -> ModelSpec:
    return cast.owned


def only() -> Restriction:
    return Restriction.objects.get()


def status(spec: ModelSpec, at: Any = NOON) -> Status:
    with clock.frozen(at):
        return verify(selectors.status_document(spec), [public_key(selectors.status_public_key())], model=spec.slug)


def restricted(spec: ModelSpec, cast: Cast, **changes: Any) -> Restriction:
    """A model whose restriction an officer confirmed ten minutes after noon."""
    answer(spec, look(spec, **({"window": "30d", "severity": "medium"} | changes)))
    with clock.frozen(NOON + timedelta(minutes=10)):
        return restriction_confirm(restriction_id=only().pk, person=cast.officer)


def asked(spec: ModelSpec, cast: Cast, at: Any) -> ApprovalView:
    with clock.frozen(at):
        return lift_request(model_id=spec.id, person=cast.officer, reason="Version 1.2 is out.")


def signed(request: ApprovalView, who: Any, at: Any) -> ApprovalView:
    with clock.frozen(at):
        return approval_sign(approval_id=request.id, person=who, digest=request.digest, confirmed_at=at)


def test_the_ladder_proposes_and_nothing_is_blocked_yet(spec: ModelSpec) -> None:
    answer(spec, look(spec, window="30d"))
    assert (only().state, only().automatic, only().blocked_decision_types) == ("proposed", False, ["*"])
    assert only().reason.startswith("People from APAC")
    assert only().reason.endswith("(breach in the 30d window)")
    told = status(spec)
    assert (told.tier, told.restriction) == ("restrict", None)


def test_the_policy_may_restrict_without_anybody(spec: ModelSpec, cast: Cast) -> None:
    publish(spec, restriction="automatic", blocked_decision_types=("decline", "limit"))
    answer(spec, look(spec, window="30d"))
    told = status(spec)
    assert told.restriction is not None
    assert told.restriction.blocked_decision_types == ("decline", "limit")
    assert "Claims triage is restricted" in [each.title for each in selectors.notifications(cast.owner)]


def test_an_officer_confirms_and_the_status_says_so(spec: ModelSpec, cast: Cast) -> None:
    answer(spec, look(spec, window="30d", severity="medium"))
    before = status(spec)
    restriction_confirm(restriction_id=only().pk, person=cast.officer, note="Agreed.")
    after = status(spec)
    assert after.sequence == before.sequence + 1
    assert after.restriction is not None
    assert (after.restriction.id, after.restriction.blocks("anything")) == (only().pk, True)
    assert [step.event for step in only().steps.all()] == ["proposed", "confirmed"]
    assert entries(action="restriction.confirmed").get().actor == "user:officer"


@pytest.mark.parametrize(
    ("part", "refusal"),
    [
        ("owner", PermissionDenied),
        ("compliance", PermissionDenied),
        ("board", PermissionDenied),
        ("steward", Http404),
        ("outsider", Http404),
    ],
)
def test_nobody_else_decides_on_a_restriction(spec: ModelSpec, cast: Cast, part: str, refusal: Any) -> None:
    answer(spec, look(spec, window="30d"))
    who = getattr(cast, part)
    for act in (
        lambda: restriction_confirm(restriction_id=only().pk, person=who),
        lambda: restriction_decline(restriction_id=only().pk, person=who, reason="No."),
        lambda: lift_request(model_id=spec.id, person=who, reason="No."),
    ):
        with pytest.raises(refusal):
            act()
    assert only().state == "proposed"


def test_a_restriction_is_decided_on_once(spec: ModelSpec, cast: Cast) -> None:
    answer(spec, look(spec, window="30d"))
    with pytest.raises(Refused):
        restriction_decline(restriction_id=only().pk, person=cast.officer, reason=" ")
    restriction_decline(restriction_id=only().pk, person=cast.officer, reason="A person decides anyway.")
    with pytest.raises(Refused) as twice:
        restriction_confirm(restriction_id=only().pk, person=cast.officer)
    assert twice.value.code == "state"


def test_what_was_declined_is_proposed_again_only_for_something_new(spec: ModelSpec, cast: Cast) -> None:
    answer(spec, look(spec, window="30d"))
    restriction_decline(restriction_id=only().pk, person=cast.officer, reason="A person decides anyway.")
    answer(spec, look(spec, window="30d", as_of=NOON + HOUR))
    assert Restriction.objects.count() == 1
    answer(spec, look(spec, window="30d", as_of=NOON + 2 * HOUR, metric="fpr_gap"))
    assert [each.state for each in Restriction.objects.all()] == ["proposed", "declined"]


def test_a_second_cause_does_not_add_a_second_restriction(spec: ModelSpec, cast: Cast) -> None:
    restricted(spec, cast)
    answer(spec, look(spec, window="30d", as_of=NOON + 2 * DAY, attribute="sex", group="female"))
    assert Restriction.objects.count() == 1
    row = only()
    row.pk, row.state, row.in_force_at = None, "proposed", None
    with pytest.raises(IntegrityError, match="responses_one_live_restriction"):
        row.save(force_insert=True)


def test_lifting_needs_a_second_person_and_lets_the_model_go(spec: ModelSpec, cast: Cast) -> None:
    restricted(spec, cast)
    answer_hours(spec, *["within"] * 3, start=NOON + HOUR, window="30d")
    request = asked(spec, cast, NOON + 4 * HOUR)
    assert [need.verb for need in request.needs] == ["restriction.countersign"]
    with pytest.raises(Refused) as own:
        signed(request, cast.officer, NOON + 4 * HOUR)
    assert own.value.code == "own_request"
    signed(request, cast.compliance, NOON + 5 * HOUR)
    assert (only().state, only().approval_id) == ("lifted", request.id)
    assert status(spec).restriction is None
    (found,) = selectors.open_findings([spec.id])
    assert found.tier == "monitor-enhanced"
    title = selectors.notifications(cast.owner)[0].title
    assert title == "Claims triage: the restriction is lifted"


def test_a_second_officer_may_sign(spec: ModelSpec, cast: Cast) -> None:
    second = person_create(username="second", password=PASSWORD, roles=[OFFICER], actor="system:tests")
    restricted(spec, cast)
    answer_hours(spec, *["within"] * 3, start=NOON + HOUR, window="30d")
    signed(asked(spec, cast, NOON + 4 * HOUR), second, NOON + 4 * HOUR)
    assert only().state == "lifted"


def test_without_the_evidence_the_board_signs_too(spec: ModelSpec, cast: Cast) -> None:
    restricted(spec, cast)
    answer_hours(spec, "within", "within", start=NOON + HOUR, window="30d")
    request = asked(spec, cast, NOON + 4 * HOUR)
    assert [need.verb for need in request.needs] == ["restriction.countersign", "board.vote"]
    signed(request, cast.compliance, NOON + 4 * HOUR)
    assert only().state == "in_force"
    assert approvals_waiting_for(cast.board) == ()
    with clock.frozen(NOON + 4 * HOUR):
        by_the_board(request)
    assert only().state == "lifted"
    assert "and the ethics board" in selectors.notifications(cast.owner)[1].body


def test_what_was_escalated_is_lifted_with_the_board(spec: ModelSpec, cast: Cast) -> None:
    restricted(spec, cast, window="24h", severity="critical")
    answer_hours(spec, *["within"] * 3, start=NOON + HOUR)
    request = asked(spec, cast, NOON + 4 * HOUR)
    assert [need.verb for need in request.needs] == ["restriction.countersign", "board.vote"]
    with clock.frozen(NOON + 4 * HOUR):
        by_the_board(request)
    signed(request, cast.compliance, NOON + 4 * HOUR)
    (found,) = selectors.open_findings([spec.id])
    assert (found.tier, only().state) == ("monitor-enhanced", "lifted")


def test_the_shortest_window_in_breach_is_the_evidence(spec: ModelSpec, cast: Cast) -> None:
    both = [look(spec, severity="medium"), look(spec, window="30d", severity="medium")]
    answer(spec, *both)
    restriction_confirm(restriction_id=only().pk, person=cast.officer)
    for hour in (1, 2, 3):
        at = NOON + hour * HOUR
        answer(spec, look(spec, "within", as_of=at), look(spec, as_of=at, window="30d", severity="medium"))
    request = asked(spec, cast, NOON + 4 * HOUR)
    assert [need.verb for need in request.needs] == ["restriction.countersign"]
    signed(request, cast.compliance, NOON + 4 * HOUR)
    answer(spec, look(spec, as_of=NOON + 5 * HOUR, window="30d", severity="medium"))
    assert Restriction.objects.count() == 1
    answer(spec, look(spec, as_of=NOON + 40 * DAY, window="30d", severity="medium"))
    assert [each.state for each in Restriction.objects.all()] == ["proposed", "lifted"]


def test_a_lift_is_asked_for_what_there_is_and_for_nothing_else(spec: ModelSpec, cast: Cast) -> None:
    """A draft that was written around the page, and tells the signer of other findings."""
    restricted(spec, cast)
    honest = asked(spec, cast, NOON + HOUR)
    for changes in ({"findings": []}, {"blocked_decision_types": []}, {"recovered": True}, {"note": "All is well."}):
        with pytest.raises(Refused) as refused, clock.frozen(NOON + HOUR):
            approval_change(
                approval_id=honest.id,
                person=cast.officer,
                title=honest.title,
                content={**honest.content, **changes},
                reason=honest.reason,
            )
        assert refused.value.code == "changed"


def test_evidence_that_grew_worse_voids_the_request(spec: ModelSpec, cast: Cast) -> None:
    restricted(spec, cast)
    answer_hours(spec, *["within"] * 3, start=NOON + HOUR, window="30d")
    request = asked(spec, cast, NOON + 4 * HOUR)
    answer_hours(spec, "breach", start=NOON + 5 * HOUR, window="30d")
    with pytest.raises(Refused) as changed, transaction.atomic():
        signed(request, cast.compliance, NOON + 6 * HOUR)
    assert (changed.value.code, only().state) == ("changed", "in_force")


def test_there_is_one_request_at_a_time_and_nothing_to_lift_without_a_restriction(spec: ModelSpec, cast: Cast) -> None:
    with pytest.raises(Refused) as nothing:
        asked(spec, cast, NOON)
    answer(spec, look(spec, window="30d"))
    with pytest.raises(Refused) as proposed:
        asked(spec, cast, NOON + HOUR)
    restriction_confirm(restriction_id=only().pk, person=cast.officer)
    asked(spec, cast, NOON + HOUR)
    with pytest.raises(Refused) as twice:
        asked(spec, cast, NOON + HOUR)
    assert [each.value.code for each in (nothing, proposed, twice)] == ["nothing", "proposed", "exists"]


def by_sql(statement: str, *parameters: Any) -> str:
    """What the database answers to the web side's role, at the latest when the transaction would end."""
    try:
        with transaction.atomic(), connection.cursor() as cursor:
            cursor.execute(statement, parameters)
            cursor.execute("SET CONSTRAINTS ALL IMMEDIATE")
    except DatabaseError as refused:
        return str(refused)
    return ""


def test_a_restriction_cannot_be_lifted_past_the_signatures_by_the_database_either(spec: ModelSpec, cast: Cast) -> None:
    restricted(spec, cast)
    lift = "UPDATE responses_restriction SET state = 'lifted', lifted_at = now(), approval_id = %s"
    assert "no signed request lifts" in by_sql(lift, None)
    assert "no signed request lifts" in by_sql(lift, 999)
    waiting = asked(spec, cast, NOON + HOUR)
    assert "no signed request lifts" in by_sql(lift, waiting.id)


@pytest.mark.parametrize(
    ("change", "why"),
    [
        ("state = 'declined', in_force_at = NULL", "does not go from in_force to declined"),
        ("state = 'proposed', in_force_at = NULL", "does not go from in_force to proposed"),
        ("blocked_decision_types = '{}'", "permission denied"),
        ("reason = 'nothing'", "permission denied"),
    ],
)
def test_a_restriction_in_force_is_not_emptied_by_the_database_either(
    spec: ModelSpec, cast: Cast, change: str, why: str
) -> None:
    restricted(spec, cast)
    assert why in by_sql(f"UPDATE responses_restriction SET {change}")


@pytest.mark.parametrize("moment", ["in_force_at", "acknowledged_at"])
def test_how_long_a_restriction_took_is_not_made_to_look_shorter_by_the_database(
    spec: ModelSpec, cast: Cast, moment: str
) -> None:
    restricted(spec, cast)
    status_acknowledge(model=spec, actor="token:a", gateway="eu-1", sequence=status(spec).sequence)
    assert "stays as it is" in by_sql(f"UPDATE responses_restriction SET {moment} = breach_at")


def test_a_restriction_is_not_called_obeyed_before_every_gateway_says_so_by_the_database_either(
    spec: ModelSpec, cast: Cast
) -> None:
    restricted(spec, cast)
    obeyed = "UPDATE responses_restriction SET acknowledged_at = now()"
    assert "not every gateway has acknowledged" in by_sql(obeyed)
    status_acknowledge(model=spec, actor="token:a", gateway="eu-1", sequence=0)
    assert "not every gateway has acknowledged" in by_sql(obeyed)
    said = by_sql("UPDATE responses_gateway SET sequence = %s", status(spec).sequence + 1)
    assert "no status of number" in said


@pytest.mark.parametrize("change", ["state = 'closed', closed_at = now()", "tier = 'alert'", "tier = 'restrict'"])
def test_nothing_comes_down_the_upper_rungs_by_the_database_without_its_request(
    spec: ModelSpec, cast: Cast, change: str
) -> None:
    answer(spec, look(spec, severity="critical"))
    with clock.frozen(NOON + timedelta(minutes=10)):
        restriction_confirm(restriction_id=only().pk, person=cast.officer)
    assert "comes down by a signed request alone" in by_sql(f"UPDATE responses_finding SET {change}")
    asked(spec, cast, NOON + HOUR)
    assert "comes down by a signed request alone" in by_sql(f"UPDATE responses_finding SET {change}")


def test_the_status_is_not_told_without_the_restriction_by_the_database_either(spec: ModelSpec, cast: Cast) -> None:
    restricted(spec, cast)
    untold = "UPDATE responses_modelstatus SET restriction_id = NULL, sequence = sequence + %s"
    assert "needs the next number" in by_sql(untold, 0)
    assert "must name the restriction" in by_sql(untold, 1)
    assert "needs the next number" in by_sql("UPDATE responses_modelstatus SET sequence = 0")


@pytest.mark.parametrize("table", ["responses_restrictionstep", "responses_acknowledgement"])
def test_what_was_done_to_a_restriction_cannot_be_rewritten(spec: ModelSpec, cast: Cast, table: str) -> None:
    restricted(spec, cast)
    status_acknowledge(model=spec, actor="token:a", gateway="eu-1", sequence=2)
    for role, why in (("web", "permission denied"), ("owner", "what is written there stays")):
        with side(role), connection.cursor() as cursor:
            cursor.execute("SET CONSTRAINTS ALL IMMEDIATE")
            with pytest.raises(DatabaseError, match=why), transaction.atomic():
                cursor.execute(f"DELETE FROM {table}")


def test_every_change_takes_the_next_number_and_nothing_else_does(spec: ModelSpec, cast: Cast) -> None:
    assert status(spec).sequence == 0
    answer_hours(spec, "breach")
    answer_hours(spec, "breach", start=NOON + HOUR)
    assert (status(spec).sequence, status(spec).tier) == (1, "alert")
    answer_hours(spec, "breach", start=NOON + 2 * HOUR)
    assert (status(spec).sequence, status(spec).tier) == (2, "monitor-enhanced")
    assert entries(action="status.changed").count() == 2


def test_a_document_is_the_same_within_its_slot_and_valid_for_minutes(spec: ModelSpec) -> None:
    with clock.frozen(NOON + timedelta(seconds=1)):
        first = selectors.status_document(spec)
    with clock.frozen(NOON + timedelta(seconds=29)):
        second = selectors.status_document(spec)
    with clock.frozen(NOON + timedelta(seconds=31)):
        third = selectors.status_document(spec)
    assert first == second
    assert third["etag"] != first["etag"]
    assert (first["issued_at"], first["valid_until"]) == ("2026-05-04T12:00:00Z", "2026-05-04T12:05:00Z")


def test_a_restriction_is_acknowledged_when_the_last_gateway_has_it(spec: ModelSpec, cast: Cast) -> None:
    for name in ("eu-1", "eu-2"):
        with clock.frozen(NOON - DAY):
            status_acknowledge(model=spec, actor="token:serving", gateway=name, sequence=0)
    restriction = restricted(spec, cast)
    number = status(spec).sequence
    with clock.frozen(NOON + timedelta(minutes=12)):
        first = status_acknowledge(model=spec, actor="token:serving", gateway="eu-1", sequence=number)
    assert (first.current, first.restriction_id, only().acknowledged_at) == (True, restriction.pk, None)
    with clock.frozen(NOON + timedelta(minutes=13)):
        status_acknowledge(model=spec, actor="token:serving", gateway="eu-2", sequence=number - 1)
        assert only().acknowledged_at is None
        status_acknowledge(model=spec, actor="token:serving", gateway="eu-2", sequence=number)
    assert only().acknowledged_at == NOON + timedelta(minutes=13)


def test_an_acknowledgement_that_is_repeated_changes_nothing(spec: ModelSpec, cast: Cast) -> None:
    restricted(spec, cast)
    for _ in range(3):
        status_acknowledge(model=spec, actor="token:serving", gateway="eu-1", sequence=status(spec).sequence)
    assert Acknowledgement.objects.count() == 1
    assert entries(action="status.acknowledged").count() == 1


def test_nobody_acknowledges_what_was_never_said(spec: ModelSpec) -> None:
    with pytest.raises(Refused) as unknown:
        status_acknowledge(model=spec, actor="token:serving", gateway="eu-1", sequence=1)
    assert unknown.value.code == "unknown"


def test_the_same_name_by_another_token_is_another_gateway(spec: ModelSpec, cast: Cast) -> None:
    status_acknowledge(model=spec, actor="token:a", gateway="eu-1", sequence=0)
    restricted(spec, cast)
    status_acknowledge(model=spec, actor="token:b", gateway="eu-1", sequence=status(spec).sequence)
    assert only().acknowledged_at is None


def test_a_gateway_that_serves_no_more_is_waited_for_no_more(spec: ModelSpec, cast: Cast) -> None:
    for name in ("eu-1", "old"):
        status_acknowledge(model=spec, actor="token:serving", gateway=name, sequence=0)
    restricted(spec, cast)
    status_acknowledge(model=spec, actor="token:serving", gateway="eu-1", sequence=status(spec).sequence)
    old = selectors.gateways(spec.id)[1]
    with pytest.raises(PermissionDenied):
        gateway_retire(gateway_id=old.id, person=cast.owner)
    gateway_retire(gateway_id=old.id, person=cast.officer)
    assert only().acknowledged_at is not None


def test_a_restriction_that_is_not_in_effect_in_time_is_said_aloud_once(spec: ModelSpec, cast: Cast) -> None:
    status_acknowledge(model=spec, actor="token:serving", gateway="eu-1", sequence=0)
    restricted(spec, cast)
    for minutes in (24, 26, 40):
        with clock.frozen(NOON + timedelta(minutes=minutes)):
            acknowledgements_chase()
    late = [each for each in selectors.notifications(cast.officer) if "not in effect everywhere" in each.title]
    assert [each.body for each in late] == [
        "In force since 2026-05-04 12:10 UTC. As far as is known, these decide as before: eu-1."
    ]


def test_the_time_from_breach_to_acknowledged_restriction_is_known(spec: ModelSpec, cast: Cast) -> None:
    other = model("other")
    restricted(spec, cast, detected_at=NOON + timedelta(minutes=4))
    with clock.frozen(NOON + timedelta(minutes=14)):
        status_acknowledge(model=spec, actor="token:a", gateway="eu-1", sequence=status(spec).sequence)
        (row,) = selectors.restriction_times([spec.id, other.id], NOON)
    assert (row.seconds, row.acknowledged) == (600.0, True)


def test_a_suppressed_group_is_never_named(spec: ModelSpec, cast: Cast) -> None:
    answer(spec, look(spec, window="30d", suppressed=True, value=None, low=None, high=None))
    said = [f"{each.title} {each.body}" for each in selectors.notifications(cast.officer)]
    assert not any("APAC" in each for each in (*said, only().reason))
    assert "a group of region that is too small to be named" in said[0]
