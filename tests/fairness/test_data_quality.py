from __future__ import annotations

import json

import numpy as np
import pytest
from hypothesis import given

from biasgov.fairness.data_quality import DataQuality, parity_ratio_bounds, quality
from biasgov.fairness.policy import Plan
from tests.fairness.tables import PLAN, SCHEMA, count, event_rows, selection_cube


@given(event_rows())
def test_coverage_is_that_of_the_rows(rows):
    found = quality(count(rows), PLAN)
    n = len(rows["sex"])
    assert found.n == n
    if not n:
        assert found.label_coverage is None
        assert set(found.coverage.values()) == {None}
        return
    labelled = rows["outcome"] >= 0
    assert found.label_coverage == pytest.approx(labelled.mean())
    assert found.score_coverage == pytest.approx((~np.isnan(rows["score"])).mean())
    assert found.coverage["sex"] == pytest.approx((rows["sex"] < 2).mean())
    assert found.coverage["sex*race"] == pytest.approx(((rows["sex"] < 2) & (rows["race"] < 3)).mean())
    for code, level in enumerate(SCHEMA.axis("race").labels):
        here = rows["race"] == code
        expected = labelled[here].mean() if here.any() else None
        assert found.label_coverage_by_group["race"][level] == (None if expected is None else pytest.approx(expected))
    for decision, name in enumerate(("unfavourable", "favourable")):
        here = rows["decision"] == decision
        expected = pytest.approx(labelled[here].mean()) if here.any() else None
        assert found.label_coverage_by_decision[name] == expected
    assert DataQuality.from_dict(json.loads(json.dumps(found.to_dict(), allow_nan=False))) == found


def decided(labelled_rejected, labelled_selected):
    decision = np.repeat([0, 1], 100)
    outcome = np.where(np.arange(200) % 100 < np.repeat([labelled_rejected, labelled_selected], 100), 1, -1)
    zeros = np.zeros(200, int)
    rows = {"sex": zeros, "race": zeros, "decision": decision, "outcome": outcome, "score": np.full(200, np.nan)}
    return quality(count(rows), PLAN)


@pytest.mark.parametrize(
    ("rejected", "selected", "flag"), [(0, 90, True), (44, 90, True), (45, 90, False), (90, 40, True), (0, 0, False)]
)
def test_labels_seen_for_one_decision_mostly_are_flagged(rejected, selected, flag):
    found = decided(rejected, selected)
    assert found.selective_labels is flag
    assert found.label_coverage_by_decision == {"unfavourable": rejected / 100, "favourable": selected / 100}


def test_attributes_known_for_less_than_four_fifths_are_named():
    plan = Plan({"group": "A"})
    assert quality(selection_cube({"A": (10, 79), "unknown": (1, 21)}), plan).low_coverage == ("group",)
    assert quality(selection_cube({"A": (10, 80), "unknown": (1, 20)}), plan).low_coverage == ()


def test_an_intersection_is_not_named_where_each_of_its_attributes_is_known_enough():
    place = np.arange(100)
    rows = {"sex": np.where(place < 15, 2, 0), "race": np.where(place >= 85, 3, 0), "decision": place % 2}
    found = quality(count(rows | {"outcome": place % 2, "score": np.full(100, np.nan)}), PLAN)
    assert (found.coverage["sex"], found.coverage["sex*race"]) == (0.85, 0.70)
    assert found.low_coverage == ()


def test_bounds_without_unknown_are_the_value_and_without_reference_open():
    bounds = parity_ratio_bounds((30, 100), (50, 100), (0, 0))
    assert bounds.low == bounds.value == bounds.high == pytest.approx(0.6)
    assert parity_ratio_bounds((30, 100), (0, 0), (5, 9)).high is None
    assert parity_ratio_bounds((0, 0), (50, 100), (0, 0)).value is None
