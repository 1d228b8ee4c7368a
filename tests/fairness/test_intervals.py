from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats
from statsmodels.stats.proportion import confint_proportions_2indep, proportion_confint
from statsmodels.stats.proportion import test_proportions_2indep as score_test

from biasgov.fairness.intervals import (
    cramers_v,
    difference_of_rates,
    koopman,
    newcombe,
    normal_quantile,
    ratio_of_rates,
    wilson,
)
from biasgov.fairness.significance import homogeneity

Z = normal_quantile(0.95)

counts = st.integers(1, 3000).flatmap(lambda n: st.tuples(st.integers(0, n), st.just(n)))
inner_counts = st.integers(2, 3000).flatmap(lambda n: st.tuples(st.integers(1, n - 1), st.just(n)))


def one(interval):
    low, high = interval
    return float(np.ravel(low)[0]), float(np.ravel(high)[0])


@pytest.mark.parametrize(("x", "n", "low", "high"), [(81, 263, 0.2553, 0.3662), (0, 20, 0, 0.1611)])
def test_wilson_published(x, n, low, high):
    assert one(wilson(np.array([x]), np.array([n]), Z)) == pytest.approx((low, high), abs=5e-5)


@pytest.mark.parametrize(
    ("pairs", "low", "high"),
    [((56, 70, 48, 80), 0.0524, 0.3339), ((9, 10, 3, 10), 0.1705, 0.8090), ((0, 10, 0, 20), -0.1611, 0.2775)],
)
def test_newcombe_1998_method_10(pairs, low, high):
    assert one(newcombe(*map(np.array, pairs), Z)) == pytest.approx((low, high), abs=5e-5)


def test_koopman_published():
    assert one(koopman(7, 34, 1, 34, Z)) == pytest.approx((1.220853, 42.575718), abs=5e-7)


@given(counts, st.sampled_from([0.8, 0.95, 0.99]))
def test_wilson_is_that_of_statsmodels(count, confidence):
    x, n = count
    expected = proportion_confint(x, n, alpha=1 - confidence, method="wilson")
    assert one(wilson(np.array([x]), np.array([n]), normal_quantile(confidence))) == pytest.approx(expected, abs=1e-12)


@given(counts, counts)
def test_newcombe_is_that_of_statsmodels(first, second):
    expected = confint_proportions_2indep(*first, *second, compare="diff", method="newcomb")
    assert one(newcombe(*map(np.array, (*first, *second)), Z)) == pytest.approx(expected, abs=1e-10)


@given(inner_counts, inner_counts)
def test_koopman_is_that_of_statsmodels(first, second):
    limits = one(koopman(*first, *second, Z))
    expected = confint_proportions_2indep(*first, *second, compare="ratio", method="score", correction=False)
    # statsmodels' root finder is coarse; its score statistic at our limits is not.
    assert limits == pytest.approx(expected, rel=1e-3)
    for limit, score in zip(limits, (Z, -Z), strict=True):
        tested = score_test(*first, *second, value=limit, compare="ratio", method="score", correction=False)
        assert tested.statistic == pytest.approx(score, rel=1e-5)


@given(counts, counts)
def test_koopman_limits_lie_where_the_score_is_z(first, second):
    (x1, n1), (x2, n2) = first, second
    low, high = one(koopman(x1, n1, x2, n2, Z))
    if x1 == x2 == 0:
        assert math.isnan(low)
        assert math.isnan(high)
        return
    assert low <= (x1 / n1) / (x2 / n2) * (1 + 1e-9) if x2 else high == math.inf
    assert high >= (x1 / n1) / (x2 / n2) * (1 - 1e-9) if x2 else low >= 0
    swapped_low, swapped_high = one(koopman(x2, n2, x1, n1, Z))
    assert low == pytest.approx(1 / swapped_high if x1 else 0.0, rel=1e-6)
    assert swapped_low == pytest.approx(1 / high if x2 else 0.0, rel=1e-6)


def test_intervals_of_empty_groups_are_not_numbers():
    zero, five = np.array([0]), np.array([5])
    for interval in (wilson(zero, zero, Z), newcombe(zero, zero, five, five, Z), koopman(zero, zero, five, five, Z)):
        assert all(np.isnan(end).all() for end in interval)


def test_plain_numbers_and_lists_are_counts_too():
    assert one(wilson([81], [263], Z)) == one(wilson(81, 263, Z)) == one(wilson(np.array([81]), np.array([263]), Z))
    assert one(newcombe([9], [10], [3], [10], Z)) == one(newcombe(9, 10, 3, 10, Z))
    assert one(koopman([7], [34], [1], [34], Z)) == one(koopman(7, 34, 1, 34, Z))
    assert all(math.isnan(end) for end in one(newcombe(0, 0, 3, 10, Z)))


