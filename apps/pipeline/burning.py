"""How fast the four objectives use up what they may miss.

A burn rate of 1 uses exactly up, in 30 days, what an objective may miss; at 2 it is gone after 15. The rate over 30
days is the share that is used; those over a day and a week say whether it goes on.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from datetime import timedelta

from django.db.models import Q

from apps.common import clock
from apps.monitoring.selectors import RunRow
from apps.pipeline.heartbeat import WINDOWS, Availability
from apps.pipeline.models import Alarm
from biasgov.fairness.data_quality import COVERAGE_OBJECTIVE

MAY_MISS: dict[str, float] = {
    "freshness": 0.005,
    "delivery": 0.01,
    "availability": 0.005,
    "coverage": round(1 - COVERAGE_OBJECTIVE, 6),
}
"""The share that may be missed in 30 days: of the models' time, of the alerts, of the minutes, of the events."""

FEWEST_MINUTES = 60
"""Minutes that must have been watched before a rate is told."""


def burn_rates(objective: str, missed: Mapping[str, float | None]) -> dict[str, float | None]:
    """The burn rate of an objective by window, from the share that was missed; None where nothing was measured."""
    rates: dict[str, float | None] = {}
    for window in WINDOWS:
        share = missed.get(window)
        rates[window] = None if share is None else share / MAY_MISS[objective]
    return rates


def stale_shares(model_ids: Sequence[int], watched: Availability) -> dict[str, float | None]:
    """Of the time in which these models were watched, the share in which their daily window was too old. One query."""
    if not model_ids or watched.since is None or watched.minutes < FEWEST_MINUTES:
        return {}
    now = clock.now()
    lasting = Q(cleared_at=None) | Q(cleared_at__gt=now - max(WINDOWS.values()))
    stale = Alarm.objects.filter(lasting, model_id__in=model_ids, kind=Alarm.Kind.STALE)
    spans = [(raised, cleared or now) for raised, cleared in stale.values_list("raised_at", "cleared_at")]
    shares: dict[str, float | None] = {}
    for window, length in WINDOWS.items():
        start = max(now - length, watched.since)
        too_old = sum((max(until - max(raised, start), timedelta(0)) for raised, until in spans), timedelta(0))
        shares[window] = min(too_old / ((now - start) * len(model_ids)), 1.0)
    return shares


def unknown_shares(latest: Iterable[Mapping[str, RunRow]]) -> dict[str, float | None]:
    """The share of events for which the least covered attribute of all is not known, in the latest run by window."""
    shares: dict[str, float | None] = {}
    runs = list(latest)
    for window in WINDOWS:
        known = [
            share for each in runs if window in each for share in each[window].coverage.values() if share is not None
        ]
        shares[window] = 1 - min(known) if known else None
    return shares
