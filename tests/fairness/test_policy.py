from __future__ import annotations

import json
import math
from fractions import Fraction

import pytest

from biasgov.fairness.policy import DEFAULT_POLICY, METRICS, PRESETS, Bound, Plan, Policy
from biasgov.fairness.schema import CubeSchema

SCHEMA = CubeSchema.of({"sex": ("M", "F"), "race": ("W", "B"), "age": ("<40", "40+")})
REFERENCES = {"sex": "M", "race": "W", "age": "<40"}


@pytest.mark.parametrize("policy", [DEFAULT_POLICY, *PRESETS.values()])
def test_policies_survive_json(policy):
    assert Policy.from_dict(json.loads(json.dumps(policy.to_dict()))) == policy


def test_presets_are_those_of_the_industries():
    four_fifths = Bound(0.8, 1.25)
    assert PRESETS["banking"].bounds == PRESETS["government"].bounds == {"demographic_parity_ratio": four_fifths}
    assert PRESETS["insurance"].bound("equalized_odds_difference").upper == 0.05
    assert PRESETS["healthcare"].bound("calibration_difference") == Bound(-0.03, 0.03)
    assert set(PRESETS["employment"].bounds) == {"demographic_parity_ratio", "individual_fairness_distance"}


def test_bounds_are_the_decimals_that_people_wrote():
    assert Bound(0.8, 1.25).exact_lower == Fraction(4, 5)
    assert Bound(0.8, 1.25).exact_upper == Fraction(5, 4)
    assert Bound(None, 1).exact_upper == 1
    assert Bound().is_open


@pytest.mark.parametrize(
    ("fields", "message"),
    [
        ({"bounds": {"fairness": {"lower": 0.8}}}, "unknown metric 'fairness'"),
        ({"bounds": {"fpr_gap": {"min": 0.8}}}, "lower and upper, not min"),
        ({"bounds": {"fpr_gap": {"upper": "much"}}}, "upper must be a number"),
        ({"bounds": {"fpr_gap": {"upper": True}}}, "upper must be a number"),
        ({"bounds": {"fpr_gap": {"upper": 10**400}}}, "upper must be a finite number"),
        ({"minimum_group": float("inf")}, "minimum_group must be a finite number"),
        ({"severity_bands": {"medium": None, "high": 0.1, "critical": 0.2}}, "medium must be a number"),
        ({"severity_bands": {"medium": -0.1, "high": 0.1, "critical": 0.2}}, "at least 0"),
        ({"confidence": 1 - 1e-12}, "confidence must lie between 0 and 1"),
        ({"bounds": {"fpr_gap": {"lower": 1, "upper": 0}}}, "above the upper"),
        ({"bounds": {"fpr_gap": {"upper": math.inf}}}, "finite"),
        ({"bounds": [1]}, "must be mappings"),
        ({"alpha": 0}, "alpha must lie between"),
        ({"confidence": 1}, "confidence must lie between"),
        ({"minimum_share": 1}, "minimum_share"),
        ({"minimum_group": 0}, "at least 1"),
        ({"minimum_cell": 2.5}, "whole number"),
        ({"severity_bands": {"medium": 0.1}}, "severity_bands needs"),
        ({"severity_bands": {"medium": 0.2, "high": 0.1, "critical": 0.3}}, "must rise"),
        ({"aplha": 0.05}, "no aplha"),
    ],
)
def test_a_policy_that_makes_no_sense_is_refused_with_the_reason(fields, message):
    with pytest.raises(ValueError, match=message):
        Policy.from_dict(fields)


def test_severity_bands_begin_at_their_ends():
    assert [DEFAULT_POLICY.severity(d) for d in (0.0, 0.049, 0.05, 0.1, 0.2, 3)] == [
        "low",
        "low",
        "medium",
        "high",
        "critical",
        "critical",
    ]


def test_groupings_are_attributes_pairs_and_the_full_intersection_once():
    plan = Plan(REFERENCES, (("race", "sex"), ("sex", "race")))
    assert plan.groupings(SCHEMA) == (("sex",), ("race",), ("age",), ("race", "sex"), ("sex", "race", "age"))
    two = CubeSchema(SCHEMA.axes[:2])
    assert plan.groupings(two) == (("sex",), ("race",), ("race", "sex"))
    assert Plan(REFERENCES).groupings(CubeSchema(SCHEMA.axes[:1])) == (("sex",),)


@pytest.mark.parametrize(
    ("plan", "message"),
    [
        (Plan({"sex": "M", "race": "W"}), "'age' has no reference"),
        (Plan({**REFERENCES, "age": "unknown"}), "not a declared level"),
        (Plan(REFERENCES, (("sex", "region"),)), "no attribute 'region'"),
        (Plan(REFERENCES, (("sex", "sex"),)), "paired with itself"),
    ],
)
def test_a_plan_that_does_not_fit_the_cube_is_refused(plan, message):
    with pytest.raises(ValueError, match=message):
        plan.groupings(SCHEMA)


def test_plans_survive_json():
    plan = Plan(REFERENCES, (("race", "sex"),))
    assert Plan.from_dict(json.loads(json.dumps(plan.to_dict()))) == plan
    with pytest.raises(ValueError, match="not a plan"):
        Plan.from_dict({"pairs": []})


def test_metric_names_are_unique():
    assert len(set(METRICS)) == len(METRICS)
