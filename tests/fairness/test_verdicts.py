from __future__ import annotations

import json
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from biasgov.fairness.cube import OutcomeCube
from biasgov.fairness.evaluation import (
    DEFAULT_POLICY,
    Bound,
    Measurement,
    Plan,
    Policy,
    Result,
    decide_by_window,
    evaluate,
    judge,
    measure,
)
from biasgov.fairness.intervals import newcombe, normal_quantile
from biasgov.fairness.verdicts import at_alert_confidence, exact_value, side_of_bound
from tests.fairness.tables import PLAN, confusion_cube, count, event_rows, only, selection_cube

RATIO = Policy(bounds={"demographic_parity_ratio": Bound(0.8, 1.25)})
PLAN_A = Plan({"group": "A"})


def ratio_of(counts, policy=RATIO, group="B"):
    return only(evaluate(selection_cube(counts), PLAN_A, policy, seed=1), "demographic_parity_ratio", group)


@pytest.mark.parametrize(
    ("counts", "verdict", "reason"),
    [
        ({"A": (500, 1000), "B": (480, 1000)}, "within", None),
        ({"A": (500, 1000), "B": (250, 1000)}, "breach", None),
        ({"A": (250, 1000), "B": (500, 1000)}, "breach", None),
        ({"A": (500, 1000), "B": (390, 1000)}, "inconclusive", "interval_reaches_bound"),
        ({"A": (1500, 3000), "B": (1110, 3000)}, "breach", None),
        ({"A": (1500, 3000), "B": (1111, 3000)}, "inconclusive", "interval_reaches_bound"),
        ({"A": (500, 1000), "B": (14, 30)}, "within", None),
        ({"A": (2450, 4900), "B": (49, 100)}, "within", None),
        ({"A": (2450, 4901), "B": (49, 99)}, "inconclusive", "below_minimum_share"),
        ({"A": (500, 1000), "B": (1, 29)}, "inconclusive", "group_too_small"),
        ({"A": (500, 1000), "B": (14, 29)}, "inconclusive", "group_too_small"),
        ({"A": (14, 29), "B": (500, 1000)}, "inconclusive", "reference_too_small"),
        ({"A": (2500, 5000), "B": (2, 90)}, "inconclusive", "below_minimum_share"),
        ({"A": (2500, 5000), "B": (45, 90)}, "inconclusive", "below_minimum_share"),
        ({"A": (0, 1000), "B": (250, 1000)}, "not_estimable", "reference_rate_zero"),
        ({"A": (500, 1000), "B": (0, 0)}, "not_estimable", "no_events"),
        ({"A": (0, 0), "B": (10, 100)}, "not_estimable", "reference_not_estimable"),
    ],
)
def test_the_four_verdicts(counts, verdict, reason):
    one = ratio_of(counts)
    assert (one.verdict, one.reason) == (verdict, reason)
    assert (one.severity is not None) == (verdict == "breach")
    assert (one.value is None) == (verdict == "not_estimable")


def test_a_breach_asks_more_of_the_interval_than_what_people_read():
    counts = {"A": (500, 1000), "B": (358, 1000)}
    asked, read = ratio_of(counts), ratio_of(counts, replace(RATIO, alert_confidence=0.95))
    assert read.interval == asked.interval
    assert read.interval[1] < 0.8
    assert (read.verdict, asked.verdict) == ("breach", "inconclusive")
    clear = ratio_of({"A": (500, 1000), "B": (330, 1000)})
    assert (clear.verdict, clear.severity) == ("breach", "medium")
    assert 0.8 - clear.interval[1] > 0.05 > 0.8 - at_alert_confidence(clear.measurement, RATIO).high


def test_an_alert_never_asks_less_of_the_interval_than_what_people_read():
    policy = replace(RATIO, confidence=0.99, alert_confidence=0.9)
    measured = ratio_of({"A": (500, 1000), "B": (358, 1000)}, policy).measurement
    assert at_alert_confidence(measured, policy) == measured


