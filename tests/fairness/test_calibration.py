from __future__ import annotations

import json

import numpy as np
import pytest
from scipy import stats
from statsmodels.stats.proportion import proportion_confint

from biasgov.fairness.calibration import (
    calibration_in_the_large,
    calibration_summary,
    debiased_squared_error,
    error_moments,
    expected_calibration_error,
    reliability_curve,
)
from biasgov.fairness.evaluation import Bound, Plan, Policy, evaluate
from tests.fairness.tables import count, only


def binned(score, outcome, bins):
    place = np.minimum((score * bins).astype(int), bins - 1)
    return (
        np.bincount(place, minlength=bins),
        np.bincount(place, outcome, bins).astype(int),
        np.bincount(place, score, bins),
    )


@pytest.mark.parametrize(("n", "expected"), [(100, 0.122), (5_000, 0.017)])
def test_perfectly_calibrated_scores_have_a_plain_error_but_no_debiased_one(n, expected):
    rng = np.random.default_rng(20)
    plain, debiased, foreseen = [], [], []
    for _ in range(300):
        score = rng.random(n)
        counts = binned(score, rng.random(n) < score, 15)
        plain.append(float(expected_calibration_error(*counts)))
        debiased.append(float(debiased_squared_error(*counts)))
        foreseen.append(float(error_moments(counts[0], counts[2] / np.maximum(counts[0], 1), counts[2]).mean))
    assert np.mean(plain) == pytest.approx(expected, abs=0.004)
    assert np.mean(foreseen) == pytest.approx(np.mean(plain), rel=0.02)
    assert abs(np.mean(debiased)) < 4 * np.std(debiased) / np.sqrt(300)


def test_moments_of_the_error_are_those_of_very_many_draws():
    n, rates = np.array([1, 3, 40, 900, 0]), np.array([0.4, 1.0, 0.31, 0.62, 0.0])
    scores = np.array([0.7, 2.1, 11.3, 548.0, 0.0])
    drawn = np.random.default_rng(1).binomial(n, rates, (200_000, 5))
    errors = np.abs(drawn - scores).sum(axis=1) / n.sum()
    moments = error_moments(n, rates, scores)
    assert float(moments.mean) == pytest.approx(errors.mean(), abs=5 * errors.std() / np.sqrt(200_000))
    assert float(moments.deviation) == pytest.approx(errors.std(), rel=0.01)


@pytest.mark.parametrize(
    ("n", "rate", "score"), [(7, 0.3, 2.4), (7, 0.3, 0.0), (7, 0.3, 7.0), (60, 0.5, 30.0), (1, 0.9, 0.2)]
)
def test_mean_absolute_deviation_is_the_exact_sum(n, rate, score):
    k = np.arange(n + 1)
    exact = (np.abs(k - score) * stats.binom.pmf(k, n, rate)).sum() / n
    assert float(error_moments(np.array([n]), np.array([rate]), np.array([score])).mean) == pytest.approx(exact)


def test_the_normal_limit_joins_the_exact_moments():
    for n, score in ((410, 200.0), (390, 190.0)):
        k = np.arange(n + 1)
        exact = (np.abs(k - score) * stats.binom.pmf(k, n, 0.5)).sum() / n
        moments = error_moments(np.array([n]), np.array([0.5]), np.array([score]))
        assert float(moments.mean) == pytest.approx(exact, rel=1e-3)


def rows(n, score, outcome, sex):
    zeros = np.zeros(n, int)
    return {"sex": sex, "race": zeros, "decision": zeros, "outcome": outcome, "score": score}


def test_curve_and_summary_are_those_of_the_rows():
    rng = np.random.default_rng(9)
    n = 2000
    score, sex = rng.random(n), rng.integers(0, 3, n)
    outcome = np.where(rng.random(n) < 0.2, -1, rng.random(n) < score**2)
    cube = count(rows(n, score, outcome, sex))
    curve, summary = reliability_curve(cube, "sex"), calibration_summary(cube, "sex")
    assert list(curve) == list(summary) == ["Male", "Female", "unknown"]
    for code, group in enumerate(curve):
        here = (sex == code) & (outcome >= 0)
        assert summary[group].n == here.sum() == sum(point.n for point in curve[group])
        assert summary[group].in_the_large == pytest.approx(score[here].mean() - outcome[here].mean(), abs=1e-6)
        point = curve[group][7]
        inside = here & (score >= 0.35) & (score < 0.40)
        assert (point.bin, point.n) == (7, inside.sum())
        assert point.mean_score == pytest.approx(score[inside].mean(), abs=1e-6)
        assert point.observed_rate == outcome[inside].mean()
        expected = proportion_confint(outcome[inside].sum(), inside.sum(), method="wilson")
        assert (point.low, point.high) == pytest.approx(expected)
        error = sum(p.n * abs(p.observed_rate - p.mean_score) for p in curve[group]) / here.sum()
        assert summary[group].ece == pytest.approx(error)
    assert calibration_summary(cube, "sex*race")["Male*White"].ece == summary["Male"].ece
    json.dumps([summary["Male"].to_dict(), curve["Male"][0].to_dict()], allow_nan=False)


def test_a_group_without_scores_has_no_calibration():
    cube = count(rows(2, np.full(2, np.nan), np.array([0, 1]), np.array([0, 0])))
    assert reliability_curve(cube, "sex")["Male"] == ()
    assert calibration_summary(cube, "sex")["Male"].ece is None


def test_bins_with_one_event_do_not_enter_the_debiased_error():
    n, positives, scores = np.array([1, 4]), np.array([1, 2]), np.array([0.2, 2.8])
    assert debiased_squared_error(n, positives, scores) == pytest.approx((0.5 - 0.7) ** 2 - 0.25 / 3)
    assert np.isnan(debiased_squared_error(n[:1], positives[:1], scores[:1]))
    assert calibration_in_the_large(n, positives, scores) == pytest.approx(0.0)


POLICY = Policy(bounds={"calibration_difference": Bound(-0.03, 0.03)})


def calibration_verdicts(small, shift, repetitions):
    rng = np.random.default_rng(33)
    verdicts = []
    for seed in range(repetitions):
        n = 5000 + small
        sex = np.repeat([0, 1], [5000, small])
        truth = rng.random(n)
        outcome = (rng.random(n) < truth).astype(int)
        score = np.clip(truth + shift * (sex == 1), 0, 1)
        results = evaluate(
            count(rows(n, score, outcome, sex)), Plan({"sex": "Male", "race": "White"}), POLICY, seed=seed, draws=50
        )
        verdicts += [only(results, "calibration_difference", "Female").verdict]
    return verdicts


@pytest.mark.parametrize("small", [150, 1000])
def test_perfectly_calibrated_small_groups_raise_no_alarm_by_being_small(small):
    assert calibration_verdicts(small, 0.0, 40).count("breach") == 0


def test_scores_that_promise_too_much_to_one_group_are_a_breach():
    assert calibration_verdicts(1000, 0.15, 10).count("breach") == 10
