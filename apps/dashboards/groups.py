"""The group table: one row a group with its rates drawn on a common scale, and how it compares with the reference."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from apps.dashboards.drawings import Dot, dot, scale_of
from apps.dashboards.palette import UNKNOWN, group_index
from apps.dashboards.reading import Reading, Result, in_order, levels, reference_group
from apps.dashboards.tables import Table, table
from apps.dashboards.topics import Topic
from apps.dashboards.words import (
    DECIDERS,
    Badge,
    badge,
    group_name,
    interval,
    metric_digits,
    number,
    percent,
)
from apps.registry.sentences import error_words
from apps.registry.spec import ModelSpec

_COMPARED = {
    "demographic_parity": "ratio to",
    "equalised_odds": "widest gap to",
    "calibration": "difference from",
}
SUPPRESSED = "suppressed (too few people)"


@dataclass(frozen=True, slots=True)
class Rate:
    """A rate of one group: its text and its dot with interval; `text` is a dash where it is not estimable."""

    text: str
    dot: Dot | None
    spoken: str


@dataclass(frozen=True, slots=True)
class GroupRow:
    """One group. `note` says which other window decided, or why nothing can be said."""

    name: str
    hue: str
    n: int | None
    suppressed: bool
    rates: tuple[Rate, ...]
    value: str
    interval: str
    status: Badge
    note: str


@dataclass(frozen=True, slots=True)
class GroupTable:
    """Headings in the model's words, and the rows, reference first.

    unlisted: which groups of an intersection have no row, in words; the CSV file has them all.
    """

    rate_titles: tuple[str, ...]
    compared_title: str
    reference: str
    rows: tuple[GroupRow, ...]
    unlisted: str
    table: Table


def group_table(spec: ModelSpec, reading: Reading, attribute: str, topic: Topic) -> GroupTable:
    """All groups of an attribute (or intersection) under one topic."""
    reference = reference_group(spec, attribute)
    groups = in_order(spec, attribute, reading.groups(topic.rates[0], attribute))
    scales = {rate: _scale(reading, rate, attribute, groups) for rate in topic.rates}
    listed = [group for group in groups if _listed(reading, attribute, topic, group)]
    rows = tuple(_row(spec, reading, attribute, topic, group, reference, scales) for group in listed)
    return GroupTable(
        rate_titles=tuple(_rate_title(rate, spec) for rate in topic.rates),
        compared_title=f"{_COMPARED[topic.key]} {group_name(reference)}",
        reference=reference,
        rows=rows,
        unlisted=_unlisted(groups, listed),
        table=_csv_table(reading, attribute, topic, groups),
    )


def _listed(reading: Reading, attribute: str, topic: Topic, group: str) -> bool:
    """Every group of one attribute; of an intersection those that are known and may be shown."""
    if "*" not in attribute:
        return True
    rate = reading.result(topic.rates[0], attribute, group)
    return UNKNOWN not in group.split("*") and rate is not None and not rate.get("suppressed")


def _unlisted(groups: list[str], listed: list[str]) -> str:
    shown = set(listed)
    unknown = sum(UNKNOWN in group.split("*") for group in groups if group not in shown)
    small = len(groups) - len(listed) - unknown
    parts = [f"{small} with too few people to be shown"] * bool(small) + [
        f"{unknown} with an unknown attribute"
    ] * bool(unknown)
    return f"Groups not listed: {' and '.join(parts)}." if parts else ""


def verdict_of(result: Result | None) -> str | None:
    """The verdict that counts: None where no bound was put to a known group."""
    if result is None or result.get("suppressed") or not result.get("judged", True):
        return None
    return str(result["verdict"])


def hue_of(spec: ModelSpec, attribute: str, group: str) -> str:
    """A group's stable hue; groups of an intersection share the quiet one."""
    if "*" in attribute:
        return UNKNOWN
    reference = reference_group(spec, attribute)
    return group_index(group, levels(spec, attribute), reference)


def _row(
    spec: ModelSpec,
    reading: Reading,
    attribute: str,
    topic: Topic,
    group: str,
    reference: str,
    scales: Mapping[str, tuple[float, float]],
) -> GroupRow:
    first = reading.result(topic.rates[0], attribute, group)
    hidden = bool(first and first.get("suppressed"))
    compared = None if hidden else reading.result(topic.metric, attribute, group)
    if compared is not None and compared.get("suppressed"):
        compared = None
    digits = metric_digits(topic.metric)
    low, high = compared["interval"] if compared and compared["interval"] else (None, None)
    return GroupRow(
        name=group_name(group),
        hue=hue_of(spec, attribute, group),
        n=first["n"] if first and not hidden else None,
        suppressed=hidden,
        rates=tuple(
            _rate(reading.result(rate, attribute, group), reading.result(rate, attribute, reference), scales[rate])
            for rate in topic.rates
        ),
        value=number(compared["value"], digits) if compared else "",
        interval=interval(low, high, digits) if compared else "",
        status=_status(group, reference, hidden, compared),
        note=_note(compared, reading.document["window"]),
    )


def _status(group: str, reference: str, hidden: bool, compared: Result | None) -> Badge:
    if hidden:
        return Badge("plain", "not shown")
    if group == reference:
        return Badge("reference", "reference")
    if UNKNOWN in group.split("*") or compared is None:
        return Badge("plain", "not judged")
    return badge(verdict_of(compared), compared.get("severity"))


def _note(compared: Result | None, window: str) -> str:
    decided = compared.get("decided_by_window") if compared else None
    if compared is None or not decided or decided == window:
        return ""
    verdict = "breach" if compared.get("decided_verdict") == "breach" else "within bounds"
    return f"{verdict} in {DECIDERS[decided]}"


def _rate(result: Result | None, reference: Result | None, scale: tuple[float, float]) -> Rate:
    if result is None or result.get("value") is None:
        return Rate("–", None, "not estimable")
    low, high = result["interval"]
    other = reference["value"] if reference else None
    drawn = dot(result["value"], low, high, scale=scale, reference=other)
    text = percent(result["value"], 1)
    return Rate(text, drawn, f"{text}, between {percent(low, 1)} and {percent(high, 1)}")


def _scale(reading: Reading, metric: str, attribute: str, groups: list[str]) -> tuple[float, float]:
    ends: list[float | None] = []
    for group in groups:
        result = reading.result(metric, attribute, group)
        if result and result.get("value") is not None:
            ends += [result["value"], *result["interval"]]
    return scale_of(ends)


def _rate_title(metric: str, spec: ModelSpec) -> str:
    if metric == "ece":
        return "calibration error"
    return error_words(metric, spec.words)


def _csv_table(reading: Reading, attribute: str, topic: Topic, groups: list[str]) -> Table:
    metrics = (*topic.rates, *topic.gaps)
    rows = []
    for group in groups:
        for metric in metrics:
            result = reading.result(metric, attribute, group)
            if result is None:
                continue
            hidden = bool(result.get("suppressed"))
            low, high = result["interval"] or (None, None)
            verdict = "suppressed" if hidden else verdict_of(result)
            rows.append((group_name(group), metric, result["n"], result["value"], low, high, verdict))
    columns = ("group", "metric", "n", "value", "low", "high", "verdict")
    return table("groups", f"Groups, {topic.title.lower()}", columns, rows)
