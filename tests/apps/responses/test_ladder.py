"""How findings open, go on and close, and what people do with them."""

from __future__ import annotations

import threading
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest
from django.core.exceptions import PermissionDenied
from django.db import DatabaseError, IntegrityError, connection, transaction
from django.http import Http404

from apps.accounts.models import User
from apps.audit.models import AuditEntry
from apps.audit.selectors import entries
from apps.common import clock
from apps.common.errors import Refused
from apps.registry.spec import ModelSpec
from apps.responses import selectors
from apps.responses.models import Answered, Finding, FindingTransition, Notification, OutboxMessage
from apps.responses.observations import AnsweredRun
from apps.responses.selectors import FindingRow
from apps.responses.services import Answer, finding_acknowledge, findings_acknowledge, respond
from tests.apps.responses.worlds import HOUR, NOON, answer, answer_hours, look, publish
from tests.cast import Cast, model
from tests.sides import side

WEBHOOK = "json://127.0.0.1:9/"


@pytest.fixture
def cast(db: None) -> Cast:
    return Cast.assemble()


@pytest.fixture
def spec(cast: Cast) -> ModelSpec:
    return cast.owned


def only(spec: ModelSpec) -> FindingRow:
    (found,) = selectors.findings_of(spec.id)
    return found


def events(spec: ModelSpec) -> list[str]:
    return [step.event for step in selectors.transitions(only(spec).id)]


def test_a_breach_opens_a_finding_with_its_evidence(spec: ModelSpec) -> None:
    answer(spec, look(spec, run_id=71, severity="high"))
    found = only(spec)
    assert (found.state, found.tier, found.severity) == ("open", "alert", "high")
    assert (found.metric, found.attribute, found.group, found.reference) == (
        "demographic_parity_ratio",
        "region",
        "APAC",
        "NA",
    )
    assert (found.value, found.low, found.high, found.bound_low, found.bound_high) == (0.71, 0.66, 0.75, 0.8, 1.25)
    assert (found.run_id, found.opened_run_id, found.opened_as_of) == (71, 71, NOON)
    entry = entries(action="finding.opened").get()
    assert (entry.subject, entry.detail["run"]) == (f"finding:{found.id}", 71)


@pytest.mark.parametrize("verdict", ["within", "inconclusive", "not_estimable"])
def test_nothing_but_a_breach_opens_a_finding(spec: ModelSpec, verdict: str) -> None:
    answer(spec, look(spec, verdict))
    assert selectors.findings_of(spec.id) == ()
    assert not Notification.objects.exists()


def test_a_metric_without_a_bound_opens_nothing(spec: ModelSpec) -> None:
    answer(spec, look(spec, bound_low=None, bound_high=None))
    assert selectors.findings_of(spec.id) == ()


def test_a_breach_that_goes_on_is_one_finding(spec: ModelSpec) -> None:
    answer_hours(spec, "breach", "breach")
    assert events(spec) == ["opened", "alerted"]
    assert only(spec).last_as_of == NOON + HOUR


def test_windows_share_a_finding_and_the_worst_speaks(spec: ModelSpec) -> None:
    answer(
        spec, look(spec, window="7d", severity="critical", run_id=9), look(spec, window="24h"), look(spec, window="30d")
    )
    assert (only(spec).severity, only(spec).window, only(spec).run_id) == ("critical", "7d", 9)


def test_aggregates_groups_and_metrics_are_findings_of_their_own(spec: ModelSpec) -> None:
    first = look(spec)
    answer(spec, first, replace(first, group=None, reference=None), replace(first, attribute="sex", group="female"))
    assert {(found.attribute, found.group) for found in selectors.findings_of(spec.id)} == {
        ("region", "APAC"),
        ("region", None),
        ("sex", "female"),
    }


