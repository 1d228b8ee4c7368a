"""The alert policy by simulation: the sieve is exact, the streams are what they claim, the monitors differ."""

import math
from dataclasses import replace

import numpy as np
import pytest
from scipy import stats
from statsmodels.stats.power import normal_sample_size_one_tail

from biasgov.fairness.alarms import breaches_of, first_alarm, first_alarms
from biasgov.fairness.candidates import candidates
from biasgov.fairness.change_monitor import change_delay, false_changes, step_hours
from biasgov.fairness.looks import SUPPORTED, looks_a_year, rates, window_counts
from biasgov.fairness.plain_monitors import bootstrap_violations, point_violations
from biasgov.fairness.policy import DEFAULT_POLICY, PRESETS, Bound, Policy
from biasgov.fairness.simulation import (
    SETTLED,
    AlarmStatistics,
    detection_delay,
    false_alarm_budget,
    poisson_limits,
    simulated_part,
)
from biasgov.fairness.streams import LOW_RATIO, PARITY, TPR_GAP, Population, Shift, hourly_counts, limit_events

EAGER = replace(DEFAULT_POLICY, alert_confidence=DEFAULT_POLICY.confidence, alpha=0.99)
"""The default policy with hardly any allowance for repeated looks: it alarms often enough to be compared."""

SIMULATED, LEFT_OUT = simulated_part(EAGER)

TIGHT = Policy(
    bounds={metric: Bound(0.9, 1.1) if metric.endswith("ratio") else Bound(-0.05, 0.05) for metric in SUPPORTED},
    confidence=0.8,
    alert_confidence=0.81,
    alpha=0.2,
    minimum_group=10,
)
"""Every metric that can be simulated, with bounds so tight that many looks are breaches."""


def stream(events: float, groups: int, *, hours: int, seed: int, shift: Shift = PARITY) -> np.ndarray:
    population = Population(events_per_day=events, groups=groups)
    return hourly_counts(population, hours=hours, rng=np.random.default_rng(seed), shift=shift)


def breaching_looks(counts: np.ndarray, policy: Policy) -> np.ndarray:
    """The evaluator's answer at every look."""
    return np.array([bool(breaches_of(counts[..., look], policy, seed=look)) for look in range(counts.shape[-1])])


@pytest.mark.parametrize("metric", sorted(SUPPORTED))
def test_no_look_that_the_sieve_drops_is_a_breach_of_any_metric(metric: str) -> None:
    policy = replace(TIGHT, bounds={metric: TIGHT.bounds[metric]})
    shift = Shift(metric=metric, selection_ratio=0.6, tpr_gap=0.2)
    counts = window_counts(stream(300, 3, hours=120, seed=4, shift=shift), 24)[..., ::6]
    found = breaching_looks(counts, policy)
    kept = candidates(counts, policy)
    assert not (found & ~kept).any()
    assert found.any(), "without a single breach the comparison would prove nothing"


@pytest.mark.parametrize("shift", [LOW_RATIO, TPR_GAP], ids=["ratio", "tpr"])
def test_the_sieve_keeps_all_breaches_of_the_default_policy_and_drops_most_of_the_rest(shift: Shift) -> None:
    counts = window_counts(stream(2_000, 2, hours=200, seed=9, shift=shift), 168)[..., ::5]
    found = breaching_looks(counts, SIMULATED)
    kept = candidates(counts, SIMULATED)
    assert found.any()
    assert not (found & ~kept).any()
    assert kept.sum() <= found.sum() + 4


@pytest.mark.parametrize(("groups", "seed"), [(2, 1), (5, 2)])
def test_the_first_alarm_is_that_of_evaluating_every_look(groups: int, seed: int) -> None:
    hourly = stream(500 * groups, groups, hours=20, seed=seed, shift=replace(LOW_RATIO, selection_ratio=0.5))
    quick = first_alarm(hourly, SIMULATED)
    thorough = first_alarm(hourly, SIMULATED, exhaustive=True)
    assert thorough is not None
    assert quick == thorough


def test_the_sieve_is_really_consulted(monkeypatch: pytest.MonkeyPatch) -> None:
    hourly = stream(600, 2, hours=60, seed=1, shift=replace(LOW_RATIO, selection_ratio=0.5))
    assert first_alarm(hourly, SIMULATED) is not None
    monkeypatch.setattr(
        "biasgov.fairness.alarms.candidates_by_metric",
        lambda counts, policy, hours: dict.fromkeys(policy.bounds, np.zeros(counts.shape[-1], bool)),
    )
    assert first_alarm(hourly, SIMULATED) is None


