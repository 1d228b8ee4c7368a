"""What a chart draws: series as plain sequences, and their form in JSON."""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from itertools import pairwise


@dataclass(frozen=True, slots=True)
class Line:
    """One series of a trend: values with interval (None or NaN where missing) and verdict per moment."""

    name: str
    colour: str
    as_of: Sequence[datetime]
    value: Sequence[float | None]
    low: Sequence[float | None]
    high: Sequence[float | None]
    verdict: Sequence[str]
    emphasised: bool


@dataclass(frozen=True, slots=True)
class Mark:
    """Something that happened, drawn as a dotted line on the time axis."""

    at: datetime
    text: str


@dataclass(frozen=True, slots=True)
class Curve:
    """Reliability of one group: mean score against observed rate per bin, with Wilson ends and bin sizes."""

    name: str
    colour: str
    score: Sequence[float]
    rate: Sequence[float]
    low: Sequence[float]
    high: Sequence[float]
    n: Sequence[int]


def broken(line: Line, *, longest: timedelta) -> Line:
    """The line with an empty moment inside every gap longer than `longest`, so that nothing is drawn across it."""
    gaps = [i for i, (one, two) in enumerate(pairwise(line.as_of), start=1) if two - one > longest]
    if not gaps:
        return line
    as_of, verdict = list(line.as_of), list(line.verdict)
    value, low, high = list(line.value), list(line.low), list(line.high)
    for i in reversed(gaps):
        as_of.insert(i, as_of[i - 1] + (as_of[i] - as_of[i - 1]) / 2)
        verdict.insert(i, "")
        for column in (value, low, high):
            column.insert(i, None)
    return replace(line, as_of=as_of, value=value, low=low, high=high, verdict=verdict)


def numbers(values: Iterable[float | None]) -> list[float | None]:
    """NaN and infinity do not exist in JSON."""
    return [None if value is None or not math.isfinite(value) else round(float(value), 6) for value in values]


def moments(given: Iterable[datetime]) -> list[str]:
    """Aware UTC moments as a browser reads them."""
    return [moment.strftime("%Y-%m-%dT%H:%M:%SZ") for moment in given]
