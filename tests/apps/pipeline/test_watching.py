"""Stalls and gaps are said aloud, once, and the four objectives never call silence green."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import timedelta
from typing import Any

import pytest

from apps.accounts.services import ownership_grant
from apps.audit.models import AuditEntry
from apps.common import clock
from apps.inference import services as inference
from apps.monitoring import selectors as monitoring
from apps.monitoring.models import MonitoringDue
from apps.pipeline import answering, heartbeat, selectors, watching
from apps.pipeline.models import Alarm, Side, UnansweredEvaluation
from apps.registry.models import MonitoredModel
from apps.registry.spec import ModelSpec
from apps.responses import selectors as responses
from apps.responses.announcements import announce
from apps.responses.services import deliver
from tests.apps.pipeline import world
from tests.apps.pipeline.world import NOW
from tests.apps.responses.receivers import hook
from tests.cast import Cast, person
from tests.sides import side

pytestmark = pytest.mark.django_db


@pytest.fixture
def spec(db: None) -> Iterator[ModelSpec]:
    with clock.frozen(NOW):
        yield world.company()


@pytest.fixture
def cast(db: None) -> Cast:
    return Cast.assemble()


def states(spec: ModelSpec) -> dict[str, str]:
    return {each.key: each.state for each in selectors.objectives([spec])}


def alarms(spec: ModelSpec) -> list[str]:
    return [alarm.kind for alarm in selectors.alarms([spec])]


def test_before_anything_was_measured_every_objective_is_unknown(spec: ModelSpec) -> None:
    assert set(states(spec).values()) == {"unknown"}


def test_a_fresh_and_covered_model_meets_its_objectives(spec: ModelSpec) -> None:
    frame = world.people(100)
    world.send_events(spec, frame)
    world.send_attributes(frame)
    world.compute()
    watching.watch()
    assert states(spec) | {"delivery": "-", "availability": "-"} == {
        "freshness": "met",
        "delivery": "-",
        "availability": "-",
        "coverage": "met",
    }
    assert alarms(spec) == []


def test_a_window_older_than_two_hours_raises_one_alarm_and_restarts_the_work(spec: ModelSpec) -> None:
    world.send_events(spec, world.people(100, unknown=0.0))
    world.send_attributes(world.people(100, unknown=0.0))
    world.compute()
    late = NOW + timedelta(hours=2, minutes=1)
    with clock.frozen(late):
        assert states(spec)["freshness"] == "missed"
        watching.watch()
        watching.watch()
        assert alarms(spec) == ["stale"]
        assert AuditEntry.objects.filter(action="alarm.stale_raised").count() == 1
        assert MonitoringDue.objects.filter(model_id=spec.id, as_of__gt=late).exists()
        world.compute()
        watching.watch()
        assert alarms(spec) == []
        assert Alarm.objects.get().cleared_at == late
        assert states(spec)["freshness"] == "met"


def test_events_that_nobody_counts_make_the_window_stale(spec: ModelSpec) -> None:
    world.send_events(spec, world.people(100))
    world.compute()
    world.send_events(spec, world.people(10, seed=5))
    found = monitoring.freshness([spec.id])[spec.id]
    assert found.waiting_hours > 0
    assert found.waiting_since is not None


def test_a_model_that_was_never_evaluated_is_not_passed_over_in_silence(spec: ModelSpec) -> None:
    with side("compute"):
        world.pipeline.monitoring.evaluations_mark_live(model_ids=[spec.id])
    assert watching.watch() == 0
    with clock.frozen(NOW + timedelta(hours=3)):
        assert states(spec)["freshness"] == "unknown"
        watching.watch()
        assert alarms(spec) == ["stale"]


def test_coverage_below_four_fifths_is_a_data_quality_alarm(spec: ModelSpec) -> None:
    frame = world.people(200, unknown=0.3)
    world.send_events(spec, frame)
    world.send_attributes(frame)
    world.compute()
    watching.watch()
    assert alarms(spec) == ["coverage", "coverage"]
    (first, _) = selectors.alarms([spec])
    assert f"{frame['known'].mean():.0%}" in first.message
    assert states(spec)["coverage"] == "missed"
    world.send_attributes(frame.assign(known=True))
    world.compute()
    watching.watch()
    assert alarms(spec) == []


def test_a_coverage_alarm_reaches_the_officer_the_owner_and_the_channels_of_the_house(
    cast: Cast, settings: Any
) -> None:
    with clock.frozen(NOW), hook() as receiver:
        settings.NOTIFICATION_URLS, settings.WEBHOOK_SECRET = [f"signed+{receiver.url}"], f"whsec_{'A' * 32}"
        spec = world.company()
        ownership_grant(person=cast.owner, model=MonitoredModel.objects.get(pk=spec.id), actor="system:tests")
        frame = world.people(200, unknown=0.3)
        world.send_events(spec, frame)
        world.send_attributes(frame)
        world.compute()
        watching.watch()
        watching.watch()
        while deliver():
            pass
        for told in (cast.officer, cast.owner):
            titles = [each.title for each in responses.notifications(told, unread_only=True)]
            assert sorted(titles) == [
                "Hiring: attributes missing (region)",
                "Hiring: attributes missing (sex)",
            ]
        assert not responses.notifications(cast.outsider, unread_only=True)
    assert len(receiver.received) == 2
    for _, body in receiver.received:
        assert f"is known for {frame['known'].mean():.0%} of the 200 events" in body.decode()


def test_a_stall_does_not_clear_a_coverage_alarm(spec: ModelSpec) -> None:
    frame = world.people(200, unknown=0.3)
    world.send_events(spec, frame)
    world.send_attributes(frame)
    world.compute()
    watching.watch()
    with clock.frozen(NOW + timedelta(hours=5)):
        assert watching.watch() == 3
        assert alarms(spec) == ["coverage", "coverage", "stale"]
        assert not AuditEntry.objects.filter(action="alarm.coverage_cleared").exists()


def test_an_attribute_of_which_hardly_anybody_is_known_alarms_without_its_share(spec: ModelSpec) -> None:
    frame = world.people(200)
    frame["known"] = frame["subject"].isin(frame["subject"].unique()[:3])
    world.send_events(spec, frame)
    world.send_attributes(frame)
    world.compute()
    assert set(monitoring.latest_runs(spec.id)["7d"].coverage.values()) == {None}
    watching.watch()
    assert alarms(spec) == ["coverage", "coverage"]
    assert all("is known for too few of the 200 events" in each.message for each in selectors.alarms([spec]))


def watched(minutes: int, *, silent: set[int]) -> None:
    """Both sides alive for so many minutes up to NOW, but for the compute side in some of them."""
    for minute in range(minutes):
        with clock.frozen(NOW - timedelta(minutes=minutes - minute)):
            heartbeat.beat(Side.GOVERNANCE)
            if minute not in silent:
                heartbeat.beat(Side.COMPUTE)


def test_availability_is_the_share_of_minutes_with_both_sides_alive(spec: ModelSpec) -> None:
    watched(1500, silent={77})
    found = heartbeat.availability()
    assert (found.minutes, found.alive, found.since) == (1500, 1499, NOW - timedelta(minutes=1500))
    assert states(spec)["availability"] == "met"
    with clock.frozen(NOW + timedelta(minutes=20)):
        assert states(spec)["availability"] == "missed"


def test_nothing_is_said_about_a_month_after_an_hour(spec: ModelSpec) -> None:
    watched(60, silent=set(range(30)))
    assert heartbeat.availability().share == pytest.approx(0.5)
    assert states(spec)["availability"] == "unknown"


def burns(spec: ModelSpec, key: str) -> dict[str, float | None]:
    found = next(each for each in selectors.objectives([spec]) if each.key == key)
    return {window: None if rate is None else round(rate, 3) for window, rate in found.burn.items()}


def test_minutes_without_a_side_burn_what_availability_may_miss(spec: ModelSpec) -> None:
    """15 of the last 1,440 minutes, and of 1,500 in all, where 0.5 % may be missed."""
    watched(1500, silent=set(range(1400, 1415)))
    assert burns(spec, "availability") == {"24h": 2.083, "7d": 2.0, "30d": 2.0}


def test_the_time_of_too_old_windows_burns_what_freshness_may_miss(spec: ModelSpec) -> None:
    """6 hours that ended two days ago and 2 that go on, of 10 days; another model's are none of this one's."""
    other = world.company("lending")
    for minute in (timedelta(days=10), timedelta(minutes=1)):
        with clock.frozen(NOW - minute):
            heartbeat.beat(Side.GOVERNANCE)
    ended = NOW - timedelta(days=2)
    for model_id, raised, cleared in (
        (spec.id, ended - timedelta(hours=6), ended),
        (spec.id, NOW - timedelta(hours=2), None),
        (other.id, NOW - timedelta(days=9), None),
    ):
        Alarm.objects.create(model_id=model_id, kind="stale", message="-", raised_at=raised, cleared_at=cleared)
    expected = {"24h": 2 / 24, "7d": 8 / (7 * 24), "30d": 8 / (10 * 24)}
    assert burns(spec, "freshness") == {window: round(share / 0.005, 3) for window, share in expected.items()}


def test_late_alerts_burn_what_delivery_may_miss(spec: ModelSpec, settings: Any) -> None:
    """One of three that are known to be late or in time; the fourth may still arrive in time."""
    settings.NOTIFICATION_URLS = ["json://127.0.0.1:9/hook"]
    person("officer")
    for minutes in (20, 5):
        with clock.frozen(NOW - timedelta(minutes=minutes)):
            announce(
                model=spec,
                key=f"alert-{minutes}",
                title="-",
                body="-",
                severity="low",
                path="/",
                detected_at=clock.now(),
            )
    assert burns(spec, "delivery") == {"24h": 33.333, "7d": 33.333, "30d": 33.333}


def test_unknown_attributes_burn_what_coverage_may_miss(spec: ModelSpec) -> None:
    frame = world.people(200, unknown=0.3)
    world.send_events(spec, frame)
    world.send_attributes(frame)
    world.compute()
    unknown = 1 - frame["known"].mean()
    assert burns(spec, "coverage")["7d"] == round(unknown / 0.1, 3)


def test_nothing_burns_before_anything_was_measured(spec: ModelSpec) -> None:
    for each in selectors.objectives([spec]):
        assert set(each.burn.values()) == {None}


def test_queues_say_what_waits_and_since_when(spec: ModelSpec) -> None:
    frame = world.people(50)
    world.send_events(spec, frame)
    world.send_attributes(frame)
    found = selectors.queues([spec])
    assert (found.dirty_hours > 0, found.uploads, found.unanswered) == (True, 1, 0)
    world.compute()
    found = selectors.queues([spec])
    assert (found.dirty_hours, found.oldest_dirty, found.uploads) == (0, None, 0)
    assert (found.unanswered > 0, found.oldest_unanswered) == (True, NOW)


def test_a_breach_becomes_a_finding_and_is_answered_once(spec: ModelSpec) -> None:
    frame = world.people(900, hours=20)
    world.send_events(spec, frame)
    world.send_attributes(frame)
    world.compute()
    assert answering.answer_waiting() > 0
    found = {(each.metric, each.attribute, each.group) for each in responses.open_findings([spec.id])}
    assert ("demographic_parity_ratio", "sex", "female") in found
    assert not UnansweredEvaluation.objects.exists()
    assert answering.answer_waiting() == 0


def test_windows_without_events_ask_nothing(spec: ModelSpec) -> None:
    with side("compute"):
        while world.pipeline.evaluate_due():
            pass
    assert UnansweredEvaluation.objects.exists()
    answering.answer_waiting()
    assert not UnansweredEvaluation.objects.exists()
    runs = [row.id for row in monitoring.latest_runs(spec.id).values()]
    assert len(runs) == 3
    assert responses.answered(runs) == frozenset()
    assert inference.hours_lease(limit=1, seconds=1.0, worker="x") == []


def test_a_model_that_cannot_be_answered_does_not_silence_the_others(
    spec: ModelSpec, monkeypatch: pytest.MonkeyPatch
) -> None:
    other = world.company("lending")
    world.send_events(spec, world.people(100, seed=1))
    world.send_events(other, world.people(100, seed=2))
    world.compute()
    respond = answering.responses.respond

    def faulty(**arguments: Any) -> Any:
        if arguments["model"].id == spec.id:
            raise ValueError("no bound of that name")
        return respond(**arguments)

    with monkeypatch.context() as patch:
        patch.setattr(answering.responses, "respond", faulty)
        answering.answer_waiting()
    assert {waiting.model_id for waiting in UnansweredEvaluation.objects.all()} == {spec.id}
    answering.answer_waiting()
    assert not UnansweredEvaluation.objects.exists()


def test_a_log_that_is_not_what_was_signed_is_an_alarm_of_the_whole_house(
    spec: ModelSpec, monkeypatch: pytest.MonkeyPatch
) -> None:
    auditor = person("auditor")
    monkeypatch.setattr(watching, "log_faults", lambda: {"forked": "The log was rolled back."})
    assert watching.watch_log() == watching.watch_log() == 1
    (alarm,) = selectors.alarms([])
    assert (alarm.model_id, alarm.kind, alarm.message) == (None, "audit", "The log was rolled back.")
    assert [told.title for told in responses.notifications(auditor, unread_only=True)] == ["Audit log in doubt"]
    monkeypatch.setattr(watching, "log_faults", dict)
    assert watching.watch_log() == 0
    assert selectors.alarms([spec]) == []
    told = AuditEntry.objects.filter(subject="audit:log").order_by("id").values_list("action", flat=True)
    assert list(told) == ["alarm.audit_raised", "alarm.audit_cleared"]
