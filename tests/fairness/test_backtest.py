"""Alerts of two policies over the same evaluations: which stay, which go, which come, and when they end."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest

from biasgov.fairness.backtest import Replayer, StoredWindow
from biasgov.fairness.backtest_summary import ALERTS_AT_MOST, summary
from biasgov.fairness.evaluation import DEFAULT_POLICY, Bound, Plan, Policy, evaluate
from biasgov.fairness.replay import Replay
from biasgov.fairness.result_columns import ResultColumns
from tests.fairness.tables import selection_cube

RATIO = "demographic_parity_ratio"
START = datetime(2026, 1, 1, tzinfo=UTC)
HOUR = timedelta(hours=1)
TODAY = Policy(bounds={RATIO: Bound(0.8, None)}, minimum_group=1, minimum_cell=1, minimum_share=0)
LOOSER = replace(TODAY, bounds={RATIO: Bound(0.6, None)})


def window(ratio: float, *, name: str = "24h", n: int = 20_000) -> StoredWindow:
    """A window in which women are selected `ratio` as often as men."""
    cube = selection_cube({"Male": (n // 2, n), "Female": (round(n // 2 * ratio), n)}, "sex")
    results = evaluate(cube, Plan({"sex": "Male"}), TODAY, seed=1)
    women = [each for each in results if each.metric == RATIO and each.group == "Female"]
    return StoredWindow(name, TODAY.confidence, ResultColumns.of(women), judged_by=TODAY)


def replayed(ratios: list[float], today: Policy = TODAY, proposed: Policy = LOOSER, *, close_after: int = 2) -> Replay:
    replayer = Replayer(today, proposed, close_after=close_after)
    for hour, ratio in enumerate(ratios):
        replayer.look(START + hour * HOUR, [window(ratio)])
    return replayer.replay()


def counts(replay: Replay) -> tuple[int, int, int]:
    return replay.count("kept"), replay.count("lost"), replay.count("gained")


def test_a_breach_beyond_both_bounds_is_kept_and_one_between_them_is_lost() -> None:
    assert counts(replayed([1.0, 0.5, 1.0, 1.0, 0.7, 1.0, 1.0])) == (1, 1, 0)
    assert counts(replayed([1.0, 0.7], today=LOOSER, proposed=TODAY)) == (0, 0, 1)


def test_an_alert_lasts_until_enough_evaluations_in_a_row_are_within() -> None:
    assert counts(replayed([0.7, 1.0, 0.7, 1.0, 0.7])) == (0, 1, 0)
    assert counts(replayed([0.7, 1.0, 1.0, 0.7])) == (0, 2, 0)


def test_an_alert_that_grows_is_kept_and_comes_later() -> None:
    (alert,) = replayed([0.7, 0.7, 0.5]).alerts
    assert (alert.fate, alert.later_hours) == ("kept", 2)
    assert alert.severity_today != alert.severity_proposed


def test_judging_again_by_the_policy_that_judged_repeats_every_verdict() -> None:
    replay = replayed([1.0, 0.9, 0.81, 0.79, 0.7, 0.5])
    assert replay.checked == replay.repeated == replay.judged == 6


def test_a_window_that_no_policy_bounds_says_nothing() -> None:
    nothing = replace(TODAY, bounds={})
    replay = replayed([0.5, 0.5], today=nothing, proposed=nothing)
    assert (replay.judged, replay.alerts, list(replay.looks)) == (0, (), [])


def test_hidden_results_are_counted_and_never_judged() -> None:
    replayer = Replayer(TODAY, LOOSER, close_after=1)
    replayer.look(START, [StoredWindow("24h", 0.95, ResultColumns.of([]), hidden=3)])
    assert (replayer.replay().hidden, replayer.replay().judged) == (3, 0)


def test_the_summary_keeps_one_value_a_day_and_the_telling_one() -> None:
    replayer = Replayer(TODAY, LOOSER, close_after=1)
    for hour, ratio in ((0, 1.0), (5, 0.7), (9, 1.0), (30, 0.5), (31, 1.0)):
        replayer.look(START + hour * HOUR, [window(ratio)])
    (line,) = summary(replayer.replay())["lines"]
    assert [(moment[:10], fate) for moment, _, fate in line["days"]] == [("2026-01-01", "lost"), ("2026-01-02", "kept")]


def test_a_summary_says_how_many_alerts_it_leaves_out() -> None:
    one, within = window(0.7), window(1.0)
    replayer = Replayer(TODAY, LOOSER, close_after=1)
    for hour in range(2 * (ALERTS_AT_MOST + 5)):
        replayer.look(START + hour * HOUR, [one if hour % 2 else within])
    told = summary(replayer.replay())
    assert (len(told["alerts"]), told["alerts_left_out"], told["lost"]) == (ALERTS_AT_MOST, 5, ALERTS_AT_MOST + 5)


@pytest.mark.parametrize("policy", [DEFAULT_POLICY, TODAY])
def test_the_same_policy_twice_changes_nothing(policy: Policy) -> None:
    replay = replayed([0.5, 1.0, 1.0, 0.7], today=policy, proposed=policy)
    assert (replay.count("lost"), replay.count("gained")) == (0, 0)
    assert all(alert.severity_today == alert.severity_proposed for alert in replay.alerts)


def test_results_of_several_windows_belong_to_one_alert() -> None:
    def both(short: float, long: float) -> list[StoredWindow]:
        return [window(short, name="24h"), window(long, name="7d")]

    replayer = Replayer(TODAY, LOOSER, close_after=1)
    for hour, windows in enumerate([both(0.7, 1.0), both(1.0, 0.7), both(1.0, 1.0), both(1.0, 1.0)]):
        replayer.look(START + hour * HOUR, windows)
    (alert,) = replayer.replay().alerts
    assert (alert.window, alert.at) == ("24h", START)
