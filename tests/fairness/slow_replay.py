"""Both policies over the past, one result at a time: what `biasgov.fairness.backtest` does in arrays."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime

from biasgov.fairness.policy import Policy, judged_otherwise
from biasgov.fairness.replay import Look, ReplayedAlert, SeriesKey
from biasgov.fairness.response_plan import SEVERITIES
from biasgov.fairness.verdicts import Key, Result, judge_again


@dataclass(frozen=True, slots=True)
class SlowWindow:
    """What one stored run says: the results that can be judged again, and how many were hidden and cannot.

    confidence: of the results' intervals.
    """

    window: str
    confidence: float
    results: Sequence[Result]
    hidden: int = 0


@dataclass(frozen=True, slots=True)
class SlowReplay:
    """Both policies over the same evaluations.

    looks: per series in the order of time. repeated, checked: of the stored verdicts that were judged again by the very
    policy they were made with, how many came out as stored.
    """

    alerts: tuple[ReplayedAlert, ...]
    looks: Mapping[SeriesKey, Sequence[Look]]
    evaluations: int
    judged: int
    hidden: int
    repeated: int
    checked: int


@dataclass(slots=True)
class _Episode:
    began: datetime
    window: str
    value: float | None
    severity: str
    ended: datetime | None = None
    streaks: dict[str, int] = field(default_factory=dict)

    def overlaps(self, other: _Episode) -> bool:
        mine_first = self.ended is None or other.began < self.ended
        return mine_first and (other.ended is None or self.began < other.ended)


class SlowReplayer:
    """Takes evaluations in the order of time, and answers with the replay of all of them.

    close_after: evaluations within bounds in a row that end an alert.
    """

    def __init__(self, today: Policy, proposed: Policy, *, close_after: int) -> None:
        self._policies = (today, proposed)
        self._differ = judged_otherwise(today, proposed)
        self._close_after = close_after
        self._episodes: tuple[dict[Key, list[_Episode]], ...] = ({}, {})
        self._looks: dict[SeriesKey, list[Look]] = {}
        self._evaluations = self._judged = self._hidden = self._repeated = self._checked = 0

    def look(self, as_of: datetime, windows: Sequence[SlowWindow], *, judged_by: Sequence[Policy] = ()) -> None:
        """Judge the windows of one moment again.

        judged_by: the policy that judged each window when it was stored; where given, its verdicts are checked too.
        """
        self._evaluations += 1
        said: tuple[dict[Key, dict[str, Result]], ...] = ({}, {})
        for place, stored in enumerate(windows):
            self._hidden += stored.hidden
            by_today = bool(judged_by) and judged_by[place] == self._policies[0]
            for result in stored.results:
                today, proposed = self._both(result, stored.confidence)
                if judged_by:
                    again = today if by_today else judge_again(result, judged_by[place], confidence=stored.confidence)
                    self._checked += 1
                    self._repeated += (again.verdict, again.severity) == (result.verdict, result.severity)
                verdicts = [each.verdict if each.judged else "" for each in (today, proposed)]
                if not any(verdicts):
                    continue
                self._judged += 1
                key = result.key
                series = self._looks.setdefault((*key, stored.window), [])
                series.append(Look(as_of, result.value, verdicts[0], verdicts[1]))
                for there, each, verdict in zip(said, (today, proposed), verdicts, strict=True):
                    if verdict:
                        there.setdefault(key, {})[stored.window] = each
        names = [stored.window for stored in windows]
        for episodes, there in zip(self._episodes, said, strict=True):
            self._move(episodes, there, names, as_of)

    def _both(self, result: Result, confidence: float) -> tuple[Result, Result]:
        """By today's policy and by the proposed one, judged once where they cannot differ."""
        today = judge_again(result, self._policies[0], confidence=confidence)
        if result.metric not in self._differ:
            return today, today
        return today, judge_again(result, self._policies[1], confidence=confidence)

    def replay(self) -> SlowReplay:
        """What came of everything that was looked at, alerts in the order of time."""
        today, proposed = self._episodes
        alerts = [
            alert
            for key in dict.fromkeys((*today, *proposed))
            for alert in _matched(key, today.get(key, []), proposed.get(key, []))
        ]
        alerts.sort(key=lambda alert: (alert.at, alert.metric, alert.attribute, alert.group or ""))
        return SlowReplay(
            alerts=tuple(alerts),
            looks=self._looks,
            evaluations=self._evaluations,
            judged=self._judged,
            hidden=self._hidden,
            repeated=self._repeated,
            checked=self._checked,
        )

    def _move(
        self,
        episodes: dict[Key, list[_Episode]],
        said: Mapping[Key, Mapping[str, Result]],
        windows: Sequence[str],
        as_of: datetime,
    ) -> None:
        """Begin, continue and end the alerts of one policy by what one evaluation says."""
        for key in dict.fromkeys((*said, *episodes)):
            results = said.get(key, {})
            breaches = {name: each for name, each in results.items() if each.verdict == "breach"}
            current = episodes[key][-1] if key in episodes and episodes[key][-1].ended is None else None
            if current is None:
                if not breaches:
                    continue
                window, first = next(iter(breaches.items()))
                current = _Episode(as_of, window, first.value, first.severity or SEVERITIES[0])
                episodes.setdefault(key, []).append(current)
            for name in windows:
                if name in breaches:
                    current.severity = _severer(current.severity, breaches[name].severity or SEVERITIES[0])
                    current.streaks[name] = 0
                elif name in current.streaks:
                    within = name in results and results[name].verdict == "within"
                    current.streaks[name] = current.streaks[name] + 1 if within else 0
            if all(streak >= self._close_after for streak in current.streaks.values()):
                current.ended = as_of


def _matched(key: Key, today: Sequence[_Episode], proposed: Sequence[_Episode]) -> Iterable[ReplayedAlert]:
    for episode in today:
        meets = [other for other in proposed if episode.overlaps(other)]
        worst = ""
        for other in meets:
            worst = _severer(worst or SEVERITIES[0], other.severity)
        yield ReplayedAlert(
            *key,
            window=episode.window,
            value=episode.value,
            fate="kept" if meets else "lost",
            today=episode.began,
            proposed=min((other.began for other in meets), default=None),
            severity_today=episode.severity,
            severity_proposed=worst,
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
                severity_proposed=other.severity,
            )


def _severer(one: str, two: str) -> str:
    return max(one, two, key=SEVERITIES.index)
