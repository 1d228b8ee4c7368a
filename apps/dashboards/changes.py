"""Change points as entries of the time line: since when a disparity moves, how far, and why."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from apps.common.wording import group_phrase
from apps.dashboards.history import CHANGE, Event
from apps.dashboards.topics import Choice, topic_of
from apps.dashboards.words import attribute_name, metric_digits, metric_name, number, percent
from apps.registry.spec import ModelSpec

Change = Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class _Motion:
    """A direction as verb, noun and short name on the chart."""

    verb: str
    noun: str
    mark: str


_FALL, _RISE = _Motion("fall", "fall", "ratio falls"), _Motion("rise", "rise", "ratio rises")
_WIDEN, _NARROW = _Motion("widen", "widening", "gap widens"), _Motion("narrow", "narrowing", "gap narrows")

_METRICS = {"equal_opportunity_difference": "true positive rate gap"}


def change_events(spec: ModelSpec, choice: Choice, changes: Iterable[Change]) -> list[Event]:
    """The changes of the chosen attribute and topic, the widest of a day first; that one is marked on the chart."""
    chosen = [
        change
        for change in changes
        if change["attribute"] == choice.attribute and topic_of(change["metric"]) == choice.topic
    ]
    chosen.sort(key=lambda change: -abs(change["after"] - change["before"]))
    events, marked = [], set()
    for change in chosen:
        mark = "" if change["at"] in marked else _motion(change).mark
        marked.add(change["at"])
        events.append(Event(datetime.fromisoformat(change["at"]), CHANGE, change_sentence(spec, change), mark))
    return events


def change_sentence(spec: ModelSpec, change: Change) -> str:
    """What moved, from where to where, and what of it comes from other rates and from another mix of people."""
    metric, digits = change["metric"], metric_digits(change["metric"])
    who = group_phrase(change["attribute"], change["group"])
    said = (
        f"The {_METRICS.get(metric, metric_name(metric))} of {who} began to {_motion(change).verb},"
        f" from {number(change['before'], digits)} to {number(change['after'], digits)}."
    )
    return " ".join(part for part in (said, _when(change), _why(spec, change)) if part)


def _when(change: Change) -> str:
    """How closely the moment is known; runs of before do not say."""
    if "at_range" not in change:
        return ""
    earliest, latest = map(datetime.fromisoformat, change["at_range"])
    hours = round((latest - earliest).total_seconds() / 3600)
    return "The hour is known." if not hours else f"The hour is known to within {hours} hour{'s' * (hours != 1)}."


def _why(spec: ModelSpec, change: Change) -> str:
    total = change["after"] - change["before"]
    if change["segment"] is None or not total:
        return ""
    noun, by = _motion(change).noun, f"the mix by {attribute_name(change['segment'])}"
    if not change["segment_declared"] and len(spec.attributes) > 2:
        by += " (the attribute that explains most)"
    rate = round(change["rate"] / total, 2)
    if change["reverses"]:
        return (
            f"Simpson's paradox: at the same {attribute_name(change['segment'])} it moved the other way;"
            f" the {noun} comes from a change of {by}."
        )
    if rate <= 0:
        return f"All of the {noun} is a change of {by}."
    if rate >= 1:
        return f"All of the {noun} is a change of rates, none of {by}."
    return f"{percent(rate, 0)} of the {noun} is a change of rates, {percent(1 - rate, 0)} of {by}."


def _motion(change: Change) -> _Motion:
    before, after = change["before"], change["after"]
    if change["metric"].endswith("_ratio"):
        return _RISE if after > before else _FALL
    return _WIDEN if abs(after) > abs(before) else _NARROW
