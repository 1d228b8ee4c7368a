"""What is told later or not at all, because it would give a hidden group away beside what was told before.

A hidden group of a window lies between two moments. If windows that were told begin or end at both, whatever they are
compared with gives the group away to the last event. So around one of the two, ten people of the group must have been
decided about between the told edges on either side: `Holder` refuses an edge that would cut such a gap shorter. Where
it refuses one, the groups that are refused with it have partners, as small groups have (`tables.completed`).

A group that is large enough in all three windows was never hidden, has no such gap, and is told as before. Where an
early window of a few hours tells its breach, it begins and ends at told edges like any other. What it hides makes no
hidden edge: nearly every group is small for three hours, and would lose the figures of its day.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import datetime
from functools import cache
from typing import Protocol

import numpy as np

from apps.monitoring.cubes import Counted
from apps.monitoring.ledger import Ledger
from apps.monitoring.tables import (
    SMALLEST_HIDDEN,
    SMALLEST_SHOWN,
    Counts,
    Flags,
    Names,
    Table,
    completed,
    events_by_group,
    known,
    totals,
)
from apps.monitoring.windows import EARLY, LENGTHS, LONGEST
from biasgov.fairness.schema import SEPARATOR

Withheld = Mapping[str, Mapping[str, list[int]]]
"""Window -> attributes -> row-major places of groups that are hidden because of what was told before."""


class Holding(Protocol):
    """Hides further groups in the tables of windows that end together, by window, in place."""

    def __call__(self, tables: Mapping[str, Table]) -> None: ...


def nothing_held(tables: Mapping[str, Table]) -> None:
    """For data that are public anyway: only what one moment tells is looked at."""


class Again:
    """Hides what a run says was withheld when it was stored, so that it can be recomputed."""

    def __init__(self, withheld: Withheld) -> None:
        self._withheld = withheld

    def __call__(self, tables: Mapping[str, Table]) -> None:
        for window in self._withheld.keys() & tables.keys():
            for names, places in self._withheld[window].items():
                tables[window].hidden[tuple(names.split(SEPARATOR))].reshape(-1)[places] = True


class Holder:
    """Holds back what the ledger forbids of the windows that end at `moment`.

    between: what was counted from one moment up to another.
    """

    def __init__(self, ledger: Ledger, moment: datetime, between: Callable[[datetime, datetime], Counted]) -> None:
        self._starts = {window: moment - length for window, length in (EARLY | LENGTHS).items()}
        self._moment, self._before = moment, ledger.opened([moment, *self._starts.values()])
        self._between = cache(between)
        self.after = self._before

    @property
    def moments(self) -> list[datetime]:
        """The rows that `after`, the ledger once the windows are told, has more or other than before."""
        return sorted({self._moment, *self._starts.values()})

    def __call__(self, tables: Mapping[str, Table]) -> None:
        self.after = self._before.opened([])
        for names in next(iter(tables.values())).hidden:
            flags = {window: table.hidden[names] for window, table in tables.items()}
            self._mark_hidden(flags, names)
            self._tell(self._moment, ~np.logical_and.reduce(list(flags.values())), names)
            for window, hidden in flags.items():
                hidden |= self._untold(self._moment, names)
                self._tell(self._starts[window], ~hidden, names)
                hidden |= self._untold(self._starts[window], names)
            self._mark_hidden(flags, names)
        self._mark_sums()

    def _mark_sums(self) -> None:
        """A group is told too where all of its parts by another attribute are."""
        for names in reversed(tuple(self.after.shape.shapes)):
            for axis, total in enumerate(_below(names)):
                for moment in self.moments:
                    parts = self._row(self.after.told, moment, names)[known(names)].all(axis=axis)
                    self._row(self.after.told, moment, total)[known(total)] |= parts

    def _row(self, flags: np.ndarray, moment: datetime, names: Names) -> Flags:
        """A table's flags at a moment; a view where it is written to by index."""
        shape = self.after.shape
        row: Flags = flags[self.after.at.index(moment), shape.slices[names]]
        return row.reshape(shape.shapes[names])

    def _mark_hidden(self, flags: Mapping[str, Flags], names: Names) -> None:
        for window, hidden in flags.items():
            for moment in (self._moment, self._starts[window]) if window in LENGTHS else ():
                self._row(self.after.hidden, moment, names)[...] |= _of_groups(names, hidden)

    def _untold(self, moment: datetime, names: Names) -> Flags:
        return _of_groups(names, ~self._row(self.after.told, moment, names))

    def _tell(self, moment: datetime, wanted: Flags, names: Names) -> None:
        """Make the moment a told edge of the wanted groups, but for those that must not have it, and their partners."""
        ledger, part = self.after, self.after.shape.slices[names]
        told, hidden = ledger.told[:, part], ledger.hidden[:, part] & ~ledger.told[:, part]
        place = ledger.at.index(moment)
        fresh = _of_groups(names, wanted).ravel() & ~told[place]
        if not fresh.any():
            return
        earlier, later = _next_told(told, place)
        sides = (earlier, _any_before(hidden, place, earlier)), (later, _any_after(hidden, place, later))
        for other, at_risk in sides:
            here = fresh & at_risk
            for edge in np.unique(other[here]):
                few = self._few(moment, edge, names).ravel()
                fresh &= ~((other == edge) & at_risk & few)
        told[place] |= fresh
        if any(self._untold(moment, each).any() for each in {names, *_below(names)}):
            partners = self._partners(moment, fresh, (earlier, later), names)
            told[place] &= ~(fresh & partners.ravel())

    def _span(self, moment: datetime, edge: int) -> Counted:
        """What was counted between a moment and an edge; before the first edge there was nothing that matters."""
        other = self.after.at[edge] if edge >= 0 else moment - LONGEST
        return self._between(min(moment, other), max(moment, other))

    def _few(self, moment: datetime, edge: int, names: Names) -> Flags:
        """Of which groups too few people came in between; that nobody at all came is no secret."""
        counted = self._span(moment, edge)
        people = counted.people.least(names)
        return (people < SMALLEST_SHOWN) & (counted.cube.total > 0)

    def _partners(self, moment: datetime, fresh: Flags, around: tuple[Counts, Counts], names: Names) -> Flags:
        """Those for which the moment is no told edge, with partners of `fresh`: by who came on either side of it."""
        shape, inside, untold = self.after.shape.shapes[names], known(names), self._untold(moment, names)
        below = totals({each: self._untold(moment, each) for each in _below(names)}, names)
        for side in around:
            people, events = np.full(shape, SMALLEST_HIDDEN), np.zeros(shape, np.int64)
            for edge in np.unique(side[side < len(self.after.at)]):
                here = (side == edge).reshape(shape)
                counted = self._span(moment, edge)
                people[here] = counted.people.least(names)[here]
                events[here] = events_by_group(counted.cube, [names])[names][here]
            free = fresh.reshape(shape)[inside]
            untold[inside] = completed(untold[inside], people[inside], events[inside], below, free)
        return untold


