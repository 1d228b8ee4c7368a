"""The table of models: what one row says. Pure: facts in, words and drawings out."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from apps.common.wording import capitalised, group_phrase
from apps.dashboards.drawings import Sparkline, sparkline
from apps.dashboards.topics import topic_of
from apps.dashboards.words import (
    WINDOWS,
    Badge,
    attribute_name,
    badge,
    duration,
    interval,
    metric_digits,
    metric_name,
    number,
    percent,
)
from apps.monitoring.selectors import Freshness, Point, PortfolioRow
from apps.registry.spec import ModelSpec
from biasgov.fairness.policy import Bound

FILTERS = ("all", "breach", "unjudged")
SPARK_DAYS = 30


@dataclass(frozen=True, slots=True)
class PortfolioEntry:
    """One model in the table. `coverage` is the least covered attribute's; `query` leads to the worst indicator."""

    slug: str
    name: str
    industry: str
    status: Badge
    indicator: str
    value: str
    interval: str
    window: str
    spark: Sparkline | None
    spark_text: str
    response: str
    coverage: str
    low_coverage: bool
    fresh: str
    updated_at: datetime | None
    query: str

    @property
    def in_breach(self) -> bool:
        return self.status.kind == "breach"

    @property
    def unjudged(self) -> bool:
        return self.status.kind in ("inconclusive", "not_estimable", "stale", "plain")


def portfolio_entry(
    spec: ModelSpec, row: PortfolioRow | None, fresh: Freshness, bounds: Mapping[str, Bound], response: str
) -> PortfolioEntry:
    """What the table says of one model; `row` is None before its first run."""
    worst = row.worst if row else None
    runs = row.runs if row else {}
    coverage = min(
        (share for run in list(runs.values())[-1:] for share in run.coverage.values() if share is not None),
        default=None,
    )
    spark = _spark(row, worst, bounds) if row and worst else None
    return PortfolioEntry(
        slug=spec.slug,
        name=spec.name,
        industry=spec.industry,
        status=status_of(row, fresh),
        indicator=_indicator(worst),
        value=number(worst.value, metric_digits(worst.metric)) if worst else "",
        interval=interval(worst.low, worst.high, metric_digits(worst.metric)) if worst else "",
        window=WINDOWS.get(worst.window, "") if worst else "",
        spark=spark,
        spark_text=f"{_indicator(worst)}, last {SPARK_DAYS} days" if worst else "",
        response=response,
        coverage=percent(coverage, 1),
        low_coverage=coverage is not None and coverage < 0.9,
        fresh=_age(fresh),
        updated_at=fresh.evaluated_at,
        query=_query(worst),
    )


def status_of(row: PortfolioRow | None, fresh: Freshness) -> Badge:
    """Stale comes first, because an old verdict is none; green only for what was judged and is current."""
    if row is None or not row.runs:
        return Badge("stale", "no data yet")
    if fresh.state != "met":
        return Badge("stale", "not computed yet" if fresh.age is None else f"no data for {_age(fresh)}")
    day = row.runs.get("24h")
    if max(run.n for run in row.runs.values()) == 0:
        return Badge("stale", "no data for 30 d")
    worst = row.worst
    if worst is None:
        return Badge("plain", "no bound set")
    if day is not None and day.n == 0 and worst.verdict != "breach":
        return Badge("stale", "no data for 24 h")
    return badge(worst.verdict, worst.severity, window=worst.window)


def filtered(entries: Sequence[PortfolioEntry], chosen: str) -> list[PortfolioEntry]:
    """The rows under a filter: `all`, `breach`, or `unjudged` (too few, not estimable, stale, no bound)."""
    if chosen == "breach":
        return [entry for entry in entries if entry.in_breach]
    if chosen == "unjudged":
        return [entry for entry in entries if entry.unjudged]
    return list(entries)


def _spark(row: PortfolioRow, worst: Point, bounds: Mapping[str, Bound]) -> Sparkline | None:
    bound = bounds.get(worst.metric)
    ends = [end for end in (bound.lower, bound.upper) if end is not None] if bound else []
    return sparkline([value for _, value in row.sparkline], ends)


def _indicator(worst: Point | None) -> str:
    if worst is None:
        return ""
    who = capitalised(group_phrase(worst.attribute, worst.group)) if worst.group else attribute_name(worst.attribute)
    return f"{who}, {metric_name(worst.metric)}"


def _age(fresh: Freshness) -> str:
    return "never" if fresh.age is None else duration(max(fresh.age, timedelta(0)).total_seconds())


def _query(worst: Point | None) -> str:
    topic = topic_of(worst.metric) if worst else None
    if worst is None or topic is None:
        return ""
    return f"window={worst.window}&attribute={worst.attribute}&metric={topic.key}"
