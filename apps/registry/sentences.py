"""The plain sentence about one result, in the model's own words: what pages, messages and findings say.

A result is one entry of a run document (shape: docs, `results`). Rates are of the favourable decision, the positive
outcome is the favourable one: a false negative is "positive outcome, yet unfavourable decision", which for a
recidivism model reads "did not re-offend, yet rated high risk".
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from apps.common.wording import (
    GAPS,
    attribute_name,
    capitalised,
    group_phrase,
    metric_digits,
    metric_name,
    number,
    percent,
    points,
)
from apps.registry.spec import Words

Result = Mapping[str, Any]

RETRAINING_REVIEW = "That asks for a retraining review."
_MULTIPLE = 2
"""From where on a ratio reads better as a multiple than in per cent."""


def error_words(metric: str, words: Words) -> str:
    """The event that a rate or gap counts: `did not re-offend, yet rated high risk`."""
    unfavourable, favourable = words.decision
    negative, positive = words.outcome
    known = {
        "fnr": f"{positive}, yet {unfavourable}",
        "fpr": f"{negative}, yet {favourable}",
        "tpr": f"{positive} and {favourable}",
        "ppv": f"{favourable} and {positive}",
    }
    known |= {
        "fnr_gap": known["fnr"],
        "fnr_ratio": known["fnr"],
        "fpr_gap": known["fpr"],
        "equal_opportunity_difference": known["tpr"],
        "predictive_parity_difference": known["ppv"],
        "selection_rate": favourable,
        "base_rate": positive,
    }
    return known.get(metric, metric_name(metric))


def headline(result: Result, words: Words) -> str:
    """One sentence for one result; says so where nothing can be said."""
    metric, attribute = result["metric"], result["attribute"]
    if result.get("suppressed"):
        who = capitalised(group_phrase(attribute, result["group"])) if result.get("group") else "The groups"
        return f"{who} are not shown: they, or a group beside them, are fewer than 10 people."
    if result.get("value") is None:
        why = GAPS.get(result.get("gap") or "", "there is nothing to measure it on")
        return f"{capitalised(metric_name(metric))}{_by(attribute)} cannot be estimated: {why}."
    said = _compared(result, words) if result.get("group") and result.get("reference") else _aggregate(result)
    if result.get("verdict") == "inconclusive":
        return f"{said} This is too little evidence to judge."
    return f"{said} {RETRAINING_REVIEW}" if (metric, result.get("verdict")) == ("association", "breach") else said


def _compared(result: Result, words: Words) -> str:
    metric, value = result["metric"], result["value"]
    who = group_phrase(result["attribute"], result["group"])
    other = group_phrase(result["attribute"], result["reference"])
    if metric == "demographic_parity_ratio":
        if percent(abs(1 - value)).startswith("0"):
            return f"{capitalised(who)} are {words.decision[1]} as often as {other}."
        return f"{capitalised(who)} are {words.decision[1]} {_times(value, other)}."
    if metric == "demographic_parity_difference":
        return f"{capitalised(who)} are {words.decision[1]} {points(value)} {_side(value)} often than {other}."
    if metric in ("fnr_gap", "fpr_gap", "equal_opportunity_difference", "predictive_parity_difference"):
        said = capitalised(error_words(metric, words))
        return f"“{said}” happens to {who} {points(value)} {_side(value)} often than to {other}."
    if metric == "equalized_odds_difference":
        return _odds(result, words, who, other)
    if metric == "fnr_ratio":
        said = capitalised(error_words(metric, words))
        return f"“{said}” happens to {who} {_times(value, f'to {other}')}."
    if metric == "calibration_difference":
        direction = "further apart" if value > 0 else "closer together"
        return f"Scores and observed “{words.outcome[1]}” lie {points(value)} {direction} for {who} than for {other}."
    return f"{capitalised(metric_name(metric))} of {who} is {number(value, metric_digits(metric))}."


def _odds(result: Result, words: Words, who: str, other: str) -> str:
    """The wider of the two gaps, told as the error that it is."""
    details = result.get("details") or {}
    missed, passed = -(details.get("tpr_gap") or 0.0), details.get("fpr_gap") or 0.0
    metric, gap = ("fnr_gap", missed) if abs(missed) >= abs(passed) else ("fpr_gap", passed)
    if not gap:
        return f"Error rates of {who} and {other} lie {points(result['value'])} apart."
    said = capitalised(error_words(metric, words))
    return f"“{said}” happens to {who} {points(gap)} {_side(gap)} often than to {other}."


def _aggregate(result: Result) -> str:
    metric, value = result["metric"], result["value"]
    by = attribute_name(result["attribute"])
    if metric == "demographic_parity_ratio":
        return f"By {by}, the least favoured group has {number(value)} times the rate of the most favoured one."
    if metric == "equalized_odds_difference":
        return f"Error rates by {by} lie up to {points(value)} apart."
    if metric == "calibration_difference":
        return f"Calibration errors by {by} lie up to {points(value)} apart."
    if metric == "association":
        return f"Decisions go with {by}: the association, Cramér's V, is {number(value)}."
    if result.get("group"):
        who = group_phrase(result["attribute"], result["group"])
        return f"{capitalised(metric_name(metric))} of {who} is {number(value, metric_digits(metric))}."
    return f"{capitalised(metric_name(metric))}{_by(result['attribute'])} is {number(value, metric_digits(metric))}."


def _by(attribute: str) -> str:
    """` by sex`; nothing where everybody is measured at once."""
    return f" by {attribute_name(attribute)}" if attribute else ""


def _times(ratio: float, other: str) -> str:
    if ratio > _MULTIPLE:
        return f"{number(ratio, 1)} times as often as {other}"
    return f"{percent(abs(1 - ratio))} {'less' if ratio < 1 else 'more'} often than {other}"


def _side(value: float) -> str:
    return "more" if value > 0 else "less"
