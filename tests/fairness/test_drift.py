"""Shifts against independent formulas, their coverage by simulation, and what the policy makes of them."""

from __future__ import annotations

import numpy as np
import pytest
from scipy import stats

from biasgov.fairness.cube import CubeSchema, OutcomeCube
from biasgov.fairness.drift import Baseline, baseline_of, measure_drift, shift
from biasgov.fairness.evaluation import Bound, Policy, judge

SCHEMA = CubeSchema.of({"sex": ("female", "male"), "age": ("young", "old")})
BOUNDED = Policy(bounds={"representation_psi": Bound(None, 0.2), "score_psi": Bound(None, 0.2)})


def cube(female: int, male: int, unknown: int = 0, *, score: float | None = None, old: int = 0) -> OutcomeCube:
    sex = np.repeat([0, 1, 2], [female, male, unknown])
    age = (np.arange(len(sex)) < old).astype(int)
    ones = np.ones(len(sex), int)
    return OutcomeCube.count(SCHEMA, [sex, age], ones, ones, None if score is None else np.full(len(sex), score))


def training(**representation: dict[str, float]) -> Baseline:
    return Baseline("training_data", representation, {})


def index(expected: np.ndarray, found: np.ndarray) -> float:
    return float(stats.entropy(found, expected) + stats.entropy(expected, found))


def one(measurements, metric: str, attribute: str, group: str | None = None):
    (found,) = [m for m in measurements if (m.metric, m.attribute, m.group) == (metric, attribute, group)]
    return found


def test_the_shift_is_the_symmetric_divergence_and_its_p_value_pearsons():
    expected, counts = np.array([0.4, 0.35, 0.25]), np.array([55, 30, 15])
    found = shift(expected, counts, confidence=0.95)
    assert found.value == pytest.approx(index(expected, counts / 100))
    assert found.p == pytest.approx(stats.chisquare(counts, 100 * expected).pvalue)


def test_an_unshifted_window_has_an_interval_from_zero_and_no_verdict_against_it():
    found = shift([0.5, 0.5], [50, 50], confidence=0.95)
    assert (found.value, found.low, found.p) == (0.0, 0.0, 1.0)
    assert 0 < found.high < 0.2


def test_far_from_no_shift_the_interval_is_that_of_the_delta_method_about_the_index_without_its_bias():
    counts = np.repeat([30, 2], 10)
    n, p, q = counts.sum(), np.full(20, 0.05), counts / counts.sum()
    found = shift(p, counts, confidence=0.95)
    slope = np.log(q / p) + 1 - p / q
    deviation = np.sqrt(((q * slope**2).sum() - (q * slope).sum() ** 2) / n)
    assert found.value == pytest.approx(index(p, q))
    assert found.low == pytest.approx(found.value - 19 / n - 1.959964 * deviation, abs=1e-6)
    assert found.high == pytest.approx(found.value - 19 / n + 1.959964 * deviation, abs=1e-6)


def test_a_category_never_expected_is_finite():
    found = shift([0.0, 1.0], [30, 70], confidence=0.95)
    smoothed = np.array([0.5, 100.5]) / 101
    assert found.value == pytest.approx(index(smoothed, np.array([0.3, 0.7])))
    assert found.low > 0.2


@pytest.mark.parametrize("n", [200, 2000])
@pytest.mark.parametrize(
    ("expected", "truth"),
    [
        ([0.4, 0.6], [0.4, 0.6]),
        ([0.4, 0.6], [0.2, 0.8]),
        ([0.05, 0.15, 0.2, 0.25, 0.35], [0.2, 0.25, 0.2, 0.2, 0.15]),
    ],
)
def test_the_interval_covers_the_true_index(n: int, expected: list[float], truth: list[float]):
    rng = np.random.default_rng(17)
    target = index(np.array(expected), np.array(truth))
    shifts = [shift(expected, counts, confidence=0.95) for counts in rng.multinomial(n, truth, 400)]
    assert np.mean([each.low <= target + 1e-12 and target <= each.high for each in shifts]) >= 0.92
    assert np.mean([each.low > target + 1e-12 for each in shifts]) <= 0.05


