"""What the event log forgets: people who asked to be erased, pseudonyms and days that were kept long enough."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, date, datetime
from uuid import UUID

import numpy as np
from django.db import connection, transaction

from apps.inference.packing import Uuids, cursor

_DETAILS = """
DELETE FROM inference_event_detail AS detail USING inference_event AS event
WHERE event.subject = ANY(%s) AND detail.model_id = event.model_id AND detail.event_key = event.event_key
"""
_DAYS = """
SELECT c.relname::text FROM pg_inherits i JOIN pg_class c ON c.oid = i.inhrelid
WHERE i.inhparent = 'inference_event'::regclass ORDER BY 1
"""
_ON_DAY = """
SELECT count(*) FROM inference_event WHERE model_id = ANY(%(models)s)
    AND occurred_at >= %(day)s::date::timestamp AT TIME ZONE 'UTC'
    AND occurred_at < (%(day)s::date + 1)::timestamp AT TIME ZONE 'UTC'
"""
_NAMED = "SELECT count(*) FROM inference_event WHERE model_id = %s AND occurred_at < %s AND subject <> %s"
_FORGET = "UPDATE inference_event SET subject = %s WHERE model_id = %s AND occurred_at < %s AND subject <> %s"
NOBODY = UUID(int=0)
"""In place of a pseudonym that was kept long enough."""

_SUBJECTS = "UPDATE inference_event SET subject = gen_random_uuid() WHERE subject = ANY(%s)"


def subjects_forget(*, subjects: Sequence[bytes]) -> int:
    """Give every event of the pseudonyms (16 bytes each) one of its own that means nobody; returns how many events.

    What came with the events, features and overrides, goes. The hours are not counted again: a count that is one less
    than it was told before would say what the person's attributes were. Whoever is counted again is unknown.
    """
    if not subjects:
        return 0
    packed = Uuids.of(np.frombuffer(b"".join(subjects), "V16"))
    with transaction.atomic(), cursor(connection) as database:
        database.execute(_DETAILS, [packed], prepare=False)
        database.execute(_SUBJECTS, [packed], prepare=False)
        return database.rowcount


def days_kept() -> list[date]:
    """The days of which events are kept, oldest first."""
    with connection.cursor() as database:
        database.execute(_DAYS)
        return [datetime.strptime(name[-8:], "%Y%m%d").replace(tzinfo=UTC).date() for (name,) in database.fetchall()]


def events_on(day: date, model_ids: Sequence[int]) -> int:
    """How many events of these models there are on a day."""
    with connection.cursor() as database:
        database.execute(_ON_DAY, {"day": day, "models": list(model_ids)})
        return int(database.fetchone()[0])


def day_drop(*, day: date, model_ids: Sequence[int]) -> str:
    """Drop a day's events of these models; answers ``dropped`` (the partition), ``emptied`` (of them) or ``absent``.

    Raises django.db.IntegrityError for a day that is less than 62 days ago.
    """
    with connection.cursor() as database:
        database.execute("SELECT inference_day_drop(%s, %s)", [day, list(model_ids)])
        return str(database.fetchone()[0])


def pseudonyms_waiting(model_id: int, before: datetime) -> int:
    """How many events of a model before a moment still say whose they are."""
    with connection.cursor() as database:
        database.execute(_NAMED, [model_id, before, NOBODY])
        return int(database.fetchone()[0])


def pseudonyms_forget(*, model_id: int, before: datetime) -> int:
    """Let events of a model before a moment be nobody's; answers how many there were."""
    with connection.cursor() as database:
        database.execute(_FORGET, [NOBODY, model_id, before, NOBODY])
        return int(database.rowcount)
