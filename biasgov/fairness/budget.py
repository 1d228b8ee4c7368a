"""The false alarm budget of a change of policy: what both policies cost and how soon they see, by simulation.

The streams are those of `simulation`: equal groups under parity with the model's own volume and rates. Bounds on
scores, stability and individual fairness are not simulated, and are named.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any

from biasgov.fairness.looks import SUPPORTED
from biasgov.fairness.policy import Policy
from biasgov.fairness.simulation import (
    AlarmStatistics,
    DelayStatistics,
    detection_delays,
    false_alarm_budgets,
    simulated_part,
)
from biasgov.fairness.streams import Population, Shift

STREAMS = 20
DELAY_STREAMS = 7
DELAY_HORIZON_HOURS = 2_160
SEED = 2024

_RATIOS = ("demographic_parity_ratio",)
_GAPS = ("equalized_odds_difference", "equal_opportunity_difference")
FARTHER_RATIO = 0.875
"""The true ratio that is looked for, over the looser bound: 0.7 where the bound is 0.8."""
FARTHER_GAP = 2.0
"""The true gap that is looked for, over the looser bound: 0.1 where the bound is 0.05."""


@dataclass(frozen=True, slots=True)
class Expected:
    """What one policy does. false alarms a year: expectation with its exact Poisson interval of 95 %.

    None: the policy has no bound that can be simulated. delay_hours: median until the true difference is seen; None:
    not within the hours watched, or not simulated.
    """

    per_year: float | None
    low: float | None
    high: float | None
    delay_hours: float | None


@dataclass(frozen=True, slots=True)
class Budget:
    """Both policies on the same streams.

    looked_for: the metric whose true difference is to be seen, and how large that is; None where there is no bound
    whose shift can be simulated. not_simulated: bounds of either policy that no stream can break.
    """

    today: Expected
    proposed: Expected
    looked_for: tuple[str, float] | None
    population: Population
    not_simulated: tuple[str, ...]
    streams: int
    delay_streams: int
    delay_horizon_hours: int
    seed: int

    def to_dict(self) -> dict[str, Any]:
        """JSON-able, without infinities."""
        return asdict(self) | {
            "looked_for": None if self.looked_for is None else list(self.looked_for),
            "not_simulated": list(self.not_simulated),
        }


def population_of(*, events_per_day: float, groups: int, rates: Mapping[str, float]) -> Population:
    """Equal groups with the model's volume and rates.

    rates: `selection_rate`, and `tpr` and `fpr` where outcomes are known. Rates that no base rate fits (a true
    positive rate below the selection rate, say) give way to ones that stand a third of the way towards 0 and 1.
    Raises ValueError without events, with fewer than two groups, or if everybody or nobody was selected.
    """
    selected = rates["selection_rate"]
    tpr, fpr = rates.get("tpr"), rates.get("fpr")
    if tpr is None or fpr is None or not 0 < fpr < selected < tpr < 1:
        tpr, fpr = 1 - (1 - selected) / 3, selected / 3
    return Population(events_per_day=events_per_day, groups=groups, selection_rate=selected, tpr=tpr, fpr=fpr)


def budget(today: Policy, proposed: Policy, population: Population, *, metric: str | None = None) -> Budget:
    """False alarms a year and delay of both policies. The same arguments give the same numbers.

    metric: whose true difference is looked for, if it can be simulated; else the first bound of both that can.
    """
    looked_for = _possible(_looked_for(today, proposed, metric), population)
    missing = {name: None for policy in (today, proposed) for name in _not_simulated(policy)}
    expected = _expected((today, proposed), population, looked_for)
    return Budget(
        today=expected[0],
        proposed=expected[1],
        looked_for=None
        if looked_for is None
        else (looked_for.metric, looked_for.tpr_gap or looked_for.selection_ratio),
        population=population,
        not_simulated=tuple(missing),
        streams=STREAMS,
        delay_streams=DELAY_STREAMS,
        delay_horizon_hours=DELAY_HORIZON_HOURS,
        seed=SEED,
    )


def _expected(policies: Sequence[Policy], population: Population, shift: Shift | None) -> list[Expected]:
    watched = {place: policy for place, policy in enumerate(policies) if policy.bounded & SUPPORTED}
    found = false_alarm_budgets(list(watched.values()), population, streams=STREAMS, seed=SEED)
    alarms = dict(zip(watched, found, strict=True))
    delays: dict[int, DelayStatistics] = {}
    if shift is not None:
        seeing = {place: policy for place, policy in watched.items() if shift.metric in policy.bounded}
        seen = detection_delays(
            list(seeing.values()),
            shift,
            population,
            streams=DELAY_STREAMS,
            horizon_hours=DELAY_HORIZON_HOURS,
            seed=SEED,
        )
        delays = dict(zip(seeing, seen, strict=True))
    return [_expects(alarms.get(place), delays.get(place)) for place in range(len(policies))]


def _expects(alarms: AlarmStatistics | None, delay: DelayStatistics | None) -> Expected:
    if alarms is None:
        return Expected(None, None, None, None)
    hours = delay.hours if delay is not None and math.isfinite(delay.hours) else None
    return Expected(alarms.per_year, alarms.low, alarms.high, hours)


def _looked_for(today: Policy, proposed: Policy, metric: str | None) -> Shift | None:
    """A true difference that lies beyond both bounds, of `metric` or else of the first metric that both bound."""
    for name in dict.fromkeys((metric, *_RATIOS, *_GAPS)):
        if name in _RATIOS:
            lowers = [policy.bound(name).lower for policy in (today, proposed)]
            known = [end for end in lowers if end is not None and end > 0]
            if known and (len(known) == 2 or name == metric):
                return Shift(metric=name, selection_ratio=round(FARTHER_RATIO * min(known), 4))
        elif name in _GAPS:
            uppers = [policy.bound(name).upper for policy in (today, proposed)]
            known = [end for end in uppers if end is not None and end > 0]
            if known and (len(known) == 2 or name == metric):
                return Shift(metric=name, tpr_gap=round(FARTHER_GAP * max(known), 4))
    return None


def _possible(shift: Shift | None, population: Population) -> Shift | None:
    try:
        if shift is not None:
            shift.cells(population)
    except ValueError:
        return None
    return shift


def _not_simulated(policy: Policy) -> tuple[str, ...]:
    try:
        return simulated_part(policy)[1]
    except ValueError:
        return tuple(metric for metric, bound in policy.bounds.items() if not bound.is_open)
