"""When a finding climbs the ladder, when it comes down, and what that asks of others."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime, timedelta
from typing import Any

import pytest
from django.core.exceptions import PermissionDenied

from apps.audit.selectors import entries
from apps.common import clock
from apps.common.errors import Refused
from apps.registry.services import version_register
from apps.registry.spec import ModelSpec
from apps.responses import ladder, selectors
from apps.responses.models import Cause
from apps.responses.selectors import FindingRow
from apps.responses.services import (
    cause_end,
    cause_for_incident,
    cause_resume,
    deadlines_enforce,
    escalation_answered,
)
from tests.apps.responses.worlds import HOUR, NOON, answer, answer_hours, look, publish
from tests.cast import Cast

DAY = timedelta(days=1)


@pytest.fixture
def cast(db: None) -> Cast:
    return Cast.assemble()


@pytest.fixture
def spec(cast: Cast) -> ModelSpec:
    return cast.owned


def only(spec: ModelSpec) -> FindingRow:
    (found,) = selectors.findings_of(spec.id)
    return found


def rungs(spec: ModelSpec) -> list[str]:
    """The rungs that the only finding has been on, in turn."""
    steps = selectors.transitions(only(spec).id)
    return [step.to_state for step in steps if step.to_state != step.from_state]


def titles(who: Any) -> list[str]:
    return [message.title for message in selectors.notifications(who).order_by("id")]


def test_every_step_leads_to_a_rung_and_only_people_leave_the_upper_two() -> None:
    assert {to for to, _ in ladder.STEPS.values()} <= {*ladder.TIERS, ladder.CLOSED}
    downwards = {
        (rung, event) for (rung, event), (to, _) in ladder.STEPS.items() if ladder.height(to) < ladder.height(rung)
    }
    assert downwards == {
        (ladder.ALERT, ladder.RECOVERED),
        (ladder.MONITOR, ladder.RECOVERED),
        (ladder.RESTRICT, ladder.EASED),
        (ladder.ESCALATE, ladder.EASED),
    }


def test_three_breaching_evaluations_in_a_row_are_watched_closer(spec: ModelSpec) -> None:
    answer_hours(spec, "breach", "breach")
    assert only(spec).tier == "alert"
    answer_hours(spec, "breach", start=NOON + 2 * HOUR)
    found = only(spec)
    assert (found.tier, found.entered["monitor-enhanced"]["why"]) == (
        "monitor-enhanced",
        "3 breaching evaluations in a row",
    )


@pytest.mark.parametrize("between", ["within", "inconclusive", "not_estimable"])
def test_a_row_of_breaches_is_broken_by_anything_else(spec: ModelSpec, between: str) -> None:
    answer_hours(spec, "breach", "breach", between, "breach", "breach")
    assert only(spec).tier == "alert"


def test_a_moment_that_is_evaluated_again_counts_once(spec: ModelSpec) -> None:
    for _ in range(5):
        answer_hours(spec, "breach")
    answer_hours(spec, "breach", start=NOON + HOUR)
    assert only(spec).tier == "alert"


def test_a_restatement_takes_back_the_breach_that_it_replaces(spec: ModelSpec) -> None:
    answer_hours(spec, "breach", "breach")
    answer_hours(spec, "within", start=NOON + HOUR)
    answer_hours(spec, "breach", start=NOON + 2 * HOUR)
    assert only(spec).tier == "alert"
    answer_hours(spec, "breach", "breach", start=NOON + 3 * HOUR)
    assert only(spec).tier == "monitor-enhanced"


def test_a_moment_may_be_restated_window_by_window(spec: ModelSpec) -> None:
    publish(spec, persist_window="")
    for hour in range(2):
        at = NOON + hour * HOUR
        answer(spec, look(spec, as_of=at), look(spec, "breach", as_of=at, window="7d", severity="high"))
        answer(spec, look(spec, "within", as_of=at))
    assert (only(spec).severity, only(spec).tier) == ("high", "alert")
    at = NOON + 2 * HOUR
    answer(spec, look(spec, "within", as_of=at), look(spec, as_of=at, window="7d"))
    assert only(spec).tier == "monitor-enhanced"


def test_a_breach_in_seven_days_is_persistent_by_itself(spec: ModelSpec) -> None:
    answer(spec, look(spec, window="7d"))
    assert only(spec).tier == "monitor-enhanced"


def test_a_breach_in_thirty_days_is_sustained_by_itself(spec: ModelSpec) -> None:
    answer(spec, look(spec, window="30d"))
    found = only(spec)
    assert (found.tier, sorted(found.entered)) == ("restrict", ["alert", "monitor-enhanced", "restrict"])


def test_high_severity_is_sustained_after_a_day_and_not_before(spec: ModelSpec) -> None:
    answer_hours(spec, *["breach"] * 24, severity="high")
    assert only(spec).tier == "monitor-enhanced"
    answer_hours(spec, "breach", start=NOON + DAY, severity="high")
    assert only(spec).tier == "restrict"
    assert rungs(spec) == ["alert", "monitor-enhanced", "restrict"]


def test_a_milder_hour_starts_the_day_again(spec: ModelSpec) -> None:
    answer_hours(spec, *["breach"] * 12, severity="high")
    answer_hours(spec, "breach", start=NOON + 12 * HOUR, severity="medium")
    answer_hours(spec, *["breach"] * 24, start=NOON + 13 * HOUR, severity="high")
    assert only(spec).tier == "monitor-enhanced"
    answer_hours(spec, "breach", start=NOON + 37 * HOUR, severity="high")
    assert only(spec).tier == "restrict"


def test_critical_severity_goes_straight_to_the_board(spec: ModelSpec, cast: Cast) -> None:
    given = answer(spec, look(spec, severity="critical"))
    (escalation,) = given.escalations
    assert (escalation.first, escalation.severity, escalation.why) == (True, "critical", "critical severity")
    assert [found.id for found in escalation.findings] == [only(spec).id]
    assert titles(cast.board) == ["Claims triage: a new finding, critical, escalated to the ethics board"]
    assert entries(action="cause.escalated").count() == 1


def test_the_board_hears_nothing_of_the_lower_rungs(spec: ModelSpec, cast: Cast) -> None:
    answer(spec, look(spec, window="30d", severity="high"))
    assert titles(cast.board) == []
    assert titles(cast.owner) == ["Claims triage: a new finding, high, restriction"]


def test_the_numbers_are_those_of_the_policy(spec: ModelSpec) -> None:
    publish(spec, persist_after=1, sustain_hours=2, sustain_severity="low", escalate_severity="high")
    answer_hours(spec, "breach")
    assert only(spec).tier == "monitor-enhanced"
    answer_hours(spec, "breach", "breach", start=NOON + HOUR)
    assert only(spec).tier == "restrict"
    answer_hours(spec, "breach", start=NOON + 3 * HOUR, severity="high")
    assert only(spec).tier == "escalate"


def test_history_climbs_nothing_and_the_first_live_evaluation_makes_up_for_it(spec: ModelSpec) -> None:
    for days in (3, 2, 1):
        answer(spec, look(spec, as_of=NOON - days * DAY, severity="high"), at=NOON)
    assert only(spec).tier == "alert"
    answer_hours(spec, "breach", severity="high")
    assert rungs(spec) == ["alert", "restrict"]


def test_steps_down_need_three_each_and_are_taken_one_by_one(spec: ModelSpec) -> None:
    answer_hours(spec, *["breach"] * 3, *["within"] * 2)
    assert only(spec).tier == "monitor-enhanced"
    answer_hours(spec, "within", start=NOON + 5 * HOUR)
    assert only(spec).tier == "alert"
    for _ in range(3):
        answer_hours(spec, "within", start=NOON + 5 * HOUR)
    answer_hours(spec, "within", "within", start=NOON + 6 * HOUR)
    assert only(spec).state == "open"
    answer_hours(spec, "within", start=NOON + 8 * HOUR)
    assert rungs(spec) == ["alert", "monitor-enhanced", "alert", "closed"]


@pytest.mark.parametrize("looks", [{"window": "30d"}, {"severity": "critical"}])
def test_from_restrict_upwards_good_evaluations_alone_bring_nothing_down(spec: ModelSpec, looks: Any) -> None:
    answer(spec, look(spec, **looks))
    tier = only(spec).tier
    answer_hours(spec, *["within"] * 12, start=NOON + HOUR, window=looks.get("window", "24h"))
    assert (only(spec).tier, only(spec).state) == (tier, "open")
    assert "people may bring it down" in only(spec).standing


def test_who_climbs_again_is_told_again(spec: ModelSpec, cast: Cast) -> None:
    answer_hours(spec, *["breach"] * 3, *["within"] * 3, *["breach"] * 3)
    assert titles(cast.owner) == [
        "Claims triage: a new finding, medium",
        "Claims triage: a finding, medium, monitored closer",
        "Claims triage: a finding, medium, monitored closer",
    ]


def test_a_rise_in_severity_is_told_and_a_fall_is_not(spec: ModelSpec, cast: Cast) -> None:
    for hour, severity in enumerate(["low", "high", "medium", "high"]):
        answer_hours(spec, "breach", start=NOON + 30 * hour * HOUR, severity=severity)
        answer_hours(spec, "within", start=NOON + (30 * hour + 1) * HOUR)
    assert titles(cast.officer) == ["Claims triage: a new finding, low", "Claims triage: a finding, high"]


def test_the_wish_for_closer_evaluation_lasts_as_long_as_the_rung(spec: ModelSpec) -> None:
    publish(spec, enhanced_minutes=5)
    assert answer(spec, look(spec)).evaluate_every is None
    assert answer(spec, look(spec, as_of=NOON + HOUR, window="7d")).evaluate_every == timedelta(minutes=5)
    wishes = [
        answer(spec, look(spec, "within", as_of=at), look(spec, "within", as_of=at, window="7d")).evaluate_every
        for at in (NOON + hours * HOUR for hours in (2, 3, 4))
    ]
    assert wishes == [timedelta(minutes=5), timedelta(minutes=5), None]


def test_the_deadline_is_in_business_hours_and_a_worse_breach_is_due_sooner(spec: ModelSpec) -> None:
    monday = NOON
    answer_hours(spec, "breach", severity="medium")
    assert only(spec).deadline_at == monday + 14 * DAY + timedelta(minutes=5)
    answer_hours(spec, "breach", start=NOON + HOUR, severity="high")
    assert only(spec).deadline_at == monday + 7 * DAY + timedelta(hours=1, minutes=5)
    answer_hours(spec, "breach", start=NOON + 2 * HOUR, severity="medium")
    assert only(spec).deadline_at == monday + 7 * DAY + timedelta(hours=1, minutes=5)


def test_a_deadline_that_passes_escalates_once(spec: ModelSpec, cast: Cast) -> None:
    answer_hours(spec, "breach", severity="low")
    with clock.frozen(NOON + 27 * DAY):
        assert selectors.overdue_models() == ()
    with clock.frozen(NOON + 29 * DAY):
        assert selectors.overdue_models() == (spec.id,)
        (escalation,) = deadlines_enforce(model=spec).escalations
        assert escalation.why == "the remediation deadline has passed"
        assert selectors.overdue_models() == ()
        assert deadlines_enforce(model=spec).escalations == ()
    assert titles(cast.board) == ["Claims triage: a finding, low, escalated to the ethics board"]


def released(spec: ModelSpec, *versions: tuple[str, datetime]) -> None:
    for version, at in versions:
        version_register(actor="token:tests", model_id=spec.id, version=version, environment={}, released_at=at)


def test_findings_that_share_an_attribute_have_one_cause(spec: ModelSpec) -> None:
    first = look(spec, severity="critical")
    sex = replace(first, attribute="sex", group="female", reference="male")
    both = replace(first, attribute="sex*region", group="female*APAC", reference="male*NA")
    given = answer(spec, first, sex, both)
    (escalation,) = given.escalations
    assert len(escalation.findings) == 3
    later = answer(spec, look(spec, metric="fpr_gap", as_of=NOON + HOUR, severity="critical"))
    (again,) = later.escalations
    assert (again.cause_id, again.first) == (escalation.cause_id, False)


def test_findings_of_different_attributes_have_causes_of_their_own(spec: ModelSpec) -> None:
    first = look(spec)
    answer(spec, first, replace(first, attribute="sex", group="female", reference="male"))
    assert Cause.objects.count() == 2


def test_a_finding_of_the_same_attribute_joins_as_long_as_the_cause_is_judged(spec: ModelSpec) -> None:
    answer_hours(spec, "breach")
    answer(spec, look(spec, metric="fpr_gap", as_of=NOON + 9 * DAY))
    (later, _) = selectors.findings_of(spec.id)
    assert Cause.objects.count() == 1
    assert selectors.joined_by([later.id]) == {later.id: "the attribute region"}


def test_what_follows_one_release_has_one_cause_whatever_it_is_about(spec: ModelSpec) -> None:
    released(spec, ("1.0", NOON - 90 * DAY), ("1.1", NOON - DAY))
    answer_hours(spec, "breach")
    answer(spec, look(spec, attribute="sex", group="female", reference="male", as_of=NOON + 20 * DAY))
    (cause,) = Cause.objects.all()
    assert (cause.release, cause.attributes) == ("1.1", ["region", "sex"])


def test_a_release_explains_nothing_after_the_longest_window_has_passed(spec: ModelSpec) -> None:
    released(spec, ("1.0", NOON - 90 * DAY), ("1.1", NOON - DAY))
    answer_hours(spec, "breach")
    answer(spec, look(spec, attribute="sex", group="female", reference="male", as_of=NOON + 30 * DAY))
    assert sorted(Cause.objects.values_list("release", flat=True)) == ["", "1.1"]


def test_what_opens_after_the_next_release_is_another_matter(spec: ModelSpec) -> None:
    released(spec, ("1.0", NOON - 90 * DAY), ("1.1", NOON - DAY), ("1.2", NOON + 2 * DAY))
    answer_hours(spec, "breach")
    answer(spec, look(spec, attribute="sex", group="female", reference="male", as_of=NOON + 3 * DAY))
    assert sorted(Cause.objects.values_list("release", flat=True)) == ["1.1", "1.2"]


def test_the_first_release_explains_nothing(spec: ModelSpec) -> None:
    released(spec, ("1.0", NOON - DAY))
    first = look(spec)
    answer(spec, first, replace(first, attribute="sex", group="female", reference="male"))
    assert Cause.objects.count() == 2


def test_a_cause_stays_open_with_its_incident_and_takes_back_what_returns(spec: ModelSpec) -> None:
    answer(spec, look(spec))
    cause = Cause.objects.get()
    escalation_answered(cause_id=cause.pk, incident_id=7)
    answer_hours(spec, *["within"] * 3, start=NOON + HOUR)
    assert not selectors.open_findings([spec.id])
    given = answer(spec, look(spec, as_of=NOON + 6 * DAY))
    assert [(each.cause_key, each.reason) for each in given.additions] == [(cause.key, "its return")]
    given = answer(spec, look(spec, metric="fpr_gap", attribute="sex", group="f", as_of=NOON + 6 * DAY + HOUR))
    assert given.additions == ()
    assert Cause.objects.count() == 2


def test_another_metric_after_a_gap_is_another_cause_though_the_incident_is_open(spec: ModelSpec) -> None:
    answer_hours(spec, "breach", *["within"] * 3)
    Cause.objects.update(incident_id=7, closed_at=None)
    answer(spec, look(spec, metric="fpr_gap", as_of=NOON + 3 * DAY))
    assert Cause.objects.count() == 2


def test_a_cause_ends_with_its_incident_and_is_taken_up_with_it(spec: ModelSpec) -> None:
    answer(spec, look(spec))
    escalation_answered(cause_id=Cause.objects.get().pk, incident_id=7)
    cause_end(incident_id=7, actor="user:officer")
    answer(spec, look(spec, metric="fpr_gap", as_of=NOON + HOUR))
    assert Cause.objects.count() == 2
    cause_resume(incident_id=7, actor="user:officer")
    assert Cause.objects.filter(closed_at=None).count() == 2
    assert entries(action="cause.closed").count() == entries(action="cause.reopened").count() == 1


def test_a_cause_is_escalated_anew_when_none_of_its_findings_stands_there(spec: ModelSpec) -> None:
    (first,) = answer(spec, look(spec, severity="critical")).escalations
    (second,) = answer(spec, look(spec, metric="fpr_gap", severity="critical", as_of=NOON + HOUR)).escalations
    assert (first.anew, second.anew, second.cause_id) == (True, False, first.cause_id)


def test_a_person_takes_a_finding_out_of_its_cause_and_it_stays_out(spec: ModelSpec, cast: Cast) -> None:
    first = look(spec, severity="critical")
    (escalation,) = answer(spec, first, replace(first, metric="fpr_gap", severity="low")).escalations
    escalation_answered(cause_id=escalation.cause_id, incident_id=7)
    (other,) = escalation.others
    for outsider in (cast.board, cast.auditor):
        with pytest.raises(PermissionDenied):
            cause_for_incident(model_id=spec.id, finding_ids=[other.id], person=outsider)
    cause = cause_for_incident(model_id=spec.id, finding_ids=[other.id], person=cast.officer)
    assert cause.pk != escalation.cause_id
    escalation_answered(cause_id=cause.pk, incident_id=8)
    answer(spec, *(look(spec, "within", metric="fpr_gap", as_of=NOON + n * HOUR) for n in (1, 2, 3)))
    answer(spec, look(spec, metric="fpr_gap", as_of=NOON + 4 * HOUR))
    newest = selectors.findings_of(spec.id)[0]
    assert (newest.metric, newest.cause_id) == ("fpr_gap", cause.pk)
    assert entries(action="finding.separated").count() == 1


def test_an_incident_by_hand_takes_the_cause_that_nobody_looks_after(spec: ModelSpec, cast: Cast) -> None:
    answer(spec, look(spec))
    found = only(spec)
    assert cause_for_incident(model_id=spec.id, finding_ids=[found.id], person=cast.officer).pk == found.cause_id
    with pytest.raises(Refused, match="not open"):
        cause_for_incident(model_id=spec.id, finding_ids=[found.id, 10**9], person=cast.officer)


def test_a_cause_closes_with_its_last_finding(spec: ModelSpec) -> None:
    answer_hours(spec, "breach", "within", "within")
    assert Cause.objects.filter(closed_at=None).exists()
    answer_hours(spec, "within", start=NOON + 3 * HOUR)
    assert not Cause.objects.filter(closed_at=None).exists()
    answer_hours(spec, "breach", start=NOON + 4 * HOUR)
    assert Cause.objects.count() == 2


def test_which_incident_looks_after_a_cause_is_noted_once(spec: ModelSpec) -> None:
    (escalation,) = answer(spec, look(spec, severity="critical")).escalations
    for _ in range(2):
        escalation_answered(cause_id=escalation.cause_id, incident_id=7)
    assert Cause.objects.get().incident_id == 7
    assert entries(action="cause.incident").count() == 1
