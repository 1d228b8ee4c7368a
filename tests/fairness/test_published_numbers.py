"""Numbers that others published, or that were worked out by hand, through the whole of measure and judge."""

from __future__ import annotations

import numpy as np
import pytest

from biasgov.fairness.cube import CubeSchema, OutcomeCube
from biasgov.fairness.evaluation import Bound, Plan, Policy, evaluate, quality
from tests.fairness.tables import confusion_cube, only, selection_cube

FOUR_FIFTHS = Policy(bounds={"demographic_parity_ratio": Bound(0.8, 1.25)})


def judged(counts, reference, policy=FOUR_FIFTHS):
    return evaluate(selection_cube(counts), Plan({"group": reference}), policy, seed=7)


def test_uniform_guidelines_questions_and_answers():
    """Rates .60, .45, .48, .51: .75 is below four fifths, .80 is exactly on the line, .85 above it."""
    results = judged({"A": (600, 1000), "B": (450, 1000), "C": (480, 1000), "D": (510, 1000)}, "A")
    ratios = {group: only(results, "demographic_parity_ratio", group) for group in "BCD"}
    assert [round(one.value, 10) for one in ratios.values()] == [0.75, 0.8, 0.85]
    assert [one.verdict for one in ratios.values()] == ["inconclusive", "within", "within"]
    assert ratios["B"].reason == "interval_reaches_bound"
    more = judged({"A": (6000, 10000), "B": (4500, 10000), "C": (4800, 10000), "D": (5100, 10000)}, "A")
    assert [only(more, "demographic_parity_ratio", group).verdict for group in "BCD"] == ["breach", "within", "within"]


def test_the_eighty_percent_line_is_drawn_in_integers():
    assert (2 / 3) / (5 / 6) < 0.8
    results = judged({"A": (500, 600), "B": (400, 600)}, "A")
    one = only(results, "demographic_parity_ratio", "B")
    assert one.value < 0.8
    assert one.verdict == "within"
    assert only(results, "demographic_parity_ratio").verdict == "within"
    assert (
        only(judged({"A": (500, 600), "B": (399, 600)}, "A"), "demographic_parity_ratio", "B").verdict == "inconclusive"
    )


LOCAL_LAW_144 = {
    "Male": {
        "White": (215, 412),
        "Hispanic": (90, 205),
        "Black": (95, 226),
        "Pacific Islander": (37, 87),
        "Asian": (167, 321),
        "Native American": (11, 24),
        "Two or more": (52, 115),
    },
    "Female": {
        "White": (197, 385),
        "Hispanic": (82, 190),
        "Black": (75, 164),
        "Pacific Islander": (26, 62),
        "Asian": (133, 295),
        "Native American": (7, 17),
        "Two or more": (35, 68),
    },
}


@pytest.fixture(scope="module")
def local_law_144():
    schema = CubeSchema.of({"sex": LOCAL_LAW_144, "race": LOCAL_LAW_144["Male"]})
    cubes = []
    for sex, races in enumerate(LOCAL_LAW_144.values()):
        for race, (selected, total) in enumerate(races.values()):
            codes = [np.full(total, sex), np.full(total, race)]
            cubes.append(OutcomeCube.count(schema, codes, np.arange(total) < selected, np.full(total, -1)))
    return evaluate(OutcomeCube.sum(cubes), Plan({"sex": "Male", "race": "White"}), FOUR_FIFTHS, seed=7)


def test_new_york_local_law_144_impact_ratios(local_law_144):
    assert only(local_law_144, "selection_rate", "Male").measurement.numerator == 667
    assert only(local_law_144, "selection_rate", "Male").n == 1390
    for group, ratio in (
        ("Female", 0.979),
        ("Male*Hispanic", 0.841),
        ("Female*Hispanic", 0.827),
        ("Male*Black", 0.806),
        ("Female*Native American", 0.789),
    ):
        assert only(local_law_144, "demographic_parity_ratio", group).value == pytest.approx(ratio, abs=5e-4)


