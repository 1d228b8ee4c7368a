"""How often an alert policy cries wolf, and how late it cries: its false alarm budget, by simulation.

Streams of hourly counts are drawn from a population of equal groups, and a monitor looks at them at the end of every
hour through the windows of `looks.ALERTING`, 3 hours to 30 days, as the pipeline does. It alarms at the first look at
which any window holds a breach, and a breach is what `evaluation.evaluate` calls one; `candidates` only tells which
looks need not be put to it. Two plain rules stand beside it (`plain_monitors`), and the change point of the disparity
against the model's own baseline (`sequential.change_point`).

Everything is drawn from the seed given: the same arguments, the same result. Events carry decisions and outcomes,
every label is there at once, and volumes do not vary by the time of day; scores, declared baselines and features do
not occur, so bounds on calibration, on stability indices and on individual fairness are left out and named in
`not_simulated`.
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Literal

import numpy as np
import numpy.typing as npt
from scipy import special

from biasgov.fairness import plain_monitors
from biasgov.fairness.candidates import candidates
from biasgov.fairness.cube import OutcomeCube
from biasgov.fairness.evaluation import evaluate
from biasgov.fairness.looks import ALERTING, HOURS_A_YEAR, SUPPORTED, window_counts
from biasgov.fairness.policy import Plan, Policy
from biasgov.fairness.schema import SCORE_BINS, TAIL, CubeSchema
from biasgov.fairness.streams import Population, Shift, hourly_counts, limit_events
from biasgov.fairness.verdicts import Result

Int64 = npt.NDArray[np.int64]
Rule = Literal["policy", "point", "bootstrap"]
"""Who watches: the policy by the evaluator, or one of the plain rules on the 24 h window."""

SETTLED = 720
"""Hours under parity before a change: the widest window is full."""

_ATTRIBUTE = "group"
_AT_ONCE = 1024
"""Looks that are sieved together: an early alarm need not wait for the whole stream."""


@dataclass(frozen=True, slots=True)
class Alarm:
    """The first breach: `hour` is the number of hours that had passed, `breaches` what the window's results say."""

    hour: int
    window: str
    breaches: tuple[Result, ...]


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
    asked, missing = simulated_part(policy)
    metrics: Counter[str] = Counter()
    by_window: Counter[str] = Counter()
    alarms, hours = 0, 0
    for number in range(streams):
        rng = np.random.default_rng([seed, number])
        stream = hourly_counts(population, hours=horizon_hours, rng=rng)
        hour: int | None
        if rule == "policy":
            alarm = first_alarm(stream, asked, windows=windows)
            hour = None if alarm is None else alarm.hour
            if alarm is not None:
                metrics.update({result.metric for result in alarm.breaches})
                by_window[alarm.window] += 1
        else:
            hour = plain_monitors.first_alarm(rule, stream, asked, rng=rng)
            if hour is not None:
                by_window[plain_monitors.WINDOW] += 1
        alarms += hour is not None
        hours += horizon_hours if hour is None else hour
    return AlarmStatistics(
        streams=streams,
        alarms=alarms,
        years=hours / HOURS_A_YEAR,
        by_metric=dict(metrics),
        by_window=dict(by_window),
        not_simulated=missing,
    )


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
    asked, _ = simulated_part(replace(policy, bounds={shift.metric: policy.bound(shift.metric)}))
    delays: list[float] = []
    alarmed = 0
    for number in range(streams):
        rng = np.random.default_rng([seed, number])
        before = hourly_counts(population, hours=SETTLED, rng=rng)
        after = hourly_counts(population, hours=horizon_hours, rng=rng, shift=shift)
        stream = np.concatenate([before, after], axis=-1)
        if rule == "policy":
            found = first_alarm(stream, asked, start=SETTLED - 1, windows=windows)
            hour = None if found is None else found.hour
        else:
            hour = plain_monitors.first_alarm(rule, stream, asked, rng=rng, start=SETTLED - 1)
        if hour == SETTLED:
            alarmed += 1
        else:
            delays.append(math.inf if hour is None else hour - SETTLED)
    median = middle(delays)
    return DelayStatistics(
        streams=streams,
        already_alarmed=alarmed,
        detected=sum(math.isfinite(delay) for delay in delays),
        hours=median,
        events=median * population.hourly_events,
        limit=limit_events(population, shift, policy),
    )


def first_alarm(
    hourly: Int64,
    policy: Policy,
    *,
    start: int = 0,
    windows: Mapping[str, int] = ALERTING,
    exhaustive: bool = False,
) -> Alarm | None:
    """The first look from the end of hour `start` on at which a window holds a breach; narrower windows first.

    hourly: shape (groups, decision, outcome, hours). exhaustive: put every look to the evaluator, candidates or not:
    a hundred times slower and more, with the same answer.
    """
    names = list(windows)
    for first in range(start, hourly.shape[-1], _AT_ONCE):
        stop = min(first + _AT_ONCE, hourly.shape[-1])
        counts = [window_counts(hourly, windows[name], first, stop) for name in names]
        looked = [
            np.ones(stop - first, bool) if exhaustive else candidates(one, policy, hours=windows[name])
            for name, one in zip(names, counts, strict=True)
        ]
        for look, place in np.argwhere(np.stack(looked, axis=1)):
            hour = first + int(look) + 1
            breaches = breaches_of(counts[place][..., look], policy, seed=hour, hours=windows[names[place]])
            if breaches:
                return Alarm(hour, names[place], breaches)
    return None


def breaches_of(counts: Int64, policy: Policy, *, seed: int, hours: float | None = None) -> tuple[Result, ...]:
    """What the evaluator calls a breach in one window, from counts of shape (groups, decision, outcome)."""
    levels = [f"g{number}" for number in range(len(counts))]
    schema = CubeSchema.of({_ATTRIBUTE: levels})
    dense = np.zeros((len(counts) + 1, *TAIL), np.int64)
    dense[:-1, :, :2, SCORE_BINS] = counts
    cells = np.flatnonzero(dense)
    nothing = np.zeros(len(cells), np.int64)
    cube = OutcomeCube(schema, cells, dense.ravel()[cells], nothing, nothing.copy())
    results = evaluate(cube, Plan({_ATTRIBUTE: levels[0]}), policy, seed=seed, hours=hours)
    return tuple(result for result in results if result.verdict == "breach")


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