def test_representation_is_over_the_known_and_says_what_is_expected():
    found = one(measure_drift(cube(300, 100, 50), [training(sex={"female": 0.4, "male": 0.6})], BOUNDED), *REP)
    assert found.value == pytest.approx(index(np.array([0.4, 0.6]), np.array([0.75, 0.25])))
    assert (found.n, found.share, found.least_n, found.least_cell) == (400, 400 / 450, 400, 400)
    assert found.details["baseline"] == "training_data"
    assert found.details["expected"] == {"training_data": {"female": 0.4, "male": 0.6}}
    (result,) = judge([found], BOUNDED)
    assert (result.verdict, result.judged) == ("breach", True)


REP = ("representation_psi", "sex")


def test_a_small_window_is_not_judged_and_a_faithful_one_is_within():
    baseline = [training(sex={"female": 0.5, "male": 0.5})]
    assert judge([one(measure_drift(cube(20, 5), baseline, BOUNDED), *REP)], BOUNDED)[0].verdict == "inconclusive"
    assert judge([one(measure_drift(cube(240, 260), baseline, BOUNDED), *REP)], BOUNDED)[0].verdict == "within"


def test_the_larger_of_two_shifts_counts_and_both_are_told():
    baselines = [
        training(sex={"female": 0.7, "male": 0.3}),
        Baseline("population", {"sex": {"female": 0.5, "male": 0.5}}, {}),
    ]
    found = one(measure_drift(cube(300, 100), baselines, BOUNDED), *REP)
    alone = [shift(shares, [300, 100], confidence=0.975) for shares in ([0.7, 0.3], [0.5, 0.5])]
    assert found.details["baseline"] == "population"
    assert found.value == alone[1].value
    assert (found.low, found.high) == (max(a.low for a in alone), max(a.high for a in alone))
    assert found.p == pytest.approx(2 * alone[1].p)
    assert found.details["against"]["training_data"]["value"] == alone[0].value


def test_scores_drift_within_each_group_that_has_a_baseline():
    uniform = [0.05] * 20
    baseline = Baseline("training_data", {}, {"sex": {"female": uniform}, "": {"": uniform}})
    measured = measure_drift(cube(120, 80, score=0.98), [baseline], BOUNDED)
    female = one(measured, "score_psi", "sex", "female")
    counts = np.array([0] * 19 + [120])
    smoothed = (counts + 0.5) / (counts + 0.5).sum()
    assert female.value == pytest.approx(index(np.full(20, 0.05), smoothed))
    assert female.n == female.least_cell == 120
    assert one(measured, "score_psi", "").n == 200
    assert one(measured, "score_psi", "sex", "male").gap == "no_baseline"
    assert [r.verdict for r in judge([female], BOUNDED)] == ["breach"]


def test_what_is_missing_is_said_and_only_where_it_was_asked_for():
    assert measure_drift(cube(10, 10), [], Policy()) == ()
    gaps = {(m.metric, m.attribute, m.group): m.gap for m in measure_drift(cube(10, 10), [], BOUNDED)}
    assert gaps == {
        ("representation_psi", "sex", None): "no_baseline",
        ("representation_psi", "age", None): "no_baseline",
        ("score_psi", "", None): "no_baseline",
    }
    bins = Baseline("training_data", {"sex": {"female": 1.0}}, {"sex": {"female": [0.05] * 20, "male": [0.05] * 20}})
    scoreless = {(m.metric, m.group): m.gap for m in measure_drift(cube(10, 0, 5), [bins], Policy())}
    assert scoreless == {
        ("representation_psi", None): None,
        ("score_psi", "female"): "no_scores",
        ("score_psi", "male"): "no_events",
    }
    assert one(measure_drift(cube(0, 0, 5), [bins], Policy()), *REP).gap == "no_events"


