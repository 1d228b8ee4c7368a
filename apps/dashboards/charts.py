"""The charts of a model page: a figure, what it says in words, and the table behind it."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from apps.dashboards.figures import Figure, heat_map_figure, reliability_figure, trend_figure
from apps.dashboards.groups import SUPPRESSED, hue_of, verdict_of
from apps.dashboards.history import Event
from apps.dashboards.palette import UNKNOWN
from apps.dashboards.reading import Reading, Result, in_order, levels
from apps.dashboards.series import Curve, Line, Mark, broken
from apps.dashboards.tables import Table, table
from apps.dashboards.topics import Choice
from apps.dashboards.words import (
    WINDOWS,
    attribute_name,
    group_name,
    metric_digits,
    metric_name,
    number,
)
from apps.monitoring.selectors import TrendSeries
from apps.registry.spec import ModelSpec

LINES_AT_MOST = 6
MARKS_AT_MOST = 6
GAP = timedelta(days=3)
HOURLY = timedelta(days=7)
"""How far back a trend shows every hour; before, a day is one value."""
_CELL_WORDS = {"breach": "breach", "inconclusive": "too few", "not_estimable": "not estimable", "within": "within"}


@dataclass(frozen=True, slots=True)
class Chart:
    """`key` is the element's id; `caption` says in words how to read it."""

    key: str
    title: str
    caption: str
    figure: Figure
    table: Table

    @property
    def figure_id(self) -> str:
        return f"figure-{self.key}"


def trend_groups(spec: ModelSpec, reading: Reading, choice: Choice, headline: Result | None) -> list[str | None]:
    """Which lines a trend shows, the emphasised one first; None is the aggregate over groups.

    Only groups of a single attribute have a stored history; an intersection shows its aggregate. Groups that are too
    small to be judged would be noise beside the others.
    """
    if "*" in choice.attribute or headline is None or headline["group"] is None:
        return [None]
    metric, attribute = choice.topic.metric, choice.attribute
    small = set(reading.unjudged(metric, attribute))
    measured = [group for group in reading.groups(metric, attribute) if group not in small]
    others = [
        group
        for group in in_order(spec, attribute, measured)
        if group not in (headline["group"], headline["reference"]) and UNKNOWN not in group.split("*")
    ]
    return [headline["group"], *others[: LINES_AT_MOST - 1]]


def trend_chart(
    spec: ModelSpec,
    choice: Choice,
    series: Mapping[str | None, TrendSeries],
    bounds: Sequence[float],
    events: Sequence[Event],
) -> Chart | None:
    """The trend of the topic's metric; None before the first run. The first series is the emphasised one."""
    lines, rows = [], []
    for place, (group, one) in enumerate(series.items()):
        colour = f"--group-{hue_of(spec, choice.attribute, group)}" if group else "--group-1"
        name = group_name(group)
        value, low, high = _known(one.value), _known(one.low), _known(one.high)
        line = Line(name, colour, one.as_of, value, low, high, one.verdict, emphasised=place == 0)
        lines.append(broken(line, longest=GAP))
        words = [verdict or "no bound" for verdict in one.verdict]
        rows += list(zip(one.as_of, [name] * len(value), value, low, high, words, one.run_id, strict=True))
    moments = [at for line in lines for at in line.as_of]
    if not moments:
        return None
    rows.sort(key=lambda row: row[0], reverse=True)
    metric = choice.topic.metric
    title = f"{metric_name(metric).capitalize()}, {WINDOWS[choice.window]} window"
    return Chart(
        key="trend",
        title=title,
        caption=_trend_caption(lines[0], bounds, metric),
        figure=trend_figure(
            lines,
            bounds=bounds,
            marks=_marks(events, min(moments), max(moments)),
            title=metric_name(metric),
            digits=metric_digits(metric),
        ),
        table=table("trend", title, ("as of", "group", "value", "low", "high", "verdict", "run"), rows),
    )


def reliability_chart(spec: ModelSpec, reading: Reading, attribute: str) -> Chart | None:
    """Reliability curves of the groups of one attribute; None where no score meets an outcome."""
    stored = reading.document.get("reliability", {}).get(attribute, {})
    curves, rows = [], []
    for group in in_order(spec, attribute, list(stored)):
        shown = [point for point in stored[group] if point["n"]]
        if not shown or group == UNKNOWN:
            continue
        curve = Curve(
            name=group_name(group),
            colour=f"--group-{hue_of(spec, attribute, group)}",
            score=[point["mean_score"] for point in shown],
            rate=[point["observed_rate"] for point in shown],
            low=[point["interval"][0] for point in shown],
            high=[point["interval"][1] for point in shown],
            n=[point["n"] for point in shown],
        )
        curves.append(curve)
        names, bins = [curve.name] * len(shown), [point["bin"] for point in shown]
        rows += list(zip(names, bins, curve.n, curve.score, curve.rate, curve.low, curve.high, strict=True))
    if not curves:
        return None
    outcome = spec.words.outcome[1]
    title = f"Reliability by {attribute_name(attribute)}"
    return Chart(
        key="reliability",
        title=title,
        caption=f"A score of 0.7 should mean that 70 of 100 end as “{outcome}”. Above the dotted line the score "
        "promises too little, below it too much. Score bins with too few decisions are left out.",
        figure=reliability_figure(curves, outcome=outcome),
        table=table("reliability", title, ("group", "bin", "n", "mean score", "observed rate", "low", "high"), rows),
    )


