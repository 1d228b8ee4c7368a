import numpy as np
import pytest

from biasgov.fairness.sequential import change_point, cusum, page_hinkley

MONTGOMERY = [
    9.45, 7.99, 9.29, 11.66, 12.16, 10.18, 8.04, 11.46, 9.20, 10.34, 9.03, 11.47, 10.51, 9.40, 10.08,
    9.37, 10.62, 10.31, 8.52, 10.84, 10.90, 9.33, 12.29, 11.50, 10.60, 11.08, 10.38, 11.62, 11.31, 10.52,
]  # fmt: skip


def test_montgomerys_example_signals_at_observation_29() -> None:
    chart = cusum(MONTGOMERY, target=10, sigma=1)
    assert chart.signal == 28  # counted from 0
    assert chart.high[28] == pytest.approx(5.28)
    assert chart.direction == 1
    assert chart.change == 22


def test_a_fall_is_found_like_a_rise() -> None:
    mirrored = cusum(20 - np.array(MONTGOMERY), target=10, sigma=1)
    assert (mirrored.signal, mirrored.direction, mirrored.change) == (28, -1, 22)


def test_an_hour_without_measurement_changes_nothing() -> None:
    gap = cusum([*MONTGOMERY[:10], np.nan, *MONTGOMERY[10:]], target=10, sigma=1)
    assert gap.signal == 29
    assert gap.high[29] == pytest.approx(5.28)


def test_a_baseline_that_does_not_vary_is_refused() -> None:
    with pytest.raises(ValueError, match="sigma"):
        cusum([1, 2], target=1, sigma=0)


def test_page_hinkley_finds_a_rise_and_not_a_fall() -> None:
    steady, risen = np.zeros(100), np.ones(100)
    signal, statistic = page_hinkley(np.concatenate([steady, risen]), delta=0.05, threshold=5)
    assert signal is not None
    assert 100 < signal < 115
    assert statistic[:100].max() < 1e-9
    assert page_hinkley(np.concatenate([risen, steady]), delta=0.05, threshold=5)[0] is None


def test_page_hinkley_is_the_recursion_that_never_falls_below_zero() -> None:
    series = np.concatenate([np.random.default_rng(5).normal(level, 1, 60) for level in (2, 0, 3)])
    signal, statistic = page_hinkley(series, delta=0.1, threshold=20)
    reached = [0.0]
    for place, value in enumerate(series):
        reached.append(max(0.0, reached[-1] + value - series[: place + 1].mean() - 0.1))
    assert statistic == pytest.approx(reached[1:])
    assert signal == next(place for place, value in enumerate(reached[1:]) if value > 20)
    assert signal > 120


def test_a_baseline_of_few_values_is_itself_uncertain() -> None:
    """Two values of standard error 1: what follows is measured in steps of the square root of 1.5."""
    assert change_point([0, 0, *[1.2] * 10], [1] * 12, baseline=2) is None
    found = change_point([0, 0, *[1.2] * 11, *[3.0] * 5], [1] * 18, baseline=2)
    assert found is not None
    assert (found.index, found.noticed, found.before) == (2, 12, 0)
    assert found.after == pytest.approx((11 * 1.2 + 5 * 3.0) / 16)


def test_change_point_names_where_a_ratio_began_to_fall() -> None:
    rng = np.random.default_rng(7)
    errors = np.full(200, 0.05)
    errors[::3] = 0.1
    truth = np.where(np.arange(200) < 120, 0.95, 0.75)
    found = change_point(truth + rng.normal(size=200) * errors, errors, baseline=60)
    assert found is not None
    assert abs(found.index - 120) <= 4
    assert found.index <= found.noticed <= 130
    assert found.before == pytest.approx(0.95, abs=0.03)
    assert found.after == pytest.approx(0.75, abs=0.03)


def test_a_steady_series_has_no_change_point() -> None:
    rng = np.random.default_rng(11)
    assert change_point(0.9 + rng.normal(size=150) * 0.05, np.full(150, 0.05), baseline=50) is None


def test_too_short_a_series_says_nothing() -> None:
    assert change_point([0.9, 0.4], [0.1, 0.1], baseline=2) is None


def test_a_sum_that_reaches_the_decision_interval_has_not_exceeded_it() -> None:
    assert cusum([5.5], target=0.0, sigma=1.0).signal is None
    assert cusum([5.75], target=0.0, sigma=1.0).signal == 0