def test_looking_every_hour_of_a_year_asks_more_of_the_p_value_than_looking_once():
    measured = ratio_of({"A": (60, 100), "B": (28, 100)}).measurement
    (once,), (week,) = judge([measured], RATIO), judge([measured], RATIO, hours=168)
    hours = []
    assert week.p_adjusted == pytest.approx(once.p_adjusted * 5 * 8760 / 168)
    for length in (3, 24, 720):
        (one,) = judge([measured], RATIO, hours=length)
        assert one.p_adjusted == pytest.approx(min(1.0, once.p_adjusted * 5 * 8760 / length))
        hours.append((one.verdict, one.reason))
    assert once.verdict == "breach"
    assert hours == [("inconclusive", "not_significant"), ("breach", None), ("breach", None)]


def test_an_interval_made_of_two_is_carried_by_the_quantiles_of_both():
    counts = {"A": (160, 40, 60, 740), "B": (120, 80, 60, 740)}
    policy = Policy(bounds={"equalized_odds_difference": Bound(None, 0.05)})
    plain = only(evaluate(confusion_cube(counts), PLAN_A, policy, seed=1), "equalized_odds_difference", "B")
    wide = only(
        evaluate(confusion_cube(counts), PLAN_A, replace(policy, confidence=0.99), seed=1),
        "equalized_odds_difference",
        "B",
    )
    moved = at_alert_confidence(plain.measurement, policy)
    assert moved.low == pytest.approx(wide.interval[0], abs=0.004)
    assert moved.low - plain.interval[0] == pytest.approx(
        (plain.value - plain.interval[0]) * (1 - normal_quantile(0.995) / normal_quantile(0.975))
    )


@given(st.integers(60, 2000), st.integers(60, 2000), st.floats(0.1, 0.9), st.floats(0.1, 0.9))
def test_the_alert_interval_is_close_to_the_score_interval_at_that_confidence(n1, n2, rate1, rate2):
    x1, x2 = max(5, round(n1 * rate1)), max(5, round(n2 * rate2))
    counts = {"A": (min(x2, n2), n2), "B": (min(x1, n1), n1)}
    plain, asked = Policy(bounds=RATIO.bounds), replace(RATIO, confidence=RATIO.alert_confidence)
    carried = at_alert_confidence(ratio_of(counts, plain).measurement, plain)
    exact = ratio_of(counts, asked).measurement
    reach = np.log(exact.high / exact.low)
    assert np.log(carried.low / exact.low) == pytest.approx(0, abs=0.25 * reach)
    assert np.log(carried.high / exact.high) == pytest.approx(0, abs=0.25 * reach)


def test_nobody_selected_is_a_breach_and_not_an_empty_cell():
    one = ratio_of({"A": (500, 1000), "B": (0, 100)})
    assert (one.value, one.verdict, one.severity) == (0.0, "breach", "critical")


def test_the_share_that_suffices_is_the_policys():
    counts = {"A": (2500, 5000), "B": (2, 90)}
    assert ratio_of(counts, replace(RATIO, minimum_share=0.0)).verdict == "breach"


def test_a_breach_needs_the_adjusted_p_value_too():
    counts = {"A": (500, 1000), "B": (300, 1000)}
    one = ratio_of(counts)
    assert one.verdict == "breach"
    assert 0 < one.p_adjusted < 0.05
    strict = ratio_of(counts, replace(RATIO, alpha=one.p_adjusted))
    assert (strict.verdict, strict.reason) == ("inconclusive", "not_significant")
    crowd = {f"C{i}": (500, 1000) for i in range(9)}
    assert ratio_of({**counts, **crowd}).p_adjusted == pytest.approx(10 * one.measurement.p, rel=1e-9, abs=0)