def intersection_chart(spec: ModelSpec, reading: Reading, choice: Choice) -> Chart | None:
    """Heat map of an intersection: the last attribute across, the others down; None for a single attribute."""
    names = choice.attribute.split("*")
    if len(names) < 2:
        return None
    metric, digits = choice.topic.metric, metric_digits(choice.topic.metric)
    across = [level for level in levels(spec, names[-1]) if level != UNKNOWN]
    measured = set(reading.groups(choice.topic.rates[0], choice.attribute))
    down = _heads(spec, names, measured)
    values: list[list[float | None]] = []
    texts: list[list[str]] = []
    rows: list[tuple[str, int | None, float | None, str]] = []
    for head in down:
        values.append([])
        texts.append([])
        for level in across:
            group = f"{head}*{level}"
            result = reading.result(metric, choice.attribute, group)
            rate = reading.result(choice.topic.rates[0], choice.attribute, group)
            value, text = _cell(result, rate, digits)
            values[-1].append(value)
            texts[-1].append(text)
            rows.append((group_name(group), rate["n"] if rate else 0, value, text))
    title = f"{metric_name(metric).capitalize()} by {attribute_name(choice.attribute)}"
    return Chart(
        key="intersections",
        title=title,
        caption="Each cell is a group against the reference. The deeper the colour, the further from parity: orange "
        + ("is favoured less, blue more." if choice.topic.parity == 1.0 else "is below, blue above."),
        figure=heat_map_figure(
            [group_name(head) for head in down],
            across,
            values,
            texts,
            parity=choice.topic.parity,
            axes=(attribute_name("*".join(names[:-1])), attribute_name(names[-1])),
        ),
        table=table("intersections", title, ("group", "decisions", metric_name(metric), "verdict"), rows),
    )


def bounds_of(result: Result | None) -> list[float]:
    """The ends of a result's bound, those that exist."""
    bound = (result or {}).get("bound") or {}
    return [end for end in (bound.get("lower"), bound.get("upper")) if end is not None]


def _heads(spec: ModelSpec, names: Sequence[str], groups: Iterable[str]) -> list[str]:
    """The groups without their last attribute, each once, in declared order; none with an unknown attribute."""
    known = [group.split("*") for group in groups if UNKNOWN not in group.split("*")]
    places = [{level: place for place, level in enumerate(levels(spec, name))} for name in names]
    heads = {tuple(parts[:-1]) for parts in known}
    ordered = sorted(heads, key=lambda head: [place.get(part, 99) for place, part in zip(places, head, strict=False)])
    return ["*".join(head) for head in ordered]


def _cell(result: Result | None, rate: Result | None, digits: int) -> tuple[float | None, str]:
    if rate is None or rate.get("n") == 0:
        return None, "nobody"
    if rate.get("suppressed") or (result and result.get("suppressed")):
        return None, SUPPRESSED
    if result is None:
        return None, "reference"
    if result.get("value") is None:
        return None, "not estimable"
    verdict = verdict_of(result)
    words = f"{number(result['value'], digits)}"
    return result["value"], f"{words}<br>{_CELL_WORDS[verdict]}" if verdict in _CELL_WORDS else words


def _known(values: Iterable[float]) -> list[float | None]:
    return [None if math.isnan(value) else float(value) for value in values]


def _marks(events: Sequence[Event], first: datetime, last: datetime) -> list[Mark]:
    """The newest named events within the chart's time, oldest first."""
    named = sorted((event for event in events if event.mark and first <= event.at <= last), key=lambda event: event.at)
    return [Mark(event.at, event.mark) for event in named[-MARKS_AT_MOST:]]


def _trend_caption(line: Line, bounds: Sequence[float], metric: str) -> str:
    digits = metric_digits(metric)
    limits = " and ".join(number(bound, digits) for bound in bounds)
    said = f"Line: {line.name} with its interval as a ribbon."
    if bounds:
        said += f" Dashed: the bound{'s' if len(bounds) > 1 else ''} {limits}."
    said += " Filled circles are breaches, open diamonds are moments with too few decisions to judge."
    if line.as_of and line.as_of[-1] - line.as_of[0] > HOURLY:
        said += " Before the last week the last value of each day is drawn; the file has all."
    return said
