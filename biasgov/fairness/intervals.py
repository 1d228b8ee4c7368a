"""Confidence intervals in closed or vectorised form; every function takes whole arrays of groups.

statsmodels offers the same intervals one pair at a time; it is the oracle in the tests. Ours are vectorised because a
window holds some five hundred of them. All take counts `x` of `n` and the two-sided normal quantile `z`, broadcast,
and give NaN where a denominator is zero. They raise ValueError where more are counted than there are, or fewer than
none.
"""

from __future__ import annotations

from functools import cache

import numpy as np
import numpy.typing as npt
from scipy import special

Array = npt.NDArray[np.float64]
Counts = npt.ArrayLike
Interval = tuple[Array, Array]

_STEPS = 46  # 41 units of logarithm halved down to 6e-13
_FARTHEST = 40.0


@cache
def normal_quantile(confidence: float) -> float:
    """z such that a standard normal lies within [-z, z] with probability `confidence`."""
    return float(special.ndtri(0.5 + confidence / 2))


def counted(x: npt.ArrayLike, n: npt.ArrayLike) -> tuple[Array, Array]:
    """Counts x of n as arrays of floats. Raises ValueError where more are counted than there are, or less than none."""
    some, all_ = np.asarray(x, np.float64), np.asarray(n, np.float64)
    if ((some < 0) | (some > all_)).any():
        raise ValueError("a count is negative, or larger than what it is counted of")
    return some, all_


def wilson(x: Counts, n: Counts, z: float) -> Interval:
    """Wilson's score interval of a rate (Wilson 1927); statsmodels `proportion_confint(method="wilson")`."""
    x, n = counted(x, n)
    with np.errstate(invalid="ignore", divide="ignore"):
        rate = x / n
        widened = 1 + z * z / n
        centre = (rate + z * z / (2 * n)) / widened
        half = z * np.sqrt(rate * (1 - rate) / n + z * z / (4 * n * n)) / widened
        low = np.where(x == 0, 0.0, np.maximum(centre - half, 0.0))
        high = np.where(x == n, 1.0, np.minimum(centre + half, 1.0))
    empty = np.equal(n, 0)
    return np.where(empty, np.nan, low), np.where(empty, np.nan, high)


def newcombe(x1: Counts, n1: Counts, x2: Counts, n2: Counts, z: float) -> Interval:
    """Hybrid score interval of x1/n1 - x2/n2, Newcombe (1998) method 10, without continuity correction.

    statsmodels `confint_proportions_2indep(compare="diff", method="newcomb")`. Its `method="score"` for differences
    is not used: it returns wrong limits (statsmodels issue 10269).
    """
    (x1, n1), (x2, n2) = counted(x1, n1), counted(x2, n2)
    (low1, high1), (low2, high2) = wilson(x1, n1, z), wilson(x2, n2, z)
    with np.errstate(invalid="ignore", divide="ignore"):
        rate1, rate2 = x1 / n1, x2 / n2
    difference = rate1 - rate2
    return (
        difference - np.hypot(rate1 - low1, high2 - rate2),
        difference + np.hypot(high1 - rate1, rate2 - low2),
    )


def difference_of_rates(rate: Array, low: Array, high: Array) -> Interval:
    """Intervals of rate_i - rate_j for all pairs from the rates' own intervals; Newcombe's rule.

    rate, low, high: shape (k, ...); the ends: shape (k, k, ...).
    """
    lower = rate[:, np.newaxis] - rate - np.hypot((rate - low)[:, np.newaxis], high - rate)
    return lower, -lower.swapaxes(0, 1)


def ratio_of_rates(rate: Array, low: Array, high: Array) -> Interval:
    """Intervals of rate_i / rate_j for all pairs from the rates' own intervals; shapes as above.

    Method of variance estimates recovery for a ratio, Donner & Zou (2012), eq. 8, with numerator and denominator
    multiplied by the conjugate so that nothing cancels. An upper limit is infinite where low_j is zero; it is the
    reciprocal of the lower limit of rate_j / rate_i.
    """
    product = rate[:, np.newaxis] * rate
    reach = (low * (2 * rate - low))[:, np.newaxis]
    with np.errstate(invalid="ignore", divide="ignore"):
        lower = reach / (product + np.sqrt(np.maximum(product**2 - reach * (high * (2 * rate - high)), 0.0)))
        lower = np.where(reach > 0, lower, 0.0)
        return lower, 1 / lower.swapaxes(0, 1)


