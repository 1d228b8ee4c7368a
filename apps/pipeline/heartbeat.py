"""Proof of life: one row per side and minute, so that availability over 30 days is a count."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta

from django.db import connection
from django.db.models import Max

from apps.common import clock
from apps.pipeline.models import Heartbeat, Side

KEPT = timedelta(days=45)
WINDOWS = {"24h": timedelta(hours=24), "7d": timedelta(days=7), "30d": timedelta(days=30)}
MEASURED = WINDOWS["30d"]
MINUTE = timedelta(minutes=1)
SILENCE = timedelta(minutes=3)

_ALIVE = """
WITH beats AS (SELECT side, minute FROM pipeline_heartbeat WHERE minute BETWEEN %(start)s AND %(end)s),
both_sides AS (SELECT minute FROM beats WHERE minute < %(end)s GROUP BY minute HAVING count(*) = %(sides)s)
SELECT (SELECT min(minute) FROM beats), ARRAY(
    SELECT (SELECT count(*) FROM both_sides WHERE minute >= start) FROM unnest(%(starts)s) AS start ORDER BY start DESC
)
"""


@dataclass(frozen=True, slots=True)
class Availability:
    """Minutes in which both sides did their round, of the full minutes since the first one (at most 30 days).

    missed: the share of the other minutes, by window; None before the first full minute.
    """

    since: datetime | None
    minutes: int
    alive: int
    missed: Mapping[str, float | None]
    last: dict[str, datetime]

    @property
    def share(self) -> float | None:
        return self.alive / self.minutes if self.minutes else None


def beat(side: Side) -> None:
    """Note that `side` did its round in this minute."""
    minute = clock.now().replace(second=0, microsecond=0)
    Heartbeat.objects.bulk_create([Heartbeat(side=side.value, minute=minute)], ignore_conflicts=True)


def last_rounds() -> dict[str, datetime | None]:
    """When each side did its last round; None for one that never did."""
    found = dict(Heartbeat.objects.order_by().values_list("side").annotate(Max("minute")))
    return {side.value: found.get(side.value) for side in Side}


def is_silent(last: datetime | None) -> bool:
    """Whether a side that has worked before stands still."""
    return last is not None and clock.now() - last > SILENCE


def prune() -> None:
    """Drop heartbeats that no measurement needs any more."""
    Heartbeat.objects.filter(minute__lt=clock.now() - KEPT).delete()


def availability() -> Availability:
    """How much of the last 30 days the pipeline was up; the present minute does not count yet."""
    end = clock.now().replace(second=0, microsecond=0)
    starts = [end - length for length in WINDOWS.values()]
    with connection.cursor() as cursor:
        cursor.execute(_ALIVE, {"start": end - MEASURED, "end": end, "sides": len(Side), "starts": starts})
        since, alive = cursor.fetchone()
        cursor.execute("SELECT side, max(minute) FROM pipeline_heartbeat GROUP BY side")
        last = dict(cursor.fetchall())
    watched = [int((end - max(since, start)) / MINUTE) if since else 0 for start in starts]
    missed = {
        window: 1 - there / minutes if minutes else None
        for window, minutes, there in zip(WINDOWS, watched, alive, strict=True)
    }
    return Availability(since, watched[-1], alive[-1], missed, last)
