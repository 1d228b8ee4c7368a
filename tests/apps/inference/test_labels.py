"""Labels: late ones find their event, early ones wait for it, the newest observation counts."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

from apps.inference.selectors import events_between
from apps.inference.services import events_ingest, hours_lease, hours_release, labels_ingest
from apps.registry.spec import ModelSpec
from tests.apps.inference.models import ACTOR, event, hour_ago, label
from tests.sides import side


def labels_read(spec: ModelSpec) -> list[int]:
    with side("compute"):
        return events_between(spec.id, hour_ago() - timedelta(hours=1), datetime.now(UTC)).label.tolist()


def all_counted() -> None:
    while leased := hours_lease(limit=100, seconds=60, worker="w"):
        hours_release(leased)


def test_late_label_joins_its_event_and_makes_the_hour_dirty_again(spec: ModelSpec) -> None:
    events_ingest(spec=spec, events=[event(1)], actor=ACTOR)
    all_counted()
    assert labels_ingest(spec=spec, labels=[label(1, 1)], actor=ACTOR).accepted == 1
    assert labels_read(spec) == [1]
    assert [leased.hour for leased in hours_lease(limit=9, seconds=60, worker="w")] == [hour_ago().replace(minute=0)]


def test_early_label_waits_for_its_event(spec: ModelSpec) -> None:
    assert labels_ingest(spec=spec, labels=[label(1, 0)], actor=ACTOR).accepted == 1
    assert hours_lease(limit=9, seconds=60, worker="w") == []
    events_ingest(spec=spec, events=[event(1)], actor=ACTOR)
    assert labels_read(spec) == [0]


def test_newest_observation_counts_in_whatever_order_they_come(spec: ModelSpec) -> None:
    events_ingest(spec=spec, events=[event(1)], actor=ACTOR)
    now = datetime.now(UTC)
    labels_ingest(spec=spec, labels=[label(1, 0, observed_at=now)], actor=ACTOR)
    labels_ingest(spec=spec, labels=[label(1, 1, observed_at=now - timedelta(days=1))], actor=ACTOR)
    assert labels_read(spec) == [0]


def test_label_sent_with_the_event_gives_way_to_a_later_one(spec: ModelSpec) -> None:
    events_ingest(spec=spec, events=[event(1, label=0)], actor=ACTOR)
    assert labels_read(spec) == [0]
    labels_ingest(spec=spec, labels=[label(1, 1)], actor=ACTOR)
    assert labels_read(spec) == [1]


def test_replayed_label_is_a_duplicate_and_dirties_nothing(spec: ModelSpec) -> None:
    events_ingest(spec=spec, events=[event(1)], actor=ACTOR)
    sent = [label(1, 1)]
    labels_ingest(spec=spec, labels=sent, actor=ACTOR)
    all_counted()
    again = labels_ingest(spec=spec, labels=sent, actor=ACTOR)
    assert (again.accepted, again.duplicates, again.rejected) == (0, 1, [])
    assert hours_lease(limit=9, seconds=60, worker="w") == []


def test_two_outcomes_at_one_moment_are_refused(spec: ModelSpec) -> None:
    moment = datetime.now(UTC)
    batch = [label(1, 1, observed_at=moment), label(2, 1), label(1, 0, observed_at=moment)]
    receipt = labels_ingest(spec=spec, labels=batch, actor=ACTOR)
    assert receipt.accepted == 2
    assert [each.code for each in receipt.rejected] == ["conflicting_label"]
    assert receipt.duplicates == 0


def test_bad_label_is_refused_and_its_neighbour_lands(spec: ModelSpec) -> None:
    future = label(2, 1, observed_at=datetime.now(UTC) + timedelta(hours=1))
    receipt = labels_ingest(spec=spec, labels=[label(1, 1), future, label(3, 1, event_id="x\n")], actor=ACTOR)
    assert receipt.accepted == 1
    assert [(each.index, each.code) for each in receipt.rejected] == [(1, "time_in_future"), (2, "invalid_event_id")]


def test_label_of_another_model_does_not_reach_this_one(spec: ModelSpec) -> None:
    from tests.apps.inference.models import registered

    events_ingest(spec=spec, events=[event(1)], actor=ACTOR)
    labels_ingest(spec=registered("lending"), labels=[label(1, 1)], actor=ACTOR)
    assert labels_read(spec) == [-1]