@pytest.mark.parametrize("seed", range(3))
def test_policies_that_watch_together_alarm_as_each_does_alone(seed: int) -> None:
    hourly = stream(1_500, 4, hours=400, seed=seed, shift=replace(LOW_RATIO, selection_ratio=0.6))
    one = replace(SIMULATED, bounds={"demographic_parity_ratio": Bound(0.8, None), "fpr_gap": Bound(-0.05, 0.05)})
    policies = [
        one,
        replace(one, bounds={**one.bounds, "demographic_parity_ratio": Bound(0.65, None)}),
        replace(one, confidence=0.9, alert_confidence=0.9),
        replace(one, bounds={"fpr_gap": Bound(-0.9, 0.9)}),
    ]
    together = first_alarms(hourly, policies)
    assert together == [first_alarm(hourly, policy) for policy in policies]
    assert together[0] != together[1]
    assert together[3] is None


def test_what_is_measured_alone_comes_out_as_among_all_metrics() -> None:
    rng = np.random.default_rng(5)
    counts = rng.integers(0, 40, (4, 2, 2))
    every = breaches_of(counts, TIGHT, seed=3)
    assert {each.metric for each in every} > {"equalized_odds_difference", "association"}
    for metric, bound in TIGHT.bounds.items():
        alone = breaches_of(counts, replace(TIGHT, bounds={metric: bound}), seed=3)
        assert alone == tuple(each for each in every if each.metric == metric)


def test_unlabelled_decisions_count_for_selection_and_for_nothing_else() -> None:
    labelled = np.array([[[60, 10], [20, 30]], [[70, 10], [10, 10]]])[..., np.newaxis]
    unlabelled = np.array([[[40], [60]], [[90], [10]]])[..., np.newaxis]
    known, both = rates(labelled), rates(np.concatenate([labelled, unlabelled], axis=2))
    assert both["selection_rate"].x.ravel().tolist() == [110, 30]
    assert both["selection_rate"].n.ravel().tolist() == [220, 200]
    for name in ("tpr", "fpr", "fnr", "ppv", "base_rate", "accuracy"):
        assert np.array_equal(both[name].x, known[name].x)
        assert np.array_equal(both[name].n, known[name].n)


def test_a_shorter_window_asks_for_a_smaller_p_value() -> None:
    policy = replace(PRESETS["banking"], alert_confidence=0.95)
    counts = np.array([[[40, 0], [60, 0]], [[72, 0], [28, 0]]])
    p = 7e-6  # of the pair (Fisher) 8.4e-6, of both groups (chi-squared) 5.1e-6
    for alpha in (p * looks_a_year(3) / 2, p * looks_a_year(3) * 2):
        asked = replace(policy, alpha=alpha)
        found = [bool(breaches_of(counts, asked, seed=1, hours=hours)) for hours in (3, 720)]
        assert found == [alpha > p * looks_a_year(3), True]
        sieved = [bool(candidates(counts[..., np.newaxis], asked, hours=hours)) for hours in (3, 720)]
        assert sieved == found


def test_the_sieve_keeps_what_only_just_passes() -> None:
    """Of both groups together p is 5.15e-6, of the pair 8.45e-6."""
    counts = np.array([[[40, 0], [60, 0]], [[72, 0], [28, 0]]])
    policy = replace(PRESETS["banking"], alert_confidence=0.95, alpha=5.2e-6 * looks_a_year(24))
    assert [each.group for each in breaches_of(counts, policy, seed=1, hours=24)] == [None]
    assert candidates(counts[..., np.newaxis], policy, hours=24).all()


def test_windows_are_sums_over_the_last_hours() -> None:
    hourly = stream(500, 2, hours=50, seed=3)
    counts = window_counts(hourly, 24)
    assert np.array_equal(counts[..., 49], hourly[..., 26:50].sum(axis=-1))
    assert np.array_equal(counts[..., 5], hourly[..., :6].sum(axis=-1))
    assert np.array_equal(window_counts(hourly, 24, 30, 40), counts[..., 30:40])


