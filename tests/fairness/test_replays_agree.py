"""A replay in arrays says what judging one result after the other says, on random histories with every kind of tie."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import numpy as np
import pytest

from biasgov.fairness import backtest
from biasgov.fairness.backtest import Replayer, StoredWindow
from biasgov.fairness.measurement import TWO_AT_ONCE, Measurement
from biasgov.fairness.policy import DEFAULT_POLICY, Bound, Policy
from biasgov.fairness.replay import Replay
from biasgov.fairness.result_columns import VERDICTS, Judge, ResultColumns
from biasgov.fairness.verdicts import NO_BOUND, Result, judge_again
from tests.fairness.slow_replay import SlowReplay, SlowReplayer, SlowWindow

START = datetime(2026, 1, 1, tzinfo=UTC)
WINDOWS = ("24h", "7d", "30d")
FORMS = {
    "demographic_parity_ratio": "ratio",
    "equalized_odds_difference": "absolute_difference",
    "fpr_gap": "difference",
    "selection_rate": "rate",
    "association": "estimate",
}
GROUPS = ("f", "m", "x", None)
TODAY = Policy(
    bounds={"demographic_parity_ratio": Bound(0.8, 1.25), "equalized_odds_difference": Bound(None, 0.05)},
    alpha=0.05,
    minimum_share=0.02,
)
POLICIES = {
    "another bound": replace(TODAY, bounds={**TODAY.bounds, "demographic_parity_ratio": Bound(0.7, 1.5)}),
    "an opened and a new bound": replace(
        TODAY, bounds={"fpr_gap": Bound(-0.05, 0.05), "association": Bound(None, 0.1)}
    ),
    "more metrics": replace(TODAY, bounds={metric: Bound(0.5, 0.75) for metric in FORMS}),
    "more evidence": replace(TODAY, alpha=0.01, alert_confidence=0.999, minimum_group=60),
    "another confidence": replace(TODAY, confidence=0.8, alert_confidence=0.9),
    "severities": replace(TODAY, severity_bands={"medium": 0.0, "high": 0.05, "critical": 0.1}),
    "the default": DEFAULT_POLICY,
    "the same": TODAY,
}


def result(rng: np.random.Generator, metric: str, group: str | None) -> Result:
    """A measurement that nobody need have made: often on a bound, at a minimum, without an end, or without a value."""
    form = FORMS[metric]
    a, b, c, d = (int(each) for each in rng.integers(0, 21, 4))
    counted = form != "estimate" and rng.random() < 0.9
    exact = {"rate": (a, b), "ratio": (a * d, b * c)}.get(form, (a * d - c * b, b * d))
    value = (
        exact[0] / exact[1] if counted and exact[1] else float(rng.choice([0.05, 0.8, 0.75, 1.25, rng.random() * 2]))
    )
    value = abs(value) if form == "absolute_difference" else value
    low, high = value - rng.choice([0.0, 0.01, 0.2]), value + rng.choice([0.0, 0.01, 0.2])
    missing = rng.random() < 0.05
    return Result(
        Measurement(
            metric=metric,
            attribute="sex",
            group=group,
            reference=None,
            value=None if missing or rng.random() < 0.03 else value,
            low=None if rng.random() < 0.1 else float(low),
            high=None if rng.random() < 0.1 else float(high),
            n=100,
            share=float(rng.choice([0.01, 0.02, 0.5])),
            form=form,  # type: ignore[arg-type]
            numerator=a if counted else None,
            denominator=b if counted else None,
            reference_numerator=c if counted and form != "rate" else None,
            reference_denominator=d if counted and form != "rate" else None,
            p=None,
            least_n=int(rng.choice([29, 30, 60, 200])),
            least_cell=int(rng.choice([4, 5, 50])),
            method=TWO_AT_ONCE if form == "absolute_difference" else "newcombe",
            known=bool(rng.random() < 0.95),
            gap="no_events" if missing else None,
            details=None,
        ),
        None if rng.random() < 0.2 else float(rng.choice([0.001, 0.01, 0.05, 0.3])),
        Bound(),
        "inconclusive",
        None,
        NO_BOUND,
    )


def stored(rng: np.random.Generator, policy: Policy) -> list[Result]:
    """A run's results as that policy judged them, but a few that were judged otherwise."""
    results = [result(rng, metric, group) for metric in FORMS for group in GROUPS if rng.random() < 0.9]
    return [
        each if rng.random() < 0.02 else judge_again(each, policy, confidence=policy.confidence) for each in results
    ]