def test_severity_grows_with_the_distance_of_the_nearer_end():
    found = [ratio_of({"A": (50_000, 100_000), "B": (x, 100_000)}) for x in (38_000, 36_000, 33_000, 20_000)]
    assert [one.severity for one in found] == ["low", "medium", "high", "critical"]
    turned = [ratio_of({"B": (50_000, 100_000), "A": (x, 100_000)}) for x in (38_000, 36_000, 33_000, 20_000)]
    assert [one.severity for one in turned] == ["low", "medium", "high", "critical"]
    for one in found:
        distance = 0.8 - one.interval[1]
        assert RATIO.severity(distance) == one.severity


NO_POSITIVES = confusion_cube({"A": (40, 10, 10, 40), "B": (0, 10, 0, 90)})
UNLIKE = confusion_cube({"A": (80, 10, 20, 90), "B": (50, 30, 50, 70)})


class TestLabels:
    plan = Plan({"group": "A"})

    def test_without_labels_a_label_metric_is_not_estimable(self):
        results = evaluate(selection_cube({"A": (5, 50), "B": (5, 50)}), self.plan, DEFAULT_POLICY, seed=1)
        for metric in ("tpr", "base_rate", "accuracy", "brier", "ece"):
            one = only(results, metric, "B")
            assert (one.verdict, one.reason, one.value) == ("not_estimable", "no_labels", None)
        for group in ("B", None):
            assert only(results, "equalized_odds_difference", group).reason == "no_labels"
            assert only(results, "calibration_difference", group).reason == "no_labels"

    def test_rates_that_need_outcomes_count_the_labelled_alone(self):
        labelled = confusion_cube({"A": (30, 10, 20, 40), "B": (10, 5, 15, 30)})
        both = OutcomeCube.sum([labelled, selection_cube({"A": (70, 100), "B": (5, 40)})])
        alone, found = (evaluate(cube, self.plan, DEFAULT_POLICY, seed=1) for cube in (labelled, both))
        for metric in ("tpr", "fpr", "fnr", "ppv", "base_rate", "accuracy"):
            for group in ("A", "B"):
                assert only(found, metric, group).value == only(alone, metric, group).value
        assert only(found, "base_rate", "B").value == pytest.approx(25 / 60)
        assert only(found, "selection_rate", "B").value == pytest.approx(20 / 100)

    def test_equalised_odds_pay_for_looking_at_two_gaps(self):
        results = evaluate(
            confusion_cube({"A": (160, 60, 40, 740), "B": (130, 75, 70, 725)}), self.plan, DEFAULT_POLICY, seed=1
        )
        for group in ("B", None):
            gaps = [only(results, name, group).measurement.p for name in ("equal_opportunity_difference", "fpr_gap")]
            assert only(results, "equalized_odds_difference", group).measurement.p == pytest.approx(2 * min(gaps))

    def test_the_interval_of_equalised_odds_is_that_of_two_gaps_at_half_the_error_each(self):
        tpr, fpr = (120, 200, 160, 200), (60, 800, 60, 800)
        results = evaluate(
            confusion_cube({"A": (160, 60, 40, 740), "B": (120, 60, 80, 740)}), self.plan, DEFAULT_POLICY, seed=1
        )
        both = [newcombe(*map(np.array, four), normal_quantile(0.975)) for four in (tpr, fpr)]
        low = max(max(float(low), -float(high), 0.0) for low, high in both)
        high = max(max(abs(float(low)), abs(float(high))) for low, high in both)
        assert low > 0.05
        assert only(results, "equalized_odds_difference", "B").interval == pytest.approx((low, high))

    def test_a_reference_of_four_positives_is_too_few_for_equalised_odds(self):
        cube = confusion_cube({"A": (0, 100, 4, 100), "B": (400, 100, 100, 400)})
        odds = only(evaluate(cube, self.plan, DEFAULT_POLICY, seed=1), "equalized_odds_difference", "B")
        assert (odds.verdict, odds.reason) == ("inconclusive", "cell_too_small")

    def test_a_gap_of_misses_is_tested_as_the_gap_of_hits(self):
        results = evaluate(
            confusion_cube({"A": (160, 60, 40, 740), "B": (130, 75, 70, 725)}), self.plan, DEFAULT_POLICY, seed=1
        )
        hits = only(results, "equal_opportunity_difference", "B").measurement.p
        assert only(results, "fnr_gap", "B").measurement.p == only(results, "fnr_ratio", "B").measurement.p == hits
        assert hits != only(results, "fpr_gap", "B").measurement.p

    def test_without_scores_calibration_is_not_estimable(self):
        results = evaluate(confusion_cube({"A": (9, 9, 9, 9), "B": (9, 9, 9, 9)}), self.plan, DEFAULT_POLICY, seed=1)
        assert only(results, "ece", "B").reason == "no_scores"
        assert only(results, "calibration_difference", "B").reason == "no_scores"
        assert only(results, "calibration_difference").reason == "no_scores"

    def test_without_positives_the_tpr_is_not_estimable_and_never_zero(self):
        results = evaluate(
            confusion_cube({"A": (40, 10, 10, 40), "B": (0, 10, 0, 90)}), self.plan, DEFAULT_POLICY, seed=1
        )
        for metric in ("tpr", "fnr", "equal_opportunity_difference", "equalized_odds_difference"):
            one = only(results, metric, "B")
            assert (one.value, one.verdict, one.reason) == (None, "not_estimable", "empty_denominator")
        assert only(results, "fpr_gap", "B").value == pytest.approx(0.1 - 0.2)

    def test_four_positives_are_too_few_for_a_tpr(self):
        policy = Policy(bounds={"equal_opportunity_difference": Bound(-0.1, 0.1), "tpr": Bound(0.1, None)})
        few = {"A": (400, 100, 100, 400), "B": (0, 100, 4, 100)}
        enough = {"A": (400, 100, 100, 400), "B": (0, 100, 5, 100)}
        for counts, verdict in ((few, "inconclusive"), (enough, "breach")):
            results = evaluate(confusion_cube(counts), self.plan, policy, seed=1)
            one = only(results, "equal_opportunity_difference", "B")
            assert one.verdict == verdict
        assert only(evaluate(confusion_cube(few), self.plan, policy, seed=1), "tpr", "B").reason == "cell_too_small"

    def test_true_and_false_positive_gaps_are_not_mixed_up(self):
        results = evaluate(
            confusion_cube({"A": (80, 10, 20, 90), "B": (50, 30, 50, 70)}), self.plan, DEFAULT_POLICY, seed=1
        )
        assert only(results, "equal_opportunity_difference", "B").value == pytest.approx(-0.3)
        assert only(results, "fpr_gap", "B").value == pytest.approx(0.2)
        assert only(results, "fnr_gap", "B").value == pytest.approx(0.3)
        assert only(results, "fnr_ratio", "B").value == pytest.approx(2.5)
        assert only(results, "predictive_parity_difference", "B").value == pytest.approx(50 / 80 - 80 / 90)
        odds = only(results, "equalized_odds_difference", "B")
        assert odds.value == pytest.approx(0.3)
        assert odds.measurement.details == {"tpr_gap": pytest.approx(-0.3), "fpr_gap": pytest.approx(0.2)}


