"""The three windows, the early ones that only raise alerts, and the moments at which they are evaluated."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import UTC, datetime, timedelta

from apps.common import clock
from biasgov.fairness import looks

LENGTHS: dict[str, timedelta] = {window: timedelta(hours=hours) for window, hours in looks.WINDOWS.items()}
EARLY: dict[str, timedelta] = {window: timedelta(hours=hours) for window, hours in looks.EARLY.items()}
"""Shorter than a day: a breach in one of them is told by the run of the shortest window (docs/decisions)."""
SHORTEST = "24h"
LONGEST = LENGTHS["30d"]
HOUR = timedelta(hours=1)
DAY = timedelta(days=1)


def live_as_of(now: datetime) -> datetime:
    """The end of the hour that `now` lies in: its windows are provisional until it has passed."""
    return clock.hour_floor(now) + HOUR


def moments_touched(hours: Iterable[datetime], *, now: datetime) -> list[datetime]:
    """The moments whose windows hold any of `hours`: the live one and every past midnight UTC within 30 days.

    Parameters
    ----------
    hours
        Starts of counted hours, aware.
    now
        The present moment; no midnight after it is named.
    """
    live = live_as_of(now)
    touched: set[datetime] = set()
    for day in {hour.astimezone(UTC).replace(hour=0, minute=0, second=0, microsecond=0) for hour in hours}:
        touched.update(moment for step in range(1, 31) if (moment := day + step * DAY) <= now)
        if day + DAY + LONGEST > live:
            touched.add(live)
    return sorted(touched)
