"""Looking again every hour: change points of a series, and what repeated looks do to false alarms."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

Series = NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class Cusum:
    """A two-sided tabular CUSUM.

    Attributes
    ----------
    high, low
        Accumulated deviations above and below the target in standard deviations, shape (observations,).
    signal
        Index of the first observation at which either exceeds the decision interval, or None.
    change
        Index of the observation at which the signalling side began to accumulate, or None: the estimated change point.
    direction
        +1 for a rise, -1 for a fall, 0 without a signal.
    """

    high: Series
    low: Series
    signal: int | None
    change: int | None
    direction: int


def cusum(series: ArrayLike, *, target: float, sigma: float, k: float = 0.5, h: float = 5.0) -> Cusum:
    """Accumulate deviations from `target` and signal when they exceed `h` standard deviations.

    Parameters
    ----------
    series
        One observation a step, shape (n,); NaN (nothing measured) leaves the sums as they are.
    target, sigma
        Mean and standard deviation of the series while nothing has changed; `sigma` > 0.
    k
        Allowance: half the shift to be found, in standard deviations.
    h
        Decision interval in standard deviations.

    References
    ----------
    Montgomery, D. C. Introduction to Statistical Quality Control, section 9.1 (tabular CUSUM).
    """
    if not sigma > 0:
        raise ValueError(f"sigma={sigma!r} is not positive: the baseline does not vary.")
    z = (np.asarray(series, dtype=np.float64) - target) / sigma
    high, low = np.zeros(z.size), np.zeros(z.size)
    up = down = 0.0
    up_start = down_start = 0
    signal: int | None = None
    change: int | None = None
    direction = 0
    for index, value in enumerate(z):
        if not np.isnan(value):
            up_start = index if up == 0.0 else up_start
            down_start = index if down == 0.0 else down_start
            up = max(0.0, up + value - k)
            down = max(0.0, down - value - k)
        high[index], low[index] = up, down
        if signal is None and max(up, down) > h:
            signal, direction = index, (1 if up >= down else -1)
            change = up_start if direction > 0 else down_start
    return Cusum(high, low, signal, change, direction)


def page_hinkley(series: ArrayLike, *, delta: float = 0.005, threshold: float = 50.0) -> tuple[int | None, Series]:
    """Page-Hinkley test for a rise of the mean over the running mean.

    Parameters
    ----------
    series
        Shape (n,), without NaN.
    delta
        Magnitude of change that is tolerated, in the series' own unit.
    threshold
        The test signals when the statistic exceeds it.

    Returns
    -------
    signal, statistic
        Index of the first signal or None, and the statistic at every step, shape (n,). Negate the
        series to find a fall.

    References
    ----------
    Page, E. S. (1954). Continuous inspection schemes. Biometrika 41, 100-115; Hinkley (1971), Biometrika 58, 509-523.
    """
    values = np.asarray(series, dtype=np.float64)
    if np.isnan(values).any():
        raise ValueError("The series has NaN; leave out what was not measured.")
    running = np.cumsum(values) / np.arange(1, values.size + 1)
    sums = np.cumsum(values - running - delta)
    statistic = sums - np.minimum.accumulate(np.minimum(sums, 0.0)) if values.size else sums
    above = np.flatnonzero(statistic > threshold)
    return (int(above[0]) if above.size else None), statistic


@dataclass(frozen=True, slots=True)
class ChangePoint:
    """A shift in a series of measured values against the model's own baseline.

    Attributes
    ----------
    index
        Where the series began to move.
    noticed
        Where the evidence sufficed.
    before, after
        Mean of the series in the baseline, and from `index` on.
    """

    index: int
    noticed: int
    before: float
    after: float


def change_point(
    series: ArrayLike, standard_errors: ArrayLike, *, baseline: int, k: float = 0.5, h: float = 5.0
) -> ChangePoint | None:
    """The first lasting shift of a series away from its own first `baseline` measured values.

    Each value is standardised by its own standard error together with the baseline's, since hours differ in size.

    Parameters
    ----------
    series, standard_errors
        Shape (n,); NaN where nothing was measured.
    baseline
        How many measured values describe the state before; at least 2.
    """
    values, errors = np.asarray(series, dtype=np.float64), np.asarray(standard_errors, dtype=np.float64)
    measured = np.flatnonzero(np.isfinite(values) & np.isfinite(errors) & (errors > 0))
    if baseline < 2 or measured.size <= baseline:
        return None
    first = measured[:baseline]
    weights = 1 / errors[first] ** 2
    before = float((values[first] * weights).sum() / weights.sum())
    uncertainty = float(1 / weights.sum())
    z = (values - before) / np.sqrt(errors**2 + uncertainty)
    found = cusum(
        np.where(np.isin(np.arange(z.size), measured), z, np.nan)[first[-1] + 1 :], target=0.0, sigma=1.0, k=k, h=h
    )
    if found.signal is None or found.change is None:
        return None
    start = int(first[-1]) + 1
    later = measured[measured >= start + found.change]
    late = 1 / errors[later] ** 2
    return ChangePoint(
        start + found.change, start + found.signal, before, float((values[later] * late).sum() / late.sum())
    )
