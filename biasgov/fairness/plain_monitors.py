"""What a team writes first: two monitors without minimum numbers, adjustment for many groups or patience.

They stand beside an alert policy in `simulation`, with its bounds, on the same streams. Both look at the 24 h window
every hour from the moment it is full, at every group against the reference.
"""

from __future__ import annotations

from typing import Literal

import numpy as np
import numpy.typing as npt

from biasgov.fairness.looks import ODDS, PAIRED, Counts, pair_value, rates, violates, window_counts
from biasgov.fairness.policy import Bound, Policy

Float64 = npt.NDArray[np.float64]
Int64 = npt.NDArray[np.int64]
Bools = npt.NDArray[np.bool_]

WINDOW = "24h"
HOURS = 24
DRAWS = 200
_CHUNK = 64
_HUGE = 1e9


def first_alarm(
    rule: Literal["point", "bootstrap"], hourly: Int64, policy: Policy, *, rng: np.random.Generator, start: int = 0
) -> int | None:
    """Hours passed at the first alarm, or None.

    point: an estimate violates its bound. bootstrap: the whole percentile interval of `DRAWS` resamples of the counts
    does, at the policy's confidence. Bounds on metrics that do not compare pairs of groups are left aside.
    hourly: shape (groups, decision, outcome, hours); looks begin at the end of hour `start`.
    """
    begin = max(start, HOURS - 1)
    counts = window_counts(hourly, HOURS, begin)
    suspected = np.flatnonzero(point_violations(counts, policy).any(axis=0))
    if rule == "point":
        return begin + int(suspected[0]) + 1 if suspected.size else None
    for first in range(0, suspected.size, _CHUNK):
        looks = suspected[first : first + _CHUNK]
        beyond = bootstrap_violations(counts[..., looks], policy, rng)
        if beyond.any():
            return begin + int(looks[np.flatnonzero(beyond)[0]]) + 1
    return None


def point_violations(counts: Int64, policy: Policy) -> Bools:
    """Whether a group's estimate violates any bound, shape (groups - 1, looks); group 0 is the reference."""
    found = np.zeros((len(counts) - 1, counts.shape[-1]), bool)
    for metric, bound in policy.bounds.items():
        for value in _values(metric, rates(counts)):
            found |= violates(value, bound)
    return found


def bootstrap_violations(counts: Int64, policy: Policy, rng: np.random.Generator) -> Bools:
    """Looks at which a group's percentile interval lies wholly beyond a bound, shape (looks,)."""
    tails = [(1 - policy.confidence) / 2, (1 + policy.confidence) / 2]
    found = np.zeros(counts.shape[-1], bool)
    for metric, bound in policy.bounds.items():
        drawn = [value for _ in range(DRAWS) for value in _values(metric, _resampled(metric, counts, rng))]
        if drawn:
            # An undefined resample tells nothing: the look is not alarmed.
            # A ratio over zero is infinite, and quantiles cannot be interpolated up to infinity.
            low, high = np.quantile(np.nan_to_num(np.stack(drawn), nan=np.nan, posinf=_HUGE), tails, axis=0)
            found |= _wholly_beyond(low, high, bound).any(axis=0)
    return found


def _resampled(metric: str, counts: Int64, rng: np.random.Generator) -> dict[str, Counts]:
    observed = rates(counts)
    needed = ("tpr", "fpr") if metric == ODDS else (PAIRED[metric][1],) if metric in PAIRED else ()
    return {
        name: Counts(rng.binomial(part.n, np.where(part.n > 0, part.x / np.maximum(part.n, 1), 0.0)), part.n)
        for name, part in observed.items()
        if name in needed
    }


def _values(metric: str, found: dict[str, Counts]) -> list[Float64]:
    """The metric of every group against the reference, shape (groups - 1, looks); empty if it compares no pairs."""
    if metric == ODDS:
        gaps = [np.abs(pair_value("difference", found[name])) for name in ("tpr", "fpr")]
        return [np.maximum(*gaps)]
    if metric in PAIRED:
        form, name = PAIRED[metric]
        return [pair_value(form, found[name])]
    return []


def _wholly_beyond(low: Float64, high: Float64, bound: Bound) -> Bools:
    beyond = np.zeros(low.shape, bool)
    if bound.lower is not None:
        beyond |= high < bound.lower
    if bound.upper is not None:
        beyond |= low > bound.upper
    return beyond
