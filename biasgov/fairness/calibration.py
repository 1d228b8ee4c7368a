"""How well scores match outcomes, per group, from bins of events that have both a score and a label.

The score is read as the probability of the favourable outcome. Arrays named n, positives, scores have shape
(..., bins): events, favourable outcomes, and sum of scores in each bin.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
from scipy import special

from biasgov.fairness.cube import OutcomeCube
from biasgov.fairness.groups import GroupTable, group_table
from biasgov.fairness.intervals import normal_quantile, wilson
from biasgov.fairness.schema import SEPARATOR

Float64 = npt.NDArray[np.float64]
Int64 = npt.NDArray[np.int64]

_NORMAL_FROM = 100.0


def expected_calibration_error(n: Int64, positives: Int64, scores: Float64) -> Float64:
    """sum over bins of (n_b / n) |observed rate - mean score|; NaN without events. Biased upwards in small samples."""
    with np.errstate(invalid="ignore"):
        error: Float64 = np.abs(positives - scores).sum(axis=-1) / n.sum(axis=-1)
    return error


def debiased_squared_error(n: Int64, positives: Int64, scores: Float64) -> Float64:
    """sum over bins of (n_b / n) [(y - p)^2 - y (1 - y) / (n_b - 1)]: zero on average for calibrated scores.

    Kumar, Liang & Ma (2019). It can be negative. Bins with a single event carry no information about their own
    noise: they are left out and the weights are taken over the others. NaN if no bin has two events.
    """
    used = n > 1
    weight = np.where(used, n, 0)
    with np.errstate(invalid="ignore", divide="ignore"):
        observed, expected = positives / n, scores / n
        corrected = (observed - expected) ** 2 - observed * (1 - observed) / (n - 1)
        error: Float64 = np.where(used, weight * corrected, 0.0).sum(axis=-1) / weight.sum(axis=-1)
    return error


def calibration_in_the_large(n: Int64, positives: Int64, scores: Float64) -> Float64:
    """Mean score minus base rate: positive where scores promise too much. NaN without events."""
    with np.errstate(invalid="ignore"):
        excess: Float64 = (scores.sum(axis=-1) - positives.sum(axis=-1)) / n.sum(axis=-1)
    return excess


@dataclass(frozen=True, slots=True)
class ErrorMoments:
    """Mean and standard deviation of the calibration error under resampled outcomes, arrays of shape (...)."""

    mean: Float64
    deviation: Float64


def error_moments(n: Int64, rates: Float64, scores: Float64) -> ErrorMoments:
    """Exact moments of the expected calibration error when every bin's outcomes are drawn as Binomial(n_b, rate_b).

    rates: shape (..., bins); the observed rates give the bootstrap of the counts (with infinitely many draws, so
    without Monte Carlo error), the mean scores give the error that perfectly calibrated scores would show.

    For X ~ Bin(n, p): E|X - a| = 2 [a F(k; n, p) - n p F(k-1; n-1, p)] + n p - a with k = floor(a). Where n p (1-p)
    exceeds 100, X is taken as normal.
    """
    p = np.where(n > 0, np.clip(rates, 0.0, 1.0), 0.0)
    mean, variance = n * p, n * p * (1 - p)
    off = mean - scores
    deviation = np.sqrt(np.where(variance > 0, variance, 1.0))
    ratio = off / deviation
    folded = deviation * np.sqrt(2 / np.pi) * np.exp(-(ratio**2) / 2) + off * (1 - 2 * special.ndtr(-ratio))
    absolute = np.where(variance > 0, folded, np.abs(off))
    small = (variance > 0) & (variance < _NORMAL_FROM)
    if small.any():
        size, rate, a = n[small].astype(np.float64), p[small], scores[small]
        k = np.minimum(np.floor(a), size)
        below = special.bdtr(k, size.astype(np.int64), rate)
        nearly = np.where(k >= 1, special.bdtr(np.maximum(k - 1, 0), (size - 1).astype(np.int64), rate), 0.0)
        absolute[small] = 2 * (a * below - size * rate * nearly) + size * rate - a
    spread = np.maximum(variance + off**2 - absolute**2, 0.0).sum(axis=-1)
    with np.errstate(invalid="ignore"):
        total = n.sum(axis=-1)
        return ErrorMoments(absolute.sum(axis=-1) / total, np.sqrt(spread) / total)


@dataclass(frozen=True, slots=True)
class ReliabilityPoint:
    """One score bin of one group; low and high are the Wilson interval of the observed rate."""

    bin: int
    n: int
    mean_score: float
    observed_rate: float
    low: float
    high: float

    def to_dict(self) -> dict[str, Any]:
        return {
            "bin": self.bin,
            "n": self.n,
            "mean_score": self.mean_score,
            "observed_rate": self.observed_rate,
            "interval": [self.low, self.high],
        }


@dataclass(frozen=True, slots=True)
class CalibrationSummary:
    """Calibration of one group; everything but n is None without events that have both score and label."""

    n: int
    mean_score: float | None
    base_rate: float | None
    ece: float | None
    debiased: float | None
    in_the_large: float | None

    def to_dict(self) -> dict[str, Any]:
        return {
            "n": self.n,
            "mean_score": self.mean_score,
            "base_rate": self.base_rate,
            "ece": self.ece,
            "debiased": self.debiased,
            "in_the_large": self.in_the_large,
        }


def reliability_curve(
    cube: OutcomeCube, attribute: str, *, confidence: float = 0.95
) -> dict[str, tuple[ReliabilityPoint, ...]]:
    """Observed rate against mean score, {group: points of its non-empty bins}; `attribute` may be "sex*race"."""
    table = group_table(cube, [tuple(attribute.split(SEPARATOR))])
    n, positives = table.bin_n, table.bin_positives
    low, high = wilson(positives, n, normal_quantile(confidence))
    curves: dict[str, tuple[ReliabilityPoint, ...]] = {}
    for row, label in enumerate(table.labels):
        curves[label] = tuple(
            ReliabilityPoint(
                bin=int(b),
                n=int(n[row, b]),
                mean_score=float(table.bin_scores[row, b] / n[row, b]),
                observed_rate=float(positives[row, b] / n[row, b]),
                low=float(low[row, b]),
                high=float(high[row, b]),
            )
            for b in np.flatnonzero(n[row])
        )
    return curves


def calibration_summary(cube: OutcomeCube, attribute: str) -> dict[str, CalibrationSummary]:
    """Calibration of every group of an attribute, or of attributes joined by `*`."""
    table = group_table(cube, [tuple(attribute.split(SEPARATOR))])
    return {label: _summary(table, row) for row, label in enumerate(table.labels)}


def _summary(table: GroupTable, row: int) -> CalibrationSummary:
    n, positives, scores = table.bin_n[row], table.bin_positives[row], table.bin_scores[row]
    total = int(n.sum())
    if not total:
        return CalibrationSummary(0, None, None, None, None, None)
    debiased = float(debiased_squared_error(n, positives, scores))
    return CalibrationSummary(
        n=total,
        mean_score=float(scores.sum() / total),
        base_rate=float(positives.sum() / total),
        ece=float(expected_calibration_error(n, positives, scores)),
        debiased=None if np.isnan(debiased) else debiased,
        in_the_large=float(calibration_in_the_large(n, positives, scores)),
    )