class TestUnknown:
    def test_unknown_is_reported_but_never_judged(self):
        policy = Policy(bounds={"selection_rate": Bound(0.4, None), "demographic_parity_ratio": Bound(0.8, None)})
        cube = selection_cube({"A": (500, 1000), "B": (500, 1000), "unknown": (0, 1000)})
        results = evaluate(cube, PLAN_A, policy, seed=1)
        one = only(results, "selection_rate", "unknown")
        assert (one.value, one.n, one.verdict, one.reason) == (0.0, 1000, "inconclusive", "unknown_group")
        assert not one.judged
        assert not [r for r in results if r.group == "unknown" and r.reference is not None]

    def test_unknown_is_no_part_of_an_aggregate_but_of_the_window(self):
        counts = {"A": (500, 1000), "B": (450, 1000)}
        without = evaluate(selection_cube(counts), PLAN_A, RATIO, seed=1)
        with_ = evaluate(selection_cube({**counts, "unknown": (0, 2000)}), PLAN_A, RATIO, seed=1)
        for metric in ("demographic_parity_ratio", "association", "differential_fairness"):
            assert only(with_, metric).value == only(without, metric).value
            assert only(with_, metric).n == 2000
        assert only(with_, "demographic_parity_ratio", "B").measurement.share == 0.25

    def test_all_unknown_leaves_nothing_to_judge(self):
        results = evaluate(selection_cube({"A": (0, 0), "B": (0, 0), "unknown": (50, 100)}), PLAN_A, RATIO, seed=1)
        assert {r.verdict for r in results if r.group != "unknown"} == {"not_estimable"}
        assert {r.reason for r in results if r.group is None} == {"no_events"}

    def test_part_of_an_intersection_unknown_is_unknown(self):
        rows = {"sex": np.repeat([0, 1, 2], 100), "race": np.tile([0, 1, 2, 3], 75)}
        rows |= {"decision": np.arange(300) % 2, "outcome": np.ones(300, int), "score": np.full(300, 0.5)}
        results = evaluate(count(rows), PLAN, RATIO, seed=1)
        reported = {r.group for r in results if r.metric == "selection_rate" and r.attribute == "sex*race"}
        assert {"Male*unknown", "unknown*White", "unknown*unknown", "Female*Asian"} <= reported
        assert sum(r.n for r in results if r.metric == "selection_rate" and r.attribute == "sex*race") == 300
        judged = {r.group for r in results if r.judged and r.group and r.attribute == "sex*race"}
        assert judged == {"Male*Black", "Male*Asian", "Female*White", "Female*Black", "Female*Asian"}


