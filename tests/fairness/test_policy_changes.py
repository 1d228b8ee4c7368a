"""What a change of policy does to alerts: declared term by term, and held against the evaluator itself."""

from __future__ import annotations

import math
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from biasgov.fairness.cube import OutcomeCube
from biasgov.fairness.evaluation import Bound, Policy, Result, evaluate, judge_again
from biasgov.fairness.policy import DEFAULT_POLICY, METRICS, SEVERITIES
from biasgov.fairness.policy_changes import (
    RARER_WHEN_LARGER,
    RELAXATION,
    TIGHTENING,
    UNCHANGED,
    beyond,
    compare,
    direction,
    effect_of,
    judging_terms,
    known_terms,
    loosened,
    terms_of,
)
from tests.fairness.tables import PLAN, count

EO = "equalized_odds_difference"
RATIO = "demographic_parity_ratio"
STRICT = Policy(bounds={EO: Bound(None, 0.05), RATIO: Bound(0.8, 1.25)})


def changed(old: Policy, new: Policy) -> dict[str, str]:
    return {each.term: each.effect for each in compare([old], new) if each.effect != UNCHANGED}


def bounded(policy: Policy, **bounds: Bound) -> Policy:
    return replace(policy, bounds={**policy.bounds, **bounds})


@pytest.mark.parametrize(
    ("new", "expected"),
    [
        (bounded(STRICT, **{EO: Bound(None, 0.06)}), {f"bounds.{EO}.upper": RELAXATION}),
        (bounded(STRICT, **{EO: Bound(None, 0.04)}), {f"bounds.{EO}.upper": TIGHTENING}),
        (bounded(STRICT, **{RATIO: Bound(0.75, 1.25)}), {f"bounds.{RATIO}.lower": RELAXATION}),
        (bounded(STRICT, **{RATIO: Bound(0.85, 1.3)}), {
            f"bounds.{RATIO}.lower": TIGHTENING, f"bounds.{RATIO}.upper": RELAXATION,
        }),
        (bounded(STRICT, **{RATIO: Bound(0.8, None)}), {f"bounds.{RATIO}.upper": RELAXATION}),
        (replace(STRICT, bounds={EO: Bound(None, 0.05)}), {
            f"bounds.{RATIO}.lower": RELAXATION, f"bounds.{RATIO}.upper": RELAXATION,
        }),
        (bounded(STRICT, fpr_gap=Bound(-0.05, 0.05)), {
            "bounds.fpr_gap.lower": TIGHTENING, "bounds.fpr_gap.upper": TIGHTENING,
        }),
        (bounded(STRICT, fpr_gap=Bound()), {}),
        (replace(STRICT, alpha=0.01), {"alpha": RELAXATION}),
        (replace(STRICT, alpha=0.1), {"alpha": TIGHTENING}),
        (replace(STRICT, alert_confidence=0.999), {"alert_confidence": RELAXATION}),
        (replace(STRICT, alert_confidence=0.98), {"alert_confidence": TIGHTENING}),
        (replace(STRICT, confidence=0.99), {"confidence": RELAXATION}),
        (replace(STRICT, minimum_group=31), {"minimum_group": RELAXATION}),
        (replace(STRICT, minimum_cell=4), {"minimum_cell": TIGHTENING}),
        (replace(STRICT, minimum_share=0.03), {"minimum_share": RELAXATION}),
        (replace(STRICT, severity_bands={"medium": 0.05, "high": 0.1, "critical": 0.3}), {
            "severity_bands.critical": RELAXATION,
        }),
        (replace(STRICT, severity_bands={"medium": 0.04, "high": 0.1, "critical": 0.2}), {
            "severity_bands.medium": TIGHTENING,
        }),
        (STRICT, {}),
    ],
)  # fmt: skip
def test_what_makes_alerts_rarer_is_a_relaxation(new: Policy, expected: dict[str, str]) -> None:
    assert changed(STRICT, new) == expected


