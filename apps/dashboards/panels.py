"""The panel of a model page under one choice of window, attribute and topic. Pure: documents in, page out."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from apps.common.wording import capitalised, group_phrase
from apps.dashboards.charts import Chart, bounds_of, intersection_chart, reliability_chart, trend_chart
from apps.dashboards.early import early_sentences
from apps.dashboards.groups import GroupTable, group_table, verdict_of
from apps.dashboards.history import Event
from apps.dashboards.reading import Reading, Result, judged_on
from apps.dashboards.sentences import Sentence, coverage_sentence, label_sentence, sentence
from apps.dashboards.topics import TOPICS, Choice, attributes_of
from apps.dashboards.words import (
    WINDOWS,
    Badge,
    attribute_name,
    badge,
    group_name,
    interval,
    metric_digits,
    metric_name,
    number,
)
from apps.monitoring.selectors import RunRow, TrendSeries
from apps.registry.spec import ModelSpec

NAMED_AT_MOST = 4


@dataclass(frozen=True, slots=True)
class Option:
    id: str
    title: str
    query: str
    current: bool


@dataclass(frozen=True, slots=True)
class Switch:
    """A group of links of which one is current; each is a page address of its own."""

    label: str
    options: tuple[Option, ...]


@dataclass(frozen=True, slots=True)
class WindowRow:
    """The headline result in one window."""

    window: str
    run_id: int
    n: int
    value: str
    interval: str
    status: Badge


@dataclass(frozen=True, slots=True)
class Panel:
    """Everything under the switches, ready to be written down. early: what only the day's last hours show."""

    run: RunRow
    sentence: Sentence
    status: Badge
    trend: Chart | None
    groups: GroupTable
    intersections: Chart | None
    reliability: Chart | None
    windows: tuple[WindowRow, ...]
    windows_of: str
    coverage: str
    known: str
    labels: str
    label_warning: bool
    early: tuple[str, ...]

    @property
    def columns(self) -> int:
        """Columns between the group's name and its verdict."""
        return 2 + 2 * len(self.groups.rate_titles)

    @property
    def charts(self) -> tuple[Chart, ...]:
        return tuple(chart for chart in (self.trend, self.intersections, self.reliability) if chart)


def switches(spec: ModelSpec, choice: Choice) -> tuple[Switch, ...]:
    """Attribute, metric and window, each option with the query string that chooses it."""
    names = attributes_of(spec)
    return (
        Switch(
            "Attribute",
            tuple(
                Option(
                    f"attribute-{place}",
                    capitalised(attribute_name(name)),
                    choice.query(attribute=name),
                    name == choice.attribute,
                )
                for place, name in enumerate(names)
            ),
        ),
        Switch(
            "Metric",
            tuple(
                Option(f"metric-{key}", topic.title, choice.query(metric=key), key == choice.topic.key)
                for key, topic in TOPICS.items()
            ),
        ),
        Switch(
            "Window",
            tuple(
                Option(f"window-{key}", title, choice.query(window=key), key == choice.window)
                for key, title in WINDOWS.items()
            ),
        ),
    )


def panel(
    spec: ModelSpec,
    choice: Choice,
    runs: Mapping[str, RunRow],
    readings: Mapping[str, Reading],
    series: Mapping[str | None, TrendSeries],
    events: Sequence[Event],
) -> Panel:
    """The panel of a chosen window that has a run. `series` begins with the line to emphasise."""
    reading, run = readings[choice.window], runs[choice.window]
    headline = headline_of(reading, choice)
    quality = reading.document.get("quality") or {}
    labels, warn = label_sentence(quality, spec.words)
    needs_labels = choice.topic.key != "demographic_parity"
    return Panel(
        run=run,
        sentence=_sentence(spec, choice, reading, readings, headline),
        status=badge(verdict_of(headline), (headline or {}).get("severity")),
        trend=trend_chart(spec, choice, series, bounds_of(headline), events),
        groups=group_table(spec, reading, choice.attribute, choice.topic),
        intersections=intersection_chart(spec, reading, choice),
        reliability=reliability_chart(spec, reading, choice.attribute) if choice.topic.key == "calibration" else None,
        windows=tuple(_window_row(window, runs, readings, headline) for window in WINDOWS if window in readings),
        windows_of=_windows_of(headline),
        coverage=_coverage(choice, quality, reading, run),
        known=_known(run),
        labels=labels,
        label_warning=warn and needs_labels,
        early=_early(spec, choice, readings),
    )


