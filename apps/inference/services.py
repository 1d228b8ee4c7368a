"""Writing the event log: events, labels, and the hours they make dirty. Each batch is one transaction."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Any

import msgspec
import numpy as np
import numpy.typing as npt
from django.db import connection, transaction

from apps.common import clock
from apps.inference.checks import Columns, check_events, check_labels
from apps.inference.forgetting import day_drop, pseudonyms_forget, subjects_forget
from apps.inference.leases import (
    LeasedHour,
    hours_held,
    hours_lease,
    hours_mark_dirty_for_subjects,
    hours_release,
    mark_dirty,
)
from apps.inference.packing import Days, Integers, Reals, Smallints, Times, Uuids, cursor
from apps.inference.pseudonyms import pseudonyms_of
from apps.inference.shapes import Event, Label, Receipt, Rejection
from apps.registry.spec import ModelSpec

__all__ = [
    "LeasedHour",
    "day_drop",
    "events_ingest",
    "hours_held",
    "hours_lease",
    "hours_mark_dirty_for_subjects",
    "hours_release",
    "labels_ingest",
    "pseudonyms_forget",
    "subjects_forget",
]

_MICROSECONDS_A_DAY = 86_400_000_000
_LOCK_CLASS = 0x62696173  # "bias": the class of this app's advisory locks; the second number is the model

_DAYS = "SELECT inference_days_ensure(%s)"

# Labels of a model exclude its events for the length of one batch: otherwise a label could miss an event that is
# being stored, and the hour could be counted between the two commits with nobody left to mark it dirty.
_EVENTS_LOCK = "SELECT pg_advisory_xact_lock_shared(%s, %s)"
_LABELS_LOCK = "SELECT pg_advisory_xact_lock(%s, %s)"

_EVENTS = """
WITH incoming AS MATERIALIZED (
    SELECT * FROM unnest(%(key)s, %(occurred_at)s, %(subject)s, %(version)s, %(decision)s, %(score)s, %(label)s)
        AS row (event_key, occurred_at, subject, version_id, decision, score, label)
), fresh AS (
    INSERT INTO inference_event_key (model_id, event_key, occurred_at)
    SELECT %(model)s, event_key, occurred_at FROM incoming
    ON CONFLICT DO NOTHING
    RETURNING event_key
), stored AS (
    INSERT INTO inference_event (model_id, occurred_at, event_key, subject, version_id, decision, score)
    SELECT %(model)s, occurred_at, event_key, subject, version_id, decision, nullif(score, 'NaN')
    FROM incoming JOIN fresh USING (event_key)
    RETURNING occurred_at
), labelled AS (
    INSERT INTO inference_label (model_id, event_key, observed_at, label)
    SELECT %(model)s, event_key, occurred_at, label
    FROM incoming JOIN fresh USING (event_key) WHERE label >= 0
    ON CONFLICT DO NOTHING
), detailed AS (
    INSERT INTO inference_event_detail (model_id, event_key, occurred_at, features, override)
    SELECT %(model)s, event_key, occurred_at, features::jsonb, override::jsonb
    FROM unnest(%(detail_key)s, %(features)s::text[], %(override)s::text[]) AS detail (event_key, features, override)
    JOIN fresh USING (event_key) JOIN incoming USING (event_key)
)
SELECT date_trunc('hour', occurred_at, 'UTC'), count(*) FROM stored GROUP BY 1
"""

_HEARTBEAT = """
INSERT INTO inference_heartbeat AS beat (model_id, last_occurred_at, last_received_at, received, last_actor)
VALUES (%s, %s, %s, %s, %s)
ON CONFLICT (model_id) DO UPDATE SET
    last_occurred_at = greatest(beat.last_occurred_at, excluded.last_occurred_at),
    last_received_at = greatest(beat.last_received_at, excluded.last_received_at),
    received = beat.received + excluded.received,
    last_actor = excluded.last_actor
"""

_LABELS = """
INSERT INTO inference_label (model_id, event_key, observed_at, label)
SELECT %(model)s, row.event_key, row.observed_at, row.label
FROM unnest(%(key)s, %(observed_at)s, %(label)s) AS row (event_key, observed_at, label)
ON CONFLICT DO NOTHING
RETURNING event_key
"""

_LABEL_CONFLICTS = """
SELECT row.place - 1
FROM unnest(%(key)s, %(observed_at)s, %(label)s) WITH ORDINALITY AS row (event_key, observed_at, label, place)
JOIN inference_label AS stored ON stored.model_id = %(model)s AND stored.event_key = row.event_key
    AND stored.observed_at = row.observed_at
