"""Reading the event log: the events of a span of hours as arrays, and how fresh each model's stream is."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import numpy as np
import numpy.typing as npt
from django.db import connection

from apps.inference.features import FeatureSample, features_sample
from apps.inference.lineage import Lineage, lineage_of
from apps.inference.naming import NamedEvent, events_named, subjects_of
from apps.inference.packing import POSTGRES_EPOCH_MICROSECONDS, copied_rows, cursor

__all__ = [
    "EventBatch",
    "FeatureSample",
    "Heartbeat",
    "Lineage",
    "NamedEvent",
    "Waiting",
    "dirty_hours_waiting",
    "events_between",
    "events_named",
    "features_sample",
    "heartbeats",
    "hours_with_events",
    "lineage_of",
    "subjects_of",
]

_EVENTS = """
COPY (
    SELECT event.occurred_at, event.version_id, event.subject, event.decision,
        coalesce(event.score, 'NaN'::real), coalesce(latest.label, -1::smallint)
    FROM inference_event AS event
    LEFT JOIN LATERAL (
        SELECT label FROM inference_label AS observed
        WHERE observed.model_id = event.model_id AND observed.event_key = event.event_key
        ORDER BY observed_at DESC LIMIT 1
    ) AS latest ON true
    WHERE event.model_id = %s AND event.occurred_at >= %s AND event.occurred_at < %s
) TO STDOUT (FORMAT binary)
"""

_COLUMNS = (
    ("occurred_at", ">i8"),
    ("version_id", ">i4"),
    ("subject", "V16"),
    ("decision", ">i2"),
    ("score", ">f4"),
    ("label", ">i2"),
)
_MICROSECONDS_AN_HOUR = 3_600_000_000


@dataclass(frozen=True, slots=True)
class EventBatch:
    """Events as aligned arrays of length n, in no particular order."""

    hour: npt.NDArray[np.datetime64]
    """datetime64[h], UTC."""
    version_id: npt.NDArray[np.int32]
    subject: npt.NDArray[np.void]
    """V16: pseudonyms."""
    decision: npt.NDArray[np.uint8]
    """As sent, 0 or 1; the model's `favourable_decision` says which one is favourable."""
    score: npt.NDArray[np.float32]
    """NaN where there was none."""
    label: npt.NDArray[np.int8]
    """The newest observed outcome; -1 where there is none yet."""

    def __len__(self) -> int:
        return len(self.hour)


@dataclass(frozen=True, slots=True)
class Heartbeat:
    """When a model was last heard of, and how many events it sent in all."""

    model_id: int
    last_occurred_at: datetime
    last_received_at: datetime
    received: int


@dataclass(frozen=True, slots=True)
class Waiting:
    """Dirty hours of a model, and since when the longest waiting one is."""

    hours: int
    oldest_marked_at: datetime


def events_between(model_id: int, start: datetime, end: datetime) -> EventBatch:
    """The events of a model in [start, end), aware datetimes, each with its newest label."""
    content = bytearray()
    with cursor(connection) as database, database.copy(_EVENTS, [model_id, start, end]) as copy:
        for chunk in copy:
            content += chunk
    rows = copied_rows(bytes(content), _COLUMNS)
    hours = (rows["occurred_at"].astype(np.int64) + POSTGRES_EPOCH_MICROSECONDS) // _MICROSECONDS_AN_HOUR
    return EventBatch(
        hour=hours.astype("datetime64[h]"),
        version_id=rows["version_id"].astype(np.int32),
        subject=np.ascontiguousarray(rows["subject"]),
        decision=rows["decision"].astype(np.uint8),
        score=rows["score"].astype(np.float32),
        label=rows["label"].astype(np.int8),
    )


def heartbeats(model_ids: Sequence[int]) -> dict[int, Heartbeat]:
    """The heartbeat of each model that was ever heard of. One query."""
    rows = _rows(
        "SELECT model_id, last_occurred_at, last_received_at, received FROM inference_heartbeat"
        " WHERE model_id = ANY (%s)",
        [list(model_ids)],
    )
    return {row[0]: Heartbeat(*row) for row in rows}


def dirty_hours_waiting(*, model_ids: Sequence[int]) -> dict[int, Waiting]:
    """What waits to be counted, for those of the models that have anything waiting. One query."""
    rows = _rows(
        "SELECT model_id, count(*), min(marked_at) FROM inference_dirty_hour"
        " WHERE model_id = ANY (%s) GROUP BY model_id",
        [list(model_ids)],
    )
    return {model_id: Waiting(hours, oldest) for model_id, hours, oldest in rows}


def hours_with_events(model_id: int, start: datetime, end: datetime) -> list[datetime]:
    """The UTC hours in [start, end) in which the model has events, ascending."""
    rows = _rows(
        "SELECT DISTINCT date_trunc('hour', occurred_at, 'UTC') FROM inference_event"
        " WHERE model_id = %s AND occurred_at >= %s AND occurred_at < %s ORDER BY 1",
        [model_id, start, end],
    )
    return [hour for (hour,) in rows]


def _rows(statement: str, parameters: list[Any]) -> list[tuple[Any, ...]]:
    with connection.cursor() as database:
        database.execute(statement, parameters)
        return list(database.fetchall())
