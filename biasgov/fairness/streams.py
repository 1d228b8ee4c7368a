"""Simulated streams of decisions about equal groups, with and without a shift, and what a fixed-sample test needs."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from scipy import special

from biasgov.fairness.policy import Policy

Int64 = npt.NDArray[np.int64]

MOST_A_DAY = 10**12
"""Events; a year of them still fits into an integer of 64 bits."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Population:
    """Equal groups under parity: `events_per_day` in all, and the rates that every group has.

    The base rate follows from the others: selection_rate = base_rate * tpr + (1 - base_rate) * fpr.
    Raises ValueError for fewer than two groups, no events, or rates that no base rate fits.
    """

    events_per_day: float
    groups: int
    selection_rate: float = 0.3
    tpr: float = 0.8
    fpr: float = 0.1

    def __post_init__(self) -> None:
        if self.groups < 2:
            raise ValueError(f"a disparity needs at least 2 groups, not {self.groups}")
        if not 0 < self.events_per_day <= MOST_A_DAY:
            raise ValueError(f"events_per_day must be positive and at most {MOST_A_DAY:,}, not {self.events_per_day}")
        if not 0 < self.fpr < self.selection_rate < self.tpr < 1:
            raise ValueError("the rates must satisfy 0 < fpr < selection_rate < tpr < 1")

    @property
    def base_rate(self) -> float:
        return (self.selection_rate - self.fpr) / (self.tpr - self.fpr)

    @property
    def hourly_events(self) -> float:
        """Expected events of one group in an hour."""
        return self.events_per_day / 24 / self.groups


@dataclass(frozen=True, slots=True, kw_only=True)
class Shift:
    """What becomes of the last group at the change.

    selection_ratio: its selection rate over the others', reached through its base rate, so that TPR and FPR stay equal.
    tpr_gap: how far its TPR falls. metric: whose breach counts as the detection.
    """

    metric: str
    selection_ratio: float = 1.0
    tpr_gap: float = 0.0

    def cells(self, population: Population) -> npt.NDArray[np.float64]:
        """Probabilities of the group's events, shape (decision, outcome)."""
        wanted = population.selection_rate * self.selection_ratio
        base = (wanted - population.fpr) / (population.tpr - population.fpr)
        tpr = population.tpr - self.tpr_gap
        if not (0 <= base <= 1 and 0 <= tpr <= 1):
            raise ValueError(f"no base rate or TPR between 0 and 1 gives {self}")
        fpr = population.fpr
        return np.array([[(1 - base) * (1 - fpr), base * (1 - tpr)], [(1 - base) * fpr, base * tpr]])


PARITY = Shift(metric="demographic_parity_ratio")
LOW_RATIO = Shift(metric="demographic_parity_ratio", selection_ratio=0.7)
TPR_GAP = Shift(metric="equalized_odds_difference", tpr_gap=0.1)


def hourly_counts(
    population: Population, *, hours: int, rng: np.random.Generator, shift: Shift = PARITY, step: int = 1
) -> Int64:
    """Poisson counts, shape (groups, decision, outcome, hours); the shift concerns the last group.

    step: hours that one entry of the last axis stands for.
    """
    cells = np.stack([PARITY.cells(population)] * (population.groups - 1) + [shift.cells(population)])
    means = cells[..., np.newaxis] * population.hourly_events * step
    return rng.poisson(np.broadcast_to(means, (*cells.shape, hours))).astype(np.int64)


def limit_events(
    population: Population, shift: Shift, policy: Policy, *, alpha: float = 0.05, power: float = 0.8
) -> float:
    """Events per group that a fixed-sample test needs to prove that the bound is broken, one-sided.

    Normal approximation: (z_alpha + z_power)^2 * (unit variances) / (distance from bound to truth)^2, on the log scale
    for a ratio (Fleiss, Levin & Paik 2003, ch. 4), on the rates for a TPR gap. To prove a ratio below 0.8 that is 0.7:
    2,115 a group at a selection rate of 0.3.
    """
    bound = policy.bound(shift.metric)
    z = float(special.ndtri(1 - alpha) + special.ndtri(power))
    if shift.tpr_gap:
        margin = shift.tpr_gap - (bound.upper or 0.0)
        lowered = population.tpr - shift.tpr_gap
        variance = (population.tpr * (1 - population.tpr) + lowered * (1 - lowered)) / population.base_rate
    else:
        margin = math.log(bound.lower or 1.0) - math.log(shift.selection_ratio)
        low, high = population.selection_rate * shift.selection_ratio, population.selection_rate
        variance = (1 - low) / low + (1 - high) / high
    return z**2 * variance / margin**2 if margin > 0 else math.inf
