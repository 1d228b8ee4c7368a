"""What a policy would have told people: stored evaluations judged again, by today's policy and by a proposed one.

An **alert** is what a finding is: it begins with the first evaluation in which any window is in breach of one metric,
attribute and group, and ends once every window that was in breach during it has been within the bound several
evaluations in a row. Under the policy that judged the stored evaluations, judging again repeats what was stored.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

import numpy as np

from biasgov.fairness.alert_episodes import Alerts, Said, matched
from biasgov.fairness.policy import Policy, judged_otherwise
from biasgov.fairness.replay import NO_BOUND, Float64, Int32, Looks, Replay, Told
from biasgov.fairness.result_columns import Bools, Judge, Judged, ResultColumns
from biasgov.fairness.verdicts import Key

ROWS_AT_ONCE = 20_000
"""So many results are judged together: enough for arrays to be worth it, few enough to be held in memory."""


@dataclass(frozen=True, slots=True)
class StoredWindow:
    """What one stored run says: the results that can be judged again, and how many were hidden and cannot.

    confidence: of the results' intervals. judged_by: the policy that judged them when they were stored; where given,
    its verdicts are checked too.
    """

    window: str
    confidence: float
    results: ResultColumns
    hidden: int = 0
    judged_by: Policy | None = None


@dataclass(frozen=True, slots=True)
class _Layout:
    """What the results of a run are of, the same from run to run, and which of them each policy judges."""

    keys: Sequence[Key]
    places: dict[Key, int]
    today: Bools
    proposed: Bools
    either: Bools


class Replayer:
    """Takes evaluations in the order of time, and answers with the replay of all of them.

    close_after: evaluations within bounds in a row that end an alert.
    """

    def __init__(self, today: Policy, proposed: Policy, *, close_after: int) -> None:
        self._policies = (today, proposed)
        self._differ = bool(judged_otherwise(today, proposed))
        self._alerts = (Alerts(close_after), Alerts(close_after))
        self._looks = Looks()
        self._layouts: dict[object, _Layout] = {}
        self._series: dict[tuple[int, str], Int32] = {}
        self._judges: list[Policy] = []
        self._waiting: list[tuple[datetime, Sequence[StoredWindow]]] = []
        self._rows = 0
        self._evaluations = self._judged = self._hidden = self._repeated = self._checked = 0

    def look(self, as_of: datetime, windows: Sequence[StoredWindow]) -> None:
        """Judge the windows of one moment again, narrowest first."""
        self._evaluations += 1
        self._hidden += sum(stored.hidden for stored in windows)
        self._waiting.append((as_of, windows))
        self._rows += sum(len(stored.results) for stored in windows)
        if self._rows >= ROWS_AT_ONCE:
            self._judge_waiting()

    def replay(self) -> Replay:
        """What came of everything that was looked at, alerts in the order of time."""
        self._judge_waiting()
        return Replay(
            alerts=matched(*(alerts.episodes for alerts in self._alerts)),
            looks=self._looks,
            evaluations=self._evaluations,
            judged=self._judged,
            hidden=self._hidden,
            repeated=self._repeated,
            checked=self._checked,
        )

    def _judge_waiting(self) -> None:
        """Judge everything that waits at once, then move the alerts moment by moment."""
        moments, self._waiting, self._rows = self._waiting, [], 0
        parts = [stored for _, windows in moments for stored in windows]
        judged = iter(self._judge_all(parts))
        told: list[Told] = []
        for moment, (as_of, windows) in enumerate(moments):
            said: tuple[list[Said], list[Said]] = ([], [])
            for stored in windows:
                layout, (value, *both) = self._layout(stored.results), next(judged)
                verdicts = []
                for there, each, mine in zip(said, both, (layout.today, layout.proposed), strict=True):
                    verdict = np.where(mine, each.verdict, NO_BOUND).astype(np.int8)
                    verdicts.append(verdict[layout.either])
                    there.append(
                        Said(stored.window, layout.keys, layout.places, stored.results.value, verdict, each.severity)
                    )
                series = self._numbers(layout, stored.window)
                told.append(Told(series, np.full(len(series), moment, np.int32), value[layout.either], *verdicts))
            for alerts, there in zip(self._alerts, said, strict=True):
                alerts.move(as_of, there)
        if told:
            together = Told(*(np.concatenate(each) for each in zip(*told, strict=True)))
            self._judged += len(together.series)
            self._looks.add([as_of for as_of, _ in moments], together)

    def _judge_all(self, parts: Sequence[StoredWindow]) -> list[tuple[Float64, Judged, Judged]]:
        """Of every window the values, and what today's policy and the proposed one say of them."""
        found: dict[int, tuple[Float64, Judged, Judged]] = {}
        alike: dict[tuple[float, int | None], list[int]] = {}
        for place, stored in enumerate(parts):
            alike.setdefault((stored.confidence, self._judge_number(stored.judged_by)), []).append(place)
        for (confidence, number), places in alike.items():
            columns = ResultColumns.joined([parts[place].results for place in places])
            judge = Judge(columns, confidence)
            today = judge.by(self._policies[0])
            proposed = judge.by(self._policies[1]) if self._differ else today
            if number is not None:
                by = self._judges[number]
                again, as_stored = today if by == self._policies[0] else judge.by(by), columns.stored()
                same = (again.verdict == as_stored.verdict) & (again.severity == as_stored.severity)
                self._checked += len(columns)
                self._repeated += int(same.sum())
            cuts = np.cumsum([len(parts[place].results) for place in places])[:-1]
            pieces = (np.split(each, cuts) for each in (judge.value, *today, *proposed))
            for place, (value, *four) in zip(places, zip(*pieces, strict=True), strict=True):
                found[place] = value, Judged(*four[:2]), Judged(*four[2:])
        return [found[place] for place in range(len(parts))]

    def _judge_number(self, policy: Policy | None) -> int | None:
        if policy is None:
            return None
        for number, known in enumerate(self._judges):
            if known is policy or known == policy:
                return number
        self._judges.append(policy)
        return len(self._judges) - 1

    def _layout(self, results: ResultColumns) -> _Layout:
        told = tuple(map(tuple, (results.metric, results.attribute, results.group, results.known)))
        if told not in self._layouts:
            keys = [results.key(place) for place in range(len(results))]
            known = np.array(results.known, bool)
            today, proposed = (
                known & np.array([metric in policy.bounded for metric in results.metric], bool)
                for policy in self._policies
            )
            places = {key: place for place, key in enumerate(keys)}
            self._layouts[told] = _Layout(keys, places, today, proposed, today | proposed)
        return self._layouts[told]

    def _numbers(self, layout: _Layout, window: str) -> Int32:
        """The numbers of the series that the judged results continue."""
        known = (id(layout), window)
        if known not in self._series:
            judged = np.flatnonzero(layout.either).tolist()
            self._series[known] = np.array([self._looks.number((*layout.keys[at], window)) for at in judged], np.int32)
        return self._series[known]
