"""How the product speaks of metrics, numbers and groups of people, on pages and in messages alike."""

from __future__ import annotations

import math
import re
from collections.abc import Mapping, Sequence
from typing import Any

NBSP = "\u00a0"
_DIFFER = {
    "demographic_parity_ratio": "decisions",
    "demographic_parity_difference": "decisions",
    "association": "decisions",
    "differential_fairness": "decisions",
    "individual_fairness_distance": "decisions about similar people",
    "equalized_odds_difference": "error rates",
    "equal_opportunity_difference": "true positive rates",
    "fpr_gap": "false positive rates",
    "fnr_gap": "false negative rates",
    "fnr_ratio": "false negative rates",
    "predictive_parity_difference": "predictive values",
    "calibration_difference": "calibration errors",
}
"""What is unequal where a metric that compares groups is out of bounds."""

METRICS: Mapping[str, str] = {
    "demographic_parity_ratio": "demographic parity ratio",
    "demographic_parity_difference": "demographic parity difference",
    "equalized_odds_difference": "equalised odds difference",
    "equal_opportunity_difference": "equal opportunity difference",
    "fpr_gap": "false positive rate gap",
    "fnr_gap": "false negative rate gap",
    "fnr_ratio": "false negative rate ratio",
    "predictive_parity_difference": "predictive parity difference",
    "calibration_difference": "calibration difference",
    "association": "decision and attribute association",
    "individual_fairness_distance": "individual fairness distance",
    "differential_fairness": "differential fairness",
    "representation_psi": "representation shift",
    "score_psi": "score shift",
    "selection_rate": "selection rate",
    "tpr": "true positive rate",
    "fpr": "false positive rate",
    "fnr": "false negative rate",
    "ppv": "positive predictive value",
    "base_rate": "base rate",
    "accuracy": "accuracy",
    "brier": "Brier score",
    "ece": "calibration error",
}

GAPS: Mapping[str, str] = {
    "group_too_small": "the group is too small",
    "no_events": "there were no decisions",
    "no_labels": "no outcomes are known yet",
    "no_scores": "no scores were sent",
    "empty_denominator": "nobody had the outcome that the rate is about",
    "reference_not_estimable": "the reference group cannot be measured",
    "reference_rate_zero": "the reference group's rate is zero",
    "fewer_than_two_groups": "fewer than two groups can be measured",
    "one_decision_only": "every decision was the same",
    "no_baseline": "nothing was declared to compare it with",
    "no_features": "no features were declared or sent",
    "constant_features": "every feature is the same for everybody",
}

_NOUNS = {
    "female": "women",
    "f": "women",
    "woman": "women",
    "women": "women",
    "male": "men",
    "m": "men",
    "man": "men",
    "men": "men",
    "nonbinary": "non-binary people",
    "non-binary": "non-binary people",
    "non_binary": "non-binary people",
}
_GENDER = {"sex", "gender"}
_ORIGIN = {"race", "ethnicity", "ethnic"}
_PLACE = {"region", "country", "location", "continent", "state", "territory", "site"}
_COMPARISON = re.compile(r"^(Less|Greater|Under|Over|Below|Above|More|Older|Younger)\b")


def metric_name(metric: str) -> str:
    return METRICS.get(metric, metric.replace("_", " "))


def attribute_name(attribute: str) -> str:
    """`sex*age_band` -> `sex × age band`; no attribute is everybody."""
    if not attribute:
        return "everybody"
    return " × ".join(part.replace("_", " ") for part in attribute.split("*"))


def breach_phrase(metric: str, attributes: Sequence[str]) -> str:
    """What a breach is about in a few words: `false negative rates differ by region and sex`."""
    by = _listed([each.replace("_", " ") for each in attributes])
    if metric in _DIFFER and by:
        return f"{_DIFFER[metric]} differ by {by}"
    return f"the {metric_name(metric)} is out of bounds{f' by {by}' if by else ''}"


def shortened(text: str, longest: int) -> str:
    """The text, or as many whole words of it as leave room for an ellipsis. `longest` is in characters."""
    if len(text) <= longest:
        return text
    kept = text[: longest - 1]
    whole = kept if text[longest - 1].isspace() else kept.rpartition(" ")[0]
    return f"{(whole or kept).rstrip(' ,;:.')}…"


def _listed(names: Sequence[str]) -> str:
    shown = [*names[:2], f"{len(names) - 2} more"] if len(names) > 3 else list(names)
    return f"{', '.join(shown[:-1])} and {shown[-1]}" if len(shown) > 1 else "".join(shown)


def group_phrase(attribute: str, group: str) -> str:
    """A plural noun phrase for a level, or for levels joined by `*` (of attributes joined by `*`)."""
    noun = "people"
    before: list[str] = []
    after: list[str] = []
    for name, level in zip(attribute.split("*"), group.split("*"), strict=True):
        words = name.lower().split("_")
        if level == "unknown":
            after.append(f"of unknown {name.replace('_', ' ')}")
        elif words[-1] in _GENDER and level.lower() in _NOUNS:
            noun = _NOUNS[level.lower()]
        elif _ORIGIN & set(words):
            before.append(level if level.lower() != "other" else "other")
            after += [f"(by {name.replace('_', ' ')})"] if level.lower() == "other" else []
        elif "age" in words:
            after.append(f"aged {_COMPARISON.sub(lambda found: found.group().lower(), level)}")
        elif words[-1] in _PLACE:
            after.append(f"from {level}")
        else:
            after.append(f"with {name.replace('_', ' ')} {level}")
    return " ".join([*before, noun, *after])


def capitalised(text: str) -> str:
    return text[:1].upper() + text[1:]


def percent(share: float | None, digits: int | None = None) -> str:
    """0.294 -> `29 %`; below ten per cent one decimal, unless `digits` says otherwise. None is a dash."""
    if share is None or not math.isfinite(share):
        return "–"
    if digits is None:
        digits = 0 if abs(share) >= 0.0995 or share == 0 else 1
    return f"{share * 100:.{digits}f}{NBSP}%"


def points(difference: float) -> str:
    """0.214 -> `21.4 percentage points` (of the absolute difference)."""
    return f"{abs(difference) * 100:.1f} percentage points"


def number(value: float | None, digits: int = 2) -> str:
    """A plain number with a true minus sign; None is a dash, an unbounded end is the sign for infinity."""
    if value is None:
        return "–"
    if math.isinf(value):
        return "∞" if value > 0 else "−∞"
    return f"{value:.{digits}f}".replace("-", "−")


def count(value: int | None) -> str:
    return "–" if value is None else f"{value:,}"


def metric_digits(metric: str) -> int:
    """Ratios read well with two decimals, differences need three."""
    return 2 if metric.endswith("_ratio") else 3


def bound_text(metric: str, bound: Mapping[str, Any] | None) -> str:
    """`0.80 to 1.25`, `at most 0.050`, `at least 0.80`, or `none`."""
    digits = metric_digits(metric)
    lower = bound.get("lower") if bound else None
    upper = bound.get("upper") if bound else None
    if lower is None and upper is None:
        return "none"
    if lower is None:
        return f"at most {number(upper, digits)}"
    if upper is None:
        return f"at least {number(lower, digits)}"
    return f"{number(lower, digits)} to {number(upper, digits)}"