def test_a_group_of_seventeen_below_the_line_alerts_nobody(local_law_144):
    one = only(local_law_144, "demographic_parity_ratio", "Female*Native American")
    assert one.interval == pytest.approx((0.412, 1.243), abs=5e-4)
    assert one.measurement.p == pytest.approx(0.461, abs=5e-4)
    assert one.measurement.share < 0.02
    assert (one.verdict, one.severity, one.reason) == ("inconclusive", None, "group_too_small")


def test_local_law_144_by_race_after_holm(local_law_144):
    one = only(local_law_144, "demographic_parity_ratio", "Black")
    assert one.value == pytest.approx(0.843, abs=5e-4)
    assert one.measurement.p == pytest.approx(0.0094, abs=5e-5)
    assert one.p_adjusted == pytest.approx(0.057, abs=5e-4)
    assert one.verdict == "within"


def test_differential_fairness_of_the_simpsons_paradox_example():
    results = judged({"1A": (81, 87), "1B": (234, 270), "2A": (192, 263), "2B": (55, 80)}, "1A")
    one = only(results, "differential_fairness")
    assert one.value == pytest.approx(1.511, abs=5e-4)
    assert one.value == pytest.approx(np.log((25 / 80) / (6 / 87)))
    low, high = one.interval
    assert 0.3 < low < one.value < high < 4


def test_berkeley_admissions_as_a_ratio():
    results = judged({"men": (1198, 2691), "women": (557, 1835)}, "men")
    one = only(results, "demographic_parity_ratio", "women")
    assert one.value == pytest.approx(0.682, abs=5e-4)
    assert only(results, "demographic_parity_difference", "women").value == pytest.approx(-0.1416, abs=5e-5)
    assert one.verdict == "breach"


def test_unknown_attributes_allow_a_range_of_ratios():
    cube = selection_cube({"A": (300, 500), "B": (168, 420), "unknown": (40, 80)})
    bounds = quality(cube, Plan({"group": "A"})).parity_bounds["group"]["B"]
    assert bounds.value == pytest.approx(0.667, abs=5e-4)
    assert (bounds.low, bounds.high) == pytest.approx((0.580, 0.814), abs=5e-4)


def test_sharp_bounds_are_reached_by_the_extreme_assignments_and_no_other():
    counts = {"A": (6, 10), "B": (3, 9)}
    ratios = [((3 + s) / (9 + s + r)) / ((6 + 2 - s) / (10 + 2 - s + 3 - r)) for s in range(3) for r in range(4)]
    cube = selection_cube({**counts, "unknown": (2, 5)})
    bounds = quality(cube, Plan({"group": "A"})).parity_bounds["group"]["B"]
    assert (bounds.low, bounds.high) == pytest.approx((min(ratios), max(ratios)))


def test_propublica_error_rates():
    """COMPAS, rated high risk = decile score of at least 5; ProPublica's confusion matrices of 2016.

    The favourable decision is "low risk", the favourable outcome "did not re-offend": their false positive rate is the
    false negative rate here.
    """
    cube = confusion_cube(
        {"Black": (990, 532, 805, 1369), "White": (1139, 461, 349, 505)},
    )
    results = evaluate(cube, Plan({"group": "White"}), Policy(bounds={"fnr_gap": Bound(-0.05, 0.05)}), seed=1)
    assert only(results, "fnr", "Black").value == pytest.approx(0.4485, abs=5e-5)
    assert only(results, "fnr", "White").value == pytest.approx(0.2345, abs=5e-5)
    assert only(results, "fpr", "Black").value == pytest.approx(0.2799, abs=5e-5)
    assert only(results, "fpr", "White").value == pytest.approx(0.4772, abs=5e-5)
    gap = only(results, "fnr_gap", "Black")
    assert (gap.verdict, gap.severity) == ("breach", "high")
    assert only(results, "equalized_odds_difference", "Black").value == pytest.approx(805 / 1795 - 349 / 1488)


def test_phi_is_the_association_of_two_groups():
    results = judged({"A": (60, 100), "B": (40, 100)}, "A")
    one = only(results, "association")
    assert one.value == pytest.approx(0.2)
    assert one.measurement.p == pytest.approx(0.004678, abs=1e-6)  # chi-squared 8 with one degree of freedom
