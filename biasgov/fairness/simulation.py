"""How often an alert policy cries wolf, and how late it cries: its false alarm budget, by simulation.

Streams of hourly counts are drawn from a population of equal groups, and a monitor looks at them at the end of every
hour through the windows of `looks.ALERTING`, 3 hours to 30 days, as the pipeline does. It alarms at the first look at
which any window holds a breach, and a breach is what `evaluation.evaluate` calls one (`alarms`). Two plain rules stand
beside it (`plain_monitors`), and the change point of the disparity against the model's own baseline
(`sequential.change_point`).

Everything is drawn from the seed given: the same arguments, the same result. Events carry decisions and outcomes,
every label is there at once, and volumes do not vary by the time of day; scores, declared baselines and features do
not occur, so bounds on calibration, on stability indices and on individual fairness are left out and named in
`not_simulated`.
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Literal

import numpy as np
import numpy.typing as npt
from scipy import special

from biasgov.fairness import plain_monitors
from biasgov.fairness.alarms import Alarm, first_alarms
from biasgov.fairness.looks import ALERTING, HOURS_A_YEAR, SUPPORTED
from biasgov.fairness.policy import Policy
from biasgov.fairness.streams import Population, Shift, hourly_counts, limit_events

Int64 = npt.NDArray[np.int64]
Rule = Literal["policy", "point", "bootstrap"]
"""Who watches: the policy by the evaluator, or one of the plain rules on the 24 h window."""

SETTLED = 720
"""Hours under parity before a change: the widest window is full."""


@dataclass(frozen=True, slots=True, kw_only=True)
class AlarmStatistics:
    """False alarms under parity.

    A stream starts with empty windows and ends at its first alarm, or after its horizon. years: all streams' hours
    together. per_year: alarms / years, with the exact Poisson interval [low, high] of 95 %. by_metric, by_window: of
    the alarms; an alarm may be several metrics'. not_simulated: bounds of the policy that such streams cannot break.
    """

    streams: int
    alarms: int
    years: float
    by_metric: Mapping[str, int]
    by_window: Mapping[str, int]
    not_simulated: tuple[str, ...]

    @property
    def per_year(self) -> float:
        return self.alarms / self.years

    @property
    def low(self) -> float:
        return poisson_limits(self.alarms)[0] / self.years

    @property
    def high(self) -> float:
        return poisson_limits(self.alarms)[1] / self.years

    @property
    def run_length_hours(self) -> float:
        """Average run length to a false alarm; infinite if there was none."""
        return self.years * HOURS_A_YEAR / self.alarms if self.alarms else math.inf


@dataclass(frozen=True, slots=True, kw_only=True)
class DelayStatistics:
    """Time from a change to its detection, over the streams not in alarm at the change.

    hours, events: median delay, and events of the changed group in it on average; infinite if fewer than half of the
    streams detect it within the horizon. limit: see `limit_events`.
    """

    streams: int
    already_alarmed: int
    detected: int
    hours: float
    events: float
    limit: float

    @property
    def ratio(self) -> float:
        """Delay over limit, both in events of a group: 1 would be a fixed-sample test."""
        return self.events / self.limit


@dataclass(slots=True)
class _Tally:
    """The first alarms of one policy, stream by stream."""

    horizon_hours: int
    alarms: int = 0
    hours: int = 0
    metrics: Counter[str] = field(default_factory=Counter)
    windows: Counter[str] = field(default_factory=Counter)

    def add(self, hour: int | None, window: str, alarm: Alarm | None) -> None:
        self.hours += self.horizon_hours if hour is None else hour
        if hour is not None:
            self.alarms += 1
            self.windows[window] += 1
        if alarm is not None:
            self.metrics.update({result.metric for result in alarm.breaches})


def false_alarm_budget(
    policy: Policy,
    *,
    events_per_day: float,
    groups: int,
    selection_rate: float = 0.3,
    tpr: float = 0.8,
    fpr: float = 0.1,
    streams: int = 30,
    horizon_hours: int = HOURS_A_YEAR,
    seed: int = 0,
    rule: Rule = "policy",
    windows: Mapping[str, int] = ALERTING,
) -> AlarmStatistics:
    """Alarms that a policy raises about a model under parity, watched hourly.

    Costs about 0.2 s a stream and year, and more where there are many breaches. Raises ValueError for a population
    that cannot be (see `Population`) and for a policy without a bound that can be simulated.
    """
    population = Population(
        events_per_day=events_per_day, groups=groups, selection_rate=selection_rate, tpr=tpr, fpr=fpr
    )
    (found,) = false_alarm_budgets(
        [policy], population, streams=streams, horizon_hours=horizon_hours, seed=seed, rule=rule, windows=windows
    )
    return found


def false_alarm_budgets(
    policies: Sequence[Policy],
    population: Population,
    *,
    streams: int = 30,
    horizon_hours: int = HOURS_A_YEAR,
    seed: int = 0,
    rule: Rule = "policy",
    windows: Mapping[str, int] = ALERTING,
) -> list[AlarmStatistics]:
    """`false_alarm_budget` of several policies, in less time than one after the other: they watch the same streams."""
    parts = [simulated_part(policy) for policy in policies]
    tallies = [_Tally(horizon_hours) for _ in policies]
    asked = [part for part, _ in parts]
    for number in range(streams):
        rng = np.random.default_rng([seed, number])
        stream = hourly_counts(population, hours=horizon_hours, rng=rng)
        if rule == "policy":
            for tally, alarm in zip(tallies, first_alarms(stream, asked, windows=windows), strict=True):
                tally.add(None if alarm is None else alarm.hour, alarm.window if alarm else "", alarm)
        else:
            for tally, each in zip(tallies, asked, strict=True):
                tally.add(plain_monitors.first_alarm(rule, stream, each, rng=rng), plain_monitors.WINDOW, None)
    return [
        AlarmStatistics(
            streams=streams,
            alarms=tally.alarms,
            years=tally.hours / HOURS_A_YEAR,
            by_metric=dict(tally.metrics),
            by_window=dict(tally.windows),
            not_simulated=missing,
        )
        for tally, (_, missing) in zip(tallies, parts, strict=True)
    ]


def detection_delay(
    policy: Policy,
    shift: Shift,
    *,
    events_per_day: float,
    groups: int,
    selection_rate: float = 0.3,
    tpr: float = 0.8,
    fpr: float = 0.1,
    streams: int = 40,
    horizon_hours: int = HOURS_A_YEAR,
    seed: int = 0,
    rule: Rule = "policy",
    windows: Mapping[str, int] = ALERTING,
) -> DelayStatistics:
    """Delay from a shift after 30 days of parity to the first breach of its metric, any other metric left aside.

    horizon_hours: how long is watched after the change. Raises ValueError as `false_alarm_budget` does.
    """
    population = Population(
        events_per_day=events_per_day, groups=groups, selection_rate=selection_rate, tpr=tpr, fpr=fpr
    )
    (found,) = detection_delays(
        [policy], shift, population, streams=streams, horizon_hours=horizon_hours, seed=seed, rule=rule, windows=windows
    )
    return found


def detection_delays(
    policies: Sequence[Policy],
    shift: Shift,
    population: Population,
    *,
    streams: int = 40,
    horizon_hours: int = HOURS_A_YEAR,
    seed: int = 0,
    rule: Rule = "policy",
    windows: Mapping[str, int] = ALERTING,
) -> list[DelayStatistics]:
    """`detection_delay` of several policies on the same streams."""
    asked = [simulated_part(replace(each, bounds={shift.metric: each.bound(shift.metric)}))[0] for each in policies]
    found: list[list[int | None]] = [[] for _ in policies]
    for number in range(streams):
        rng = np.random.default_rng([seed, number])
        before = hourly_counts(population, hours=SETTLED, rng=rng)
        after = hourly_counts(population, hours=horizon_hours, rng=rng, shift=shift)
        stream = np.concatenate([before, after], axis=-1)
        hours: list[int | None]
        if rule == "policy":
            alarms = first_alarms(stream, asked, start=SETTLED - 1, windows=windows)
            hours = [None if alarm is None else alarm.hour for alarm in alarms]
        else:
            hours = [plain_monitors.first_alarm(rule, stream, each, rng=rng, start=SETTLED - 1) for each in asked]
        for each, hour in zip(found, hours, strict=True):
            each.append(hour)
    return [_delays(each, shift, population, policy) for each, policy in zip(found, policies, strict=True)]


def _delays(hours: list[int | None], shift: Shift, population: Population, policy: Policy) -> DelayStatistics:
    delays = [math.inf if hour is None else float(hour - SETTLED) for hour in hours if hour != SETTLED]
    median = middle(delays)
    return DelayStatistics(
        streams=len(hours),
        already_alarmed=len(hours) - len(delays),
        detected=sum(math.isfinite(delay) for delay in delays),
        hours=median,
        events=median * population.hourly_events,
        limit=limit_events(population, shift, policy),
    )


def simulated_part(policy: Policy) -> tuple[Policy, tuple[str, ...]]:
    """The policy with the bounds that these streams can break, and the names of the others."""
    bounded = {metric: bound for metric, bound in policy.bounds.items() if not bound.is_open}
    kept = {metric: bound for metric, bound in bounded.items() if metric in SUPPORTED}
    if not kept:
        raise ValueError("the policy has no bound on a metric of decisions and outcomes: there is nothing to simulate")
    return replace(policy, bounds=kept), tuple(metric for metric in bounded if metric not in kept)


def poisson_limits(events: int, confidence: float = 0.95) -> tuple[float, float]:
    """Exact (Garwood 1936) interval of a Poisson mean from one count."""
    tail = (1 - confidence) / 2
    low = float(special.gammaincinv(events, tail)) if events else 0.0
    return low, float(special.gammaincinv(events + 1, 1 - tail))


def middle(delays: list[float]) -> float:
    """Median; infinite if fewer than half of the delays are finite, or there are none."""
    ordered = sorted(delays)
    if not ordered:
        return math.inf
    upper = ordered[len(ordered) // 2]
    return upper if len(ordered) % 2 or math.isinf(upper) else (ordered[len(ordered) // 2 - 1] + upper) / 2
