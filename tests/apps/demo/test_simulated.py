"""The simulated streams keep what they promise, within their sampling error (four standard errors)."""

from __future__ import annotations

from collections import Counter
from datetime import UTC, datetime, timedelta
from itertools import pairwise

import numpy as np
import pytest

from apps.demo.claims_triage import OVERRULED, REASONS, ClaimsTriage
from apps.demo.security_triage import APAC_EXCESS, MISSED_AFTER, MISSED_BEFORE, REGIONS, SecurityTriage
from apps.demo.stream import DAYTIME, Evidence
from biasgov.fairness.cube import OutcomeCube
from biasgov.fairness.evaluation import DEFAULT_POLICY, evaluate
from tests.apps.demo.counted import count, plan_of, schema_of

ANCHOR = datetime(2026, 11, 22, 15, 30, tzinfo=UTC)
DAY = timedelta(days=1)
LATER = ANCHOR + 2 * DAY
BOTH = pytest.mark.parametrize("model", [SecurityTriage, ClaimsTriage])


class Told:
    """A model with its whole history, labels complete."""

    def __init__(self, model):
        self.source = model(ANCHOR)
        self.events = list(self.source.events(self.source.first, ANCHOR))
        self.labels = {row["event_id"]: row["label"] for row in self.source.labels(self.source.first, LATER)}
        self.attributes = {row["subject_id"]: row["attributes"] for row in self.source.subjects()}

    def windows(self, days):
        """(end, cube) for every midnight of the history."""
        declaration = self.source.declaration
        by_day: dict[datetime, list] = {}
        for event in self.events:
            by_day.setdefault(event["occurred_at"].replace(hour=0, minute=0, second=0, microsecond=0), []).append(event)
        cubes = {day: count(declaration, rows, self.attributes, self.labels) for day, rows in by_day.items()}
        for day in cubes:
            parts = [cubes[each] for each in (day - back * DAY for back in range(days)) if each in cubes]
            yield day + DAY, OutcomeCube.sum(parts, schema_of(declaration))

    def breaches(self, days):
        """(end, result) for every breach at the default policy."""
        plan = plan_of(self.source.declaration)
        return [
            (end, result)
            for end, cube in self.windows(days)
            for result in evaluate(cube, plan, DEFAULT_POLICY, seed=1)
            if result.verdict == "breach"
        ]


@pytest.fixture(scope="module")
def security():
    return Told(SecurityTriage)


@pytest.fixture(scope="module")
def claims():
    return Told(ClaimsTriage)


def missed(told, events, region=None):
    """(share of critical reports rated low, its standard error, critical reports)."""
    hits = [
        event["decision"]
        for event in events
        if told.labels[event["event_id"]] == 1
        and region in (None, told.attributes[event["subject_id"]]["reporting_region"])
    ]
    share = 1 - float(np.mean(hits))
    return share, float(np.sqrt(share * (1 - share) / len(hits))), len(hits)


def test_reports_come_from_north_america_in_78_of_100_cases(security):
    here = [security.attributes[event["subject_id"]]["reporting_region"] for event in security.events]
    share = Counter(here)["North America"] / len(here)
    assert abs(share - 0.78) < 4 * np.sqrt(0.78 * 0.22 / len(here))
    assert sum(REGIONS.values()) == pytest.approx(1)


def test_42_of_100_critical_reports_are_rated_low_in_the_72_hours_after_the_update(security):
    start = security.source.updated_at
    after = [event for event in security.events if start <= event["occurred_at"] < start + 3 * DAY]
    share, error, _ = missed(security, after)
    assert abs(share - 0.42) < 4 * error
    assert error < 0.02


def test_apac_misses_63_of_100_more_than_north_america_after_the_update(security):
    after = [event for event in security.events if event["occurred_at"] >= security.source.updated_at]
    apac, apac_error, _ = missed(security, after, "APAC")
    america, america_error, _ = missed(security, after, "North America")
    relative_error = np.hypot(apac_error / apac, america_error / america)
    assert abs(np.log(apac / america) - np.log(1.63)) < 4 * relative_error
    assert MISSED_AFTER["APAC"] / MISSED_AFTER["North America"] == pytest.approx(APAC_EXCESS) == pytest.approx(1.63)


def test_before_the_update_no_region_stands_out(security):
    before = [event for event in security.events if event["occurred_at"] < security.source.updated_at]
    for region in REGIONS:
        share, error, _ = missed(security, before, region)
        assert abs(share - MISSED_BEFORE) < 4 * error


def test_the_update_is_a_second_version_of_another_scikit_learn(security):
    old, new = security.source.declaration.releases
    assert (old.packages["scikit-learn"], new.packages["scikit-learn"]) == ("1.4.2", "1.5.0")
    assert {name for name in old.packages if old.packages[name] != new.packages[name]} == {"scikit-learn"}
    boundary = security.source.updated_at
    assert 20 * DAY <= ANCHOR - boundary < 30 * DAY
    for event in security.events:
        assert event["version"] == (new if event["occurred_at"] >= boundary else old).version


