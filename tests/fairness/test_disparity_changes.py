"""Change points and their causes on days that are made by hand."""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from biasgov.fairness.change_parts import Side, parts
from biasgov.fairness.cube import CubeSchema, OutcomeCube
from biasgov.fairness.disparity_changes import DisparityChange, disparity_changes
from biasgov.fairness.disparity_series import RATES, Steps
from biasgov.fairness.period_counts import PeriodCounts
from biasgov.fairness.policy import Plan

SCHEMA = CubeSchema.of({"region": ("NA", "APAC"), "sex": ("female", "male"), "age": ("young", "old")})
PLAN = Plan({"region": "NA", "sex": "male", "age": "old"})
RATIO = "demographic_parity_ratio"

Cell = tuple[str, str, int, int]
"""(region, sex, events, favourable decisions among them); age alternates, outcomes are unknown."""


def day(*cells: Cell, labelled: float = 0.0) -> OutcomeCube:
    rows: list[tuple[int, int, int, int, int]] = []
    for region, sex, n, selected in cells:
        codes = SCHEMA.axis("region").code(region), SCHEMA.axis("sex").code(sex)
        for place in range(n):
            # Every other one has the positive outcome; those with a label are spread evenly.
            outcome = place // 2 % 2 if (place * 7919 % 100) / 100 < labelled else -1
            rows.append((*codes, place % 2, int(place < selected), outcome))
    region_, sex_, age, decision, outcome_ = np.array(rows).T
    return OutcomeCube.count(SCHEMA, [region_, sex_, age], decision, outcome_)


def found(days: Sequence[OutcomeCube | None], plan: Plan = PLAN) -> tuple[DisparityChange, ...]:
    known = [(number, cube) for number, cube in enumerate(days) if cube is not None]
    return disparity_changes(PeriodCounts.of(SCHEMA, known, periods=len(days)), plan)


def of_region(days: Sequence[OutcomeCube | None], plan: Plan = PLAN) -> list[DisparityChange]:
    return [each for each in found(days, plan) if each.attribute == "region" and each.metric == RATIO]


def usual(selected: int = 48) -> OutcomeCube:
    """NA half of 200, APAC `selected` of 100 men and as many women."""
    return day(("NA", "female", 100, 50), ("NA", "male", 100, 50), *apac(selected))


def apac(selected: int) -> tuple[Cell, Cell]:
    return ("APAC", "female", 100, selected), ("APAC", "male", 100, selected)