def history(seed: int) -> list[tuple[datetime, list[tuple[str, int, list[Result], Policy]]]]:
    """Evaluations, some without one of the windows, by a policy that changes half way."""
    rng = np.random.default_rng(seed)
    earlier = replace(TODAY, confidence=0.9, bounds={"fpr_gap": Bound(-0.1, 0.1)})
    return [
        (
            START + timedelta(hours=hour),
            [
                (name, int(rng.integers(0, 3)), stored(rng, by), by)
                for by in [earlier if hour < 20 else TODAY]
                for name in WINDOWS
                if rng.random() < 0.9
            ],
        )
        for hour in range(40)
    ]


def replays(
    past: Sequence[tuple[datetime, Sequence[tuple[str, int, list[Result], Policy]]]], today: Policy, proposed: Policy
) -> tuple[Replay, SlowReplay]:
    quick, slow = (kind(today, proposed, close_after=2) for kind in (Replayer, SlowReplayer))
    for as_of, windows in past:
        quick.look(
            as_of,
            [
                StoredWindow(name, by.confidence, ResultColumns.of(results), hidden, by)
                for name, hidden, results, by in windows
            ],
        )
        slow.look(
            as_of,
            [SlowWindow(name, by.confidence, results, hidden) for name, hidden, results, by in windows],
            judged_by=[by for *_, by in windows],
        )
    return quick.replay(), slow.replay()


@pytest.mark.parametrize("at_once", [1, 300])
@pytest.mark.parametrize("name", POLICIES)
def test_a_replay_is_that_of_one_result_after_the_other(
    name: str, at_once: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(backtest, "ROWS_AT_ONCE", at_once)
    past = history(sum(map(ord, name)))
    for today, proposed in ((TODAY, POLICIES[name]), (POLICIES[name], TODAY)):
        quick, slow = replays(past, today, proposed)
        assert quick.alerts == slow.alerts
        assert len(quick.alerts) > 5
        counted = [(each.evaluations, each.judged, each.hidden, each.repeated, each.checked) for each in (quick, slow)]
        assert counted[0] == counted[1]
        assert quick.repeated < quick.checked
        assert {key: quick.looks.of(key) for key in quick.looks} == slow.looks
        assert list(quick.looks) == list(slow.looks)
        for key, weight in quick.looks.weights().items():
            breaches = [(look.today == "breach", look.proposed == "breach") for look in slow.looks[key]]
            one, both = sum(a != b for a, b in breaches), sum(a and b for a, b in breaches)
            assert weight == (one, both, len(breaches))


@pytest.mark.parametrize("name", POLICIES)
def test_many_results_are_judged_as_each_is(name: str) -> None:
    rng = np.random.default_rng(sum(map(ord, name)) + 1)
    results = [result(rng, metric, group) for _ in range(300) for metric in FORMS for group in GROUPS]
    for confidence in (0.95, 0.8):
        judged = Judge(ResultColumns.of(results), confidence).by(POLICIES[name])
        each = [judge_again(one, POLICIES[name], confidence=confidence) for one in results]
        assert [VERDICTS[code] for code in judged.verdict] == [one.verdict for one in each]
        severities = (None, "low", "medium", "high", "critical")
        assert [severities[code + 1] for code in judged.severity] == [one.severity for one in each]
    assert {one.verdict for one in each} == set(VERDICTS)


def test_only_what_is_near_a_tie_is_judged_one_by_one(monkeypatch: pytest.MonkeyPatch) -> None:
    rng = np.random.default_rng(1)
    results = [result(rng, metric, group) for _ in range(100) for metric in FORMS for group in GROUPS]
    asked = []

    def counted(stored: Result, policy: Policy, *, confidence: float) -> Result:
        asked.append(stored)
        return judge_again(stored, policy, confidence=confidence)

    monkeypatch.setattr("biasgov.fairness.result_columns.judge_again", counted)
    Judge(ResultColumns.of(results), 0.95).by(TODAY)
    assert 0 < len(asked) < len(results) / 5
