"""Who counts which hour."""

from __future__ import annotations

from datetime import timedelta

import pytest
from django.db import connection

from apps.inference.selectors import dirty_hours_waiting
from apps.inference.services import (
    LeasedHour,
    events_ingest,
    hours_lease,
    hours_mark_dirty_for_subjects,
    hours_release,
)
from apps.registry.spec import ModelSpec
from apps.vault.pseudonyms import Pseudonymiser
from tests.apps.inference.models import ACTOR, event, hour_ago, registered
from tests.sides import side


@pytest.fixture
def _compute(spec: ModelSpec):
    with side("compute"):
        yield


def filled(spec: ModelSpec, hours: int) -> None:
    batch = [event(n, event_id=f"h{n}", occurred_at=hour_ago() - timedelta(hours=n)) for n in range(hours)]
    with side("web"):
        events_ingest(spec=spec, events=batch, actor=ACTOR)


@pytest.mark.usefixtures("_compute")
def test_two_workers_never_get_the_same_hour(spec: ModelSpec) -> None:
    filled(spec, 5)
    one = hours_lease(limit=3, seconds=60, worker="one")
    two = hours_lease(limit=3, seconds=60, worker="two")
    assert (len(one), len(two)) == (3, 2)
    assert not {leased.hour for leased in one} & {leased.hour for leased in two}
    assert hours_lease(limit=3, seconds=60, worker="three") == []


@pytest.mark.usefixtures("_compute")
def test_lease_holds_hours_of_one_model_in_their_order(spec: ModelSpec) -> None:
    filled(spec, 3)
    filled(registered_as_web("lending"), 3)
    leased = hours_lease(limit=10, seconds=60, worker="w")
    assert len({each.model_id for each in leased}) == 1
    assert [each.hour for each in leased] == sorted(each.hour for each in leased)
    assert len(leased) == 3


def registered_as_web(slug: str) -> ModelSpec:
    with side("web"):
        return registered(slug)


@pytest.mark.usefixtures("_compute")
def test_counted_hour_is_clean(spec: ModelSpec) -> None:
    filled(spec, 2)
    assert hours_release(hours_lease(limit=10, seconds=60, worker="w")) == 2
    assert dirty_hours_waiting(model_ids=[spec.id]) == {}


@pytest.mark.usefixtures("_compute")
def test_arrival_during_the_work_keeps_the_hour_dirty(spec: ModelSpec) -> None:
    filled(spec, 1)
    leased = hours_lease(limit=1, seconds=60, worker="w")
    with side("web"):
        events_ingest(spec=spec, events=[event(2)], actor=ACTOR)
    assert hours_release(leased) == 0
    assert [each.hour for each in hours_lease(limit=1, seconds=60, worker="w")] == [leased[0].hour]


@pytest.mark.usefixtures("_compute")
def test_lease_that_ran_out_is_taken_by_another(spec: ModelSpec) -> None:
    filled(spec, 1)
    late = hours_lease(limit=1, seconds=0, worker="late")
    taken = hours_lease(limit=1, seconds=60, worker="other")
    assert [each.hour for each in taken] == [each.hour for each in late]


@pytest.mark.usefixtures("_compute")
def test_late_worker_cannot_take_the_lease_from_its_successor(spec: ModelSpec) -> None:
    filled(spec, 1)
    late = hours_lease(limit=1, seconds=0, worker="late")
    with side("web"):
        events_ingest(spec=spec, events=[event(2)], actor=ACTOR)
    taken = hours_lease(limit=1, seconds=60, worker="other")
    hours_release(late)
    assert hours_lease(limit=1, seconds=60, worker="third") == []
    assert hours_release(taken) == 1


@pytest.mark.usefixtures("_compute")
def test_generation_of_a_cleaned_hour_never_comes_back(spec: ModelSpec) -> None:
    filled(spec, 1)
    first = hours_lease(limit=1, seconds=60, worker="w")
    hours_release(first)
    with side("web"):
        events_ingest(spec=spec, events=[event(2)], actor=ACTOR)
    assert hours_release(first) == 0
    assert dirty_hours_waiting(model_ids=[spec.id])[spec.id].hours == 1


@pytest.mark.usefixtures("_compute")
def test_release_of_an_hour_that_is_not_dirty_does_nothing(spec: ModelSpec) -> None:
    assert hours_release([LeasedHour(spec.id, hour_ago().replace(minute=0), 1, 1)]) == 0


@pytest.mark.usefixtures("_compute")
def test_every_hour_of_a_subject_becomes_dirty_and_no_other(spec: ModelSpec) -> None:
    with side("web"):
        batch = [
            event(n, event_id=f"h{n}", subject_id=f"p{n % 3}", occurred_at=hour_ago() - timedelta(days=n))
            for n in range(9)
        ]
        events_ingest(spec=spec, events=batch, actor=ACTOR)
    hours_release(hours_lease(limit=100, seconds=60, worker="w"))
    assert hours_mark_dirty_for_subjects(subjects=Pseudonymiser().many(["p1", "p1", "nobody"])) == 3
    marked = hours_lease(limit=100, seconds=60, worker="w")
    assert {each.hour for each in marked} == {(hour_ago() - timedelta(days=n)).replace(minute=0) for n in (1, 4, 7)}
    assert hours_mark_dirty_for_subjects(subjects=[]) == 0


def test_web_side_sees_what_waits(spec: ModelSpec) -> None:
    events_ingest(spec=spec, events=[event(1)], actor=ACTOR)
    waiting = dirty_hours_waiting(model_ids=[spec.id])[spec.id]
    with connection.cursor() as cursor:
        cursor.execute("SELECT count(*), min(marked_at) FROM inference_dirty_hour")
        assert (waiting.hours, waiting.oldest_marked_at) == cursor.fetchone()
