"""The worst of a model's newest runs, kept as one row a model: a table of models must not read all their results."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict
from datetime import datetime
from typing import Any

from apps.monitoring.models import MonitoringStanding
from apps.monitoring.points import points_of_runs
from apps.monitoring.rows import Point, RunRow
from apps.monitoring.runs import latest_runs
from apps.monitoring.windows import LENGTHS

_VERDICT_ORDER = {"breach": 0, "inconclusive": 1, "not_estimable": 2, "within": 3}
_SEVERITY_ORDER = {"critical": 0, "high": 1, "medium": 2, "low": 3}

Runs = Mapping[str, RunRow]


def standing_keep(model_id: int) -> None:
    """Write down the worst of the model's newest runs, in the transaction that stored them."""
    newest = latest_runs(model_id)
    worst = _worst(_judged(newest.values()))
    kept = {**asdict(worst), "as_of": worst.as_of.isoformat()} if worst else None
    MonitoringStanding.objects.update_or_create(model_id=model_id, defaults={"runs": _ids(newest), "worst": kept})


def worst_of(newest: Mapping[int, Runs]) -> dict[int, Point]:
    """By model the worst judged value of its newest runs: the severest breach, then what no window could judge, then
    what could not be estimated.

    Among equals the shortest window and the demographic parity ratio come first, a group before the aggregate. One
    query; results are read only for models whose kept row is not of these runs. Models without a judged value miss.
    """
    rows = MonitoringStanding.objects.filter(model_id__in=list(newest)).values_list("model_id", "runs", "worst")
    kept = {model_id: worst for model_id, runs, worst in rows if runs == _ids(newest[model_id])}
    found = {model_id: _point(worst) for model_id, worst in kept.items() if worst}
    judged: dict[int, list[Point]] = {}
    for point in _judged([run for model_id, runs in newest.items() if model_id not in kept for run in runs.values()]):
        judged.setdefault(point.model_id, []).append(point)
    return found | {model_id: worst for model_id, points in judged.items() if (worst := _worst(points))}


def _ids(runs: Runs) -> list[int]:
    return [run.id for run in runs.values()]


def _point(kept: Mapping[str, Any]) -> Point:
    return Point(**{**kept, "as_of": datetime.fromisoformat(kept["as_of"])})


def _judged(runs: Iterable[RunRow]) -> list[Point]:
    ids = [run.id for run in runs]
    return points_of_runs(ids, judged=True) if ids else []


def _worst(points: Sequence[Point]) -> Point | None:
    return min(_decided(points), key=_badness, default=None)


def _decided(points: Sequence[Point]) -> list[Point]:
    """Without what is inconclusive in one window but judged by a wider one (see `decide_by_window`)."""
    widths = {window: place for place, window in enumerate(LENGTHS)}
    decided: dict[tuple[str, str, str | None], int] = {}
    for point in points:
        if point.verdict in ("breach", "within"):
            key = (point.metric, point.attribute, point.group)
            decided[key] = max(decided.get(key, -1), widths[point.window])
    return [
        point
        for point in points
        if point.verdict != "inconclusive"
        or decided.get((point.metric, point.attribute, point.group), -1) < widths[point.window]
    ]


def _badness(point: Point) -> tuple[Any, ...]:
    return (
        _VERDICT_ORDER[point.verdict],
        _SEVERITY_ORDER.get(point.severity, len(_SEVERITY_ORDER)),
        list(LENGTHS).index(point.window),
        point.metric != "demographic_parity_ratio",
        point.group is None,
        point.attribute,
        point.metric,
        point.group or "",
    )