def _early(spec: ModelSpec, choice: Choice, readings: Mapping[str, Reading]) -> tuple[str, ...]:
    day = readings.get("24h")
    if day is None:
        return ()
    return early_sentences(day.document, spec.words, metrics={choice.topic.metric}, attribute=choice.attribute)


def headline_of(reading: Reading, choice: Choice) -> Result | None:
    """The result that the page speaks of first."""
    return reading.worst(choice.topic.metric, choice.attribute)


def _sentence(
    spec: ModelSpec, choice: Choice, reading: Reading, readings: Mapping[str, Reading], headline: Result | None
) -> Sentence:
    if headline is None:
        return Sentence(f"{choice.topic.title} was not measured in this window.", "")
    verdicts = {}
    for window in WINDOWS:
        same = (
            readings[window].index.get((headline["metric"], headline["attribute"], headline["group"]))
            if (window in readings)
            else None
        )
        if said := verdict_of(same):
            verdicts[window] = said
    said_first = sentence(
        headline, spec.words, window=choice.window, judged_on=judged_on(reading, headline), verdicts=verdicts
    )
    small = [
        group_name(group)
        for group in reading.unjudged(headline["metric"], headline["attribute"])
        if group != headline["group"]
    ]
    if not small:
        return said_first
    listed = ", ".join(small[:NAMED_AT_MOST]) + (
        f" and {len(small) - NAMED_AT_MOST} more" if small[NAMED_AT_MOST:] else ""
    )
    return Sentence(said_first.headline, f"{said_first.detail} Too few to judge: {listed}.".strip())


def _window_row(
    window: str, runs: Mapping[str, RunRow], readings: Mapping[str, Reading], headline: Result | None
) -> WindowRow:
    result = readings[window].result(headline["metric"], headline["attribute"], headline["group"]) if headline else None
    hidden = result is None or result.get("suppressed") or result.get("value") is None
    metric = result["metric"] if result else ""
    low, high = (None, None) if result is None or hidden else result["interval"]
    return WindowRow(
        window=window,
        run_id=runs[window].id,
        n=runs[window].n,
        value="–" if result is None or hidden else number(result["value"], metric_digits(metric)),
        interval=interval(low, high, metric_digits(metric)),
        status=_window_status(runs[window].n, result),
    )


def _window_status(n: int, result: Result | None) -> Badge:
    if n == 0:
        return Badge("stale", "no data")
    if result is None or result.get("suppressed"):
        return Badge("plain", "not shown")
    return badge(verdict_of(result), result.get("severity"))


def _windows_of(headline: Result | None) -> str:
    if headline is None:
        return ""
    who = group_phrase(headline["attribute"], headline["group"]) if headline["group"] else "all groups"
    return f"{capitalised(metric_name(headline['metric']))}, {who}"


def _coverage(choice: Choice, quality: Mapping[str, object], reading: Reading, run: RunRow) -> str:
    coverage = quality.get("coverage")
    share = coverage.get(choice.attribute) if isinstance(coverage, Mapping) else run.coverage.get(choice.attribute)
    worst = reading.worst("demographic_parity_ratio", choice.attribute)
    bounds = quality.get("parity_bounds")
    sharp = None
    if worst and isinstance(bounds, Mapping):
        sharp = (bounds.get(choice.attribute) or {}).get(worst["group"])
    return coverage_sentence(choice.attribute, share, worst or {}, sharp)


def _known(run: RunRow) -> str:
    parts = [
        f"{attribute_name(name)} known for {share * 100:.1f}\u00a0%"
        for name, share in run.coverage.items()
        if share is not None and "*" not in name
    ]
    return capitalised(f"{', '.join(parts)} of {run.n:,} decisions.") if parts else "No decision in this window."