def test_the_update_is_a_breach_within_days_and_nothing_is_before(security):
    found = [(end, result) for days in (1, 7) for end, result in security.breaches(days)]
    first = min(end for end, _ in found)
    assert security.source.updated_at < first <= security.source.updated_at + 5 * DAY
    named = {(result.metric, result.group) for end, result in found}
    assert ("equalized_odds_difference", "APAC") in named


@pytest.mark.parametrize("days", [1, 7, 30])
def test_the_fair_model_stays_quiet(claims, days):
    assert claims.breaches(days) == []


def test_examiners_override_two_of_a_hundred_claims_that_were_sent_to_them_whoever_asks(claims):
    sent = [event for event in claims.events if event["decision"] == 0]
    overridden = [event for event in claims.events if "override" in event]
    assert {event["decision"] for event in overridden} == {0}
    assert {event["override"]["decision"] for event in overridden} == {1}
    assert {event["override"]["reason"] for event in overridden} == set(REASONS)
    assert abs(len(overridden) / len(sent) - OVERRULED) < 4 * np.sqrt(OVERRULED * (1 - OVERRULED) / len(sent))
    for sex in ("Female", "Male"):
        theirs = [event for event in sent if claims.attributes.get(event["subject_id"], {}).get("claimant_sex") == sex]
        share = np.mean(["override" in event for event in theirs])
        assert abs(share - OVERRULED) < 4 * np.sqrt(OVERRULED * (1 - OVERRULED) / len(theirs))


def test_most_claimants_are_known_and_fewer_of_the_older(claims):
    known = len(claims.attributes) / claims.source.population
    assert abs(known - 0.93) < 4 * np.sqrt(0.93 * 0.07 / claims.source.population)
    assert claims.source.population > len(claims.attributes)


@BOTH
def test_a_stream_is_a_function_of_time(model):
    one, other = model(ANCHOR), model(ANCHOR)
    start = ANCHOR - 3 * timedelta(hours=1)
    cuts = [start, start + timedelta(minutes=7), start + timedelta(minutes=95), ANCHOR]
    assert list(one.events(start, ANCHOR)) == [row for a, b in pairwise(cuts) for row in other.events(a, b)]
    assert list(one.labels(start, ANCHOR)) == [row for a, b in pairwise(cuts) for row in other.labels(a, b)]


@BOTH
def test_events_are_in_order_fresh_and_labelled_later(model):
    source = model(ANCHOR)
    start = ANCHOR - DAY
    moments = {row["event_id"]: row["occurred_at"] for row in source.events(start - DAY, ANCHOR)}
    assert list(moments.values()) == sorted(moments.values())
    assert ANCHOR - max(moments.values()) < timedelta(minutes=15)
    for row in source.labels(start, ANCHOR):
        assert row["observed_at"] - moments[row["event_id"]] >= source.label_delay


@BOTH
def test_the_volume_is_as_stated(model):
    source = model(ANCHOR)
    days = 10
    n = sum(1 for _ in source.events(ANCHOR - days * DAY, ANCHOR))
    expected = days * source.per_day
    assert abs(n - expected) < 4 * np.sqrt(expected)
    assert sum(DAYTIME) == pytest.approx(24)


def test_some_events_carry_features_and_none_of_them_is_protected(security):
    carrying = [event["features"] for event in security.events if "features" in event]
    assert abs(len(carrying) / len(security.events) - 0.10) < 0.01
    names = {name for features in carrying for name in features}
    assert names == {"sensor_severity", "hour_of_day", "indicators"}


def test_the_closed_form_of_the_error_rates_holds_in_a_large_draw():
    evidence = Evidence(prior=0.3, fnr=0.12, fpr=0.05)
    random = np.random.default_rng(1)
    n = 200_000
    z = random.standard_normal(n)
    assert np.mean(z + evidence.separation < evidence.cut) == pytest.approx(0.12, abs=4 * np.sqrt(0.12 * 0.88 / n))
    assert np.mean(z - evidence.separation >= evidence.cut) == pytest.approx(0.05, abs=4 * np.sqrt(0.05 * 0.95 / n))
    dragged = z + evidence.separation - evidence.drag(0.6)
    assert np.mean(dragged < evidence.cut) == pytest.approx(0.6, abs=4 * np.sqrt(0.24 / n))


def test_the_score_is_the_probability_of_a_positive():
    evidence = Evidence(prior=0.3, fnr=0.12, fpr=0.05)
    random = np.random.default_rng(2)
    positive = random.random(200_000) < evidence.prior
    z = random.standard_normal(200_000) + np.where(positive, evidence.separation, -evidence.separation)
    score = evidence.score(z)
    for low in np.arange(0, 1, 0.1):
        inside = (score >= low) & (score < low + 0.1)
        error = np.sqrt(0.25 / inside.sum())
        assert abs(positive[inside].mean() - score[inside].mean()) < 4 * error