def test_three_evaluations_within_bounds_close(spec: ModelSpec) -> None:
    answer_hours(spec, "breach", "within", "within")
    assert only(spec).state == "open"
    assert "Within bounds again" in only(spec).standing
    answer_hours(spec, "within", start=NOON + 3 * HOUR)
    assert only(spec).state == "closed"
    assert only(spec).closed_at == NOON + 3 * HOUR + timedelta(minutes=5)
    assert events(spec) == ["opened", "alerted", "closed"]
    assert entries(action="finding.closed").count() == 1


@pytest.mark.parametrize("between", ["breach", "inconclusive", "not_estimable"])
def test_three_in_a_row_means_in_a_row(spec: ModelSpec, between: str) -> None:
    answer_hours(spec, "breach", "within", "within", between, "within", "within")
    assert only(spec).state == "open"
    answer_hours(spec, "within", start=NOON + 6 * HOUR)
    assert only(spec).state == "closed"


@pytest.mark.parametrize("verdict", ["inconclusive", "not_estimable"])
def test_what_cannot_be_judged_never_closes(spec: ModelSpec, verdict: str) -> None:
    answer_hours(spec, "breach", *[verdict] * 6)
    assert only(spec).state == "open"
    assert only(spec).last_verdict == verdict


def test_every_window_that_was_in_breach_must_recover(spec: ModelSpec) -> None:
    publish(spec, persist_window="")
    for hour, week in enumerate(["breach", "breach", "within", "within", "within"]):
        at = NOON + hour * HOUR
        day = "breach" if hour == 0 else "within"
        answer(spec, look(spec, day, as_of=at), look(spec, week, as_of=at, window="7d"))
        assert only(spec).state == ("closed" if hour == 4 else "open")


def test_a_window_that_never_was_in_breach_need_not_recover(spec: ModelSpec) -> None:
    for hour, day in enumerate(["breach", "within", "within", "within"]):
        at = NOON + hour * HOUR
        answer(spec, look(spec, day, as_of=at), look(spec, "inconclusive", as_of=at, window="30d"))
    assert only(spec).state == "closed"


def test_revisions_of_one_moment_count_once(spec: ModelSpec) -> None:
    answer_hours(spec, "breach")
    for _ in range(5):
        answer_hours(spec, "within", start=NOON + HOUR)
    assert only(spec).state == "open"
    answer_hours(spec, "within", "within", start=NOON + 2 * HOUR)
    assert only(spec).state == "closed"


def test_a_revision_takes_back_what_the_one_before_it_said(spec: ModelSpec) -> None:
    answer_hours(spec, "breach", "within", "within")
    answer_hours(spec, "breach", start=NOON + 2 * HOUR)
    answer_hours(spec, "within", "within", start=NOON + 3 * HOUR)
    assert only(spec).state == "open"
    answer_hours(spec, "within", start=NOON + 5 * HOUR)
    assert only(spec).state == "closed"


@pytest.mark.parametrize("change", ["UPDATE {} SET actor = 'user:x'", "DELETE FROM {}", "TRUNCATE {} CASCADE"])
@pytest.mark.parametrize(("role", "why"), [("web", "permission denied"), ("owner", "what is written there stays")])
def test_the_steps_of_a_finding_cannot_be_rewritten(spec: ModelSpec, role: str, why: str, change: str) -> None:
    answer(spec, look(spec))
    with side(role), connection.cursor() as cursor:
        cursor.execute("SET CONSTRAINTS ALL IMMEDIATE")
        with pytest.raises(DatabaseError, match=why), transaction.atomic():
            cursor.execute(change.format("responses_findingtransition"))


def test_a_relapse_is_a_new_finding_and_alerts_again(spec: ModelSpec, cast: Cast) -> None:
    answer_hours(spec, "breach", "within", "within", "within", "breach")
    assert [found.state for found in selectors.findings_of(spec.id)] == ["open", "closed"]
    assert selectors.notifications(cast.officer).count() == 2


def test_a_restatement_of_the_past_moves_nothing(spec: ModelSpec) -> None:
    answer_hours(spec, "within", start=NOON + HOUR)
    late = look(spec, as_of=NOON)
    answer(spec, late, at=NOON + 2 * HOUR)
    assert selectors.findings_of(spec.id) == ()
    assert selectors.answered([late.run_id]) == {late.run_id}


