"""The vocabulary of the pages: one place where verdicts, windows, metrics and numbers get their words."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

NBSP = "\u00a0"

WINDOWS: Mapping[str, str] = {"24h": f"24{NBSP}h", "7d": "7 days", "30d": "30 days"}
WINDOW_PERIODS: Mapping[str, str] = {"24h": "last 24 hours", "7d": "last 7 days", "30d": "last 30 days"}

EARLY_PERIODS: Mapping[str, str] = {"3h": "last 3 hours", "6h": "last 6 hours", "12h": "last 12 hours"}

DECIDERS: Mapping[str, str] = {**WINDOWS, "30d family": "30 days of its model family"}

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

SEVERITY_ORDER = {"critical": 0, "high": 1, "medium": 2, "low": 3}
"""The severest first; what has none comes after 3."""


@dataclass(frozen=True, slots=True)
class Badge:
    """A status in words; `kind` is the verdict (or `stale`, `reference`, `plain`) that colours it."""

    kind: str
    text: str


def badge(verdict: str | None, severity: str | None = None, *, window: str | None = None) -> Badge:
    """The words of a verdict: never only a colour. No verdict means that no bound is set."""
    if verdict == "breach":
        return Badge("breach", f"breach, {severity}" if severity else "breach")
    if verdict == "within":
        return Badge("within", "within bounds")
    if verdict == "inconclusive":
        where = f"too few in {WINDOWS[window]}" if window and window in WINDOWS else "too few to judge"
        return Badge("inconclusive", where)
    if verdict == "not_estimable":
        return Badge("not_estimable", "not estimable")
    return Badge("plain", "no bound set")


def metric_name(metric: str) -> str:
    return METRICS.get(metric, metric.replace("_", " "))


def attribute_name(attribute: str) -> str:
    """`sex*age_band` -> `sex × age band`; no attribute is everybody."""
    if not attribute:
        return "everybody"
    return " × ".join(part.replace("_", " ") for part in attribute.split("*"))


def group_name(group: str | None) -> str:
    """`Female*Black` -> `Female × Black`; an aggregate is `all groups`."""
    return "all groups" if not group else " × ".join(group.split("*"))


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


def interval(low: float | None, high: float | None, digits: int = 2) -> str:
    """`0.69–0.73`; an end that is missing is unbounded, both missing is nothing to show."""
    if low is None and high is None:
        return ""
    left = number(-math.inf if low is None else low, digits)
    right = number(math.inf if high is None else high, digits)
    return f"{left} to {right}" if "−" in left + right else f"{left}–{right}"


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


def duration(seconds: float) -> str:
    """`41 s`, `3 min`, `5 h`, `2 d`: an age at a glance, rounded down."""
    for size, unit in ((86_400, "d"), (3_600, "h"), (60, "min")):
        if seconds >= size:
            return f"{int(seconds // size)}{NBSP}{unit}"
    return f"{max(0, int(seconds))}{NBSP}s"
