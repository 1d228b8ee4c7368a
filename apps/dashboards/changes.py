"""Change points as entries of the time line: since when a disparity moves, how far, and why."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from apps.common.wording import group_phrase
from apps.dashboards.history import CHANGE, Event
from apps.dashboards.topics import Choice, topic_of
from apps.dashboards.words import attribute_name, metric_digits, metric_name, number, percent
from apps.registry.spec import ModelSpec
from biasgov.fairness.disparity_changes import REVERSAL

Change = Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class _Motion:
    """A direction as verb, noun and short name on the chart."""

    verb: str
    noun: str
    mark: str


_FALL, _RISE = _Motion("fall", "fall", "ratio falls"), _Motion("rise", "rise", "ratio rises")
_WIDEN, _NARROW = _Motion("widen", "widening", "gap widens"), _Motion("narrow", "narrowing", "gap narrows")
_TURN = _Motion("turn round", "turn", "gap turns round")

_BOTH_SIDES = 1 / 3
"""Of the wider gap, what the other one must have on the other side of zero to be spoken of as a turn."""
_MOST_DIGITS = 5

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
    metric = change["metric"]
    who = group_phrase(change["attribute"], change["group"])
    before, after = _apart(change)
    said = (
        f"The {_METRICS.get(metric, metric_name(metric))} of {who} began to {_motion(change).verb},"
        f" from {before} to {after}."
    )
    return " ".join(part for part in (said, _when(change), _why(spec, change)) if part)


def _apart(change: Change) -> tuple[str, str]:
    """Both numbers, with as many digits as it takes to tell them apart."""
    for digits in range(metric_digits(change["metric"]), _MOST_DIGITS + 1):
        before, after = number(change["before"], digits), number(change["after"], digits)
        if before != after:
            break
    return before, after


def _when(change: Change) -> str:
    """The hour, as closely as it is known; runs of before do not say."""
    if "at_range" not in change:
        return ""
    earliest, latest = (_hour(moment) for moment in change["at_range"])
    if earliest == latest:
        return f"It began at {_hour(change['at'])} UTC."
    return f"It began between {earliest} and {latest} UTC, most likely at {_hour(change['at'])}."


def _hour(moment: str) -> str:
    utc = datetime.fromisoformat(moment).astimezone(UTC)
    return f"{utc.day} {utc:%b %H:%M}"


def _why(spec: ModelSpec, change: Change) -> str:
    total = change["after"] - change["before"]
    if change["segment"] is None or not total:
        return ""
    noun, mix = _motion(change).noun, f"the mix by {attribute_name(change['segment'])}"
    by = mix
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
    if rate - 1 >= REVERSAL:
        return (
            f"All of the {noun} is a change of rates: with {mix} as before it would have been"
            f" {percent(rate - 1, 0)} larger."
        )
    if rate >= 1:
        return f"All of the {noun} is a change of rates, none of {by}."
    return f"{percent(rate, 0)} of the {noun} is a change of rates, {percent(1 - rate, 0)} of {by}."


def _motion(change: Change) -> _Motion:
    before, after = change["before"], change["after"]
    if change["metric"].endswith("_ratio"):
        return _RISE if after > before else _FALL
    if before * after < 0 and min(abs(before), abs(after)) >= _BOTH_SIDES * max(abs(before), abs(after)):
        return _TURN
    return _WIDEN if abs(after) > abs(before) else _NARROW