@pytest.mark.parametrize(("x", "n"), [(5, 3), (-1, 3)])
def test_counts_that_cannot_be_are_refused(x, n):
    for function in (newcombe, koopman):
        for given_ in ((x, n, 1, 3), (1, 3, x, n)):
            with pytest.raises(ValueError, match="larger than what it is counted of"):
                function(*given_, Z)
    with pytest.raises(ValueError, match="larger than what it is counted of"):
        wilson(x, n, Z)


def test_all_pairs_of_rates_agree_with_the_pairwise_formulas():
    x, n = np.array([7, 90, 215]), np.array([17, 205, 412])
    low, high = difference_of_rates(x / n, *wilson(x, n, Z))
    expected = newcombe(x[:, None], n[:, None], x, n, Z)
    assert np.allclose(low, expected[0])
    assert np.allclose(high, expected[1])


@given(inner_counts, inner_counts)
def test_ratio_from_rates_is_close_to_koopman(first, second):
    x, n = np.array([first[0], second[0]]), np.array([first[1], second[1]])
    low, high = (end[0, 1] for end in ratio_of_rates(x / n, *wilson(x, n, Z)))
    ratio = (x[0] / n[0]) / (x[1] / n[1])
    assert 0 <= low < ratio < high
    if min(x.min(), (n - x).min()) >= 20:
        assert (low, high) == pytest.approx(one(koopman(*first, *second, Z)), rel=0.02)


@pytest.mark.parametrize(("statistic", "freedom", "n"), [(20.0, 3, 500), (6.0, 1, 120), (9_900.0, 4, 60_000)])
def test_cramers_v_inverts_the_noncentral_distribution(statistic, freedom, n):
    low, high = cramers_v(statistic, freedom, n, 0.95)
    assert stats.ncx2.cdf(statistic, freedom, n * low**2) == pytest.approx(0.975, abs=1e-6)
    assert stats.ncx2.cdf(statistic, freedom, n * high**2) == pytest.approx(0.025, abs=1e-6)


def test_cramers_v_is_continuous_where_the_approximation_begins():
    below, above = cramers_v(9_999.99, 4, 50_000, 0.95), cramers_v(10_000.01, 4, 50_000, 0.95)
    assert below == pytest.approx(above, abs=2e-4)


def test_where_nothing_was_counted_the_ratio_reaches_zero_and_has_no_upper_end():
    low, high = one(koopman(0, 40, 9, 40, Z))
    assert low == 0.0
    assert 0 < high < 1
    low, high = one(koopman(9, 40, 0, 40, Z))
    assert low > 1
    assert high == math.inf


def test_cramers_v_inverts_the_distribution_up_to_where_the_approximation_begins():
    below = cramers_v(9_999.99, 4, 50_000, 0.95)
    above = cramers_v(10_001.0, 4, 50_000, 0.95)
    root = math.sqrt(10_001.0 - 3)
    assert above == pytest.approx([(root - Z) / math.sqrt(50_000), (root + Z) / math.sqrt(50_000)], abs=1e-12)
    assert stats.ncx2.cdf(9_999.99, 4, 50_000 * below[0] ** 2) == pytest.approx(0.975, abs=1e-9)


@pytest.mark.parametrize(
    ("sizes", "rates"),
    [([100, 100], [0.3, 0.3]), ([300, 100], [0.5, 0.3]), ([200] * 5, [0.2, 0.3, 0.3, 0.3, 0.4])],
)
def test_the_interval_of_cramers_v_covers_that_of_the_population(sizes, rates):
    n, p = np.array(sizes), np.array(rates)
    overall = (n * p).sum() / n.sum()
    truth = math.sqrt((n * (p - overall) ** 2).sum() / (n.sum() * overall * (1 - overall)))
    rng = np.random.default_rng(3)
    found = []
    for _ in range(400):
        statistic, freedom, _ = homogeneity(rng.binomial(n, p), n)
        found.append(cramers_v(statistic, freedom, int(n.sum()), 0.95))
    low, high = np.array(found).T
    assert np.mean((low <= truth + 1e-9) & (truth <= high + 1e-9)) >= 0.92
    assert np.mean(low > truth + 1e-9) <= 0.045


def test_cramers_v_reaches_zero_without_evidence():
    assert cramers_v(1.0, 3, 500, 0.95)[0] == 0.0