def test_parity_and_shifts_have_the_rates_that_they_claim() -> None:
    population = Population(events_per_day=1000, groups=2, selection_rate=0.3)
    for shift, ratio, tpr in ((PARITY, 1.0, 0.8), (LOW_RATIO, 0.7, 0.8), (TPR_GAP, None, 0.7)):
        cells = shift.cells(population)
        assert cells.sum() == pytest.approx(1)
        assert cells[1, 1] / cells[:, 1].sum() == pytest.approx(tpr)
        assert cells[1, 0] / cells[:, 0].sum() == pytest.approx(0.1)
        if ratio is not None:
            assert cells[1].sum() == pytest.approx(0.3 * ratio)
    counts = hourly_counts(population, hours=4000, rng=np.random.default_rng(1), shift=LOW_RATIO)
    rates = counts[:, 1].sum(axis=(1, 2)) / counts.sum(axis=(1, 2, 3))
    assert rates == pytest.approx([0.3, 0.21], abs=0.005)
    assert counts.sum() / 4000 * 24 == pytest.approx(1000, rel=0.01)


def test_a_population_that_cannot_be_is_refused() -> None:
    with pytest.raises(ValueError, match="2 groups"):
        Population(events_per_day=100, groups=1)
    with pytest.raises(ValueError, match="events_per_day"):
        Population(events_per_day=0, groups=2)
    with pytest.raises(ValueError, match="fpr < selection_rate"):
        Population(events_per_day=100, groups=2, selection_rate=0.9)
    with pytest.raises(ValueError, match="base rate"):
        Shift(metric="demographic_parity_ratio", selection_ratio=0.1).cells(Population(events_per_day=9, groups=2))


@pytest.mark.parametrize(("selection_rate", "events"), [(0.3, 2113), (0.6, 710)])
def test_the_limit_is_that_of_a_fixed_sample_test(selection_rate: float, events: int) -> None:
    population = Population(events_per_day=100, groups=2, selection_rate=selection_rate)
    limit = limit_events(population, LOW_RATIO, EAGER)
    low = 0.7 * selection_rate
    deviation = math.sqrt((1 - low) / low + (1 - selection_rate) / selection_rate)
    oracle = normal_sample_size_one_tail(math.log(0.8 / 0.7), 0.8, 0.05, std_null=deviation)
    assert limit == pytest.approx(oracle)
    assert limit == pytest.approx(events, abs=1)


def test_the_limit_for_a_tpr_gap_counts_all_events_and_not_positives_alone() -> None:
    population = Population(events_per_day=100, groups=2)
    positives = normal_sample_size_one_tail(0.05, 0.8, 0.05, std_null=math.sqrt(0.8 * 0.2 + 0.7 * 0.3))
    assert limit_events(population, TPR_GAP, EAGER) == pytest.approx(positives / population.base_rate)


def test_exact_poisson_limits() -> None:
    assert poisson_limits(0) == (0.0, pytest.approx(-math.log(0.025)))
    low, high = poisson_limits(7)
    assert stats.poisson.sf(6, low) == pytest.approx(0.025)
    assert stats.poisson.cdf(7, high) == pytest.approx(0.025)


def test_the_plain_rules_cry_wolf_more_often_than_the_policy() -> None:
    def measured(**more: str) -> AlarmStatistics:
        return false_alarm_budget(
            PRESETS["banking"], events_per_day=400, groups=2, streams=6, horizon_hours=1500, seed=1, **more
        )

    ours, point, bootstrap = measured(), measured(rule="point"), measured(rule="bootstrap")
    assert point.per_year > bootstrap.per_year > ours.per_year
    assert point.low > ours.high
    assert point.run_length_hours < ours.run_length_hours


def test_the_bootstrap_rule_judges_intervals_and_says_nothing_where_a_rate_is_undefined() -> None:
    def counted(*selected_and_rejected: tuple[int, int]) -> np.ndarray:
        return np.array([[[rejected, 0], [selected, 0]] for selected, rejected in selected_and_rejected])[
            ..., np.newaxis
        ]

    rng = np.random.default_rng(0)
    ratio = PRESETS["banking"]
    clear, close, nobody = counted((300, 700), (150, 850)), counted((30, 70), (23, 77)), counted((0, 0), (5, 5))
    assert point_violations(clear, ratio).all()
    assert bootstrap_violations(clear, ratio, rng).all()
    assert point_violations(close, ratio).all()
    assert not bootstrap_violations(close, ratio, rng).any()
    assert not point_violations(nobody, ratio).any()
    assert not bootstrap_violations(nobody, ratio, rng).any()
    assert bootstrap_violations(counted((1, 20), (9, 20)), ratio, rng).all(), "a ratio over zero counts as high"


