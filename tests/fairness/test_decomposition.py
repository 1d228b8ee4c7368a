import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from statsmodels.stats.contingency_tables import StratifiedTable

from biasgov.fairness.decomposition import cochran_mantel_haenszel, kitagawa

BERKELEY_1973 = {
    "selected": [89, 17, 202, 131, 94, 24],
    "total": [108, 25, 593, 375, 393, 341],
    "reference_selected": [512, 353, 120, 138, 53, 22],
    "reference_total": [825, 560, 325, 417, 191, 373],
}


def test_berkeley_admissions_split_into_mix_and_rate() -> None:
    split = kitagawa(**BERKELEY_1973)
    assert split.difference == pytest.approx(-0.1416, abs=5e-5)
    assert split.mix == pytest.approx(-0.1777, abs=5e-5)
    assert split.rate == pytest.approx(+0.0360, abs=5e-5)
    assert split.reverses


def test_berkeley_admissions_do_not_differ_once_the_department_is_held_fixed() -> None:
    tested = cochran_mantel_haenszel(**BERKELEY_1973, correction=True)
    assert tested.statistic == pytest.approx(1.4269, abs=5e-5)
    assert tested.p_value == pytest.approx(0.2323, abs=5e-5)


@given(st.lists(st.tuples(*[st.integers(0, 60)] * 4), min_size=1, max_size=8))
def test_mix_and_rate_add_up_to_the_difference(rows: list[tuple[int, int, int, int]]) -> None:
    k, extra, k0, extra0 = np.array(rows).T
    n, n0 = k + extra, k0 + extra0
    if not n.sum() or not n0.sum():
        with pytest.raises(ValueError, match="without anybody"):
            kitagawa(selected=k, total=n, reference_selected=k0, reference_total=n0)
        return
    split = kitagawa(selected=k, total=n, reference_selected=k0, reference_total=n0)
    assert split.mix + split.rate == pytest.approx(split.difference, abs=1e-12)
    assert sum(split.mix_by_segment) == pytest.approx(split.mix)
    turned = kitagawa(selected=k0, total=n0, reference_selected=k, reference_total=n)
    assert (turned.mix, turned.rate) == (pytest.approx(-split.mix, abs=1e-12), pytest.approx(-split.rate, abs=1e-12))


def test_a_segment_that_one_group_never_enters_is_all_mix() -> None:
    split = kitagawa(selected=[10, 30], total=[50, 50], reference_selected=[20, 0], reference_total=[100, 0])
    assert (split.mix, split.rate) == (pytest.approx(0.2), pytest.approx(0))
    assert split.mix_by_segment == pytest.approx((-0.1, 0.3))


@given(st.lists(st.tuples(*[st.integers(0, 40)] * 4), min_size=1, max_size=6), st.booleans())
def test_the_stratified_test_is_that_of_statsmodels(rows: list[tuple[int, int, int, int]], correction: bool) -> None:
    a, b, c, d = np.array(rows).T
    if not ((a + b > 0) & (c + d > 0)).any():
        return
    ours = cochran_mantel_haenszel(
        selected=a, total=a + b, reference_selected=c, reference_total=c + d, correction=correction
    )
    both = (a + b > 0) & (c + d > 0)
    if not (both & (a + c > 0) & (b + d > 0)).any():
        assert (ours.statistic, ours.p_value) == (0, 1)
        return
    theirs = StratifiedTable(np.array([[a, b], [c, d]], float)[:, :, both])
    distance = abs((a - (a + b) * (a + c) / np.maximum(a + b + c + d, 1))[both].sum())
    if not correction or distance > 0.5:
        tested = theirs.test_null_odds(correction=correction)
        assert ours.statistic == pytest.approx(tested.statistic, abs=1e-12)
        assert ours.p_value == pytest.approx(tested.pvalue)
    if (b * c)[both].any():
        assert ours.odds_ratio == pytest.approx(theirs.oddsratio_pooled)


def test_a_correction_beyond_the_distance_leaves_nothing() -> None:
    tested = cochran_mantel_haenszel(
        selected=[5], total=[10], reference_selected=[5], reference_total=[10], correction=True
    )
    assert (tested.statistic, tested.p_value, tested.odds_ratio) == (0, 1, 1)


def test_impossible_counts_are_refused() -> None:
    with pytest.raises(ValueError, match="whole numbers"):
        kitagawa(selected=[0.5], total=[2], reference_selected=[1], reference_total=[2])
    with pytest.raises(ValueError, match="whole numbers"):
        kitagawa(selected=[1], total=[2], reference_selected=[1], reference_total=[2.5])
    with pytest.raises(ValueError, match="more selected"):
        kitagawa(selected=[3], total=[2], reference_selected=[1], reference_total=[2])
    with pytest.raises(ValueError, match="segments"):
        kitagawa(selected=[1], total=[2], reference_selected=[1, 1], reference_total=[2, 2])
