"""Dirty hours: what must be counted (again), and who is counting it now.

An hour is dirty while it has a row. Its generation changes whenever something arrives for it, so a worker that
releases an hour finds out whether what it counted is still all there is.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import numpy as np
from django.db import connection, transaction

from apps.inference.packing import Uuids, cursor

_MARK = """
INSERT INTO inference_dirty_hour (model_id, hour, generation)
SELECT %s, hour, nextval('inference_generation') FROM unnest(%s::timestamptz[]) AS hour ORDER BY hour
ON CONFLICT (model_id, hour) DO UPDATE SET generation = excluded.generation
"""

_MARK_SUBJECTS = """
INSERT INTO inference_dirty_hour (model_id, hour, generation)
SELECT model_id, hour, nextval('inference_generation') FROM (
    SELECT DISTINCT event.model_id, date_trunc('hour', event.occurred_at, 'UTC') AS hour
    FROM inference_event AS event
    JOIN (SELECT DISTINCT subject FROM unnest(%s) AS subject) AS changed USING (subject)
    ORDER BY 1, 2
) AS touched
ON CONFLICT (model_id, hour) DO UPDATE SET generation = excluded.generation
"""

_LEASE = """
WITH model AS (
    SELECT model_id FROM inference_dirty_hour
    WHERE lease_until IS NULL OR lease_until <= statement_timestamp()
    ORDER BY marked_at, hour LIMIT 1 FOR UPDATE SKIP LOCKED
), taken AS (
    SELECT model_id, hour FROM inference_dirty_hour
    WHERE model_id = (SELECT model_id FROM model)
        AND (lease_until IS NULL OR lease_until <= statement_timestamp())
    ORDER BY marked_at, hour LIMIT %(limit)s FOR UPDATE SKIP LOCKED
)
UPDATE inference_dirty_hour AS dirty
SET lease = nextval('inference_generation'),
    lease_until = statement_timestamp() + make_interval(secs => %(seconds)s),
    leased_by = %(worker)s
FROM taken WHERE dirty.model_id = taken.model_id AND dirty.hour = taken.hour
RETURNING dirty.model_id, dirty.hour, dirty.generation, dirty.lease
"""

_HELD = """
SELECT dirty.hour
FROM unnest(%s::timestamptz[], %s::bigint[], %s::bigint[]) AS leased (hour, generation, lease)
JOIN inference_dirty_hour AS dirty ON dirty.model_id = %s AND dirty.hour = leased.hour
    AND (dirty.generation = leased.generation OR dirty.lease = leased.lease)
ORDER BY dirty.hour FOR UPDATE OF dirty
"""

_DONE = "DELETE FROM inference_dirty_hour WHERE model_id = %s AND hour = %s AND generation = %s"

_AGAIN = """
UPDATE inference_dirty_hour
SET lease = NULL, lease_until = NULL, leased_by = NULL, marked_at = clock_timestamp()
WHERE model_id = %s AND hour = %s AND lease = %s
"""


@dataclass(frozen=True, slots=True)
class LeasedHour:
    """An hour this worker may count; `generation` is what it counts, `lease` proves that the hour is still its own."""

    model_id: int
    hour: datetime
    generation: int
    lease: int = 0


def mark_dirty(database: Any, model_id: int, hours: Sequence[datetime]) -> None:
    """Mark `hours` in their order in time, so that concurrent batches wait for each other and never in a circle."""
    if hours:
        database.execute(_MARK, [model_id, sorted(hours)])


def hours_mark_dirty_for_subjects(*, subjects: Sequence[bytes]) -> int:
    """Mark every hour that has an event of one of the pseudonyms (16 bytes each); returns how many."""
    if not subjects:
        return 0
    packed = Uuids.of(np.frombuffer(b"".join(subjects), "V16"))
    with transaction.atomic(), cursor(connection) as database:
        database.execute(_MARK_SUBJECTS, [packed], prepare=False)
        return database.rowcount


def hours_lease(*, limit: int, seconds: float, worker: str) -> list[LeasedHour]:
    """Take up to `limit` dirty hours of one model, longest waiting first, returned in their order in time.

    Nobody else gets them for `seconds`; a lease that ran out may be taken by anybody. Empty when nothing is dirty
    or everything is being worked on.
    """
    with transaction.atomic(), cursor(connection) as database:
        database.execute(_LEASE, {"limit": limit, "seconds": float(seconds), "worker": worker})
        return sorted((LeasedHour(*row) for row in database), key=lambda leased: leased.hour)


def hours_held(leased: Sequence[LeasedHour]) -> list[LeasedHour]:
    """Those of one model's leased hours whose count may be stored, locked until the caller's transaction ends.

    That is where nothing arrived since the lease, or where the lease is still the newest. What another worker
    finished, or is counting after more has arrived, is not among them: a slow worker cannot put an old count in
    place of a newer one.
    """
    if not leased:
        return []
    columns = ([each.hour for each in leased], [each.generation for each in leased], [each.lease for each in leased])
    with cursor(connection) as database:
        database.execute(_HELD, [*columns, leased[0].model_id])
        held = {hour for (hour,) in database}
    return [each for each in leased if each.hour in held]


def hours_release(done: Sequence[LeasedHour]) -> int:
    """Give hours back after counting them; returns how many are clean now.

    An hour for which something arrived meanwhile stays dirty and goes to the end of the queue.
    """
    clean = 0
    with transaction.atomic(), cursor(connection) as database:
        for leased in sorted(done, key=lambda leased: (leased.model_id, leased.hour)):
            database.execute(_DONE, [leased.model_id, leased.hour, leased.generation])
            clean += database.rowcount
            if not database.rowcount:
                database.execute(_AGAIN, [leased.model_id, leased.hour, leased.lease])
    return clean
