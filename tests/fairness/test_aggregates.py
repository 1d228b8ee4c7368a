"""Intervals of gaps over many groups hold as often as they say, where the percentile bootstrap never does."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.stats import studentized_range

from biasgov.fairness.aggregates import (
    Spread,
    normal_ranges,
    simultaneous_quantile,
    studentised_ranges,
    widest_normal_difference,
)
from biasgov.fairness.intervals import normal_quantile


@pytest.mark.parametrize("k", [2, 5, 20])
@pytest.mark.parametrize("n", [300, 30_000])
def test_the_quantile_is_tukeys_for_large_equal_groups(k, n):
    ranges = studentised_ranges(np.full(k, n // 3), np.full(k, n), np.random.default_rng(1), 20_000)
    expected = studentized_range.ppf(0.95, k, np.inf) / np.sqrt(2)
    assert simultaneous_quantile(ranges, 0.95) == pytest.approx(expected, rel=0.02)
    assert simultaneous_quantile(normal_ranges(k, np.random.default_rng(2), 20_000), 0.95) == pytest.approx(
        expected, rel=0.02
    )


CASES = [
    ([200] * 5, [0.3] * 5),
    ([200] * 5, [0.24, 0.3, 0.3, 0.3, 0.3]),
    ([500, 40, 40, 40], [0.3, 0.24, 0.24, 0.24]),
    ([100] * 20, [0.24] * 10 + [0.3] * 10),
]


@pytest.mark.parametrize(("sizes", "rates"), CASES)
def test_intervals_over_all_groups_cover_the_truth(sizes, rates):
    n, p = np.array(sizes), np.array(rates)
    rng = np.random.default_rng(5)
    width, ratio = np.ptp(p), p.min() / p.max()
    missed_width = missed_ratio = percentile_missed = 0
    for _ in range(300):
        x = rng.binomial(n, p)
        spread = Spread.of(x, n, simultaneous_quantile(studentised_ranges(x, n, rng, 400), 0.95))
        low, high = spread.widest_difference()
        missed_width += not low <= width + 1e-12 <= high + 2e-12
        low, high = spread.smallest_ratio()
        missed_ratio += not low <= ratio <= high
        resampled = rng.binomial(n[:, None], (x / n)[:, None], (len(n), 200)) / n[:, None]
        percentile_missed += np.quantile(np.ptp(resampled, axis=0), 0.025) > width
    assert missed_width <= 300 * 0.05 + 10
    assert missed_ratio <= 300 * 0.05 + 10
    if width == 0:
        assert percentile_missed == 300


def test_perfect_parity_is_seldom_called_a_gap_though_the_smallest_ratio_is_mostly_below_four_fifths():
    rng = np.random.default_rng(6)
    below = called = 0
    for _ in range(300):
        x, n = rng.binomial(200, 0.3, 5), np.full(5, 200)
        below += x.min() / x.max() < 0.8
        spread = Spread.of(x, n, simultaneous_quantile(studentised_ranges(x, n, rng, 400), 0.95))
        called += spread.smallest_ratio()[1] < 0.8
    assert 0.45 < below / 300 < 0.70
    assert called == 0


def test_a_group_at_zero_still_has_an_interval():
    x, n = np.array([0, 30]), np.array([20, 100])
    spread = Spread.of(x, n, simultaneous_quantile(studentised_ranges(x, n, np.random.default_rng(1), 400), 0.95))
    low, high = spread.smallest_ratio()
    assert low == 0.0
    assert 0 < high < 1
    assert spread.complement().smallest_ratio()[0] > 0.4


def test_normal_estimates_are_compared_pair_by_pair():
    low, high = widest_normal_difference(np.array([0.1, 0.2]), np.array([0.03, 0.04]), 2.0)
    assert (low, high) == pytest.approx((0.0, 0.2))
    low, high = widest_normal_difference(np.array([0.1, 0.3]), np.array([0.03, 0.04]), 2.0)
    assert (low, high) == pytest.approx((0.1, 0.3))


def test_all_pairs_together_never_ask_for_less_than_one_pair():
    assert simultaneous_quantile(np.full(400, 0.1), 0.95) == normal_quantile(0.95)
