"""Has it changed? The change point of a disparity against the model's own baseline, simulated like the alert policy.

The question is easier than whether a bound is broken: a ratio that falls from 1 to 0.7 has crossed more than twice the
distance from 0.8 to 0.7, so that a seventh of the events suffices. The series is the difference of selection rates of
each group to the reference, an hour, six hours or a day a step; one `sequential.change_point` watches each group.
"""

from __future__ import annotations

import math

import numpy as np
import numpy.typing as npt

from biasgov.fairness.looks import HOURS_A_YEAR, rates
from biasgov.fairness.policy import Bound, Policy
from biasgov.fairness.sequential import change_point
from biasgov.fairness.simulation import AlarmStatistics, DelayStatistics, middle
from biasgov.fairness.streams import Population, Shift, hourly_counts, limit_events

Float64 = npt.NDArray[np.float64]
Int64 = npt.NDArray[np.int64]

METRIC = "demographic_parity_difference"
BASELINE_HOURS = 720
STEPS = (1, 6, 24)
ENOUGH = 25
"""Events per group that a step should hold, so that its rate is about normal; the shortest such step is taken."""

_PARITY_BOUND = Policy(bounds={"demographic_parity_ratio": Bound(1.0, 1.0)})


def step_hours(population: Population) -> int:
    """Hours of one step of the series: the shortest of STEPS with ENOUGH events per group, else a day."""
    return next((step for step in STEPS if step * population.hourly_events >= ENOUGH), STEPS[-1])


def disparity_series(counts: Int64) -> tuple[Float64, Float64]:
    """Differences of selection rates to group 0 and their standard errors, shape (groups - 1, steps) each.

    counts: shape (groups, decision, outcome, steps). The standard errors are those under equal rates: taken from each
    group's own rate they would be small exactly where the rate is small by chance. NaN where nothing was decided.
    """
    selection = rates(counts)["selection_rate"]
    with np.errstate(invalid="ignore", divide="ignore"):
        difference = selection.rate[1:] - selection.rate[0]
        pooled = (selection.x[1:] + selection.x[0]) / (selection.n[1:] + selection.n[0])
        error = np.sqrt(pooled * (1 - pooled) * (1 / selection.n[1:] + 1 / selection.n[0]))
    return difference, np.where(np.isfinite(difference) & (error > 0), error, np.nan)


def first_change(counts: Int64, *, baseline: int, h: float) -> int | None:
    """The step at which the first group's change is noticed, or None; `baseline` steps describe the state before."""
    found = [
        change_point(one, error, baseline=baseline, h=h) for one, error in zip(*disparity_series(counts), strict=True)
    ]
    return min((change.noticed for change in found if change is not None), default=None)


def false_changes(
    *,
    events_per_day: float,
    groups: int,
    selection_rate: float = 0.3,
    h: float = 5.0,
    streams: int = 30,
    horizon_hours: int = HOURS_A_YEAR,
    seed: int = 0,
) -> AlarmStatistics:
    """Changes noticed where there is none, counted from the end of the baseline (30 days) to the first one."""
    population = Population(events_per_day=events_per_day, groups=groups, selection_rate=selection_rate)
    step = step_hours(population)
    baseline, steps = BASELINE_HOURS // step, (BASELINE_HOURS + horizon_hours) // step
    alarms, hours = 0, 0
    for number in range(streams):
        rng = np.random.default_rng([seed, number])
        noticed = first_change(hourly_counts(population, hours=steps, rng=rng, step=step), baseline=baseline, h=h)
        alarms += noticed is not None
        hours += horizon_hours if noticed is None else (noticed + 1 - baseline) * step
    return AlarmStatistics(
        streams=streams,
        alarms=alarms,
        years=hours / HOURS_A_YEAR,
        by_metric={METRIC: alarms} if alarms else {},
        by_window={f"{step} h steps": alarms} if alarms else {},
        not_simulated=(),
    )


def change_delay(
    shift: Shift,
    *,
    events_per_day: float,
    groups: int,
    selection_rate: float = 0.3,
    h: float = 5.0,
    streams: int = 40,
    horizon_hours: int = 2160,
    seed: int = 0,
) -> DelayStatistics:
    """Delay from a shift, a week after the baseline, until it is noticed; streams that signalled before are left out.

    The limit is that of a fixed-sample test (one-sided 5 %, power 80 %) of the shifted ratio against parity.
    """
    population = Population(events_per_day=events_per_day, groups=groups, selection_rate=selection_rate)
    step = step_hours(population)
    baseline, quiet = BASELINE_HOURS // step, (BASELINE_HOURS + 168) // step
    delays: list[float] = []
    alarmed = 0
    for number in range(streams):
        rng = np.random.default_rng([seed, number])
        before = hourly_counts(population, hours=quiet, rng=rng, step=step)
        after = hourly_counts(population, hours=horizon_hours // step, rng=rng, shift=shift, step=step)
        noticed = first_change(np.concatenate([before, after], axis=-1), baseline=baseline, h=h)
        if noticed is not None and noticed < quiet:
            alarmed += 1
        else:
            delays.append(math.inf if noticed is None else (noticed + 1 - quiet) * step)
    median = middle(delays)
    return DelayStatistics(
        streams=streams,
        already_alarmed=alarmed,
        detected=sum(math.isfinite(delay) for delay in delays),
        hours=median,
        events=median * population.hourly_events,
        limit=limit_events(population, shift, _PARITY_BOUND),
    )
