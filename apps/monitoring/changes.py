"""Since when a disparity has changed, and why: what the longest window's run says of its own days."""

from __future__ import annotations

from datetime import UTC, date, datetime, time
from typing import Any

from apps.monitoring.cubes import WindowCube
from apps.monitoring.windows import DAY, LENGTHS, LONGEST
from biasgov.fairness.disparity_changes import DisparityChange, disparity_changes
from biasgov.fairness.evaluation import Plan
from biasgov.fairness.period_counts import PeriodCounts


def changes_described(window: WindowCube, plan: Plan) -> dict[str, Any]:
    """The member `changes` of the run document of the longest window; of the others nothing.

    Computed from the day sums of the window's cubes alone. The first and the last day may be parts of a day.
    """
    if LENGTHS[window.window] != LONGEST:
        return {}
    first = window.from_at.astimezone(UTC).date()
    counts = PeriodCounts.of(
        window.cube.schema,
        [((day - first).days, cube) for day, cube in window.days],
        periods=(window.to_at.astimezone(UTC).date() - first).days + 1,
    )
    return {"changes": [_described(change, window, first) for change in disparity_changes(counts, plan)]}


def _described(change: DisparityChange, window: WindowCube, first: date) -> dict[str, Any]:
    return {
        "attribute": change.attribute,
        "group": change.group,
        "reference": change.reference,
        "metric": change.metric,
        "at": _midnight(first, change.at).isoformat(),
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


def _midnight(first: date, days: int) -> datetime:
    return datetime.combine(first + days * DAY, time(), UTC)