WHERE stored.label <> row.label
"""

_LABELLED_HOURS = """
SELECT DISTINCT date_trunc('hour', known.occurred_at, 'UTC')
FROM inference_event_key AS known
WHERE known.model_id = %s AND known.event_key = ANY (%s::uuid[])
"""


def events_ingest(*, spec: ModelSpec, events: Sequence[Event], actor: str) -> Receipt:
    """Store a batch of events exactly once each.

    Rows that break a rule are refused one by one (`Receipt.rejected`, indices into `events`); rows whose event_id
    the model already has are duplicates; every hour that gained an event is marked dirty. When this returns the
    batch is committed, unless the caller holds a transaction open.
    """
    columns, rejected = check_events(spec, events, now=clock.now())
    accepted = 0
    if len(columns):
        subjects = pseudonyms_of([events[place].subject_id for place in columns.places])
        with transaction.atomic(), cursor(connection) as database:
            accepted = _store_events(database, spec.id, columns, subjects, events, actor)
    duplicates = len(events) - len(rejected) - accepted
    return Receipt(accepted, duplicates, rejected)


def _store_events(
    database: Any,
    model_id: int,
    columns: Columns,
    subjects: npt.NDArray[np.void],
    events: Sequence[Event],
    actor: str,
) -> int:
    # Partitions come before the lock: nobody who holds the lock ever waits for a partition.
    days = np.unique(columns.occurred_at // _MICROSECONDS_A_DAY)
    database.execute(_DAYS, [Days.of(days)])
    database.execute(_EVENTS_LOCK, [_LOCK_CLASS, model_id])
    # One-shot plans: a cached generic plan would not know how many rows an array holds.
    database.execute(
        _EVENTS,
        {
            "model": model_id,
            "key": Uuids.of(columns.key),
            "occurred_at": Times.of(columns.occurred_at),
            "subject": Uuids.of(subjects),
            "version": Integers.of(columns.version_id),
            "decision": Smallints.of(columns.decision),
            "score": Reals.of(columns.score),
            "label": Smallints.of(columns.label),
            **_details(columns, events),
        },
        prepare=False,
    )
    hours = database.fetchall()
    accepted: int = sum(count for _, count in hours)
    if accepted:
        mark_dirty(database, model_id, [hour for hour, _ in hours])
        newest = events[columns.places[columns.occurred_at.argmax()]].occurred_at
        database.execute(_HEARTBEAT, [model_id, newest, clock.now(), accepted, actor])
    return accepted


def _details(columns: Columns, events: Sequence[Event]) -> dict[str, Any]:
    """Features and overrides of the events that have any."""
    rows = [row for row, place in enumerate(columns.places) if events[place].features or events[place].override]
    chosen = [events[columns.places[row]] for row in rows]
    return {
        "detail_key": Uuids.of(columns.key[rows]),
        "features": [_json(event.features) for event in chosen],
        "override": [_json(event.override) for event in chosen],
    }


def _json(value: Any) -> str | None:
    return msgspec.json.encode(value).decode() if value else None


def labels_ingest(*, spec: ModelSpec, labels: Sequence[Label], actor: str) -> Receipt:
    """Store a batch of labels; those of events not seen yet wait for them.

    A label already stored is a duplicate; another label for the same event at the same moment of observation is
    refused (code ``conflicting_label``). Hours of the events that are known are marked dirty.
    """
    columns, rejected = check_labels(labels, now=clock.now())
    accepted = 0
    if len(columns):
        with transaction.atomic(), cursor(connection) as database:
            fresh, conflicts = _store_labels(database, spec.id, columns)
        accepted = len(fresh)
        rejected += [_conflict(int(columns.places[row])) for row in conflicts]
        rejected.sort(key=lambda rejection: rejection.index)
    return Receipt(accepted, len(labels) - len(rejected) - accepted, rejected)


def _store_labels(database: Any, model_id: int, columns: Columns) -> tuple[list[Any], list[int]]:
    database.execute(_LABELS_LOCK, [_LOCK_CLASS, model_id])
    rows = {
        "model": model_id,
        "key": Uuids.of(columns.key),
        "observed_at": Times.of(columns.occurred_at),
        "label": Smallints.of(columns.label),
    }
    database.execute(_LABELS, rows, prepare=False)
    fresh = [key for (key,) in database.fetchall()]
    conflicts: list[int] = []
    if len(fresh) < len(columns):
        conflicts = [place for (place,) in database.execute(_LABEL_CONFLICTS, rows, prepare=False)]
    if fresh:
        hours: list[datetime] = [
            hour for (hour,) in database.execute(_LABELLED_HOURS, [model_id, Uuids.of(columns.key)], prepare=False)
        ]
        mark_dirty(database, model_id, hours)
    return fresh, conflicts


def _conflict(index: int) -> Rejection:
    message = "Another label was already observed for this event at this very moment."
    return Rejection(index, "conflicting_label", message, "label")
