"""Since when a disparity has changed, and why: what the longest window's run says of its own days."""

from __future__ import annotations

from datetime import UTC, date, datetime, time
from typing import Any

from apps.monitoring.cubes import Hours, WindowCube
from apps.monitoring.windows import DAY, HOUR, LENGTHS, LONGEST
from biasgov.fairness.disparity_changes import DisparityChange, date_finely, disparity_changes
from biasgov.fairness.evaluation import Plan
from biasgov.fairness.period_counts import PeriodCounts

AROUND = 2 * DAY
"""How far from the day in which a change was found its hour is looked for."""


def changes_described(window: WindowCube, plan: Plan, hours: Hours) -> dict[str, Any]:
    """The member `changes` of the run document of the longest window; of the others nothing.

    Found in the day sums of the window's cubes, the first and the last of which may be parts of a day, and dated by
    the hours around.
    """
    if LENGTHS[window.window] != LONGEST:
        return {}
    first = window.from_at.astimezone(UTC).date()
    counts = PeriodCounts.of(
        window.cube.schema,
        [((day - first).days, cube) for day, cube in window.days],
        periods=(window.to_at.astimezone(UTC).date() - first).days + 1,
    )
    return {"changes": [_described(change, window, first, hours) for change in disparity_changes(counts, plan)]}


def _described(change: DisparityChange, window: WindowCube, first: date, hours: Hours) -> dict[str, Any]:
    at, earliest, latest = _hour_of(change, window, _midnight(first, change.at), hours)
    return {
        "attribute": change.attribute,
        "group": change.group,
        "reference": change.reference,
        "metric": change.metric,
        "at": at.isoformat(),
        "at_range": [earliest.isoformat(), latest.isoformat()],
        "noticed_at": min(_midnight(first, change.noticed + 1), window.to_at.astimezone(UTC)).isoformat(),
        "before": change.before,
        "after": change.after,
        "n_before": change.n_before,
        "n_after": change.n_after,
        "mix": change.mix,
        "rate": change.rate,
        "segment": change.segment,
        "segment_declared": change.declared,
        "reverses": change.reverses,
    }


def _hour_of(
    change: DisparityChange, window: WindowCube, day: datetime, hours: Hours
) -> tuple[datetime, datetime, datetime]:
    """The hour in which a change began, and the earliest and the latest that explain the decisions nearly as well."""
    start, end = max(day - AROUND, window.from_at.astimezone(UTC)), min(day + AROUND, window.to_at.astimezone(UTC))
    parts = [(int((hour - start) / HOUR), cube) for hour, cube in hours.between(start, end)]
    counts = PeriodCounts.of(window.cube.schema, parts, periods=int((end - start) / HOUR))
    dated = date_finely(change, counts)
    return start + dated.at * HOUR, start + dated.earliest * HOUR, start + dated.latest * HOUR


def _midnight(first: date, days: int) -> datetime:
    return datetime.combine(first + days * DAY, time(), UTC)
