"""Selections that courts and textbooks printed with their counts, through the whole of measure and judge."""

from __future__ import annotations

import numpy as np
import pytest
from scipy import stats

from biasgov.fairness.decomposition import cochran_mantel_haenszel, kitagawa
from biasgov.fairness.drift import shift
from biasgov.fairness.evaluation import Bound, Plan, Policy, evaluate
from biasgov.fairness.intervals import normal_quantile, wilson
from tests.fairness.tables import only, selection_cube

Z = normal_quantile(0.95)
FOUR_FIFTHS = Policy(bounds={"demographic_parity_ratio": Bound(0.8, 1.25)})


def judged(counts, reference, policy=FOUR_FIFTHS):
    return evaluate(selection_cube(counts), Plan({"group": reference}), policy, seed=7)


@pytest.mark.parametrize(
    ("passed", "black", "hispanic"),
    [
        ({"White": (25, 43), "Black": (6, 19), "Hispanic": (3, 15)}, 0.54, 0.34),
        ({"White": (16, 25), "Black": (3, 8), "Hispanic": (3, 8)}, 0.59, 0.59),
    ],
    ids=["lieutenants", "captains"],
)
def test_firefighters_of_new_haven_fall_below_four_fifths_and_are_too_few_to_be_judged(passed, black, hispanic):
    """Ricci v. DeStefano, 557 U.S. 557 (2009): about one-half of the white pass rate, of 19, 15, 8 and 8 candidates."""
    found = judged(passed, "White")
    ratios = {group: only(found, "demographic_parity_ratio", group) for group in ("Black", "Hispanic")}
    assert ratios["Black"].value == pytest.approx(black, abs=0.005)
    assert ratios["Hispanic"].value == pytest.approx(hispanic, abs=0.005)
    assert {one.reason for one in ratios.values()} == {"group_too_small"}
    assert only(found, "demographic_parity_ratio").verdict == "inconclusive"


def test_the_bottom_line_of_connecticut_v_teal_hides_its_first_step():
    """457 U.S. 440 (1982): the test passed 54.17 and 79.54 %, a ratio of 68 %; promoted were 22.9 and 13.5 %."""
    test = only(judged({"White": (206, 259), "Black": (26, 48)}, "White"), "demographic_parity_ratio", "Black")
    assert test.value == pytest.approx(0.68, abs=0.005)
    assert test.measurement.p < 0.001
    promoted = only(judged({"White": (35, 259), "Black": (11, 48)}, "White"), "demographic_parity_ratio", "Black")
    assert promoted.value == pytest.approx(1.70, abs=0.005)
    assert promoted.measurement.p > 0.05


@pytest.mark.parametrize(
    ("good", "difference", "ratio"),
    [
        ({"men": (499, 690), "women": (201, 310)}, -0.0748, 0.8966),
        ({"over 25": (590, 810), "up to 25": (110, 190)}, -0.149448, 0.794826),
    ],
    ids=["sex", "age"],
)
def test_the_german_credit_data(good, difference, ratio):
    """The mean difference and disparate impact that aif360 prints for all 1,000 people."""
    reference, group = good
    found = judged(good, reference)
    assert only(found, "demographic_parity_difference", group).value == pytest.approx(difference, abs=5e-5)
    assert only(found, "demographic_parity_ratio", group).value == pytest.approx(ratio, abs=5e-5)
    assert only(found, "demographic_parity_ratio", group).verdict in ("within", "inconclusive")


def test_death_sentences_in_florida_are_simpsons_paradox():
    """Radelet & Pierce (1991), Agresti's table of defendants by victims: 11.0 and 7.9 % in all, turned round inside."""
    whites, blacks = {"x": [53, 0], "n": [467, 16]}, {"x": [11, 4], "n": [48, 143]}
    assert sum(whites["x"]) / sum(whites["n"]) == pytest.approx(0.110, abs=5e-4)
    assert sum(blacks["x"]) / sum(blacks["n"]) == pytest.approx(0.079, abs=5e-4)
    split = kitagawa(
        selected=blacks["x"], total=blacks["n"], reference_selected=whites["x"], reference_total=whites["n"]
    )
    assert split.difference < 0 < split.rate
    assert split.reverses
    assert min(split.rate_by_segment) > 0


def test_penicillin_and_rabbits():
    """R's `mantelhaen.test(Rabbits)`: 3.9286 with the correction, p = 0.04747, common odds ratio 7."""
    tested = cochran_mantel_haenszel(
        selected=[0, 3, 6, 5, 2],
        total=[6, 6, 6, 6, 2],
        reference_selected=[0, 0, 2, 6, 5],
        reference_total=[5, 6, 6, 6, 5],
        correction=True,
    )
    assert tested.statistic == pytest.approx(3.9286, abs=5e-5)
    assert tested.p_value == pytest.approx(0.04747, abs=5e-6)
    assert tested.odds_ratio == pytest.approx(7)


def test_party_and_gender_in_the_general_social_survey_of_1991():
    """Agresti: women 279, 73, 225 and men 165, 47, 191 by party; chi-squared 7.01 with 2 degrees of freedom, p 0.03."""
    women = {"Democrat": (279, 444), "Independent": (73, 120), "Republican": (225, 416)}
    one = only(judged(women, "Democrat"), "association")
    assert one.measurement.details["statistic"] == pytest.approx(7.01, abs=0.005)
    assert one.measurement.details["degrees_of_freedom"] == 2
    assert one.measurement.p == pytest.approx(0.03, abs=0.001)


def test_mendels_peas_fit_their_baseline():
    """315, 101, 108 and 32 against 9:3:3:1: chi-squared 0.470, p 0.925."""
    found = shift([9, 3, 3, 1], [315, 101, 108, 32], confidence=0.95)
    assert found.p == pytest.approx(0.925, abs=5e-4)
    assert found.low == 0
    assert found.value < 0.002


def test_grand_jurors_of_castaneda_v_partida():
    """430 U.S. 482 (1977): 339 of 870 against 79.1 % of the county, 29 standard deviations, less than 1 in 10^140."""
    found = shift([0.791, 0.209], [339, 531], confidence=0.95)
    assert 0 < found.p < 1e-140
    assert stats.chi2.isf(found.p, 1) ** 0.5 == pytest.approx(29, abs=0.5)
    assert found.low > 0.2


def test_none_of_25_students_is_a_vegetarian():
    """Agresti, An Introduction to Categorical Data Analysis: the score interval is 0 to 0.133."""
    assert wilson(np.array(0), np.array(25), Z) == pytest.approx((0, 0.133), abs=5e-4)
