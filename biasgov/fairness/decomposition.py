"""Why a gap between two groups is what it is: who applies where (mix), or how each place decides (rate)."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy import special

Counts = NDArray[np.int64]


@dataclass(frozen=True, slots=True)
class Decomposition:
    """A difference of two rates split by segment; ``difference == mix + rate`` up to rounding error.

    Attributes
    ----------
    difference
        Rate of the group minus rate of the reference.
    mix
        What the groups' different spread over the segments contributes.
    rate
        What different rates inside the segments contribute.
    mix_by_segment, rate_by_segment
        The same, one entry a segment, in the order given.
    """

    difference: float
    mix: float
    rate: float
    mix_by_segment: tuple[float, ...]
    rate_by_segment: tuple[float, ...]

    @property
    def reverses(self) -> bool:
        """Whether the rates inside the segments point the other way than the whole (Simpson's paradox)."""
        return self.difference * self.rate < 0


def kitagawa(
    *, selected: ArrayLike, total: ArrayLike, reference_selected: ArrayLike, reference_total: ArrayLike
) -> Decomposition:
    """Split a difference of two groups' rates into mix and rate parts over segments.

    Parameters
    ----------
    selected, total
        Counts of the group per segment, shape (segments,).
    reference_selected, reference_total
        Counts of the reference group per segment, same shape.

    Raises
    ------
    ValueError
        Shapes differ, a count is negative or no whole number, more are selected than there are, or a group is empty
        altogether.

    Notes
    -----
    A segment that one group never enters has no rate of that group; the other group's rate stands in, so that
    the whole of that segment counts as mix.

    References
    ----------
    Kitagawa, E. M. (1955). Components of a difference between two rates. JASA 50(272), 1168-1194.
    """
    k, n = _counts(selected, total)
    k0, n0 = _counts(reference_selected, reference_total)
    if n.shape != n0.shape:
        raise ValueError(f"The group has {n.size} segments and the reference {n0.size}.")
    if not n.sum() or not n0.sum():
        raise ValueError("A group without anybody in any segment has no rate to decompose.")
    share, share0 = n / n.sum(), n0 / n0.sum()
    with np.errstate(invalid="ignore", divide="ignore"):
        own, own0 = k / n, k0 / n0
    rate, rate0 = np.where(n > 0, own, own0), np.where(n0 > 0, own0, own)
    rate, rate0 = np.nan_to_num(rate), np.nan_to_num(rate0)
    mix = (share - share0) * (rate + rate0) / 2
    inside = (rate - rate0) * (share + share0) / 2
    return Decomposition(
        difference=float(k.sum() / n.sum() - k0.sum() / n0.sum()),
        mix=float(mix.sum()),
        rate=float(inside.sum()),
        mix_by_segment=tuple(mix.tolist()),
        rate_by_segment=tuple(inside.tolist()),
    )


@dataclass(frozen=True, slots=True)
class StratifiedTest:
    """Cochran-Mantel-Haenszel: chi-squared statistic (1 df), p-value, and the common odds ratio."""

    statistic: float
    p_value: float
    odds_ratio: float


def cochran_mantel_haenszel(
    *,
    selected: ArrayLike,
    total: ArrayLike,
    reference_selected: ArrayLike,
    reference_total: ArrayLike,
    correction: bool = False,
) -> StratifiedTest:
    """Whether two groups' rates differ once the segment is held fixed.

    Parameters are those of `kitagawa`; a segment without people of both groups says nothing. Where no segment has two
    different decisions nothing can differ: the p-value is 1 and the common odds ratio not a number. It is infinite
    where nobody of the reference was selected beside somebody of the group who was not.

    Raises
    ------
    ValueError
        As `kitagawa`, and if no segment holds people of both groups.

    References
    ----------
    Mantel, N. and Haenszel, W. (1959). JNCI 22(4), 719-748; statsmodels `StratifiedTable`.
    """
    k, n = _counts(selected, total)
    k0, n0 = _counts(reference_selected, reference_total)
    if n.shape != n0.shape:
        raise ValueError(f"The group has {n.size} segments and the reference {n0.size}.")
    informative = (n > 0) & (n0 > 0)
    if not informative.any():
        raise ValueError("No segment holds people of both groups.")
    a, m, c, m0 = (counts[informative].astype(np.float64) for counts in (k, n, k0, n0))
    everybody, chosen = m + m0, a + c
    variance = float((m * m0 * chosen * (everybody - chosen) / (everybody**2 * (everybody - 1))).sum())
    distance = abs(float((a - m * chosen / everybody).sum()))
    statistic = max(distance - (0.5 if correction else 0.0), 0.0) ** 2 / variance if variance else 0.0
    ahead, behind = float((a * (m0 - c) / everybody).sum()), float(((m - a) * c / everybody).sum())
    odds = ahead / behind if behind else (math.inf if ahead else math.nan)
    return StratifiedTest(statistic, float(special.chdtrc(1, statistic)), odds)


def _counts(selected: ArrayLike, total: ArrayLike) -> tuple[Counts, Counts]:
    given = np.asarray(selected), np.asarray(total)
    k, n = (counts.astype(np.int64) for counts in given)
    if any((whole != counts).any() for whole, counts in zip((k, n), given, strict=True)):
        raise ValueError("Counts must be whole numbers.")
    if k.ndim != 1 or k.shape != n.shape:
        raise ValueError(f"Counts must be one-dimensional and alike, not {k.shape} and {n.shape}.")
    if (k < 0).any() or (k > n).any():
        raise ValueError("A segment has a negative count, or more selected than there are.")
    return k, n