def mixed(women: int) -> OutcomeCube:
    """Women have a rate of 0.2 and men of 0.6 everywhere; of 200 in APAC so many are women."""
    men = 200 - women
    own = ("APAC", "female", women, women // 5), ("APAC", "male", men, men * 3 // 5)
    return day(("NA", "female", 100, 20), ("NA", "male", 100, 60), *own)


@pytest.mark.parametrize("at", [7, 12, 18, 25])
def test_a_fall_of_the_rates_is_dated_to_its_day_wherever_in_the_window_it_lies(at: int) -> None:
    (change,) = of_region([usual()] * at + [usual(36)] * (30 - at))
    assert (change.group, change.reference, change.at) == ("APAC", "NA", at)
    assert at <= change.noticed <= at + 3
    assert (change.before, change.after) == (pytest.approx(0.96), pytest.approx(0.72))
    assert (change.n_before, change.n_after) == (200 * at, 200 * (30 - at))
    assert change.mix == pytest.approx(0, abs=1e-12)
    assert change.rate == pytest.approx(-0.24)
    assert not change.reverses


def test_a_change_at_the_very_front_is_the_baseline() -> None:
    assert of_region([usual()] * 2 + [usual(36)] * 28) == []


def test_other_people_are_a_change_of_mix_not_of_rates() -> None:
    (change,) = of_region([mixed(100)] * 20 + [mixed(180)] * 10)
    assert change.at == 20
    assert (change.segment, change.declared) == ("sex", False)
    assert (change.before, change.after) == (pytest.approx(1.0), pytest.approx(0.6))
    assert change.mix == pytest.approx(-0.4)
    assert change.rate == pytest.approx(0, abs=1e-12)


def test_simpsons_paradox_is_named() -> None:
    before = day(
        ("NA", "female", 100, 20), ("NA", "male", 100, 60), ("APAC", "female", 50, 10), ("APAC", "male", 150, 90)
    )
    after = day(
        ("NA", "female", 100, 20), ("NA", "male", 100, 60), ("APAC", "female", 180, 50), ("APAC", "male", 20, 15)
    )
    (change,) = of_region([before] * 18 + [after] * 12)
    assert change.after < change.before
    assert change.rate is not None
    assert change.mix is not None
    assert change.rate > 0 > change.mix
    assert change.mix + change.rate == pytest.approx(change.after - change.before)
    assert change.reverses


def test_rates_that_hardly_moved_the_other_way_are_no_paradox() -> None:
    after = day(
        ("NA", "female", 100, 20), ("NA", "male", 100, 60), ("APAC", "female", 180, 38), ("APAC", "male", 20, 12)
    )
    (change,) = of_region([mixed(100)] * 18 + [after] * 12)
    assert change.rate is not None
    assert 0 < change.rate < 0.1 * (change.before - change.after)
    assert not change.reverses


def test_half_of_a_short_window_is_its_baseline() -> None:
    (change,) = of_region([usual()] * 8 + [usual(20)] * 4)
    assert change.at == 8


def test_outcomes_that_are_seldom_known_are_compared_with_what_is_usual() -> None:
    days = [usual_labelled(48, 0.5)] * 18 + [usual_labelled(10, 0.5)] * 12
    assert {each.metric for each in found(days) if each.attribute == "region"} == {
        RATIO,
        "equal_opportunity_difference",
        "fpr_gap",
    }


def test_a_step_of_a_ratio_holds_five_expected_decisions_and_nobody_selected_is_a_number() -> None:
    x, n = np.array(([2] * 5 + [0] * 5) * 2), np.full(20, 50)
    steps = Steps.join(RATES[0], x, n, np.full(20, 25), n)
    assert (steps.n >= 5 / 0.02).all()
    assert len(steps) == 4
    value, error = steps.series(slice(0, 2))
    assert value.tolist() == pytest.approx([math.log(k / 250.5) - math.log(125.5 / 250.5) for k in (10.5, 0.5) * 2])
    assert np.isfinite(error).all()


def test_the_declared_segment_is_taken_even_if_another_explains_more() -> None:
    days = [mixed(100)] * 20 + [mixed(180)] * 10
    (change,) = of_region(days, Plan(PLAN.references, segment="age"))
    assert (change.segment, change.declared) == ("age", True)
    (own,) = of_region(days, Plan(PLAN.references, segment="region"))
    assert (own.segment, own.declared) == ("sex", False)


def test_what_was_mended_is_a_second_change() -> None:
    first, second = of_region([usual()] * 14 + [usual(36)] * 8 + [usual()] * 8)
    assert (first.at, second.at) == (14, 22)
    assert (first.before, first.after) == (pytest.approx(0.96), pytest.approx(0.72))
    assert (second.before, second.after) == (pytest.approx(0.72), pytest.approx(0.96))


def test_a_slope_is_one_change() -> None:
    slope = [usual(48 - 2 * step) for step in range(1, 9)]
    (change,) = of_region([usual()] * 14 + slope + [usual(32)] * 8)
    assert 14 <= change.at <= 17
    assert change.before > 0.9
    assert change.after < 0.76


def test_days_without_events_and_few_events_a_day_are_joined() -> None:
    def few(selected: int) -> OutcomeCube:
        return day(
            ("NA", "female", 12, 6),
            ("NA", "male", 12, 6),
            ("APAC", "female", 12, selected),
            ("APAC", "male", 12, selected),
        )

    days: list[OutcomeCube | None] = [few(6)] * 18 + [few(1)] * 12
    days[3] = days[20] = None
    (change,) = of_region(days)
    assert abs(change.at - 18) <= 1


def test_steady_streams_have_no_change() -> None:
    rng = np.random.default_rng(4)
    for _ in range(10):
        days = [day(*((r, s, 100, int(rng.binomial(100, 0.4))) for r in ("NA", "APAC") for s in ("female", "male")))
                for _ in range(30)]  # fmt: skip
        assert found(days) == ()


def test_groups_of_a_handful_are_never_spoken_of() -> None:
    days = [day(("NA", "male", 200, 100), ("APAC", "male", 1, 1))] * 6 + [day(("NA", "male", 200, 100))] * 18
    days += [day(("NA", "male", 200, 100), ("APAC", "male", 1, 0))] * 6
    assert of_region(days) == []


def test_gaps_of_error_rates_are_watched_where_outcomes_are_known() -> None:
    calm, shifted = usual_labelled(48, 1.0), usual_labelled(20, 1.0)
    changed = {each.metric for each in found([calm] * 18 + [shifted] * 12) if each.attribute == "region"}
    assert changed == {RATIO, "equal_opportunity_difference", "fpr_gap"}
    unlabelled = {each.metric for each in found([usual()] * 18 + [usual(20)] * 12)}
    assert unlabelled == {RATIO}


def test_days_whose_outcomes_are_still_coming_are_not_compared() -> None:
    days = [usual_labelled(48, 0.9)] * 18 + [usual_labelled(20, 0.3)] * 12
    assert {each.metric for each in found(days) if each.attribute == "region"} == {RATIO}


def usual_labelled(selected: int, labelled: float) -> OutcomeCube:
    return day(("NA", "female", 100, 50), ("NA", "male", 100, 50), *apac(selected), labelled=labelled)


def test_no_events_at_all_have_no_change() -> None:
    assert found([None] * 30) == ()


def test_counts_by_period_are_the_cubes_own_marginals() -> None:
    cubes = [usual(), usual(36)]
    counts = PeriodCounts.of(SCHEMA, enumerate(cubes), periods=2)
    for names in (("region",), ("sex", "region")):
        table = counts.table(*names)
        for period, cube in enumerate(cubes):
            assert np.array_equal(table[period], cube.marginal(names).n.sum(axis=-1))


def test_cubes_that_do_not_fit_are_refused() -> None:
    with pytest.raises(ValueError, match="no period 2"):
        PeriodCounts.of(SCHEMA, [(2, usual())], periods=2)
    with pytest.raises(ValueError, match="schema"):
        PeriodCounts.of(CubeSchema.of({"sex": ("female", "male")}), [(0, usual())], periods=1)


counts = st.lists(st.tuples(*[st.integers(0, 40)] * 4), min_size=2, max_size=2)


@given(st.tuples(counts, counts), st.booleans())
def test_mix_and_rate_add_up_to_the_change(sides: tuple[list[tuple[int, ...]], ...], is_ratio: bool) -> None:
    before, after = (side_of(rows) for rows in sides)
    one, two = before.disparity(is_ratio=is_ratio), after.disparity(is_ratio=is_ratio)
    if one is None or two is None:
        with pytest.raises(ValueError, match="compared"):
            parts(before, after, is_ratio=is_ratio)
        return
    split = parts(before, after, is_ratio=is_ratio)
    assert split.mix + split.rate == pytest.approx(two - one, abs=1e-9)
    back = parts(after, before, is_ratio=is_ratio)
    assert (back.mix, back.rate) == (pytest.approx(-split.mix, abs=1e-9), pytest.approx(-split.rate, abs=1e-9))


def side_of(rows: Sequence[tuple[int, ...]]) -> Side:
    k, more, k0, more0 = np.array(rows).T
    return Side(k, k + more, k0, k0 + more0)


def test_a_ratio_that_falls_to_zero_is_shared_by_the_groups_own_parts() -> None:
    split = parts(
        side_of([(40, 60, 50, 50), (40, 60, 50, 50)]), side_of([(0, 100, 50, 50), (0, 100, 50, 50)]), is_ratio=True
    )
    assert (split.mix, split.rate) == (pytest.approx(0), pytest.approx(-0.8))


@pytest.mark.parametrize(("outcome", "metric"), [(1, "equal_opportunity_difference"), (0, "fpr_gap")])
def test_a_gap_is_that_of_the_people_with_its_outcome(outcome: int, metric: str) -> None:
    def labelled(selected: int) -> OutcomeCube:
        """Half of everybody is selected; of APAC's people with `outcome` so many of 100, of the others the rest."""
        rows = [(region, y, place) for region in (0, 1) for y in (0, 1) for place in range(100)]
        region, y, place = np.array(rows).T
        own = np.where(y == outcome, selected, 100 - selected)
        decision = place < np.where(region == 1, own, 50)
        return OutcomeCube.count(SCHEMA, [region, place % 2, place % 2], decision, y)

    changes = [each for each in found([labelled(50)] * 18 + [labelled(30)] * 12) if each.attribute == "region"]
    (change,) = [each for each in changes if each.metric == metric]
    assert (change.before, change.after) == (pytest.approx(0.0), pytest.approx(-0.2))
    assert (change.n_before, change.n_after) == (1800, 1200)
    assert RATIO not in {each.metric for each in changes}
