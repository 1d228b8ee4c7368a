"""When a change began, by the hour."""

from __future__ import annotations

import numpy as np
import pytest

from biasgov.fairness.change_dating import date_change


def counts(seed: int, at: int, per_hour: float, before: float, after: float, hours: int = 96) -> tuple[np.ndarray, ...]:
    rng = np.random.default_rng(seed)
    n = rng.poisson(per_hour, hours)
    return rng.binomial(n, np.where(np.arange(hours) < at, before, after)), n


@pytest.mark.parametrize("at", [30, 48, 71])
def test_many_events_date_a_change_to_the_hour(at: int) -> None:
    group, reference = counts(1, at, 400, 0.6, 0.3), counts(2, at, 400, 0.6, 0.6)
    dated = date_change((group, reference), ((0.6, 0.3), (0.6, 0.6)))
    assert abs(dated.at - at) <= 1
    assert dated.earliest <= at <= dated.latest


def test_the_range_holds_the_truth_about_as_often_as_it_says_and_is_wider_with_fewer_events() -> None:
    widths = {}
    for per_hour in (2, 20):
        dated = [date_change((counts(seed, 48, per_hour, 0.6, 0.3),), ((0.6, 0.3),)) for seed in range(300)]
        held = np.mean([each.earliest <= 48 <= each.latest for each in dated])
        assert held > 0.9
        widths[per_hour] = np.mean([each.latest - each.earliest for each in dated])
    assert widths[2] > 2 * widths[20]


def test_the_reference_counts_too() -> None:
    """Nothing happened to the group: its reference rose."""
    group, reference = counts(3, 20, 50, 0.4, 0.4), counts(4, 20, 50, 0.4, 0.7)
    assert abs(date_change((group, reference), ((0.4, 0.4), (0.4, 0.7))).at - 20) <= 2


def test_without_any_event_every_hour_is_as_good() -> None:
    nothing = np.zeros(24, int), np.zeros(24, int)
    dated = date_change((nothing,), ((0.5, 0.2),))
    assert (dated.earliest, dated.latest) == (0, 24)


def test_rates_of_nought_and_one_are_possible() -> None:
    x, n = np.array([10, 10, 0, 0]), np.full(4, 10)
    assert date_change(((x, n),), ((1.0, 0.0),)).at == 2
