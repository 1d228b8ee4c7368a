import numpy as np
import pytest

from biasgov.fairness.evaluation import Bound, Policy, judge
from biasgov.fairness.individual import individual_fairness_distance, measure_individual_fairness


def test_two_camps_treated_alike_inside_have_no_distance() -> None:
    rng = np.random.default_rng(1)
    features = np.concatenate([rng.normal(0, 0.1, (50, 2)), rng.normal(5, 0.1, (50, 2))])
    assert individual_fairness_distance(features, np.repeat([0, 1], 50)).distance == 0


def test_decisions_by_coin_have_the_distance_of_a_coin() -> None:
    rng = np.random.default_rng(2)
    found = individual_fairness_distance(rng.normal(size=(4000, 3)), rng.integers(0, 2, 4000))
    assert found.distance == pytest.approx(0.5, abs=0.02)
    assert found.low < 0.5 < found.high


def test_consistency_by_hand() -> None:
    features = np.array([[0.0], [1.0], [2.1], [10.0], [11.0], [12.1]])
    found = individual_fairness_distance(features, [1, 1, 0, 0, 0, 1], neighbours=2)
    expected = np.mean([0.5, 0.5, 1.0, 0.5, 0.5, 1.0])
    assert found.distance == pytest.approx(expected)
    half = 1.959964 * np.sqrt((4 / 36 + 2 / 9) / 6 / 5)
    assert (found.low, found.high) == pytest.approx((expected - half, expected + half), abs=1e-6)


def test_features_count_the_same_whatever_their_unit() -> None:
    rng = np.random.default_rng(3)
    features, decision = rng.normal(size=(300, 2)), rng.integers(0, 2, 300)
    scaled = features * [1, 1000] + [5, -7]
    assert (
        individual_fairness_distance(features, decision).distance
        == individual_fairness_distance(scaled, decision).distance
    )


@pytest.mark.parametrize(
    ("features", "decision", "message"),
    [
        (np.zeros((3, 1)), [0, 1, 0], "too few"),
        (np.zeros((9, 1)), np.zeros(9), "constant"),
        (np.full((9, 1), np.nan), np.zeros(9), "finite"),
        (np.zeros((9, 1)), np.zeros(8), "one row"),
        (np.full((9, 1), 0.1), np.zeros(9), "constant"),
        (np.arange(9.0)[:, None], np.full(9, 2), "0 or 1"),
    ],
)
def test_what_cannot_be_measured_is_refused(features: np.ndarray, decision: list[int], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        individual_fairness_distance(features, decision)


@pytest.mark.parametrize("factor", [1e-300, 1e200, 1e307])
def test_features_may_be_as_large_and_small_as_numbers_are(factor: float) -> None:
    rng = np.random.default_rng(3)
    features, decision = rng.uniform(-1, 1, size=(300, 2)), rng.integers(0, 2, 300)
    assert (
        individual_fairness_distance(features * factor, decision).distance
        == individual_fairness_distance(features, decision).distance
    )


def test_the_measurement_says_how_large_the_sample_was_and_is_judged_by_its_interval():
    rng = np.random.default_rng(4)
    features, decision = rng.normal(size=(400, 2)), rng.integers(0, 2, 400)
    found = measure_individual_fairness(features, decision, confidence=0.9, details={"digest": "d"})
    alone = individual_fairness_distance(features, decision, confidence=0.9)
    assert (found.value, found.low, found.high) == (alone.distance, alone.low, alone.high)
    assert (found.attribute, found.group, found.n, found.p) == ("", None, 400, None)
    assert found.details == {"digest": "d", "neighbours": 5}
    policy = Policy(bounds={"individual_fairness_distance": Bound(None, 0.1)})
    assert judge([found], policy)[0].verdict == "breach"


@pytest.mark.parametrize(
    ("features", "gap"),
    [
        (np.ones((5, 2)), "no_features"),
        (np.ones((50, 2)), "constant_features"),
        (np.full((50, 1), 0.1), "constant_features"),
    ],
)
def test_a_sample_that_says_nothing_is_not_estimable(features, gap):
    found = measure_individual_fairness(features, np.zeros(len(features)), confidence=0.95, details={})
    assert (found.value, found.gap) == (None, gap)
