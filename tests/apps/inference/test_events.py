"""Storing events exactly once each, and refusing what is wrong with them one by one."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest
from django.db import connection, transaction

from apps.inference.services import events_ingest, hours_lease
from apps.inference.shapes import Override
from apps.registry.spec import ModelSpec
from tests.apps.inference.models import ACTOR, event, hour_ago, registered
from tests.sides import side


def rows(statement: str) -> list[tuple]:
    with connection.cursor() as cursor:
        cursor.execute(statement)
        return cursor.fetchall()


def test_batch_is_stored_with_everything_that_came_with_it(spec: ModelSpec) -> None:
    sent = [
        event(0, score=0.25),
        event(1, label=1, features={"income": 10.5, "tags": ["a", None]}),
        event(2, override=Override("agent", 1, "hardship")),
    ]
    receipt = events_ingest(spec=spec, events=sent, actor=ACTOR)
    assert (receipt.accepted, receipt.duplicates, receipt.rejected) == (3, 0, [])
    assert rows("SELECT decision, score FROM inference_event ORDER BY occurred_at") == [(0, 0.25), (1, None), (0, None)]
    assert rows("SELECT label FROM inference_label") == [(1,)]
    assert rows("SELECT features ->> 'income', override ->> 'by' FROM inference_event_detail ORDER BY 2") == [
        (None, "agent"),
        ("10.5", None),
    ]


def test_moment_survives_to_the_microsecond(spec: ModelSpec) -> None:
    moment = hour_ago().replace(microsecond=123457)
    events_ingest(spec=spec, events=[event(1, occurred_at=moment)], actor=ACTOR)
    assert rows("SELECT occurred_at FROM inference_event") == [(moment,)]


def test_neither_event_id_nor_subject_id_is_stored(spec: ModelSpec) -> None:
    sent = event(1, event_id="the-event", subject_id="the-person", features={"a": 1})
    events_ingest(spec=spec, events=[sent], actor=ACTOR)
    for table in ("event", "event_key", "event_detail", "label"):
        stored = str(rows(f"SELECT row_to_json(t)::text FROM inference_{table} t"))
        assert "the-event" not in stored
        assert "the-person" not in stored


def test_same_person_gets_the_same_pseudonym_under_every_model(spec: ModelSpec) -> None:
    other = registered("lending")
    events_ingest(spec=spec, events=[event(1, subject_id="ana"), event(2, subject_id="bo")], actor=ACTOR)
    events_ingest(spec=other, events=[event(1, subject_id="ana")], actor=ACTOR)
    assert rows("SELECT count(*), count(DISTINCT subject) FROM inference_event") == [(3, 2)]


def test_replayed_batch_changes_nothing(spec: ModelSpec) -> None:
    batch = [event(number, label=number % 2) for number in range(50)]
    events_ingest(spec=spec, events=batch, actor=ACTOR)
    before = rows("SELECT hour, generation FROM inference_dirty_hour")
    again = events_ingest(spec=spec, events=batch, actor=ACTOR)
    assert (again.accepted, again.duplicates) == (0, 50)
    assert rows("SELECT count(*) FROM inference_event") == [(50,)]
    assert rows("SELECT hour, generation FROM inference_dirty_hour") == before
    assert rows("SELECT received FROM inference_heartbeat") == [(50,)]


def test_same_id_twice_in_a_batch_counts_once_and_the_first_wins(spec: ModelSpec) -> None:
    batch = [event(1, decision=1), event(2), event(1, decision=0, features={"a": 1})]
    receipt = events_ingest(spec=spec, events=batch, actor=ACTOR)
    assert (receipt.accepted, receipt.duplicates) == (2, 1)
    assert rows("SELECT decision FROM inference_event ORDER BY decision") == [(0,), (1,)]
    assert rows("SELECT count(*) FROM inference_event_detail") == [(0,)]


def test_replay_among_new_events_adds_no_detail_to_what_is_stored(spec: ModelSpec) -> None:
    events_ingest(spec=spec, events=[event(1)], actor=ACTOR)
    events_ingest(spec=spec, events=[event(1, features={"late": 1}, label=1), event(2)], actor=ACTOR)
    assert rows("SELECT count(*) FROM inference_event_detail") == [(0,)]
    assert rows("SELECT count(*) FROM inference_label") == [(0,)]


def test_replay_under_another_time_is_still_a_duplicate(spec: ModelSpec) -> None:
    events_ingest(spec=spec, events=[event(1)], actor=ACTOR)
    moved = event(1, occurred_at=hour_ago() - timedelta(days=3))
    assert events_ingest(spec=spec, events=[moved], actor=ACTOR).duplicates == 1


def test_event_ids_of_different_models_do_not_collide(spec: ModelSpec) -> None:
    events_ingest(spec=spec, events=[event(1)], actor=ACTOR)
    assert events_ingest(spec=registered("lending"), events=[event(1)], actor=ACTOR).accepted == 1


def test_every_hour_that_gained_an_event_is_dirty(spec: ModelSpec) -> None:
    hours = [hour_ago().replace(minute=0), hour_ago().replace(minute=0) - timedelta(days=400)]
    batch = [event(n, occurred_at=hour + timedelta(minutes=59, seconds=59)) for n, hour in enumerate(hours)]
    events_ingest(spec=spec, events=batch, actor=ACTOR)
    assert {leased.hour for leased in hours_lease(limit=10, seconds=60, worker="w")} == set(hours)


@pytest.mark.parametrize(
    ("changes", "code", "field"),
    [
        ({"version": "9.9"}, "unknown_version", "version"),
        ({"occurred_at": datetime.now(UTC) + timedelta(days=2)}, "time_in_future", "occurred_at"),
        ({"occurred_at": datetime.now(UTC) - timedelta(days=3660)}, "time_too_old", "occurred_at"),
        ({"occurred_at": datetime(1, 1, 1, tzinfo=UTC)}, "time_too_old", "occurred_at"),
        ({"event_id": "a\0b"}, "invalid_event_id", "event_id"),
        ({"subject_id": "a\x85b"}, "invalid_subject_id", "subject_id"),
        ({"features": {"sex": "female"}}, "protected_attribute", "features.sex"),
        ({"features": {" Region": "north"}}, "protected_attribute", "features. Region"),
        ({"features": {"a": "\0"}}, "invalid_features", "features"),
        ({"features": {"a": ["x", "\0"]}}, "invalid_features", "features"),
        ({"features": {"a": "x" * 9000}}, "invalid_features", "features"),
        ({"override": Override("x\0", 1, "why")}, "invalid_override", "override.by"),
    ],
)
def test_bad_row_is_refused_and_its_neighbours_land(spec: ModelSpec, changes: dict, code: str, field: str) -> None:
    receipt = events_ingest(spec=spec, events=[event(1), event(2, **changes), event(3)], actor=ACTOR)
    assert receipt.accepted == 2
    assert [(each.index, each.code, each.field) for each in receipt.rejected] == [(1, code, field)]


def test_five_minutes_of_a_fast_clock_are_forgiven(spec: ModelSpec) -> None:
    soon = datetime.now(UTC) + timedelta(minutes=4)
    assert events_ingest(spec=spec, events=[event(1, occurred_at=soon)], actor=ACTOR).accepted == 1


def test_printable_text_in_any_script_is_an_id(spec: ModelSpec) -> None:
    odd = ["Zoë", "山田", "a\u00a0b", "\ufeffx", "🙂" * 200]
    batch = [event(n, event_id=name, subject_id=name) for n, name in enumerate(odd)]
    assert events_ingest(spec=spec, events=batch, actor=ACTOR).accepted == len(odd)


def test_text_that_looks_like_an_escaped_nul_is_not_one(spec: ModelSpec) -> None:
    assert events_ingest(spec=spec, events=[event(1, features={"a": "\\u0000"})], actor=ACTOR).accepted == 1


def test_batch_of_refused_rows_stores_nothing(spec: ModelSpec) -> None:
    assert events_ingest(spec=spec, events=[event(1, version="9")], actor=ACTOR).accepted == 0
    assert rows("SELECT count(*) FROM inference_heartbeat") == [(0,)]


def test_partition_function_refuses_days_out_of_range(spec: ModelSpec) -> None:
    with pytest.raises(Exception, match="no partition for day"), transaction.atomic(), connection.cursor() as cursor:
        cursor.execute("SELECT inference_days_ensure(ARRAY['1900-01-01'::date])")


def test_compute_side_cannot_write_events(spec: ModelSpec) -> None:
    with side("compute"), pytest.raises(Exception, match="permission denied"), transaction.atomic():
        events_ingest(spec=spec, events=[event(1)], actor=ACTOR)