def test_one_relaxed_term_makes_the_change_a_relaxation() -> None:
    new = bounded(replace(STRICT, minimum_group=20), **{EO: Bound(None, 0.06)})
    assert effect_of(compare([STRICT], new)) == RELAXATION
    assert effect_of(compare([STRICT], replace(STRICT, minimum_group=20))) == TIGHTENING
    assert effect_of(compare([STRICT], STRICT)) == UNCHANGED


def test_the_smallest_difference_counts_and_another_spelling_does_not() -> None:
    nearly = math.nextafter(0.05, 1)
    assert changed(STRICT, bounded(STRICT, **{EO: Bound(None, nearly)})) == {f"bounds.{EO}.upper": RELAXATION}
    same = Policy.from_dict(STRICT.to_dict() | {"minimum_group": 30.0, "alpha": 5e-2})
    assert changed(STRICT, same) == {}
    assert direction("bounds.calibration_difference.lower", 0.0, -0.0) == UNCHANGED


def test_dropping_a_planned_tightening_is_a_relaxation_too() -> None:
    planned = bounded(STRICT, **{EO: Bound(None, 0.03)})
    assert effect_of(compare([STRICT], STRICT)) == UNCHANGED
    assert effect_of(compare([STRICT, planned], STRICT)) == RELAXATION
    assert effect_of(compare([STRICT, planned], planned)) == TIGHTENING


def test_every_number_of_a_policy_has_a_declared_direction() -> None:
    everything = replace(DEFAULT_POLICY, bounds={metric: Bound(-1, 1) for metric in METRICS})
    assert set(terms_of(everything)) == set(known_terms())


def with_ladder(**changes: Any) -> Policy:
    return replace(STRICT, ladder=replace(STRICT.ladder, **changes))


@pytest.mark.parametrize(
    ("changes", "loosens"),
    [
        ({"persist_after": 4}, True),
        ({"persist_after": 2}, False),
        ({"persist_window": ""}, True),
        ({"persist_window": "24h"}, True),
        ({"sustain_severity": "critical"}, True),
        ({"sustain_severity": "medium"}, False),
        ({"sustain_hours": 25}, True),
        ({"sustain_hours": 23}, False),
        ({"sustain_window": ""}, True),
        ({"escalate_severity": "high"}, False),
        ({"step_down_after": 2}, True),
        ({"step_down_after": 4}, False),
        ({"enhanced_minutes": 30}, True),
        ({"enhanced_minutes": 5}, False),
        ({"calendar": "AU"}, True),
        ({"time_zone": "Australia/Sydney"}, True),
        ({"opens": 10}, True),
        ({"opens": 8}, False),
        ({"closes": 16}, True),
        ({"closes": 18}, False),
        ({"restriction": "automatic"}, False),
        ({"blocked_decision_types": ("approve",)}, True),
        ({"acknowledge_minutes": 16}, True),
        ({"acknowledge_minutes": 14}, False),
    ],
)
def test_what_lets_a_response_come_later_or_milder_is_a_relaxation(changes: dict[str, Any], loosens: bool) -> None:
    (term,) = changes
    expected = RELAXATION if loosens else TIGHTENING
    assert changed(STRICT, with_ladder(**changes)) == {f"ladder.{term}": expected}


@pytest.mark.parametrize(
    ("term", "old", "new", "loosens"),
    [
        ("persist_window", "", "7d", False),
        ("calendar", "AU", "", False),
        ("calendar", "AU", "AU-NSW", True),
        ("restriction", "automatic", "confirm", True),
        ("blocked_decision_types", ("approve",), ("approve", "decline"), False),
        ("blocked_decision_types", ("approve",), ("*",), False),
        ("blocked_decision_types", ("approve", "decline"), ("decline", "refer"), True),
    ],
)
def test_what_cannot_be_ordered_is_a_relaxation(term: str, old: Any, new: Any, loosens: bool) -> None:
    found = changed(with_ladder(**{term: old}), with_ladder(**{term: new}))
    assert found == {f"ladder.{term}": RELAXATION if loosens else TIGHTENING}


