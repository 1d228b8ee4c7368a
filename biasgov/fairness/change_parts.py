"""Why a disparity changed: other people (mix), or other decisions about the same people (rate)."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from biasgov.fairness.decomposition import kitagawa

Int64 = npt.NDArray[np.int64]


@dataclass(frozen=True, slots=True)
class Parts:
    """What each cause contributes to a change, in the metric's unit; `mix + rate` is the change."""

    mix: float
    rate: float


@dataclass(frozen=True, slots=True, eq=False)
class Side:
    """A group and its reference in one period, by segment: favourable decisions and events, shape (segments,) each."""

    x: Int64
    n: Int64
    x0: Int64
    n0: Int64

    def disparity(self, *, is_ratio: bool) -> float | None:
        """The ratio or difference of both rates; None where a denominator is empty."""
        if not self.n.sum() or not self.n0.sum():
            return None
        rate, rate0 = self.x.sum() / self.n.sum(), self.x0.sum() / self.n0.sum()
        if not is_ratio:
            return float(rate - rate0)
        return float(rate / rate0) if rate0 > 0 else None


def parts(before: Side, after: Side, *, is_ratio: bool) -> Parts:
    """Split a change of a disparity into the parts of mix and of rates over segments.

    Each group's own change in time is decomposed (Kitagawa), and the reference's is taken from the group's. A ratio
    is split on the log scale, where it is a difference, with logarithmic means as weights; both parts are then scaled
    back, so that they add up exactly. If nobody of the group was selected on one side there is no log: the ratio comes
    from zero or falls to it by the group's own doing, whose parts share the change.

    Raises ValueError where a disparity does not exist on one side.

    References
    ----------
    Kitagawa, E. M. (1955). Components of a difference between two rates. JASA 50(272), 1168-1194.
    Ang, B. W. (2005). The LMDI approach to decomposition analysis. Energy Policy 33(7), 867-871.
    """
    old, new = before.disparity(is_ratio=is_ratio), after.disparity(is_ratio=is_ratio)
    if old is None or new is None:
        raise ValueError("A disparity that does not exist on one side cannot be compared.")
    own = kitagawa(selected=after.x, total=after.n, reference_selected=before.x, reference_total=before.n)
    other = kitagawa(selected=after.x0, total=after.n0, reference_selected=before.x0, reference_total=before.n0)
    if not is_ratio:
        return Parts(own.mix - other.mix, own.rate - other.rate)
    mix, rate = own.mix, own.rate
    if old > 0 and new > 0:
        weight = 1 / _logarithmic_mean(_rate(after.x, after.n), _rate(before.x, before.n))
        weight0 = 1 / _logarithmic_mean(_rate(after.x0, after.n0), _rate(before.x0, before.n0))
        mix, rate = own.mix * weight - other.mix * weight0, own.rate * weight - other.rate * weight0
        scale = _logarithmic_mean(new, old)
    else:
        scale = (new - old) / own.difference if own.difference else 0.0
    return Parts(mix * scale, rate * scale)


def _rate(x: Int64, n: Int64) -> float:
    return float(x.sum() / n.sum())


def _logarithmic_mean(one: float, two: float) -> float:
    return one if math.isclose(one, two, rel_tol=1e-12) else (one - two) / math.log(one / two)
