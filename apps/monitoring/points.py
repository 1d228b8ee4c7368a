"""Reading `monitoring_point`: lines over time, and the worst value of every model."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Any

import numpy as np
from django.db import connection

from apps.common import clock
from apps.monitoring.rows import Point, PortfolioRow, TrendSeries
from apps.monitoring.runs import latest_runs, latest_runs_of
from apps.monitoring.windows import LENGTHS

_VERDICT_ORDER = {"breach": 0, "inconclusive": 1, "not_estimable": 2, "within": 3}
_SEVERITY_ORDER = {"critical": 0, "high": 1, "medium": 2, "low": 3}


def trend(
    model_id: int,
    window: str,
    attribute: str,
    metric: str,
    group: str | None = None,
    since: datetime | None = None,
    daily_before: datetime | None = None,
) -> TrendSeries:
    """The values of one metric over time, oldest first; `group` None is the aggregate over groups.

    daily_before: of every day (UTC) that ends before it the last value alone.
    """
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT as_of, value, low, high, n, verdict, severity, run_id FROM ("
            # A value belongs to the day that it looks back on: that of midnight to the day that ends there.
            "SELECT *, date_trunc('day', as_of - interval '1 microsecond', 'UTC') AS day,"
            " lead(as_of) OVER later AS next FROM monitoring_point"
            ' WHERE model_id = %s AND "window" = %s AND attribute = %s AND metric = %s AND "group" = %s'
            " AND as_of >= coalesce(%s::timestamptz, '-infinity') WINDOW later AS (ORDER BY as_of)) AS point"
            " WHERE day >= coalesce(%s::timestamptz, '-infinity') - interval '1 day'"
            " OR next IS NULL OR next > day + interval '1 day' ORDER BY as_of",
            [model_id, window, attribute, metric, group or "", since, daily_before],
        )
        rows = cursor.fetchall()
    columns: list[list[Any]] = [list(column) for column in zip(*rows, strict=True)] or [[] for _ in range(8)]
    as_of, value, low, high, n, verdict, severity, run_id = columns
    return TrendSeries(
        as_of,
        np.array(value, dtype=np.float64),
        np.array(low, dtype=np.float64),
        np.array(high, dtype=np.float64),
        n,
        verdict,
        severity,
        run_id,
    )


def points(model_id: int, *, windows: Sequence[str] = tuple(LENGTHS)) -> list[Point]:
    """All points of the newest runs of a model's windows."""
    newest = latest_runs(model_id)
    return _points([newest[name].id for name in windows if name in newest])


def portfolio_points(model_ids: Sequence[int], *, since: datetime | None = None) -> dict[int, PortfolioRow]:
    """For every model its worst key risk indicator and that one's line; four queries however many models.

    The worst is the severest breach, then what no window could judge, then what could not be estimated; among equals
    the shortest window and the demographic parity ratio come first, a group before the aggregate. `verdicts` counts
    the judged results of the newest runs. The line begins at `since`, by default 30 days ago.
    """
    newest = latest_runs_of(model_ids)
    judged: dict[int, list[Point]] = {identity: [] for identity in model_ids}
    for point in _points([row.id for rows in newest.values() for row in rows.values()]):
        if point.verdict:
            judged[point.model_id].append(point)
    worst = {identity: min(_decided(found), key=_badness) for identity, found in judged.items() if found}
    lines = _sparklines(list(worst.values()), since or clock.now() - LENGTHS["30d"])
    return {
        identity: PortfolioRow(
            model_id=identity,
            runs=newest.get(identity, {}),
            worst=worst.get(identity),
            verdicts={name: sum(p.verdict == name for p in judged[identity]) for name in _VERDICT_ORDER},
            sparkline=tuple(lines.get(identity, ())),
        )
        for identity in model_ids
    }


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


def _points(run_ids: Sequence[int]) -> list[Point]:
    with connection.cursor() as cursor:
        cursor.execute(
            'SELECT p.model_id, p.run_id, p."window", p.as_of, p.metric, p.attribute, nullif(p."group", \'\'),'
            " p.value, p.low, p.high, p.n, p.verdict, p.severity FROM monitoring_run r JOIN monitoring_point p"
            ' ON p.model_id = r.model_id AND p."window" = r."window" AND p.as_of = r.as_of'
            ' WHERE r.id = ANY(%s) ORDER BY p."window", p.attribute, p.metric, p."group"',
            [list(run_ids)],
        )
        return [Point(*row) for row in cursor.fetchall()]


def _sparklines(chosen: Sequence[Point], since: datetime) -> dict[int, list[tuple[datetime, float | None]]]:
    lines: dict[int, list[tuple[datetime, float | None]]] = {}
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT p.model_id, p.as_of, p.value FROM unnest(%s::bigint[], %s::text[], %s::text[], %s::text[],"
            ' %s::text[]) AS c(model_id, "window", attribute, metric, "group") JOIN monitoring_point p'
            ' USING (model_id, "window", attribute, metric, "group") WHERE p.as_of >= %s ORDER BY p.as_of',
            [
                [p.model_id for p in chosen],
                [p.window for p in chosen],
                [p.attribute for p in chosen],
                [p.metric for p in chosen],
                [p.group or "" for p in chosen],
                since,
            ],
        )
        for identity, as_of, value in cursor.fetchall():
            lines.setdefault(identity, []).append((as_of, value))
    return lines
