"""Reading `monitoring_point`: lines over time, and the worst value of every model."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from typing import Any

import numpy as np
from django.db import connection
from psycopg import sql

from apps.monitoring.rows import Point, PortfolioRow, TrendSeries
from apps.monitoring.runs import latest_runs, latest_runs_of
from apps.monitoring.windows import LENGTHS

_VERDICT_ORDER = {"breach": 0, "inconclusive": 1, "not_estimable": 2, "within": 3}
_SEVERITY_ORDER = {"critical": 0, "high": 1, "medium": 2, "low": 3}
_STEP = timedelta(hours=12)

_VALUES = sql.SQL("as_of, value, low, high, n, verdict, severity, run_id")
_LINE = sql.SQL(
    'monitoring_point WHERE model_id = %(model)s AND "window" = %(window)s AND attribute = %(attribute)s'
    " AND metric = %(metric)s AND \"group\" = %(group)s AND as_of >= coalesce(%(since)s::timestamptz, '-infinity')"
)
_TREND = sql.SQL("SELECT {values} FROM {line} ORDER BY as_of").format(values=_VALUES, line=_LINE)
# A value belongs to the day that it looks back on: that of midnight to the day that ends there. Each day is a step
# down an index, so that years of hours are not read.
_TREND_BY_DAY = sql.SQL(
    "WITH first AS (SELECT date_trunc('day', min(as_of) - interval '1 microsecond', 'UTC') AS day FROM {line}),"
    " days AS (SELECT generate_series(day, %(whole)s - interval '1 day', interval '1 day') AS day FROM first)"
    " SELECT {values} FROM days CROSS JOIN LATERAL (SELECT {values} FROM {line} AND as_of > days.day"
    " AND as_of <= days.day + interval '1 day' ORDER BY as_of DESC LIMIT 1) AS newest"
    " UNION ALL SELECT {values} FROM {line} AND as_of > %(whole)s ORDER BY as_of"
).format(values=_VALUES, line=_LINE)


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
    asked: dict[str, Any] = {
        "model": model_id,
        "window": window,
        "attribute": attribute,
        "metric": metric,
        "group": group or "",
        "since": since,
        "whole": daily_before and daily_before.astimezone(UTC).replace(hour=0, minute=0, second=0, microsecond=0),
    }
    with connection.cursor() as cursor:
        cursor.execute(_TREND if daily_before is None else _TREND_BY_DAY, asked)
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


def portfolio_points(model_ids: Sequence[int], *, lines: bool = True) -> dict[int, PortfolioRow]:
    """For every model its worst key risk indicator and that one's line; four queries however many models.

    The worst is the severest breach, then what no window could judge, then what could not be estimated; among equals
    the shortest window and the demographic parity ratio come first, a group before the aggregate. `verdicts` counts
    the judged results of the newest runs. The line has the last value of each half day of 30 days; `lines` False leaves
    it out, and a query.
    """
    newest = latest_runs_of(model_ids)
    judged: dict[int, list[Point]] = {identity: [] for identity in model_ids}
    for point in _points([row.id for rows in newest.values() for row in rows.values()]):
        if point.verdict:
            judged[point.model_id].append(point)
    worst = {identity: min(_decided(found), key=_badness) for identity, found in judged.items() if found}
    drawn = _sparklines(list(worst.values())) if lines else {}
    return {
        identity: PortfolioRow(
            model_id=identity,
            runs=newest.get(identity, {}),
            worst=worst.get(identity),
            verdicts={name: sum(p.verdict == name for p in judged[identity]) for name in _VERDICT_ORDER},
            sparkline=tuple(drawn.get(identity, ())),
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


def _sparklines(chosen: Sequence[Point]) -> dict[int, list[tuple[datetime, float | None]]]:
    """By model the last value of each half day of 30, oldest first: a step down an index each, not every hour read."""
    lines: dict[int, list[tuple[datetime, float | None]]] = {}
    if not chosen:
        return lines
    end = max(p.as_of for p in chosen)
    values: list[Any] = [
        [p.model_id for p in chosen],
        [p.window for p in chosen],
        [p.attribute for p in chosen],
        [p.metric for p in chosen],
        [p.group or "" for p in chosen],
        end - LENGTHS["30d"] + _STEP,
        end,
        _STEP,
        _STEP,
    ]
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT c.model_id, p.as_of, p.value FROM unnest(%s::bigint[], %s::text[], %s::text[], %s::text[],"
            ' %s::text[]) AS c(model_id, "window", attribute, metric, "group")'
            " CROSS JOIN generate_series(%s::timestamptz, %s, %s) AS step(at) CROSS JOIN LATERAL ("
            "SELECT m.as_of, m.value FROM monitoring_point m WHERE m.model_id = c.model_id"
            ' AND m."window" = c."window" AND m.attribute = c.attribute AND m.metric = c.metric'
            ' AND m."group" = c."group" AND m.as_of > step.at - %s AND m.as_of <= step.at'
            " ORDER BY m.as_of DESC LIMIT 1) p ORDER BY p.as_of",
            values,
        )
        for identity, as_of, value in cursor.fetchall():
            lines.setdefault(identity, []).append((as_of, value))
    return lines
