"""Small pictures that the server draws as SVG: geometry only, the templates hold the elements."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

SPARK_WIDTH, SPARK_HEIGHT = 120.0, 28.0
DOT_WIDTH = 160.0
_PAD = 3.0


@dataclass(frozen=True, slots=True)
class Sparkline:
    """Polylines (a gap in the data breaks the line), the heights of the bounds, and the last point."""

    lines: tuple[str, ...]
    bounds: tuple[float, ...]
    end: tuple[float, float] | None


@dataclass(frozen=True, slots=True)
class Dot:
    """A value with its interval on a common scale, and where the reference lies; x in units of the view box."""

    x: float
    low: float
    width: float
    reference: float | None


def sparkline(values: Sequence[float | None], bounds: Sequence[float] = ()) -> Sparkline | None:
    """A line of values over equal steps in a box of 120 x 28; None without any value.

    bounds: drawn as dotted lines where they lie near the values; a far bound would flatten the line.
    """
    known = [value for value in values if value is not None]
    if not known:
        return None
    low, high = min(known), max(known)
    reach = max(high - low, 0.02)
    near = [bound for bound in bounds if low - 3 * reach <= bound <= high + 3 * reach]
    low, high = min([low, *near]), max([high, *near])
    span = max(high - low, 0.02)

    def height(value: float) -> float:
        return round(SPARK_HEIGHT - _PAD - (value - low) / span * (SPARK_HEIGHT - 2 * _PAD), 1)

    step = (SPARK_WIDTH - 2 * _PAD) / max(len(values) - 1, 1)
    lines: list[list[str]] = [[]]
    end = None
    for place, value in enumerate(values):
        if value is None:
            lines.append([])
            continue
        end = (round(_PAD + place * step, 1), height(value))
        lines[-1].append(f"{end[0]},{end[1]}")
    return Sparkline(tuple(" ".join(line) for line in lines if len(line) > 1), tuple(map(height, near)), end)


def dot(
    value: float | None,
    low: float | None,
    high: float | None,
    *,
    scale: tuple[float, float],
    reference: float | None = None,
) -> Dot | None:
    """A dot with its interval; `scale` is the (smallest, largest) value of the column."""
    if value is None:
        return None
    start, stop = scale
    span = stop - start or 1.0

    def place(at: float) -> float:
        share = min(max((at - start) / span, 0.0), 1.0)
        return round(_PAD + share * (DOT_WIDTH - 2 * _PAD), 1)

    left = place(value if low is None else low)
    right = place(value if high is None else high)
    return Dot(place(value), left, round(right - left, 1), None if reference is None else place(reference))


def scale_of(ends: Sequence[float | None]) -> tuple[float, float]:
    """A common scale for a column of dots, with a little air at both ends."""
    known = [end for end in ends if end is not None]
    if not known:
        return 0.0, 1.0
    low, high = min(known), max(known)
    air = max((high - low) * 0.08, 0.005)
    return low - air, high + air