def test_a_declared_group_that_the_cube_does_not_know_counts_as_absent():
    found = one(measure_drift(cube(50, 50), [training(sex={"female": 0.4, "male": 0.4, "other": 0.2})], BOUNDED), *REP)
    smoothed = (np.array([50, 50, 0]) + 0.5) / 101.5
    assert found.value == pytest.approx(index(np.array([0.4, 0.4, 0.2]), smoothed))


def test_an_intersection_is_compared_where_a_baseline_declares_it():
    shares = {"female*young": 0.25, "female*old": 0.25, "male*young": 0.25, "male*old": 0.25}
    found = one(
        measure_drift(cube(60, 40, old=20), [training(**{"sex*age": shares})], Policy()),
        "representation_psi",
        "sex*age",
    )
    assert found.value == pytest.approx(index(np.full(4, 0.25), np.array([0.4, 0.2, 0.4, 0.0]) * 100 + 0.5), rel=1e-9)


def test_a_counted_baseline_is_a_second_sample():
    before, now = np.array([40, 35, 25]), np.array([110, 60, 30])
    found = shift(before, now, confidence=0.95, counted=True)
    assert found.value == pytest.approx(index(before / 100, now / 200))
    assert found.p == pytest.approx(stats.chi2_contingency(np.stack([before, now]), correction=False).pvalue)
    exact = shift(before, now, confidence=0.95)
    assert found.low < exact.low
    assert found.high > exact.high


@pytest.mark.parametrize(
    ("expected", "truth"),
    [
        ([0.4, 0.6], [0.4, 0.6]),
        ([0.4, 0.6], [0.2, 0.8]),
        ([0.05, 0.15, 0.2, 0.25, 0.35], [0.2, 0.25, 0.2, 0.2, 0.15]),
    ],
)
@pytest.mark.parametrize(("m", "n"), [(300, 2000), (1500, 400)])
def test_the_interval_allows_for_the_noise_of_a_counted_baseline(m, n, expected, truth):
    rng = np.random.default_rng(18)
    target = index(np.array(expected), np.array(truth))
    sides = zip(rng.multinomial(m, expected, 400), rng.multinomial(n, truth, 400), strict=True)
    shifts = [shift(before, now, confidence=0.95, counted=True) for before, now in sides]
    assert np.mean([each.low <= target + 1e-12 and target <= each.high for each in shifts]) >= 0.92
    assert np.mean([each.low > target + 1e-12 for each in shifts]) <= 0.05
    if target == 0:
        assert np.mean([each.p < 0.05 for each in shifts]) <= 0.08


def test_other_rows_make_a_baseline_of_groups_and_score_bins():
    before = baseline_of(cube(120, 80, 10, score=0.98), "before", ["sex", "age", "sex*age"])
    assert before.counted
    assert before.representation["sex"] == {"female": 120, "male": 80}
    assert sum(before.representation["sex*age"].values()) == 200
    assert before.score_bins["sex"]["male"] == [0] * 19 + [80]
    assert sum(before.score_bins[""][""]) == 210
    same = [m for m in measure_drift(cube(120, 80, 10, score=0.98), [before], BOUNDED) if m.attribute != "age"]
    assert len(same) == 5
    assert {(one.value, one.p) for one in same} == {(0.0, 1.0)}
    scoreless = baseline_of(cube(5, 0), "before", ["sex"])
    assert (scoreless.representation, scoreless.score_bins) == ({"sex": {"female": 5, "male": 0}}, {})


def test_two_baselines_are_two_tests():
    same = {"sex": {"female": 0.5, "male": 0.5}}
    windows = cube(230, 200), [Baseline("training", same, {}), Baseline("population", same, {})]
    alone, both = (one(measure_drift(windows[0], windows[1][:count], BOUNDED), *REP).p for count in (1, 2))
    assert both == pytest.approx(2 * alone)
    assert both < 1