def test_a_change_of_severity_is_a_step(spec: ModelSpec) -> None:
    answer_hours(spec, "breach")
    answer_hours(spec, "breach", start=NOON + HOUR, severity="high")
    assert only(spec).severity == "high"
    (change,) = [step for step in selectors.transitions(only(spec).id) if step.event == "severity_changed"]
    assert change.detail == {"from": "medium", "to": "high", "window": "24h"}


@pytest.mark.parametrize("silent", ["absent", "unbounded", "not_estimable"])
def test_a_finding_that_is_no_longer_judged_stays_open_and_says_so(spec: ModelSpec, silent: str) -> None:
    answer_hours(spec, "breach")
    for hour in (1, 2, 3, 4):
        at = NOON + hour * HOUR
        if silent == "absent":
            answer(spec, runs=[AnsweredRun(900 + hour, "24h", at)])
        elif silent == "unbounded":
            answer(spec, look(spec, "within", as_of=at, bound_low=None, bound_high=None))
        else:
            answer(spec, look(spec, "not_estimable", as_of=at))
    found = only(spec)
    assert (found.state, found.unjudged_since) == ("open", NOON + HOUR)
    assert "Not judged any more since 04 May 2026, 13:00 UTC" in found.standing
    answer_hours(spec, "within", start=NOON + 5 * HOUR)
    assert only(spec).unjudged_since is None
    assert events(spec) == ["opened", "alerted", "judgement_lost", "judgement_regained"]


def test_a_run_is_answered_once(spec: ModelSpec) -> None:
    seen = look(spec)
    assert answer(spec, seen).alerted
    before = (FindingTransition.objects.count(), AuditEntry.objects.count())
    assert answer(spec, seen).alerted == ()
    assert (FindingTransition.objects.count(), AuditEntry.objects.count()) == before


def test_a_run_that_judged_nothing_is_answered_too(spec: ModelSpec) -> None:
    answer(spec, runs=[AnsweredRun(5, "24h", NOON)])
    assert selectors.answered([5, 6]) == {5}


def test_nothing_happens_if_it_cannot_be_audited(spec: ModelSpec, settings: Any) -> None:
    settings.NOTIFICATION_URLS = [WEBHOOK]
    with side("owner"), connection.cursor() as cursor:
        cursor.execute("REVOKE INSERT ON audit_entry FROM biasgov_web")
    with pytest.raises(DatabaseError, match="permission denied"), transaction.atomic():
        answer(spec, look(spec))
    for table in (Finding, FindingTransition, Answered, Notification, OutboxMessage):
        assert not table.objects.exists()


def test_there_is_one_open_finding_even_if_the_service_erred(spec: ModelSpec) -> None:
    answer(spec, look(spec))
    row = Finding.objects.get()
    row.pk = None
    with pytest.raises(IntegrityError, match="responses_one_open_finding"):
        row.save(force_insert=True)


@pytest.mark.parametrize("part", ["officer", "owner"])
def test_the_officer_and_the_owner_acknowledge(spec: ModelSpec, cast: Cast, part: str) -> None:
    answer(spec, look(spec))
    who = getattr(cast, part)
    assert [(item.worst.id, item.number) for item in selectors.waiting_for(who)] == [(only(spec).id, 1)]
    finding_acknowledge(finding_id=only(spec).id, person=who, note="Looking into it.")
    found = only(spec)
    assert (found.acknowledged_by, found.acknowledgement, found.state) == (
        who.display_name,
        "Looking into it.",
        "open",
    )
    assert entries(action="finding.acknowledged").get().actor == who.actor
    assert selectors.waiting_for(who) == ()
    assert selectors.waiting_count(who) == 0


@pytest.mark.parametrize("part", ["compliance", "board", "auditor"])
def test_others_who_see_it_may_not_acknowledge(spec: ModelSpec, cast: Cast, part: str) -> None:
    answer(spec, look(spec))
    with pytest.raises(PermissionDenied):
        finding_acknowledge(finding_id=only(spec).id, person=getattr(cast, part))
    assert only(spec).acknowledged_at is None
    assert selectors.waiting_count(getattr(cast, part)) == 0