def test_less_evidence_asked_for_means_more_false_alarms() -> None:
    def measured(**asked: float) -> AlarmStatistics:
        policy = replace(EAGER, **asked)
        return false_alarm_budget(policy, events_per_day=200, groups=2, streams=6, horizon_hours=3000, seed=3)

    for strict, lax in (
        (measured(alert_confidence=0.9999), measured(alert_confidence=0.8)),
        (measured(alpha=0.01), measured(alpha=0.99)),
    ):
        assert lax.alarms > strict.alarms
        assert lax.years < strict.years


def test_false_alarms_are_counted_by_metric_and_window_and_what_is_left_out_is_named() -> None:
    found = false_alarm_budget(EAGER, events_per_day=100, groups=2, streams=5, horizon_hours=3000, seed=2)
    assert found.alarms > 0
    assert sum(found.by_window.values()) == found.alarms
    assert set(found.by_metric) <= set(SIMULATED.bounds)
    assert found.low < found.per_year < found.high
    assert found.not_simulated == LEFT_OUT == ("calibration_difference", "representation_psi", "score_psi")
    with pytest.raises(ValueError, match="nothing to simulate"):
        false_alarm_budget(PRESETS["healthcare"], events_per_day=100, groups=2)


def test_the_same_seed_gives_the_same_result_and_another_seed_another() -> None:
    def measured(seed: int) -> AlarmStatistics:
        return false_alarm_budget(EAGER, events_per_day=100, groups=2, streams=4, horizon_hours=6000, seed=seed)

    assert measured(8) == measured(8)
    assert measured(8) != measured(9)


def test_a_shift_is_detected_after_it_happened_and_a_smaller_one_later() -> None:
    def measured(shift: Shift) -> float:
        found = detection_delay(EAGER, shift, events_per_day=5000, groups=2, streams=5, horizon_hours=720, seed=1)
        assert found.already_alarmed + found.detected == found.streams
        assert found.events == pytest.approx(found.hours * 5000 / 24 / 2)
        return found.hours

    harsh, mild = measured(replace(LOW_RATIO, selection_ratio=0.5)), measured(LOW_RATIO)
    assert 0 < harsh < mild


def test_the_alarm_names_the_shift() -> None:
    before = stream(2000, 2, hours=SETTLED, seed=21)
    after = stream(2000, 2, hours=400, seed=22, shift=LOW_RATIO)
    policy, _ = simulated_part(PRESETS["banking"])
    alarm = first_alarm(np.concatenate([before, after], axis=-1), policy)
    assert alarm is not None
    assert alarm.hour > SETTLED
    assert {result.metric for result in alarm.breaches} == {"demographic_parity_ratio"}
    assert {result.group for result in alarm.breaches} <= {"g1", None}


def test_what_is_never_detected_has_an_infinite_delay() -> None:
    policy = replace(EAGER, minimum_group=10**6)
    found = detection_delay(policy, LOW_RATIO, events_per_day=1000, groups=2, streams=3, horizon_hours=300)
    assert (found.detected, found.hours, found.ratio) == (0, math.inf, math.inf)


def test_a_change_is_seen_before_the_bound_is_proved_to_be_broken() -> None:
    population = {"events_per_day": 10_000, "groups": 2, "streams": 6, "seed": 5}
    change = change_delay(LOW_RATIO, h=10, horizon_hours=300, **population)
    breach = detection_delay(PRESETS["banking"], LOW_RATIO, horizon_hours=300, **population)
    assert 0 < change.hours < breach.hours
    assert change.limit == pytest.approx(296, abs=1)


def test_a_wider_decision_interval_means_fewer_false_changes() -> None:
    population = {"events_per_day": 10_000, "groups": 2, "streams": 5, "horizon_hours": 1500, "seed": 6}
    hasty, patient = false_changes(h=3, **population), false_changes(h=12, **population)
    assert hasty.alarms == 5
    assert patient.per_year < hasty.per_year


def test_steps_hold_enough_events() -> None:
    assert [step_hours(Population(events_per_day=events, groups=2)) for events in (10_000, 1_000, 100)] == [1, 6, 24]
