"""Reading `monitoring_point`: the values of runs, and lines over time."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from typing import Any

import numpy as np
from django.db import connection
from psycopg import sql

from apps.monitoring.rows import Point, TrendSeries
from apps.monitoring.runs import latest_runs
from apps.monitoring.windows import LENGTHS

_STEP = timedelta(days=1)

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
    return points_of_runs([newest[name].id for name in windows if name in newest])


def points_of_runs(run_ids: Sequence[int], *, judged: bool = False) -> list[Point]:
    """The points of these runs, which must be the newest revisions of their moments; `judged`: those with a verdict."""
    with connection.cursor() as cursor:
        cursor.execute(
            'SELECT p.model_id, p.run_id, p."window", p.as_of, p.metric, p.attribute, nullif(p."group", \'\'),'
            " p.value, p.low, p.high, p.n, p.verdict, p.severity FROM monitoring_run r JOIN monitoring_point p"
            ' ON p.model_id = r.model_id AND p."window" = r."window" AND p.as_of = r.as_of'
            " WHERE r.id = ANY(%s) AND (p.verdict <> '' OR NOT %s)"
            ' ORDER BY p."window", p.attribute, p.metric, p."group"',
            [list(run_ids), judged],
        )
        return [Point(*row) for row in cursor.fetchall()]


def sparklines(chosen: Sequence[Point]) -> dict[int, list[tuple[datetime, float | None]]]:
    """By model the last value of each of 30 days, oldest first: a step down an index each, not every hour read."""
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
