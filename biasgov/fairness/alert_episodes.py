"""Alerts as they begin, last and end while evaluations pass, and which alerts of two policies are the same."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime

import numpy as np

from biasgov.fairness.replay import ReplayedAlert
from biasgov.fairness.response_plan import SEVERITIES
from biasgov.fairness.result_columns import BREACH, WITHIN, Codes
from biasgov.fairness.verdicts import Key


@dataclass(frozen=True, slots=True)
class Said:
    """What one policy says of one window: verdicts (see `replay.NO_BOUND`) and severities.

    places: of each key among the results.
    """

    window: str
    keys: Sequence[Key]
    places: Mapping[Key, int]
    value: Sequence[float | None]
    verdict: Codes
    severity: Codes

    def breaches(self) -> Iterable[tuple[Key, int]]:
        return ((self.keys[place], place) for place in np.flatnonzero(self.verdict == BREACH).tolist())

    def is_within(self, key: Key) -> bool:
        place = self.places.get(key)
        return place is not None and bool(self.verdict[place] == WITHIN)


@dataclass(slots=True)
class Episode:
    """One alert; ended: None while it lasts.

    streaks: of each window that was in breach, how many evaluations in a row it has been within the bound.
    """

    began: datetime
    window: str
    value: float | None
    severity: int
    ended: datetime | None = None
    streaks: dict[str, int] = field(default_factory=dict)

    def overlaps(self, other: Episode) -> bool:
        mine_first = self.ended is None or other.began < self.ended
        return mine_first and (other.ended is None or self.began < other.ended)


class Alerts:
    """The alerts of one policy. close_after: evaluations within bounds in a row that end one."""

    def __init__(self, close_after: int) -> None:
        self.episodes: dict[Key, list[Episode]] = {}
        self._close_after = close_after
        self._open: dict[Key, Episode] = {}

    def move(self, as_of: datetime, windows: Sequence[Said]) -> None:
        """Begin, continue and end alerts by what one evaluation says."""
        breaches: dict[Key, dict[str, tuple[float | None, int]]] = {}
        for said in windows:
            for key, place in said.breaches():
                breaches.setdefault(key, {})[said.window] = said.value[place], int(said.severity[place])
        for key in (*breaches, *(key for key in self._open if key not in breaches)):
            broken = breaches.get(key, {})
            current = self._open.get(key)
            if current is None:
                window, (value, severity) = next(iter(broken.items()))
                current = self._open[key] = Episode(as_of, window, value, severity)
                self.episodes.setdefault(key, []).append(current)
            for said in windows:
                if said.window in broken:
                    current.severity = max(current.severity, broken[said.window][1])
                    current.streaks[said.window] = 0
                elif said.window in current.streaks:
                    within = said.is_within(key)
                    current.streaks[said.window] = current.streaks[said.window] + 1 if within else 0
            if all(streak >= self._close_after for streak in current.streaks.values()):
                current.ended = as_of
                del self._open[key]


def matched(
    today: Mapping[Key, Sequence[Episode]], proposed: Mapping[Key, Sequence[Episode]]
) -> tuple[ReplayedAlert, ...]:
    """The alerts of two policies in the order of time, those that overlap as one."""
    alerts = [
        alert
        for key in dict.fromkeys((*today, *proposed))
        for alert in _of_one_key(key, today.get(key, []), proposed.get(key, []))
    ]
    return tuple(sorted(alerts, key=lambda alert: (alert.at, alert.metric, alert.attribute, alert.group or "")))


def _of_one_key(key: Key, today: Sequence[Episode], proposed: Sequence[Episode]) -> Iterable[ReplayedAlert]:
    for episode in today:
        meets = [other for other in proposed if episode.overlaps(other)]
        yield ReplayedAlert(
            *key,
            window=episode.window,
            value=episode.value,
            fate="kept" if meets else "lost",
            today=episode.began,
            proposed=min((other.began for other in meets), default=None),
            severity_today=SEVERITIES[episode.severity],
            severity_proposed=SEVERITIES[max(other.severity for other in meets)] if meets else "",
        )
    for other in proposed:
        if not any(episode.overlaps(other) for episode in today):
            yield ReplayedAlert(
                *key,
                window=other.window,
                value=other.value,
                fate="gained",
                today=None,
                proposed=other.began,
                severity_today="",
                severity_proposed=SEVERITIES[other.severity],
            )
