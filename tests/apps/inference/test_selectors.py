"""Reading events back, against plain SQL."""

from __future__ import annotations

import random
from datetime import UTC, datetime, timedelta

import numpy as np
import pytest
from django.db import connection

from apps.inference.packing import Uuids, copied_rows
from apps.inference.selectors import events_between, heartbeats, hours_with_events
from apps.inference.services import events_ingest, labels_ingest
from apps.registry.spec import ModelSpec
from tests.apps.inference.models import ACTOR, event, hour_ago, label, registered
from tests.sides import side

ORACLE = """
SELECT extract(epoch FROM date_trunc('hour', occurred_at, 'UTC'))::bigint / 3600, version_id, subject, decision, score,
    (SELECT label FROM inference_label l WHERE l.event_key = e.event_key AND l.model_id = e.model_id
     ORDER BY observed_at DESC LIMIT 1)
FROM inference_event e WHERE model_id = %s AND occurred_at >= %s AND occurred_at < %s
"""


def test_batch_equals_what_plain_sql_says(db: None) -> None:
    spec, other = registered("hiring", versions=("1.0", "2.0")), registered("lending")
    random.seed(7)
    start = hour_ago().replace(minute=0) - timedelta(hours=60)
    batch = [
        event(
            n,
            occurred_at=start + timedelta(seconds=random.randrange(48 * 3600)),
            version=random.choice(["1.0", "2.0"]),
            score=random.choice([None, random.random()]),
            label=random.choice([None, 0, 1]),
        )
        for n in range(500)
    ]
    events_ingest(spec=spec, events=batch, actor=ACTOR)
    events_ingest(spec=other, events=[event(n, occurred_at=start) for n in range(20)], actor=ACTOR)
    now = datetime.now(UTC)
    observed = [label(n, n % 2, observed_at=now - timedelta(minutes=n % 50)) for n in range(0, 700, 3)]
    labels_ingest(spec=spec, labels=observed + [label(n, 1, observed_at=now) for n in range(0, 90, 9)], actor=ACTOR)

    first, last = start + timedelta(hours=5), start + timedelta(hours=31)
    with connection.cursor() as cursor:
        cursor.execute(ORACLE, [spec.id, first, last])
        expected = sorted(
            (hour, version, subject.bytes, decision, -1.0 if score is None else score, -1 if lab is None else lab)
            for hour, version, subject, decision, score, lab in cursor.fetchall()
        )
    with side("compute"):
        read = events_between(spec.id, first, last)
    got = sorted(
        zip(
            read.hour.astype(np.int64).tolist(),
            read.version_id.tolist(),
            [bytes(each) for each in read.subject],
            read.decision.tolist(),
            [float(np.float32(x)) for x in np.nan_to_num(read.score, nan=-1.0)],
            read.label.tolist(),
            strict=True,
        )
    )
    assert 0 < len(expected) < 500
    assert got == [(*row[:4], float(np.float32(row[4])), row[5]) for row in expected]
    assert read.hour.dtype == "datetime64[h]"
    assert (read.score.dtype, read.label.dtype, read.subject.dtype) == (np.float32, np.int8, np.dtype("V16"))


def test_span_includes_its_start_and_excludes_its_end(spec: ModelSpec) -> None:
    hour = hour_ago().replace(minute=0)
    moments = [hour, hour + timedelta(minutes=59, seconds=59, microseconds=999_999), hour - timedelta(microseconds=1)]
    events_ingest(spec=spec, events=[event(n, occurred_at=at) for n, at in enumerate(moments)], actor=ACTOR)
    assert len(events_between(spec.id, hour, hour + timedelta(hours=1))) == 2
    assert hours_with_events(spec.id, hour - timedelta(hours=2), hour + timedelta(hours=2)) == [
        hour - timedelta(hours=1),
        hour,
    ]


def test_span_without_events_is_an_empty_batch(spec: ModelSpec) -> None:
    read = events_between(spec.id, hour_ago(), hour_ago() + timedelta(hours=1))
    assert len(read) == 0
    assert read.hour.dtype == "datetime64[h]"


def test_heartbeat_remembers_the_newest_event_and_counts_all(spec: ModelSpec) -> None:
    events_ingest(spec=spec, events=[event(1), event(2)], actor=ACTOR)
    old = event(3, occurred_at=hour_ago() - timedelta(days=9))
    events_ingest(spec=spec, events=[old], actor=ACTOR)
    beat = heartbeats([spec.id])[spec.id]
    assert beat.received == 3
    assert beat.last_occurred_at == event(2).occurred_at


def test_copied_rows_refuse_another_layout() -> None:
    with pytest.raises(ValueError, match="columns"):
        copied_rows(b"PGCOPY\n\xff\r\n\0" + b"\0" * 8 + b"\0\1\0\0\0\2\0\7" + b"\xff\xff", [("a", ">i4")])


def test_empty_array_packs_to_no_dimensions() -> None:
    assert Uuids.of(np.empty(0, "V16")).content[:4] == b"\0\0\0\0"