def test_each_deadline_is_a_term_of_its_own() -> None:
    later = with_ladder(deadlines={"low": 200, "medium": 80, "high": 40, "critical": 4})
    assert changed(STRICT, later) == {"ladder.deadlines.low": RELAXATION, "ladder.deadlines.critical": TIGHTENING}


def test_the_order_of_blocked_decisions_is_no_change() -> None:
    one, two = (with_ladder(blocked_decision_types=types) for types in (("a", "b"), ("b", "a")))
    assert changed(one, two) == {}


def test_a_looser_ladder_is_beyond_every_limit() -> None:
    further = beyond(compare([STRICT], with_ladder(persist_after=4)), dict.fromkeys(judging_terms(), 1000000000.0))
    assert [each.term for each in further] == ["ladder.persist_after"]


def test_a_relaxation_beyond_its_limit_is_named_and_a_tightening_never() -> None:
    limits = {f"bounds.{EO}.upper": 0.08, "alpha": 0.01}
    for upper, gone_too_far in ((0.06, False), (0.08, False), (0.081, True), (0.02, False)):
        found = beyond(compare([STRICT], bounded(STRICT, **{EO: Bound(None, upper)})), limits)
        assert bool(found) == gone_too_far
    assert not beyond(compare([STRICT], replace(STRICT, alpha=0.01)), limits)
    assert beyond(compare([STRICT], replace(STRICT, alpha=0.009)), limits)


def test_an_opened_bound_and_a_term_without_a_limit_are_beyond_it() -> None:
    opened = beyond(compare([STRICT], bounded(STRICT, **{EO: Bound()})), {f"bounds.{EO}.upper": 0.08})
    assert [each.term for each in opened] == [f"bounds.{EO}.upper"]
    assert beyond(compare([STRICT], replace(STRICT, minimum_cell=6)), {})


def test_what_is_already_beyond_the_limit_may_be_tightened_but_not_relaxed_further() -> None:
    loose, limits = bounded(STRICT, **{EO: Bound(None, 0.1)}), {f"bounds.{EO}.upper": 0.08}
    assert not beyond(compare([loose], bounded(STRICT, **{EO: Bound(None, 0.09)})), limits)
    assert beyond(compare([loose], bounded(STRICT, **{EO: Bound(None, 0.11)})), limits)


def test_more_room_for_compliance_is_seen() -> None:
    old = {"alpha": 0.01, f"bounds.{EO}.upper": 0.08}
    assert loosened(old, {"alpha": 0.005, f"bounds.{EO}.upper": 0.08}) == ("alpha",)
    assert loosened(old, {"alpha": 0.02, f"bounds.{EO}.upper": 0.07}) == ()
    assert loosened(old, old | {"minimum_group": 50}) == ("minimum_group",)
    assert loosened(old, {}) == ()


_numbers = {
    "alpha": st.floats(0.001, 0.5),
    "confidence": st.floats(0.5, 0.99),
    "alert_confidence": st.floats(0.5, 0.999),
    "minimum_group": st.integers(1, 400),
    "minimum_cell": st.integers(1, 60),
    "minimum_share": st.floats(0, 0.4),
}
_ends = st.floats(0.0, 0.6)
_bounds = st.fixed_dictionaries(
    {},
    optional={
        RATIO: st.builds(lambda low, up: Bound(low, 1 + up), _ends, _ends),
        EO: st.builds(lambda up: Bound(None, up), _ends),
        "fpr_gap": st.builds(lambda low, up: Bound(-low, up), _ends, _ends),
        "calibration_difference": st.builds(lambda low, up: Bound(-low / 4, up / 4), _ends, _ends),
    },
)
_bands = st.lists(st.floats(0.001, 0.5), min_size=3, max_size=3, unique=True).map(
    lambda found: dict(zip(SEVERITIES[1:], sorted(found), strict=True))
)
policies = st.builds(Policy, bounds=_bounds, severity_bands=_bands, **_numbers)