class TestDegenerateWindows:
    def test_an_empty_window_has_no_verdict_but_not_estimable(self):
        results = evaluate(selection_cube({"A": (0, 0), "B": (0, 0)}), PLAN_A, DEFAULT_POLICY, seed=1)
        assert {r.verdict for r in results} == {"not_estimable"}

    def test_a_single_group_has_no_gap(self):
        results = evaluate(selection_cube({"A": (50, 100)}), PLAN_A, DEFAULT_POLICY, seed=1)
        assert only(results, "selection_rate", "A").value == 0.5
        assert {r.reason for r in results if r.group is None and r.metric == "association"} == {"fewer_than_two_groups"}

    @pytest.mark.parametrize("selected", [0, 100])
    def test_a_model_that_decides_everybody_alike(self, selected):
        results = evaluate(selection_cube({"A": (selected, 100), "B": (selected, 100)}), PLAN_A, DEFAULT_POLICY, seed=1)
        assert only(results, "association").reason == "one_decision_only"
        one = only(results, "demographic_parity_ratio", "B")
        assert (one.value, one.verdict) == ((1.0, "within") if selected else (None, "not_estimable"))


def measurement(form, value, counts=(None,) * 4):
    return Measurement(
        metric="demographic_parity_ratio", attribute="a", group="g", reference="r", value=value, low=0.0, high=2.0,
        n=100, share=0.5, form=form, numerator=counts[0], denominator=counts[1], reference_numerator=counts[2],
        reference_denominator=counts[3], p=None, least_n=100, least_cell=100, method="none", known=True, gap=None,
        details=None,
    )  # fmt: skip


