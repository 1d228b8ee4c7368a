"""The hour at which a change began, once it is certain that there was one and about when."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

Float64 = npt.NDArray[np.float64]
Int64 = npt.NDArray[np.int64]

DROP = 3.0
"""How far below its best a log-likelihood may lie. The usual 1.92 is too little for a moment in time.

With it the range held the truth in 86 to 100 % of 1,500 simulations a case (2, 20 and 200 events an hour; rates from
0.6 to 0.3, 0.3 to 0.2 and 0.6 to 0.5), with 3.0 in 95 to 100 %.
"""


@dataclass(frozen=True, slots=True)
class Dating:
    """A period, and the earliest and the latest one that explain the counts nearly as well (`DROP`)."""

    at: int
    earliest: int
    latest: int


def date_change(counts: tuple[tuple[Int64, Int64], ...], rates: tuple[tuple[float, float], ...]) -> Dating:
    """The period from which on the rates after a change explain the counts best.

    Parameters
    ----------
    counts
        For each group that counts (the group and its reference): events chosen and all events of consecutive periods,
        shape (periods,) each.
    rates
        For each of them its rate before and after the change.

    Returns
    -------
    Dating
        Periods 0 to `periods`; `periods` means that none of them lies after the change. The range is a likelihood
        interval: where few events fall it is wide.

    References
    ----------
    Hinkley, D. V. (1970). Inference about the change-point in a sequence of random variables. Biometrika 57(1), 1-17.
    """
    gain = sum(_gain(x, n, *pair) for (x, n), pair in zip(counts, rates, strict=True))
    # The log-likelihood of a change before period t, up to a constant: what the periods before t gain by being before.
    likelihood = np.concatenate([[0.0], np.cumsum(gain)])
    near = np.flatnonzero(likelihood >= likelihood.max() - DROP)
    return Dating(int(likelihood.argmax()), int(near[0]), int(near[-1]))


def _gain(x: Int64, n: Int64, before: float, after: float) -> Float64:
    """Log-likelihood of each period's counts under the rate before, less that under the rate after."""
    p, q = np.clip((before, after), 1e-6, 1 - 1e-6)
    gain: Float64 = x * np.log(p / q) + (n - x) * np.log((1 - p) / (1 - q))
    return gain
