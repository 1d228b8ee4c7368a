"""Rates, gaps and ratios equal fairlearn's on the raw rows, wherever every denominator is positive."""

from __future__ import annotations

import numpy as np
import pytest
from fairlearn.metrics import (
    MetricFrame,
    demographic_parity_difference,
    demographic_parity_ratio,
    equal_opportunity_difference,
    equalized_odds_difference,
    false_negative_rate,
    false_positive_rate,
    selection_rate,
    true_positive_rate,
)
from hypothesis import given, settings
from sklearn.metrics import accuracy_score, brier_score_loss, precision_score

from biasgov.fairness.evaluation import Plan, measure
from tests.fairness.tables import PLAN, SCHEMA, count, event_rows

ATTRIBUTES = ("sex", "race", "sex*race")


def columns(rows, attribute):
    """Labels of the known groups, and which rows belong to one."""
    names = attribute.split("*")
    known = np.ones(len(rows["sex"]), bool)
    for name in names:
        known &= rows[name] < len(SCHEMA.axis(name).levels)
    labels = np.array(
        ["*".join(SCHEMA.axis(name).levels[rows[name][row]] for name in names) for row in np.flatnonzero(known)]
    )
    return known, labels


def measured(rows, **options):
    found = measure(count(rows), PLAN, seed=1, draws=20, **options)
    return {(one.metric, one.attribute, one.group): one for one in found}


@settings(max_examples=8)
@given(event_rows(least=12, most=200))
def test_rates_of_every_group(rows):
    ours = measured(rows)
    for attribute in ATTRIBUTES:
        known, labels = columns(rows, attribute)
        _agree(ours, rows, attribute, known, labels, {"selection_rate": selection_rate}, ())
        labelled = known & (rows["outcome"] >= 0)
        labels = labels[labelled[known]]
        _agree(
            ours, rows, attribute, labelled, labels, {"tpr": true_positive_rate, "fnr": false_negative_rate}, "outcome"
        )
        _agree(ours, rows, attribute, labelled, labels, {"fpr": false_positive_rate}, "not outcome")
        _agree(ours, rows, attribute, labelled, labels, {"ppv": precision_score}, "decision")
        _agree(ours, rows, attribute, labelled, labels, {"accuracy": accuracy_score}, ())


def _agree(ours, rows, attribute, used, labels, metrics, denominator):
    """Compare the groups whose denominator is positive; the others must be not estimable."""
    if not used.any():
        return
    truth, decision = np.maximum(rows["outcome"][used], 0), rows["decision"][used]
    inside = {"outcome": truth == 1, "not outcome": truth == 0, "decision": decision == 1}.get(
        denominator, np.ones(len(truth), bool)
    )
    estimable = {label for label in set(labels) if (inside & (labels == label)).any()}
    kept = np.isin(labels, sorted(estimable))
    if kept.sum() > 1:
        frame = MetricFrame(
            metrics=metrics, y_true=truth[kept], y_pred=decision[kept], sensitive_features=labels[kept]
        ).by_group
        for metric in metrics:
            for label in estimable:
                assert ours[metric, attribute, label].value == pytest.approx(frame.loc[label, metric])
    for (metric, name, label), one in ours.items():
        if metric in metrics and name == attribute and one.known and label not in estimable:
            assert one.value is None
            assert one.gap in ("no_events", "no_labels", "empty_denominator")


@settings(max_examples=12)
@given(event_rows(unknown=False, least=20, most=200))
def test_aggregates_over_all_groups(rows):
    rows = {**rows, "outcome": np.abs(rows["outcome"])}
    ours = measured(rows)
    for attribute in ATTRIBUTES:
        _, labels = columns(rows, attribute)
        given_ = {"y_true": rows["outcome"], "y_pred": rows["decision"], "sensitive_features": labels}
        difference = ours["demographic_parity_difference", attribute, None].value
        if len(set(labels)) < 2:
            assert difference is None
            continue
        assert difference == pytest.approx(demographic_parity_difference(**given_))
        if rows["decision"].any():
            ratio = ours["demographic_parity_ratio", attribute, None].value
            assert ratio == pytest.approx(demographic_parity_ratio(**given_))
        both = all({0, 1} <= set(rows["outcome"][labels == label]) for label in set(labels))
        if both:
            odds = ours["equalized_odds_difference", attribute, None].value
            assert odds == pytest.approx(equalized_odds_difference(**given_))
            opportunity = ours["equal_opportunity_difference", attribute, None].value
            assert opportunity == pytest.approx(equal_opportunity_difference(**given_))