@pytest.mark.parametrize("part", ["outsider", "administrator", "steward"])
def test_outsiders_learn_nothing_of_a_finding(spec: ModelSpec, cast: Cast, part: str) -> None:
    answer(spec, look(spec))
    with pytest.raises(Http404):
        finding_acknowledge(finding_id=only(spec).id, person=getattr(cast, part))
    assert selectors.waiting_for(getattr(cast, part)) == ()


def test_the_owner_of_another_model_learns_nothing(cast: Cast) -> None:
    other = model("other")
    answer(other, look(other))
    with pytest.raises(Http404):
        finding_acknowledge(finding_id=only(other).id, person=cast.owner)
    assert selectors.waiting_for(cast.owner) == ()
    assert selectors.waiting_count(cast.officer) == 1


def test_what_waits_is_one_line_for_each_cause_the_worst_first(
    spec: ModelSpec, cast: Cast, django_assert_max_num_queries: Any
) -> None:
    others = [model(f"other-{number}") for number in range(3)]
    answer(spec, *(look(spec, group=group, severity="low", run_id=1) for group in ("APAC", "EMEA")))
    for number, other in enumerate(others):
        severities = ("medium", "critical", "high") if number == 1 else ("medium",)
        answer(
            other,
            *(
                look(other, group=f"g{place}", severity=each, run_id=10 + number)
                for place, each in enumerate(severities)
            ),
        )
    reader = User.objects.get(pk=cast.officer.pk)
    with django_assert_max_num_queries(5):
        found = selectors.waiting_for(reader, limit=3)
    assert [(each.worst.model_slug, each.worst.severity, each.number) for each in found] == [
        ("other-1", "critical", 3),
        ("other-0", "medium", 1),
        ("other-2", "medium", 1),
    ]
    assert selectors.waiting_count(cast.officer) == 4
    answer(spec, look(spec, attribute="sex", group="female", run_id=2, as_of=NOON + HOUR))
    assert selectors.waiting_count(cast.officer) == 5
    findings_acknowledge(finding_ids=[each.id for each in selectors.open_findings([spec.id])], person=cast.owner)
    assert selectors.waiting_for(cast.owner) == ()


def test_findings_acknowledged_together_stand_each_in_the_log(spec: ModelSpec, cast: Cast) -> None:
    answer(spec, *(look(spec, group=group, run_id=1) for group in ("APAC", "EMEA", "LATAM")))
    first, *others = (each.id for each in selectors.open_findings([spec.id]))
    finding_acknowledge(finding_id=first, person=cast.owner, note="Mine.")
    with pytest.raises(PermissionDenied):
        findings_acknowledge(finding_ids=[first, *others], person=cast.compliance)
    assert findings_acknowledge(finding_ids=[first, *others], person=cast.officer, note="An update.") == 2
    assert entries(action="finding.acknowledged").count() == 3
    assert selectors.finding(first).acknowledged_by == cast.owner.display_name
    with pytest.raises(Refused, match="already"):
        findings_acknowledge(finding_ids=[first, *others], person=cast.officer)


def test_who_owns_one_of_the_models_acknowledges_nothing_of_the_other(spec: ModelSpec, cast: Cast) -> None:
    other = model("other")
    answer(spec, look(spec))
    answer(other, look(other))
    with pytest.raises(Http404):
        findings_acknowledge(finding_ids=[only(spec).id, only(other).id], person=cast.owner)
    assert only(spec).acknowledged_at is None


def test_the_owner_sees_one_line_for_a_cause(spec: ModelSpec, cast: Cast) -> None:
    answer(spec, *(look(spec, group=group, run_id=1) for group in ("APAC", "EMEA")))
    assert [each.number for each in selectors.waiting_for(cast.owner)] == [2]


