from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.stats import chi2_contingency, fisher_exact
from statsmodels.stats.multitest import multipletests

from biasgov.fairness.significance import benjamini_hochberg, chi_squared, fisher, holm, homogeneity, two_rates

BENJAMINI_HOCHBERG_1995 = [
    *(0.0001, 0.0004, 0.0019, 0.0095, 0.0201, 0.0278, 0.0298, 0.0344),
    *(0.0459, 0.324, 0.4262, 0.5719, 0.6528, 0.759, 1.0),
]

counts = st.integers(1, 400).flatmap(lambda n: st.tuples(st.integers(0, n), st.just(n)))
tables = st.lists(st.tuples(counts, counts), min_size=1, max_size=8)


def columns(pairs):
    return tuple(np.array(values) for values in zip(*((*first, *second) for first, second in pairs), strict=True))


def rows(x1, n1, x2, n2):
    return [[x1, n1 - x1], [x2, n2 - x2]]


@given(tables)
def test_fisher_is_that_of_scipy_for_many_tables_at_once(pairs):
    expected = [fisher_exact(rows(*first, *second))[1] for first, second in pairs]
    assert fisher(*columns(pairs)) == pytest.approx(expected, rel=1e-7)


def test_fisher_keeps_its_digits_in_large_tables():
    assert fisher(*(np.array([value]) for value in (900, 4000, 1400, 5000)))[0] == pytest.approx(
        fisher_exact(rows(900, 4000, 1400, 5000))[1], rel=1e-6
    )


@given(tables)
def test_chi_squared_is_that_of_scipy(pairs):
    expected = [
        1.0
        if first[0] + second[0] in (0, first[1] + second[1])
        else chi2_contingency(rows(*first, *second), correction=False).pvalue
        for first, second in pairs
    ]
    assert chi_squared(*columns(pairs)) == pytest.approx(expected, rel=1e-7, abs=1e-300)


@given(tables, st.sampled_from([0, 200, 2000]))
def test_fisher_is_used_where_an_expected_count_is_below_five_or_the_groups_are_small(pairs, limit):
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("biasgov.fairness.significance.EXACT_UP_TO", limit)
        values = columns(pairs)
        p, exact, approximate = two_rates(*values), fisher(*values), chi_squared(*values)
    for place, (first, second) in enumerate(pairs):
        table = np.array(rows(*first, *second))
        least = (table.sum(0) * table.sum(1)[:, None]).min() / table.sum()
        expected = exact if least < 5 or table.sum() <= limit else approximate
        assert p[place] == pytest.approx(expected[place], rel=1e-9)


def test_published_p_values():
    assert fisher(*(np.array([v]) for v in (7, 17, 215, 412)))[0] == pytest.approx(0.461, abs=5e-4)
    black = fisher(*(np.array([v]) for v in (170, 390, 412, 797)))[0]
    assert black == pytest.approx(0.0094, abs=5e-5)
    assert holm([black, 0.2, 0.3, 0.4, 0.5, 0.6])[0] == pytest.approx(0.057, abs=5e-4)


def test_an_empty_group_has_no_p_value():
    values = [np.array([v]) for v in (0, 0, 3, 10)]
    assert np.isnan(two_rates(*values)).all()


@given(st.lists(st.tuples(st.integers(40, 300), st.floats(0.3, 0.7)), min_size=2, max_size=6))
def test_homogeneity_is_chi_squared_of_the_whole_table(groups):
    n = np.array([size for size, _ in groups])
    x = np.array([int(size * rate) for size, rate in groups])
    expected = chi2_contingency(np.stack([x, n - x]), correction=False)
    statistic, freedom, p = homogeneity(x, n)
    assert (statistic, freedom) == (pytest.approx(expected.statistic, abs=1e-9), expected.dof)
    if expected.expected_freq.min() >= 5:
        assert p == pytest.approx(expected.pvalue, rel=1e-9)


def test_homogeneity_of_sparse_groups_pays_for_choosing_the_extremes():
    x, n = np.array([0, 6, 5]), np.array([4, 8, 9])
    pair = fisher_exact([[0, 4], [6, 2]])[1]
    assert homogeneity(x, n)[2] == pytest.approx(3 * pair)
    assert homogeneity(np.array([4, 8]), np.array([4, 8]))[2] == 1.0


def test_a_group_of_a_handful_does_not_hide_what_the_others_show():
    x, n = np.array([500, 250, 1]), np.array([1000, 1000, 5])
    assert homogeneity(x, n)[2] == pytest.approx(3 * float(chi_squared(500, 1000, 250, 1000)))


@pytest.mark.parametrize(("sizes", "rate"), [([200, 200, 6], 0.3), ([8] * 12, 0.4), ([300, 40, 5, 5], 0.05)])
def test_equal_rates_of_sparse_groups_are_seldom_called_different(sizes, rate):
    rng, n = np.random.default_rng(12), np.array(sizes)
    assert np.mean([homogeneity(rng.binomial(n, rate), n)[2] <= 0.05 for _ in range(600)]) <= 0.05


@settings(max_examples=20)
@given(st.lists(st.floats(0, 1), min_size=1, max_size=12))
def test_adjusted_p_values_are_those_of_statsmodels(p):
    assert holm(p) == pytest.approx(multipletests(p, method="holm")[1], abs=1e-12)
    assert benjamini_hochberg(p) == pytest.approx(multipletests(p, method="fdr_bh")[1], abs=1e-12)


def test_benjamini_hochberg_1995_rejects_four_and_holm_three():
    assert (benjamini_hochberg(BENJAMINI_HOCHBERG_1995) <= 0.05).sum() == 4
    assert (holm(BENJAMINI_HOCHBERG_1995) <= 0.05).sum() == 3
