"""Tests of equality of rates, and adjustment for many of them. Vectorised; scipy and statsmodels are the oracles."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
from scipy import special

from biasgov.fairness.intervals import counted

Array = npt.NDArray[np.float64]
Int64 = npt.NDArray[np.int64]

LEAST_EXPECTED = 5
"""Below this expected count in any cell Fisher's exact test takes the place of chi-squared."""

EXACT_UP_TO = 2_000
"""Two groups with at most this many events together are always tested exactly: there it still costs next to nothing."""

PAIRS_TRIED = 8

_TIE = 1 + 1e-7


def chi_squared(x1: Int64, n1: Int64, x2: Int64, n2: Int64) -> Array:
    """p-values of Pearson's chi-squared test of x1/n1 = x2/n2, one degree of freedom, no continuity correction.

    scipy `chi2_contingency(correction=False)`. 1 where all or none are counted, NaN where a denominator is zero.
    """
    (a, m), (b, n) = counted(x1, n1), counted(x2, n2)
    with np.errstate(invalid="ignore", divide="ignore"):
        pooled = (a + b) / (m + n)
        statistic = (a / m - b / n) ** 2 / (pooled * (1 - pooled) * (1 / m + 1 / n))
    p = special.chdtrc(1, np.where((pooled == 0) | (pooled == 1), 0.0, statistic))
    return np.where((m == 0) | (n == 0), np.nan, p)


def fisher(x1: Int64, n1: Int64, x2: Int64, n2: Int64) -> Array:
    """Two-sided p-values of Fisher's exact test: tables as probable as the observed one, or less, count.

    scipy `fisher_exact`. The supports of all tables lie one after the other in one flat array; the probabilities come
    from the ratio of neighbours, p(k+1)/p(k) = (n1-k)(c-k) / ((k+1)(n2-c+k+1)). NaN where a denominator is zero.
    """
    given = np.broadcast_arrays(*counted(x1, n1), *counted(x2, n2))
    shape = given[0].shape
    a, m, b, n = (values.astype(np.int64).ravel() for values in given)
    if not a.size:
        return np.empty(shape)
    column = a + b
    first, last = np.maximum(0, column - n), np.minimum(m, column)
    length = last - first + 1
    start = np.concatenate(([0], np.cumsum(length)[:-1]))
    table = np.repeat(np.arange(a.size), length)
    k = (np.arange(table.size) - start[table] + first[table]).astype(np.float64)
    with np.errstate(divide="ignore"):
        step = np.log((m[table] - k + 1) * (column[table] - k + 1)) - np.log(k * (n[table] - column[table] + k))
    step[start] = 0.0
    summed = np.cumsum(step)
    log_p = summed - summed[start][table]
    log_p -= np.maximum.reduceat(log_p, start)[table]
    weight = np.exp(log_p)
    observed = weight[start + a - first]
    extreme = np.where(weight <= observed[table] * _TIE, weight, 0.0)
    p = np.minimum(np.add.reduceat(extreme, start) / np.add.reduceat(weight, start), 1.0)
    return np.where((m == 0) | (n == 0), np.nan, p).reshape(shape)


def two_rates(x1: Int64, n1: Int64, x2: Int64, n2: Int64) -> Array:
    """p-values of x1/n1 = x2/n2.

    Fisher's exact test where an expected count is below 5 or both groups hold 2,000 events at most, else chi-squared.
    """
    x1, n1, x2, n2 = (np.asarray(values, np.int64) for values in np.broadcast_arrays(x1, n1, x2, n2))
    p = chi_squared(x1, n1, x2, n2)
    column, total = x1 + x2, n1 + n2
    # The smallest expected count, times the total, in integers.
    least = np.minimum(n1, n2) * np.minimum(column, total - column)
    small = (least < LEAST_EXPECTED * total) | (total <= EXACT_UP_TO)
    if small.any():
        p[small] = fisher(x1[small], n1[small], x2[small], n2[small])
    return p


def homogeneity(x: Int64, n: Int64) -> tuple[float, int, float]:
    """Chi-squared test that k rates x/n (every n positive) are equal: statistic, degrees of freedom, p.

    Where an expected count is below 5, the p-value is the smallest of `two_rates` over the pairs times the number of
    all pairs (Bonferroni): valid for any table, and a group of a handful does not hide what the others show. It is
    looked for among the `PAIRS_TRIED` pairs that differ most by the chi-squared test, which costs next to nothing.
    """
    freedom = len(x) - 1
    pooled = x.sum() / n.sum()
    if pooled in (0, 1):
        return 0.0, freedom, 1.0
    statistic = float(((x - n * pooled) ** 2 / (n * pooled * (1 - pooled))).sum())
    p = float(special.chdtrc(freedom, statistic))
    if n.min() * min(pooled, 1 - pooled) < LEAST_EXPECTED:
        one, two = np.triu_indices(len(x), 1)
        first = np.argsort(chi_squared(x[one], n[one], x[two], n[two]), kind="stable")[:PAIRS_TRIED]
        one, two = one[first], two[first]
        p = min(1.0, float(two_rates(x[one], n[one], x[two], n[two]).min()) * len(x) * freedom / 2)
    return statistic, freedom, p


def holm(p: npt.ArrayLike) -> Array:
    """Holm's (1979) step-down adjusted p-values of one family; statsmodels `multipletests(method="holm")`."""
    values = np.asarray(p, np.float64)
    order = np.argsort(values, kind="stable")
    stepped = values[order] * np.arange(len(values), 0, -1)
    adjusted = np.empty_like(values)
    adjusted[order] = np.minimum(np.maximum.accumulate(stepped), 1.0)
    return adjusted


def benjamini_hochberg(p: npt.ArrayLike) -> Array:
    """Benjamini & Hochberg's (1995) step-up adjusted p-values; statsmodels `multipletests(method="fdr_bh")`."""
    values = np.asarray(p, np.float64)
    order = np.argsort(values, kind="stable")[::-1]
    stepped = values[order] * len(values) / np.arange(len(values), 0, -1)
    adjusted = np.empty_like(values)
    adjusted[order] = np.minimum(np.minimum.accumulate(stepped), 1.0)
    return adjusted
