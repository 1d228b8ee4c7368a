"""Intervals of gaps over all groups at once (widest difference, smallest ratio), from a bootstrap of the counts.

The plain percentile bootstrap fails here: the range of k noisy rates is biased upwards, and so is every resample of it
(under perfect parity its interval misses the truth always). What is bootstrapped instead is the studentised range of
the k rates about their own estimates; its quantile c / sqrt(2) takes the place of z in score intervals of all pairs,
which then hold simultaneously (Tukey 1953, Kramer 1956; conservative for unequal sizes, Hayter 1984). The range lies
between the largest lower limit and the largest upper limit of any pair. docs/methods.md gives the measured coverage.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from biasgov.fairness.intervals import difference_of_rates, normal_quantile, ratio_of_rates, wilson

Float64 = npt.NDArray[np.float64]
Int64 = npt.NDArray[np.int64]

_NORMAL_FROM = 100.0

DRAWS = 400
"""Resamples per metric. The Monte Carlo standard error of c is 2 to 4 % of it (see docs/methods.md)."""


def studentised_ranges(x: Int64, n: Int64, rng: np.random.Generator, draws: int) -> Float64:
    """Bootstrap draws of max - min over k groups of (resampled rate - rate) / standard error, shape (draws,).

    x, n: shape (k,), n positive. Counts are drawn as Binomial(n, (x + 1/2) / (n + 1)), so that a group at 0 or 1
    varies too; where their variance exceeds 100 the standardised count is drawn from its normal limit.
    """
    rate = (x + 0.5) / (n + 1)
    variance = n * rate * (1 - rate)
    small = variance <= _NORMAL_FROM
    standardised = rng.standard_normal((len(x), draws))
    if small.any():
        size, chance = n[small, np.newaxis], rate[small, np.newaxis]
        resampled = rng.binomial(size, chance, (len(size), draws))
        standardised[small] = (resampled - size * chance) / np.sqrt(size * chance * (1 - chance))
    ranges: Float64 = standardised.max(axis=0) - standardised.min(axis=0)
    return ranges


def simultaneous_quantile(ranges: Float64, confidence: float) -> float:
    """The z that makes all pairwise intervals hold together; never below the one for a single pair."""
    rank = min(math.ceil(confidence * len(ranges)), len(ranges)) - 1
    quantile = float(np.partition(ranges, rank)[rank])
    return max(quantile / math.sqrt(2), normal_quantile(confidence))


@dataclass(frozen=True, slots=True, eq=False)
class Spread:
    """Rates of k groups with simultaneous score limits; arrays of shape (k,)."""

    rate: Float64
    low: Float64
    high: Float64

    @classmethod
    def of(cls, x: Int64, n: Int64, z: float) -> Spread:
        low, high = wilson(x, n, z)
        return cls(x / n, low, high)

    def widest_difference(self) -> tuple[float, float]:
        """Interval of the largest minus the smallest rate."""
        low, _ = difference_of_rates(self.rate, self.low, self.high)
        # The diagonal pairs a group with itself; a range is never negative. Each pair is there both ways round.
        np.fill_diagonal(low, 0.0)
        return float(low.max()), min(-float(low.min()), 1.0)

    def smallest_ratio(self) -> tuple[float, float]:
        """Interval of the smallest over the largest rate; (0, 1) tells nothing."""
        low, _ = ratio_of_rates(self.rate, self.low, self.high)
        np.fill_diagonal(low, 1.0)
        return float(low.min()), 1 / float(low.max())

    def complement(self) -> Spread:
        """The same for the opposite event."""
        return Spread(1 - self.rate, 1 - self.high, 1 - self.low)


def widest_normal_difference(centre: Float64, deviation: Float64, z: float) -> tuple[float, float]:
    """Simultaneous interval of max - min of k normal estimates with known standard deviations."""
    difference = centre[:, np.newaxis] - centre
    reach = z * np.hypot(deviation[:, np.newaxis], deviation)
    np.fill_diagonal(reach, 0.0)
    return max(float((difference - reach).max()), 0.0), float((difference + reach).max())


def normal_ranges(k: int, rng: np.random.Generator, draws: int) -> Float64:
    """Draws of the range of k independent standard normal deviates, shape (draws,)."""
    deviates = rng.standard_normal((k, draws))
    ranges: Float64 = deviates.max(axis=0) - deviates.min(axis=0)
    return ranges
