"""The income model: trained without protected attributes on one half, watched on the other."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import numpy as np
import pytest
from sklearn.metrics import roc_auc_score

from apps.demo.income import DAYS, FEATURES, Income, declaration
from tests.apps.demo.counted import count, rates

ANCHOR = datetime(2026, 11, 22, 15, 30, tzinfo=UTC)


@pytest.fixture(scope="module")
def income():
    return Income(ANCHOR)


@pytest.fixture(scope="module")
def events(income):
    return list(income.events(income.first, ANCHOR))


def test_protected_attributes_are_not_features():
    assert not {"sex", "race", "age", "native_country"} & set(FEATURES)


def test_the_unseen_half_is_spread_over_sixty_days(income, events):
    assert len(events) == 24_421
    assert len({event["event_id"] for event in events}) == 24_421
    per_day = np.unique([event["occurred_at"].date() for event in events], return_counts=True)[1]
    assert len(per_day) == DAYS
    assert per_day.min() >= 400
    assert ANCHOR - timedelta(days=2) < events[-1]["occurred_at"] < ANCHOR
    assert income.last <= ANCHOR


def test_every_event_gets_its_label_before_the_stream_ends(income, events):
    labels = list(income.labels(income.first, income.last))
    assert {row["event_id"] for row in labels} == {event["event_id"] for event in events}
    assert set(income.labels(income.last, ANCHOR + timedelta(days=9))) == set()


def test_the_scores_separate_and_are_calibrated_in_the_large(income, events):
    labels = {row["event_id"]: row["label"] for row in income.labels(income.first, ANCHOR)}
    outcome = np.array([labels[event["event_id"]] for event in events])
    score = np.array([event["score"] for event in events])
    assert roc_auc_score(outcome, score) > 0.88
    assert abs(score.mean() - outcome.mean()) < 4 * outcome.std() / np.sqrt(len(outcome))
    assert [event["decision"] for event in events] == [int(value >= 0.5) for value in score]


def test_leaving_sex_out_does_not_make_the_model_blind_to_it(income, events):
    attributes = {row["subject_id"]: row["attributes"] for row in income.subjects()}
    labels = {row["event_id"]: row["label"] for row in income.labels(income.first, ANCHOR)}
    cube = count(income.declaration, events, attributes, labels)
    assert cube.total == 24_421
    assert rates(cube, income.declaration, "sex")["demographic_parity_ratio", "Female"] < 0.5


def test_every_level_of_the_file_is_declared(income):
    found: dict[str, set[str]] = {}
    for row in income.subjects():
        for name, level in row["attributes"].items():
            found.setdefault(name, set()).add(level)
    assert found == {each.name: set(each.levels) for each in declaration().attributes}