def skewed(seed: int, n: int = 1500) -> OutcomeCube:
    """Decisions that treat women and two of the races worse, with scores and most of the outcomes."""
    rng = np.random.default_rng(seed)
    sex, race = rng.integers(0, 2, n), rng.choice(3, n, p=[0.6, 0.3, 0.1])
    outcome = (rng.random(n) < 0.5).astype(int)
    decision = (rng.random(n) < 0.25 + 0.4 * outcome - 0.15 * sex - 0.08 * race + 0.1).astype(int)
    score = np.clip(0.5 * outcome + 0.4 * rng.random(n) - 0.1 * sex, 0, 1)
    rows = {"sex": sex, "race": race, "decision": decision, "outcome": outcome, "score": score}
    return count(rows)


STORED_BY = DEFAULT_POLICY
BOUNDED = (RATIO, EO, "fpr_gap", "calibration_difference")


def stored_by(policy: Policy) -> list[Result]:
    found = [result for seed in (1, 2) for result in evaluate(skewed(seed), PLAN, policy, seed=seed)]
    return [result for result in found if result.metric in BOUNDED]


STORED = stored_by(STORED_BY)


def looser(one: Policy, two: Policy) -> Policy:
    """Of every term the looser number."""
    first, second = terms_of(one), terms_of(two)
    chosen = {
        term: first.get(term) if direction(term, first.get(term), second.get(term)) != RELAXATION else second.get(term)
        for term in judging_terms()
    }
    ends = {metric: [chosen[f"bounds.{metric}.{end}"] for end in ("lower", "upper")] for metric in METRICS}
    bands = {name: chosen[f"severity_bands.{name}"] for name in SEVERITIES[1:]}
    numbers = {term: chosen[term] for term in RARER_WHEN_LARGER if "." not in term}
    return Policy(bounds={metric: Bound(*both) for metric, both in ends.items()}, severity_bands=bands, **numbers)


def breaches(policy: Policy) -> dict[int, int]:
    """Rank of the severity by number of the stored result."""
    judged = [judge_again(each, policy, confidence=STORED_BY.confidence) for each in STORED]
    return {place: SEVERITIES.index(each.severity) for place, each in enumerate(judged) if each.verdict == "breach"}


@given(policies, policies)
def test_a_change_that_only_relaxes_raises_no_alert_that_was_not_there(one: Policy, two: Policy) -> None:
    relaxed = looser(one, two)
    assert effect_of(compare([one], relaxed)) in (RELAXATION, UNCHANGED)
    assert TIGHTENING not in {each.effect for each in compare([one], relaxed)}
    before, after = breaches(one), breaches(relaxed)
    assert set(after) <= set(before)
    assert all(after[place] <= before[place] for place in after)


@given(policies, policies)
def test_a_lost_or_milder_alert_is_never_called_anything_but_a_relaxation(old: Policy, new: Policy) -> None:
    before, after = breaches(old), breaches(new)
    if any(place not in after or after[place] < before[place] for place in before):
        assert effect_of(compare([old], new)) == RELAXATION
    if any(place not in before or before[place] < after[place] for place in after):
        assert TIGHTENING in {each.effect for each in compare([old], new)}


def test_the_stored_results_hold_breaches_to_lose() -> None:
    assert len(breaches(STORED_BY)) > 20


def test_judging_again_repeats_what_was_stored() -> None:
    assert [judge_again(each, STORED_BY, confidence=STORED_BY.confidence) for each in STORED] == STORED


def test_another_policy_judges_a_stored_result_as_it_would_have_judged_the_window() -> None:
    other = replace(STRICT, alpha=0.01, alert_confidence=0.99, minimum_group=100)
    again = [judge_again(each, other, confidence=STORED_BY.confidence) for each in STORED]
    assert again == stored_by(other)
