"""The vocabulary of the pages: verdicts and windows here, metrics and numbers in `apps.common.wording`."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass

from apps.common.wording import (
    METRICS,
    NBSP,
    attribute_name,
    bound_text,
    count,
    metric_digits,
    metric_name,
    number,
    percent,
    points,
)

__all__ = [
    "DECIDERS",
    "EARLY_PERIODS",
    "METRICS",
    "NBSP",
    "SEVERITY_ORDER",
    "WINDOWS",
    "WINDOW_PERIODS",
    "Badge",
    "attribute_name",
    "badge",
    "bound_text",
    "count",
    "duration",
    "group_name",
    "interval",
    "metric_digits",
    "metric_name",
    "number",
    "percent",
    "points",
]

WINDOWS: Mapping[str, str] = {"24h": f"24{NBSP}h", "7d": "7 days", "30d": "30 days"}
WINDOW_PERIODS: Mapping[str, str] = {"24h": "last 24 hours", "7d": "last 7 days", "30d": "last 30 days"}

EARLY_PERIODS: Mapping[str, str] = {"3h": "last 3 hours", "6h": "last 6 hours", "12h": "last 12 hours"}

DECIDERS: Mapping[str, str] = {**WINDOWS, "30d family": "30 days of its model family"}

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


def group_name(group: str | None) -> str:
    """`Female*Black` -> `Female × Black`; an aggregate is `all groups`."""
    return "all groups" if not group else " × ".join(group.split("*"))


def interval(low: float | None, high: float | None, digits: int = 2) -> str:
    """`0.69–0.73`; an end that is missing is unbounded, both missing is nothing to show."""
    if low is None and high is None:
        return ""
    left = number(-math.inf if low is None else low, digits)
    right = number(math.inf if high is None else high, digits)
    return f"{left} to {right}" if "−" in left + right else f"{left}–{right}"


def duration(seconds: float) -> str:
    """`41 s`, `3 min`, `5 h`, `2 d`: an age at a glance, rounded down."""
    for size, unit in ((86_400, "d"), (3_600, "h"), (60, "min")):
        if seconds >= size:
            return f"{int(seconds // size)}{NBSP}{unit}"
    return f"{max(0, int(seconds))}{NBSP}s"
