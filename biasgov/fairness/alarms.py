"""The first look at which a policy holds something a breach, over a stream of hourly counts.

`candidates` tells which looks need be put to the evaluator at all. Policies that watch the same stream share what they
have in common: the sieve of a bound that is the same for both, and what was measured at a look.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np
import numpy.typing as npt

from biasgov.fairness.candidates import candidates_by_metric
from biasgov.fairness.cube import OutcomeCube
from biasgov.fairness.looks import ALERTING, window_counts
from biasgov.fairness.measurement import Measurement
from biasgov.fairness.metrics import measure
from biasgov.fairness.policy import Plan, Policy, judged_otherwise
from biasgov.fairness.schema import SCORE_BINS, TAIL, CubeSchema
from biasgov.fairness.verdicts import Result, judge

Int64 = npt.NDArray[np.int64]
Bools = npt.NDArray[np.bool_]

_ATTRIBUTE = "group"
_AT_ONCE = 1024
"""Looks that are sieved together: an early alarm need not wait for the whole stream."""


@dataclass(frozen=True, slots=True)
class Alarm:
    """The first breach: `hour` is the number of hours that had passed, `breaches` what the window's results say."""

    hour: int
    window: str
    breaches: tuple[Result, ...]


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
    (found,) = first_alarms(hourly, [policy], start=start, windows=windows, exhaustive=exhaustive)
    return found


def first_alarms(
    hourly: Int64,
    policies: Sequence[Policy],
    *,
    start: int = 0,
    windows: Mapping[str, int] = ALERTING,
    exhaustive: bool = False,
) -> list[Alarm | None]:
    """`first_alarm` of each of several policies that watch the same stream."""
    found: dict[int, Alarm] = {}
    for first in range(start, hourly.shape[-1], _AT_ONCE):
        stop = min(first + _AT_ONCE, hourly.shape[-1])
        waiting = [place for place in range(len(policies)) if place not in found]
        if not waiting:
            break
        watch = _Watch(
            {name: window_counts(hourly, hours, first, stop) for name, hours in windows.items()}, windows, first
        )
        for place, alarm in zip(waiting, watch.alarms([policies[each] for each in waiting], exhaustive), strict=True):
            if alarm is not None:
                found[place] = alarm
    return [found.get(place) for place in range(len(policies))]


class _Watch:
    """The windows at some looks in a row, watched by several policies."""

    def __init__(self, counts: Mapping[str, Int64], windows: Mapping[str, int], first: int) -> None:
        self.counts, self.windows, self.first = counts, windows, first
        self._measured: dict[tuple[int, str, float, frozenset[str]], tuple[Measurement, ...]] = {}

    def alarms(self, policies: Sequence[Policy], exhaustive: bool) -> list[Alarm | None]:
        looked = {name: self._sieved(name, policies, exhaustive) for name in self.windows}
        return [
            self._first(policy, {name: looked[name][place] for name in self.windows})
            for place, policy in enumerate(policies)
        ]

    def _sieved(self, window: str, policies: Sequence[Policy], exhaustive: bool) -> list[dict[str, Bools]]:
        """By metric, the looks that each policy must put to the evaluator."""
        counts, hours = self.counts[window], self.windows[window]
        if exhaustive:
            every = np.ones(counts.shape[-1], bool)
            return [dict.fromkeys(policy.bounded, every) for policy in policies]
        done: list[dict[str, Bools]] = []
        for policy in policies:
            known: dict[str, Bools] = {}
            for other, looks in zip(policies, done, strict=False):
                differ = judged_otherwise(other, policy)
                known |= {metric: each for metric, each in looks.items() if metric not in differ}
            left = {metric: bound for metric, bound in policy.bounds.items() if metric not in known}
            done.append(known | candidates_by_metric(counts, replace(policy, bounds=left), hours=hours))
        return done

    def _first(self, policy: Policy, sieved: Mapping[str, Mapping[str, Bools]]) -> Alarm | None:
        names = list(self.windows)
        looks = np.stack([np.any(list(sieved[name].values()), axis=0) for name in names], axis=1)
        for look, place in np.argwhere(looks).tolist():
            name = names[place]
            metrics = frozenset(metric for metric, each in sieved[name].items() if each[look])
            breaches = self._breaches(look, name, policy, metrics)
            if breaches:
                return Alarm(self.first + look + 1, name, breaches)
        return None

    def _breaches(self, look: int, window: str, policy: Policy, metrics: frozenset[str]) -> tuple[Result, ...]:
        key = look, window, policy.confidence, metrics
        if key not in self._measured:
            seed = self.first + look + 1
            self._measured[key] = _measured(self.counts[window][..., look], policy, seed, metrics)
        return _breaches(self._measured[key], policy, self.windows[window])


def breaches_of(counts: Int64, policy: Policy, *, seed: int, hours: float | None = None) -> tuple[Result, ...]:
    """What the evaluator calls a breach in one window, from counts of shape (groups, decision, outcome)."""
    return _breaches(_measured(counts, policy, seed, policy.bounded), policy, hours)


def _measured(counts: Int64, policy: Policy, seed: int, metrics: frozenset[str]) -> tuple[Measurement, ...]:
    levels = [f"g{number}" for number in range(len(counts))]
    schema = CubeSchema.of({_ATTRIBUTE: levels})
    dense = np.zeros((len(counts) + 1, *TAIL), np.int64)
    dense[:-1, :, :2, SCORE_BINS] = counts
    cells = np.flatnonzero(dense)
    nothing = np.zeros(len(cells), np.int64)
    cube = OutcomeCube(schema, cells, dense.ravel()[cells], nothing, nothing.copy())
    return measure(cube, Plan({_ATTRIBUTE: levels[0]}), confidence=policy.confidence, seed=seed, only=metrics)


def _breaches(measured: Sequence[Measurement], policy: Policy, hours: float | None) -> tuple[Result, ...]:
    return tuple(result for result in judge(measured, policy, hours=hours) if result.verdict == "breach")