def _next_told(told: Flags, place: int) -> tuple[Counts, Counts]:
    """Each group's next told edge on either side of a place: -1 for none before, the number of edges for none after."""
    behind, ahead = told[:place][::-1], told[place + 1 :]
    nothing, end = np.full(told.shape[1], -1), np.full(told.shape[1], len(told))
    earlier = np.where(behind.any(axis=0), place - 1 - behind.argmax(axis=0), nothing) if len(behind) else nothing
    later = np.where(ahead.any(axis=0), place + 1 + ahead.argmax(axis=0), end) if len(ahead) else end
    return earlier, later


def _any_before(hidden: Flags, place: int, edge: Counts) -> Flags:
    """Whether a group has a hidden edge after `edge`, up to and at `place`."""
    rows = np.arange(len(hidden))[:, None]
    return np.asarray((hidden & (rows > edge) & (rows <= place)).any(axis=0))


def _any_after(hidden: Flags, place: int, edge: Counts) -> Flags:
    """Whether a group has a hidden edge from `place` on, before `edge`, beyond which something is told."""
    rows = np.arange(len(hidden))[:, None]
    return np.asarray((hidden & (rows >= place) & (rows < edge)).any(axis=0) & (edge < len(hidden)))


def _below(names: Names) -> list[Names]:
    """The tables that a table's lines add up to, by the attribute that they leave out."""
    return [names[:i] + names[i + 1 :] for i in range(len(names))] if len(names) > 1 else []


def _of_groups(names: Names, flags: Flags) -> Flags:
    """Only cells whose attributes are all known: those of unknown belong to no group."""
    only = np.zeros(flags.shape, bool)
    only[known(names)] = flags[known(names)]
    return only
