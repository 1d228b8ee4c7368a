"""A disparity over time: one value a step with the standard error it would have had if nothing had changed."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

Int64 = npt.NDArray[np.int64]
Float64 = npt.NDArray[np.float64]

ENOUGH = 25
"""Events of the group, and of the reference, that a step holds at least: its rate is about normal from there on.

A change has at least one step on either side, so that no group of fewer people is spoken of.
"""
ENOUGH_EXPECTED = 5
"""Favourable decisions that a step's ratio should rest on."""
LABELLED = 0.8
"""Share of the baseline's label coverage that a period needs for its outcomes to be compared."""


@dataclass(frozen=True, slots=True)
class Rate:
    """What a metric compares: the share of favourable decisions among the events with `outcome` (None: all)."""

    metric: str
    outcome: int | None
    is_ratio: bool


RATES = (
    Rate("demographic_parity_ratio", None, True),
    Rate("equal_opportunity_difference", 1, False),
    Rate("fpr_gap", 0, False),
)


def tallies(table: Int64, rate: Rate) -> tuple[Int64, Int64]:
    """Favourable decisions and events that a rate counts; `table` has shape (..., 2 decisions, 3 outcomes)."""
    chosen = table if rate.outcome is None else table[..., rate.outcome : rate.outcome + 1]
    return chosen[..., 1, :].sum(axis=-1), chosen.sum(axis=(-2, -1))


def compared_periods(table: Int64, rate: Rate, *, baseline: int) -> npt.NDArray[np.bool_]:
    """Periods that count for a rate: with events and, where it needs outcomes, with labels as in the baseline.

    The newest periods' outcomes are still coming, and those that come quickly differ from those that come late.

    table: shape (periods, levels, 2, 3). baseline: number of periods at the front.
    """
    events = table.sum(axis=(1, 2, 3))
    if rate.outcome is None:
        return np.asarray(events > 0)
    labelled = table[..., :2].sum(axis=(1, 2, 3))
    usual = labelled[:baseline].sum() / max(int(events[:baseline].sum()), 1)
    return np.asarray((labelled > 0) & (labelled >= LABELLED * usual * events))


@dataclass(frozen=True, slots=True, eq=False)
class Steps:
    """A group beside its reference, period after period, joined until each step holds enough; one entry a step.

    first, last: a step's first and last period. x, n: favourable decisions and events of the group; x0, n0: of the
    reference.
    """

    rate: Rate
    first: Int64
    last: Int64
    x: Int64
    n: Int64
    x0: Int64
    n0: Int64

    @classmethod
    def join(cls, rate: Rate, x: Int64, n: Int64, x0: Int64, n0: Int64) -> Steps:
        """Steps from counts per period, shape (periods,) each; what is left over at the end makes no step."""
        need, need0 = _needed(rate, x, n), _needed(rate, x0, n0)
        rows: list[tuple[int, ...]] = []
        start, k, m, k0, m0 = -1, 0, 0, 0, 0
        columns = zip(x.tolist(), n.tolist(), x0.tolist(), n0.tolist(), strict=True)
        for period, (more_k, more_m, more_k0, more_m0) in enumerate(columns):
            if start < 0 and not more_m and not more_m0:
                continue
            start = period if start < 0 else start
            k, m, k0, m0 = k + more_k, m + more_m, k0 + more_k0, m0 + more_m0
            if m >= need and m0 >= need0:
                rows.append((start, period, k, m, k0, m0))
                start, k, m, k0, m0 = -1, 0, 0, 0, 0
        joined = np.array(rows, np.int64).reshape(len(rows), 6).T
        return cls(rate, *joined)

    def __len__(self) -> int:
        return int(self.first.size)

    def series(self, baseline: slice) -> tuple[Float64, Float64]:
        """Values (log of the ratio, or difference of the rates) and their standard errors, shape (steps,) each.

        Half an event is added to the counts of a ratio, so that nobody selected is not minus infinity. The standard
        errors are those under the rates of the steps in `baseline`: taken from each step's own rate they would be
        small exactly where the rate is small by chance.

        References
        ----------
        Pettigrew, H. M., Gart, J. J. and Thomas, D. G. (1986). The bias and higher cumulants of the logarithm of a
        binomial variate. Biometrika 73(2), 425-435.
        """
        p, p0 = _smoothed(self.x[baseline], self.n[baseline]), _smoothed(self.x0[baseline], self.n0[baseline])
        if self.rate.is_ratio:
            value = np.log((self.x + 0.5) / (self.n + 0.5)) - np.log((self.x0 + 0.5) / (self.n0 + 0.5))
            variance = (1 - p) / (p * self.n) + (1 - p0) / (p0 * self.n0)
        else:
            value = self.x / self.n - self.x0 / self.n0
            variance = p * (1 - p) / self.n + p0 * (1 - p0) / self.n0
        return value, np.sqrt(variance)


def _needed(rate: Rate, x: Int64, n: Int64) -> float:
    if not rate.is_ratio:
        return ENOUGH
    # By the rate of the whole series: a step must not end because chance selected somebody.
    return max(ENOUGH, ENOUGH_EXPECTED / _smoothed(x, n))


def _smoothed(x: Int64, n: Int64) -> float:
    """A rate that is neither 0 nor 1."""
    return float((x.sum() + 0.5) / (n.sum() + 1.0))
