"""What stands beside the plain sentence of a result: what it rests on, and how good the data is."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from apps.common.wording import (
    bound_text,
    capitalised,
    count,
    group_phrase,
    metric_digits,
    number,
    percent,
)
from apps.dashboards.words import DECIDERS, NBSP, WINDOW_PERIODS, WINDOWS, interval
from apps.registry.sentences import Result, headline
from apps.registry.spec import Words

_SHORT_VERDICTS = {
    "within": "within bounds",
    "breach": "breach",
    "inconclusive": "too few",
    "not_estimable": "not estimable",
}


@dataclass(frozen=True, slots=True)
class Sentence:
    """What is the case, and what it rests on."""

    headline: str
    detail: str


def sentence(
    result: Result, words: Words, *, window: str, judged_on: int, verdicts: Mapping[str, str] | None = None
) -> Sentence:
    """Headline and what it rests on.

    judged_on: decisions of the group and of its reference. verdicts: of the same result by window, to say whether
    the windows agree.
    """
    if result.get("value") is None:
        return Sentence(headline(result, words), "")
    parts = [f"{_between(result)}judged on {count(judged_on)} decisions of the {WINDOW_PERIODS[window]}."]
    parts[0] = capitalised(parts[0])
    if limit := _limit(result):
        parts.append(limit)
    decided = result.get("decided_by_window")
    if decided and decided != window and decided in WINDOWS:
        parts.append(f"Decided by the {WINDOWS[decided]} window.")
    elif decided and decided in DECIDERS and decided not in WINDOWS:
        verdict = _SHORT_VERDICTS[str(result["decided_verdict"])]
        parts.append(f"With the {DECIDERS[decided]}: {verdict}.")
    if verdicts and len(verdicts) == len(WINDOWS):
        parts.append(_agreement(verdicts))
    return Sentence(headline(result, words), " ".join(parts))


def coverage_sentence(attribute: str, share: float | None, result: Result, sharp: Mapping[str, Any] | None) -> str:
    """How many decisions have a known attribute, and what the unknown ones could change at most.

    sharp: `low` and `high` of the demographic parity ratio of `result`'s group, were the unknown known.
    """
    if share is None:
        return "There was no decision in this window."
    parts = [part.replace("_", " ") for part in attribute.split("*")]
    name = parts[0] if len(parts) == 1 else f"{', '.join(parts[:-1])} and {parts[-1]}"
    known = ("is", "are both", "are all")[min(len(parts), 3) - 1]
    text = f"{capitalised(name)} {known} known for {percent(share, 1)} of the decisions."
    low, high = (sharp or {}).get("low"), (sharp or {}).get("high")
    if share >= 1 or low is None or not result.get("group"):
        return text
    who = group_phrase(result["attribute"], result["group"])
    reach = f"between {number(low)} and {number(high)}" if high is not None else f"at {number(low)} or above"
    text += f" Whoever the unknown are, the ratio for {who} lies {reach}"
    return text + (": the verdict would not change." if _settled(result, low, high) else ".")


def _settled(result: Result, low: float, high: float | None) -> bool:
    bound = result.get("bound") or {}
    lower, upper = bound.get("lower"), bound.get("upper")
    if result.get("verdict") == "breach":
        return (lower is not None and high is not None and high < lower) or (upper is not None and low > upper)
    if result.get("verdict") == "within" and (lower is not None or upper is not None):
        return (lower is None or low >= lower) and (upper is None or (high is not None and high <= upper))
    return False


def label_sentence(quality: Mapping[str, Any], words: Words) -> tuple[str, bool]:
    """How many outcomes are known, and whether they are known for one decision only: (text, warn).

    quality: the `quality` part of a run document.
    """
    share = quality.get("label_coverage")
    if not share:
        return "No outcome of this window is known yet: metrics that compare with outcomes cannot be estimated.", True
    text = f"The outcome is known for {percent(share, 1)} of the decisions."
    decided = quality.get("label_coverage_by_decision") or {}
    unfavourable, favourable = decided.get("unfavourable"), decided.get("favourable")
    if not quality.get("selective_labels") or unfavourable is None or favourable is None:
        return text, False
    return (
        f"{text} It is known for {percent(favourable)} of those {words.decision[1]}, but for {percent(unfavourable)} "
        f"of those {words.decision[0]}: metrics that compare with outcomes describe mostly one kind of decision.",
        True,
    )


def _between(result: Result) -> str:
    low, high = result["interval"]
    if low is None and high is None:
        return ""
    metric = result["metric"]
    if metric.endswith("_ratio") and result.get("group"):
        if high is None or math.isinf(high):
            return f"at least {number(low)} times as often, with no upper limit, "
        if low is not None and high <= 1:
            return f"between {percent(1 - high)} and {percent(1 - low)}, "
        if low is not None and low >= 1:
            return f"between {percent(low - 1)} and {percent(high - 1)}, "
        return f"between {percent(1 - (low or 0))} less and {percent(high - 1)} more often, "
    if _in_points(metric) and low is not None and high is not None:
        if low >= 0 or high <= 0:
            small, large = sorted((abs(low), abs(high)))
            return f"between {small * 100:.1f} and {large * 100:.1f} points, "
        return f"between {abs(low) * 100:.1f} points less and {high * 100:.1f} points more, "
    return f"{interval(low, high, metric_digits(metric))}, "


def _in_points(metric: str) -> bool:
    return metric.endswith("_gap") or (metric.endswith("_difference") and metric != "individual_fairness_distance")


def _limit(result: Result) -> str:
    bound = result.get("bound") or {}
    lower, upper = bound.get("lower"), bound.get("upper")
    metric, value = result["metric"], result["value"]
    if lower is None and upper is None:
        return "No bound is set for it."
    if metric.endswith("_ratio") and result.get("group"):
        if value <= 1 and lower is not None:
            return f"The bound is {percent(1 - lower)}."
        if value > 1 and upper is not None:
            return f"The bound is {percent(upper - 1)}."
    if _in_points(metric):
        limit = upper if value >= 0 or lower is None else lower
        return f"The bound is {abs(limit) * 100:g} points." if limit is not None else ""
    return f"The bound is {bound_text(metric, bound)}."


def _agreement(verdicts: Mapping[str, str]) -> str:
    if len(set(verdicts.values())) == 1:
        return "All three windows agree."
    said = {"within": "within bounds", "breach": "breach", "inconclusive": "too few", "not_estimable": "not estimable"}
    listed = [
        f"{WINDOWS[window].replace(' ', NBSP)} {said.get(verdict, 'no bound')}" for window, verdict in verdicts.items()
    ]
    return f"By window: {', '.join(listed)}."