def koopman(x1: Counts, n1: Counts, x2: Counts, n2: Counts, z: float) -> Interval:
    """Score interval of the ratio (x1/n1) / (x2/n2), Koopman (1984), by bisection on the logarithm of the ratio.

    statsmodels `confint_proportions_2indep(compare="ratio", method="score", correction=False)`. The lower limit is 0
    for x1 = 0, the upper one infinite for x2 = 0; NaN where both are 0 or a denominator is.
    """
    a, m, b, n = np.broadcast_arrays(*counted(x1, n1), *counted(x2, n2))
    # Both ends at once: row 0 searches the lower limit (score = +z), row 1 the upper (score = -z).
    target = np.array([z, -z]).reshape((2,) + (1,) * a.ndim)
    with np.errstate(invalid="ignore", divide="ignore"):
        centre = np.log(((a + 0.5) / (m + 0.5)) / ((b + 0.5) / (n + 0.5)))
        left, right = np.stack([centre - _FARTHEST, centre]), np.stack([centre, centre + _FARTHEST])
        # The estimate may lie a little beside `centre`; both searches may cross it.
        left[1] -= 1.0
        right[0] += 1.0
        for _ in range(_STEPS):
            middle = (left + right) / 2
            beyond = _ratio_score(np.exp(middle), a, m, b, n) < target
            right = np.where(beyond, middle, right)
            left = np.where(beyond, left, middle)
        low, high = np.exp((left + right) / 2)
    impossible = (m == 0) | (n == 0) | ((a == 0) & (b == 0))
    low = np.where(impossible, np.nan, np.where(a == 0, 0.0, low))
    high = np.where(impossible, np.nan, np.where(b == 0, np.inf, high))
    return low, high


def _ratio_score(ratio: Array, a: Array, m: Array, b: Array, n: Array) -> Array:
    """Standardised a/m - ratio * b/n under its restricted maximum likelihood estimate; decreasing in the ratio."""
    linear = ratio * (m + b) + a + n
    # The smaller root of ratio (m + n) q^2 - linear q + (a + b) = 0, in the form that does not cancel.
    second = 2 * (a + b) / (linear + np.sqrt(np.maximum(linear**2 - 4 * ratio * (m + n) * (a + b), 0.0)))
    first = np.clip(second * ratio, 0.0, 1.0)
    variance = first * (1 - first) / m + ratio**2 * second * np.maximum(1 - second, 0.0) / n
    score: Array = (a / m - ratio * b / n) / np.sqrt(variance)
    return score


def cramers_v(statistic: float, freedom: int, total: int, confidence: float) -> tuple[float, float]:
    """Interval of Cramér's V of a 2 x k table by inverting the noncentral chi-squared distribution.

    The population's V is sqrt(noncentrality / total), so the ends of the noncentrality's interval are those of V.
    Unlike a bootstrap it reaches 0. Smithson (2003), Confidence Intervals, p. 40, adds the degrees of freedom to the
    noncentrality: that puts the lower end above 0 where there is no association at all, so it is not done.
    """
    low, high = noncentrality_interval(statistic, freedom, confidence)
    return min(float(np.sqrt(low / total)), 1.0), min(float(np.sqrt(high / total)), 1.0)


def noncentrality_interval(statistic: float, freedom: int, confidence: float) -> tuple[float, float]:
    """Interval of the noncentrality of a chi-squared statistic; both ends are 0 for a statistic small enough.

    Above 10,000 the square root of the statistic is normal to more digits than are shown.
    """
    ends = []
    for probability in (0.5 + confidence / 2, 0.5 - confidence / 2):
        if statistic > 1e4:
            root = np.sqrt(max(statistic - (freedom - 1), 0.0)) - special.ndtri(probability)
            noncentrality = max(root, 0.0) ** 2
        elif special.chdtr(freedom, statistic) <= probability:
            noncentrality = 0.0
        else:
            noncentrality = float(special.chndtrinc(statistic, freedom, probability))
        ends.append(noncentrality)
    return ends[0], ends[1]