@given(st.integers(1, 400), st.integers(1, 20), st.sampled_from([0.8, 0.05, 0.75, 1.25, 0.6]))
def test_a_value_exactly_on_the_bound_respects_it(k, scale, bound):
    """Ratios and differences that are a decimal bound to the last digit, whatever rounding makes of their value."""
    hundredths = round(bound * 100)
    for form, counts in (
        ("ratio", (hundredths * k, 125 * k, 100 * scale, 125 * scale)),
        ("difference", (hundredths * k + k, 200 * k, scale, 200 * scale)),
        ("absolute_difference", (scale, 200 * scale, hundredths * k + k, 200 * k)),
        ("rate", (hundredths * k, 100 * k, None, None)),
    ):
        target = bound / 2 if "difference" in form else bound
        one = measurement(form, target * (1 + 1e-15), counts)
        top, bottom = exact_value(one)
        assert top * 200 == hundredths * bottom * (1 if "difference" in form else 2)
        decimal = Bound(hundredths / 200, hundredths / 200) if "difference" in form else Bound(bound, bound)
        assert side_of_bound(one, decimal) == 0
        below = measurement(form, target, (counts[0] * 1000 - 1, counts[1] * 1000, *counts[2:]))
        assert side_of_bound(below, decimal) == (1 if form == "absolute_difference" else -1)


@settings(max_examples=25)
@given(event_rows(most=150))
def test_measurements_and_results_survive_json_and_can_be_judged_again(rows):
    measured = measure(count(rows), PLAN, seed=11, draws=20)
    stored = json.loads(json.dumps([one.to_dict() for one in measured], allow_nan=False))
    again = tuple(Measurement.from_dict(one) for one in stored)
    assert again == measured
    results = judge(again, DEFAULT_POLICY)
    assert results == evaluate(count(rows), PLAN, DEFAULT_POLICY, seed=11, draws=20)
    stored = json.loads(json.dumps([one.to_dict() for one in results], allow_nan=False))
    assert tuple(Result.from_dict(one) for one in stored) == results
    assert {
        "metric", "attribute", "group", "reference", "value", "interval", "n", "p_adjusted", "bound", "verdict",
        "severity", "decided_by_window",
    } <= set(stored[0])  # fmt: skip


@settings(max_examples=30)
@given(event_rows(most=300))
def test_verdicts_keep_their_promises(rows):
    policy = replace(DEFAULT_POLICY, minimum_group=10, minimum_cell=2)
    for one in evaluate(count(rows), PLAN, policy, seed=1, draws=20):
        m, low, high = one.measurement, *one.interval
        if one.value is not None:
            assert low is None or low <= one.value + 1e-12
            assert high is None or one.value <= high + 1e-12
        assert (one.verdict == "not_estimable") == (one.value is None)
        side = side_of_bound(m, one.bound)
        if one.verdict == "breach":
            assert side != 0
            assert high < one.bound.lower if side < 0 else low > one.bound.upper
            assert one.p_adjusted < policy.alpha
            assert (m.least_n, m.least_cell) >= (10, 2)
            assert m.share >= policy.minimum_share
        if one.verdict == "within":
            assert side == 0
            assert m.known
            assert m.least_n >= 10
            assert m.least_cell >= 2
        if m.p is not None:
            assert m.p <= one.p_adjusted <= 1


def test_a_window_is_recomputed_to_the_last_bit_and_the_seed_matters():
    rng = np.random.default_rng(1)
    rows = {name: rng.integers(0, 2, 400) for name in ("sex", "race", "decision", "outcome")} | {
        "score": rng.random(400)
    }
    first, second, other = (measure(count(rows), PLAN, seed=seed) for seed in (5, 5, 6))
    assert first == second
    assert first != other
    assert [one.value for one in first] == [one.value for one in other]


def test_draws_of_an_attribute_do_not_depend_on_the_declared_pairs():
    rng = np.random.default_rng(2)
    cube = count(
        {name: rng.integers(0, 2, 400) for name in ("sex", "race", "decision", "outcome")} | {"score": rng.random(400)}
    )
    alone = {one.metric: one for one in measure(cube, PLAN, seed=5) if one.attribute == "race" and one.group is None}
    paired = Plan(PLAN.references, (("race", "sex"),))
    for one in measure(cube, paired, seed=5):
        if one.attribute == "race" and one.group is None:
            assert one == alone[one.metric]


