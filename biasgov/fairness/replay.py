"""What came of a replay of the past under two policies: the alerts of both, and every judged value."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Literal, NamedTuple

import numpy as np
import numpy.typing as npt

from biasgov.fairness.result_columns import BREACH, VERDICTS, Codes

Fate = Literal["kept", "lost", "gained"]
SeriesKey = tuple[str, str, str | None, str]
"""Metric, attribute, group and window."""

NO_BOUND = -1
"""In place of a verdict, where a policy sets no bound."""

Int32 = npt.NDArray[np.int32]
Float64 = npt.NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class Look:
    """One judged value: what today's policy says of it and what the proposed one says; "" where it sets no bound."""

    as_of: datetime
    value: float | None
    today: str
    proposed: str


@dataclass(frozen=True, slots=True)
class ReplayedAlert:
    """An alert of either policy. today, proposed: when it is raised (None: never). severity: its worst, by each."""

    metric: str
    attribute: str
    group: str | None
    window: str
    value: float | None
    fate: Fate
    today: datetime | None
    proposed: datetime | None
    severity_today: str
    severity_proposed: str

    @property
    def at(self) -> datetime:
        """The earlier of the two moments."""
        return min(each for each in (self.today, self.proposed) if each is not None)

    @property
    def later_hours(self) -> float:
        """How much later the proposed policy raises a kept alert; negative: earlier."""
        if self.today is None or self.proposed is None:
            return 0.0
        return (self.proposed - self.today).total_seconds() / 3600


class Told(NamedTuple):
    """Judged values as arrays of one length.

    series: `Looks.number` of each. moment: place among the moments. value: NaN for none. today, proposed: places in
    VERDICTS, or NO_BOUND.
    """

    series: Int32
    moment: Int32
    value: Float64
    today: Codes
    proposed: Codes


class Looks:
    """Every judged value, by series and in the order of time; held as arrays, for there are a million and more."""

    def __init__(self) -> None:
        self._numbers: dict[SeriesKey, int] = {}
        self._moments: list[datetime] = []
        self._parts: list[Told] = []

    def __len__(self) -> int:
        return len(self._numbers)

    def __iter__(self) -> Iterator[SeriesKey]:
        return iter(self._numbers)

    def number(self, key: SeriesKey) -> int:
        """The number by which `add` knows a series."""
        return self._numbers.setdefault(key, len(self._numbers))

    def add(self, moments: Sequence[datetime], told: Told) -> None:
        """What was said of those later moments."""
        self._parts.append(told._replace(moment=told.moment + np.int32(len(self._moments))))
        self._moments.extend(moments)

    def of(self, key: SeriesKey) -> list[Look]:
        """What was said of one series."""
        number, names = self._numbers[key], (*VERDICTS, "")
        found: list[Look] = []
        for told in self._parts:
            mine = told.series == number
            values = [None if np.isnan(value) else value for value in told.value[mine].tolist()]
            verdicts = ([names[code] for code in each[mine].tolist()] for each in (told.today, told.proposed))
            moments = [self._moments[at] for at in told.moment[mine].tolist()]
            found.extend(map(Look, moments, values, *verdicts))
        return found

    def weights(self) -> dict[SeriesKey, tuple[int, int, int]]:
        """Of each series the breaches under one policy alone, those under both, and all its values."""
        counts = np.zeros((3, len(self)), np.int64)
        for told in self._parts:
            one, two = told.today == BREACH, told.proposed == BREACH
            for row, counted in enumerate((one ^ two, one & two, slice(None))):
                counts[row] += np.bincount(told.series[counted], minlength=len(self))
        moved, kept, all_ = counts.tolist()
        return dict(zip(self, zip(moved, kept, all_, strict=True), strict=True))


@dataclass(frozen=True, slots=True)
class Replay:
    """Both policies over the same evaluations.

    repeated, checked: of the stored verdicts that were judged again by the very policy they were made with, how many
    came out as stored.
    """

    alerts: tuple[ReplayedAlert, ...]
    looks: Looks
    evaluations: int
    judged: int
    hidden: int
    repeated: int
    checked: int

    def count(self, fate: Fate) -> int:
        return sum(alert.fate == fate for alert in self.alerts)