@settings(max_examples=12)
@given(event_rows(unknown=False, least=12, most=200))
def test_gaps_to_the_reference_are_differences_and_ratios_of_the_rates(rows):
    ours = measured(rows)
    for (metric, attribute, group), one in ours.items():
        if group is None or one.reference is None or one.value is None:
            continue

        def rate(name, key=(attribute, group, one.reference)):
            return [ours[name, key[0], label].value for label in key[1:]]

        if metric == "demographic_parity_ratio":
            expected = rate("selection_rate")[0] / rate("selection_rate")[1]
        elif metric == "fnr_ratio":
            expected = rate("fnr")[0] / rate("fnr")[1]
        elif metric == "equalized_odds_difference":
            expected = max(abs(first - second) for first, second in (rate("tpr"), rate("fpr")))
        else:
            name = {
                "demographic_parity_difference": "selection_rate",
                "equal_opportunity_difference": "tpr",
                "fpr_gap": "fpr",
                "fnr_gap": "fnr",
                "predictive_parity_difference": "ppv",
                "calibration_difference": "ece",
            }[metric]
            first, second = rate(name)
            expected = first - second
        assert one.value == pytest.approx(expected, abs=1e-12)
        assert one.low is None or one.low <= one.value + 1e-9
        assert one.high is None or one.high >= one.value - 1e-9


def test_brier_score_is_that_of_the_rows():
    rng = np.random.default_rng(8)
    rows = {
        "sex": rng.integers(0, 2, 500),
        "race": rng.integers(0, 3, 500),
        "decision": rng.integers(0, 2, 500),
        "outcome": rng.integers(0, 2, 500),
        "score": rng.random(500),
    }
    ours = measured(rows)
    for code, level in enumerate(("Male", "Female")):
        here = rows["sex"] == code
        expected = brier_score_loss(rows["outcome"][here], rows["score"][here])
        one = ours["brier", "sex", level]
        assert one.value == pytest.approx(expected, abs=1e-6)
        errors = (rows["score"][here] - rows["outcome"][here]) ** 2
        half = 1.96 * errors.std() / np.sqrt(here.sum())
        assert (one.low, one.high) == pytest.approx((expected - half, expected + half), rel=0.02)


def test_a_perfect_model_has_no_odds_gap_though_a_group_lacks_positives():
    sex = np.repeat([0, 1], 50)
    outcome = np.where(sex == 0, np.arange(100) % 2, 0)
    rows = {"sex": sex, "race": sex * 0, "decision": outcome, "outcome": outcome, "score": outcome * 1.0}
    labels = np.array(["Male", "Female"])[sex]
    assert equalized_odds_difference(outcome, outcome, sensitive_features=labels) == 1.0
    ours = measured(rows)
    assert ours["tpr", "sex", "Female"].value is None
    assert ours["tpr", "sex", "Female"].gap == "empty_denominator"
    assert ours["equalized_odds_difference", "sex", "Female"].gap == "empty_denominator"
    assert ours["equalized_odds_difference", "sex", None].value is None
    assert ours["fpr_gap", "sex", None].value == 0.0


def test_a_group_named_with_another_reference_is_compared_with_that_one():
    rng = np.random.default_rng(5)
    rows = {name: rng.integers(0, 2, 300) for name in ("sex", "race", "decision", "outcome")}
    rows["score"] = rng.random(300)
    cube = count(rows)
    one = {
        m.group: m
        for m in measure(cube, Plan({"sex": "Female", "race": "Black"}), seed=1)
        if m.metric == "fpr_gap" and m.attribute == "sex*race"
    }
    assert one["Male*White"].reference == "Female*Black"
    assert "Female*Black" not in one