def test_a_result_is_decided_by_the_first_window_that_is_conclusive():
    counts = {
        "24h": {"A": (50, 100), "B": (5, 20), "C": (50, 100), "D": (0, 0), "E": (4, 20)},
        "7d": {"A": (500, 1000), "B": (22, 60), "C": (400, 1000), "D": (5, 20), "E": (40, 400)},
        "30d": {"A": (2000, 4000), "B": (200, 800), "C": (1900, 4000), "D": (5, 20), "E": (1900, 4000)},
    }
    policy = replace(RATIO, minimum_share=0.0)
    windows = {name: evaluate(selection_cube(c), PLAN_A, policy, seed=1) for name, c in counts.items()}
    decided = decide_by_window(windows)

    def of(window, group):
        one = only(decided[window], "demographic_parity_ratio", group)
        return one.verdict, one.decided_by_window, one.decided_verdict

    assert [of(window, "B") for window in counts] == [
        ("inconclusive", "30d", "breach"),
        ("inconclusive", "30d", "breach"),
        ("breach", "30d", "breach"),
    ]
    assert of("24h", "C") == ("within", "24h", "within")
    assert [of(window, "E")[1:] for window in counts] == [("7d", "breach"), ("7d", "breach"), ("30d", "within")]
    assert of("24h", "D") == ("not_estimable", None, None)
    assert of("7d", "D") == of("30d", "D") == ("inconclusive", None, None)
    for name in windows:
        assert [replace(r, decided_by_window=None, decided_verdict=None) for r in decided[name]] == list(windows[name])


def test_an_association_rests_on_everybody_and_not_on_its_smallest_group():
    policy = Policy(bounds={"association": Bound(None, 0.1)})
    one = only(
        evaluate(selection_cube({"A": (500, 1000), "B": (250, 1000), "C": (1, 5)}), PLAN_A, policy, seed=1),
        "association",
    )
    assert (one.measurement.least_n, one.measurement.share) == (2005, 1.0)
    assert one.verdict == "breach"


def test_the_widest_of_three_calibration_differences_is_one_of_three():
    rng = np.random.default_rng(4)
    race = np.repeat([0, 1, 2], 800)
    score = rng.random(2400)
    outcome = (rng.random(2400) < np.clip(score - 0.05 * race, 0, 1)).astype(int)
    zeros = np.zeros(2400, int)
    cube = count({"sex": zeros, "race": race, "decision": zeros, "outcome": outcome, "score": score})
    levels = cube.schema.axis("race").levels
    measured = {reference: measure(cube, Plan({"sex": "Male", "race": reference}), seed=1) for reference in levels}
    (whole,) = [
        one for one in measured[levels[0]] if (one.metric, one.attribute, one.group) == (CALIBRATION, "race", None)
    ]
    (pair,) = [
        one
        for one in measured[whole.details["lowest"]]
        if (one.metric, one.attribute, one.group) == (CALIBRATION, "race", whole.details["highest"])
    ]
    assert whole.value == pytest.approx(pair.value)
    assert 0 < pair.p < 0.3
    assert whole.p == pytest.approx(3 * pair.p)


CALIBRATION = "calibration_difference"


def test_aggregates_of_groups_too_small_to_tell_are_inconclusive():
    one = only(
        evaluate(selection_cube({"A": (500, 1000), "B": (490, 1000), "C": (0, 5)}), PLAN_A, RATIO, seed=1),
        "demographic_parity_ratio",
    )
    assert (one.value, one.verdict, one.reason) == (0.0, "inconclusive", "group_too_small")
    assert one.measurement.details == {"lowest": "C", "highest": "A"}