def test_a_finding_is_acknowledged_once_and_not_after_its_end(spec: ModelSpec, cast: Cast) -> None:
    answer_hours(spec, "breach")
    finding_acknowledge(finding_id=only(spec).id, person=cast.officer)
    with pytest.raises(Refused) as twice:
        finding_acknowledge(finding_id=only(spec).id, person=cast.owner)
    assert twice.value.code == "acknowledged"
    answer_hours(spec, "within", "within", "within", start=NOON + HOUR)
    with pytest.raises(Refused) as late:
        finding_acknowledge(finding_id=only(spec).id, person=cast.officer)
    assert late.value.code == "closed"
    with pytest.raises(Refused) as unknown:
        finding_acknowledge(finding_id=0, person=cast.officer)
    assert unknown.value.code == "unknown"


def test_findings_are_listed_worst_first_and_by_page(spec: ModelSpec) -> None:
    first = look(spec)
    answer(
        spec,
        first,
        replace(first, attribute="sex", group="female", severity="critical"),
        replace(first, metric="fpr_gap", severity="low"),
    )
    assert [found.severity for found in selectors.open_findings([spec.id])] == ["critical", "medium", "low"]
    assert selectors.open_counts([spec.id, 0]) == {spec.id: 3}
    page = selectors.findings(spec.id, limit=2)
    rest = selectors.findings(spec.id, limit=2, before_id=page[-1].id)
    assert sorted(found.id for found in (*page, *rest)) == sorted(found.id for found in selectors.findings_of(spec.id))
    assert selectors.findings(spec.id, limit=5, state="closed") == ()
    assert selectors.finding(page[0].id) == page[0]
    assert selectors.finding(0) is None


def test_the_compute_side_has_no_part_in_responses(spec: ModelSpec) -> None:
    answer(spec, look(spec))
    with side("compute"):
        for table in (Finding, Notification, OutboxMessage):
            with pytest.raises(DatabaseError, match="permission denied"), transaction.atomic():
                table.objects.count()


@pytest.mark.django_db(transaction=True)
def test_responders_at_once_open_once_and_alert_once(settings: Any) -> None:
    settings.NOTIFICATION_URLS = [WEBHOOK]
    cast = Cast.assemble()
    looks = [
        look(cast.owned, as_of=clock.hour_ceiling(clock.now())),
        look(cast.owned, as_of=clock.hour_ceiling(clock.now()), window="7d", severity="critical"),
    ]
    together = threading.Barrier(6)

    def responder() -> Answer:
        try:
            with connection.cursor() as cursor:
                cursor.execute("SET ROLE biasgov_web")
            together.wait(timeout=10)
            return respond(model=cast.owned, run_group=looks)
        finally:
            connection.close()

    with ThreadPoolExecutor(6) as pool:
        answers = [future.result(timeout=60) for future in [pool.submit(responder) for _ in range(6)]]
    assert sorted(len(each.alerted) for each in answers) == [0, 0, 0, 0, 0, 1]
    assert sorted(len(each.escalations) for each in answers) == [0, 0, 0, 0, 0, 1]
    assert events(cast.owned) == ["opened", "escalated", "alerted"]
    assert selectors.notifications(cast.officer).count() == 1
    assert OutboxMessage.objects.count() == 1


@pytest.mark.django_db(transaction=True)
def test_two_people_acknowledging_at_once_are_told_apart() -> None:
    cast = Cast.assemble()
    answer(cast.owned, look(cast.owned))
    number = only(cast.owned).id
    together = threading.Barrier(2)

    def acknowledge(who: Any) -> str:
        try:
            together.wait(timeout=10)
            finding_acknowledge(finding_id=number, person=who)
        except Refused as refused:
            return refused.code
        finally:
            connection.close()
        return "done"

    with ThreadPoolExecutor(2) as pool:
        answers = [
            future.result(timeout=60)
            for future in [pool.submit(acknowledge, who) for who in (cast.officer, cast.owner)]
        ]
    assert sorted(answers) == ["acknowledged", "done"]
    assert events(cast.owned).count("acknowledged") == 1
