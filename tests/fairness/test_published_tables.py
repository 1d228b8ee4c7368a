"""Tables that textbooks and audits print, through the functions and through the whole of measure and judge."""

from __future__ import annotations

import numpy as np
import pytest

from biasgov.fairness.decomposition import cochran_mantel_haenszel, kitagawa
from biasgov.fairness.evaluation import DEFAULT_POLICY, Plan, evaluate
from biasgov.fairness.intervals import koopman, newcombe, normal_quantile, wilson
from biasgov.fairness.significance import fisher
from tests.fairness.tables import only, selection_cube

Z = normal_quantile(0.95)


@pytest.mark.parametrize(
    ("x1", "n1", "x2", "n2", "low", "high"),
    [
        (6, 7, 2, 7, 0.0582, 0.8062),
        (5, 56, 0, 29, -0.0381, 0.1926),
        (0, 10, 0, 10, -0.2775, 0.2775),
        (10, 10, 0, 20, 0.6791, 1.0),
        (10, 10, 0, 10, 0.6075, 1.0),
    ],
)
def test_newcombes_examples_with_zero_cells(x1: int, n1: int, x2: int, n2: int, low: float, high: float) -> None:
    """Newcombe (1998), Statistics in Medicine 17, table II, method 10."""
    found = newcombe(*map(np.array, (x1, n1, x2, n2)), Z)
    assert found == pytest.approx((low, high), abs=5e-5)


@pytest.mark.parametrize(("x", "n", "low", "high"), [(15, 148, 0.0624, 0.1605), (1, 29, 0.0061, 0.1718)])
def test_wilson_intervals_of_newcombes_single_proportions(x: int, n: int, low: float, high: float) -> None:
    assert wilson(np.array(x), np.array(n), Z) == pytest.approx((low, high), abs=1e-4)


def test_koopmans_own_example() -> None:
    """Koopman (1984), Biometrics 40: 36 of 40 over 16 of 80."""
    assert koopman(*map(np.array, (36, 40, 16, 80)), Z) == pytest.approx((2.94, 7.15), abs=0.005)


def test_the_physicians_health_study() -> None:
    """Agresti, Categorical Data Analysis, table 2.1: 189 of 11,034 and 104 of 11,037 had an infarction."""
    low, high = koopman(*map(np.array, (189, 11_034, 104, 11_037)), Z)
    ratio = (189 / 11_034) / (104 / 11_037)
    assert ratio == pytest.approx(1.82, abs=0.005)
    assert (low, high) == pytest.approx((1.43, 2.31), abs=0.01)


def test_fishers_tea_and_twins() -> None:
    """One-sided tables of Fisher (1935, 1962) as Agresti and R print them, two-sided."""
    assert float(fisher(*map(np.array, (3, 4, 1, 4)))) == pytest.approx(0.4857, abs=5e-5)
    assert float(fisher(*map(np.array, (2, 17, 10, 13)))) == pytest.approx(0.0005367, abs=5e-8)


def test_smoking_and_lung_cancer_in_eight_cities() -> None:
    """Agresti, table 6.9: Cochran-Mantel-Haenszel 280.1, common odds ratio 2.17."""
    cases = np.array([126, 908, 913, 235, 402, 182, 60, 104])
    controls = np.array([100, 688, 747, 172, 308, 156, 99, 89])
    other_cases = np.array([35, 497, 336, 58, 121, 72, 11, 21])
    other_controls = np.array([61, 807, 598, 121, 215, 98, 43, 36])
    tested = cochran_mantel_haenszel(
        selected=cases,
        total=cases + controls,
        reference_selected=other_cases,
        reference_total=other_cases + other_controls,
    )
    assert tested.statistic == pytest.approx(280.1, abs=0.05)
    assert tested.odds_ratio == pytest.approx(2.17, abs=0.005)


def test_kidney_stones_are_simpsons_paradox() -> None:
    """Charig et al. (1986): open surgery heals 78 % and the other treatment 83 %, yet more of either size of stone."""
    split = kitagawa(selected=[81, 192], total=[87, 263], reference_selected=[234, 55], reference_total=[270, 80])
    assert split.difference == pytest.approx(273 / 350 - 289 / 350)
    assert split.reverses
    assert min(split.rate_by_segment) > 0
    assert split.mix + split.rate == pytest.approx(split.difference)


@pytest.mark.parametrize(
    ("survivors", "statistic", "freedom", "v"),
    [
        ({"male": (367, 1731), "female": (344, 470)}, 456.87, 1, 0.456),
        ({"first": (203, 325), "second": (118, 285), "third": (178, 706), "crew": (212, 885)}, 190.40, 3, 0.294),
    ],
    ids=["sex", "class"],
)
def test_survivors_of_the_titanic(survivors: dict, statistic: float, freedom: int, v: float) -> None:
    """2,201 people (Dawson 1995)."""
    found = evaluate(selection_cube(survivors), Plan({"group": next(iter(survivors))}), DEFAULT_POLICY, seed=1)
    association = only(found, "association")
    assert association.measurement.details["statistic"] == pytest.approx(statistic, abs=0.005)
    assert association.measurement.details["degrees_of_freedom"] == freedom
    assert association.value == pytest.approx(v, abs=5e-4)
    assert association.verdict == "breach"


def test_incomes_of_the_adult_data() -> None:
    """Above 50,000 dollars: 1,179 of 10,771 women and 6,662 of 21,790 men; the ratio is published as 0.36."""
    counts = {"Male": (6_662, 21_790), "Female": (1_179, 10_771)}
    found = evaluate(selection_cube(counts), Plan({"group": "Male"}), DEFAULT_POLICY, seed=1)
    ratio = only(found, "demographic_parity_ratio", "Female")
    assert ratio.value == pytest.approx(0.358, abs=5e-4)
    assert (ratio.verdict, ratio.severity) == ("breach", "critical")
    assert only(found, "demographic_parity_difference", "Female").value == pytest.approx(-0.1963, abs=5e-5)
