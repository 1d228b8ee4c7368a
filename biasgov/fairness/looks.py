"""Many looks of a monitor at once: window counts, rates and estimates as whole arrays of looks."""

from __future__ import annotations

from collections.abc import Mapping
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from biasgov.fairness.policy import Bound

Float64 = npt.NDArray[np.float64]
Int64 = npt.NDArray[np.int64]
Bools = npt.NDArray[np.bool_]

WINDOWS: Mapping[str, int] = {"24h": 24, "7d": 168, "30d": 720}
"""Hours of each window that people read, narrowest first."""

EARLY: Mapping[str, int] = {"3h": 3, "6h": 6, "12h": 12}
"""Hours of the windows that only raise alerts, narrowest first: a day would hide for long what a few hours show."""

ALERTING: Mapping[str, int] = {**EARLY, **WINDOWS}
"""Every window that is looked at each hour."""

HOURS_A_YEAR = 8760
LOOKS_A_WINDOW = 5
"""Independent looks that hourly looks at a window amount to while it passes once, for a level far out.

Looking without a pause would be worth about z squared of them, 17 at 2.7e-5 (Pickands 1969); an hour is a coarser step,
and a breach asks for more than the test. The value is chosen by simulation (docs/repeated-looks.md).
"""

PAIRED: Mapping[str, tuple[str, str]] = {
    "demographic_parity_ratio": ("ratio", "selection_rate"),
    "demographic_parity_difference": ("difference", "selection_rate"),
    "equal_opportunity_difference": ("difference", "tpr"),
    "fpr_gap": ("difference", "fpr"),
    "fnr_gap": ("difference", "fnr"),
    "fnr_ratio": ("ratio", "fnr"),
    "predictive_parity_difference": ("difference", "ppv"),
}
"""Metrics that compare one rate of two groups."""

SINGLE = ("selection_rate", "tpr", "fpr", "fnr", "ppv", "base_rate", "accuracy")
ODDS = "equalized_odds_difference"
ASSOCIATION = "association"
SUPPORTED = frozenset({*PAIRED, *SINGLE, ODDS, ASSOCIATION})
"""Metrics that follow from decisions and outcomes alone, and whose necessary conditions are known here."""


def looks_a_year(hours: float) -> float:
    """Independent looks that a year of hourly looks at a window of so many hours amounts to."""
    if not hours > 0:
        raise ValueError(f"a window is longer than {hours} hours")
    return LOOKS_A_WINDOW * HOURS_A_YEAR / hours


class Counts(NamedTuple):
    """Counts x of n per group and look, shape (groups, looks)."""

    x: Int64
    n: Int64

    @property
    def rate(self) -> Float64:
        with np.errstate(invalid="ignore", divide="ignore"):
            quotient: Float64 = self.x / self.n
        return quotient

    def at(self, looks: Bools) -> Counts:
        return Counts(self.x[:, looks], self.n[:, looks])


def window_counts(hourly: Int64, hours: int, start: int = 0, stop: int | None = None) -> Int64:
    """Sums over the last `hours` hours, for the looks at the end of every hour from `start` to before `stop`.

    hourly: shape (groups, decision, outcome, hours). A window that reaches back before the first hour holds what there
    is.
    """
    first = max(start + 1 - hours, 0)
    relevant = hourly[..., first:stop]
    summed = np.zeros((*relevant.shape[:-1], relevant.shape[-1] + 1), np.int64)
    np.cumsum(relevant, axis=-1, out=summed[..., 1:])
    ends = np.arange(start - first, relevant.shape[-1]) + 1
    return summed[..., ends] - summed[..., np.maximum(ends - hours, 0)]


def rates(counts: Int64) -> dict[str, Counts]:
    """The rates' numerators and denominators, from counts of shape (groups, decision, outcome, looks).

    outcome: unfavourable, favourable and, if there is a third, unknown.
    """
    tn, fn = counts[:, 0, 0], counts[:, 0, 1]
    fp, tp = counts[:, 1, 0], counts[:, 1, 1]
    labelled, positives, negatives = tn + fn + fp + tp, tp + fn, fp + tn
    return {
        "selection_rate": Counts(counts[:, 1].sum(axis=1), counts.sum(axis=(1, 2))),
        "tpr": Counts(tp, positives),
        "fpr": Counts(fp, negatives),
        "fnr": Counts(fn, positives),
        "ppv": Counts(tp, tp + fp),
        "base_rate": Counts(positives, labelled),
        "accuracy": Counts(tp + tn, labelled),
    }


def violates(value: Float64, bound: Bound, slack: float = 0.0) -> Bools:
    """Whether values lie outside the bound, or less than `slack` inside it; NaN does not."""
    outside = np.zeros(value.shape, bool)
    if bound.lower is not None:
        outside |= value < bound.lower + slack
    if bound.upper is not None:
        outside |= value > bound.upper - slack
    return outside


def pair_value(form: str, counts: Counts) -> Float64:
    """Groups 1.. against group 0: ratio or difference of their rates, shape (groups - 1, looks)."""
    rate = counts.rate
    with np.errstate(invalid="ignore", divide="ignore"):
        value: Float64 = rate[1:] / rate[0] if form == "ratio" else rate[1:] - rate[0]
    return value
