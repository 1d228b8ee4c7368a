"""The groups of a window as tables: how many events and people are in each, and which of them are hidden.

A cell of a table (a group of an attribute, or of attributes together) is hidden

- itself, if fewer than ten people are in it, nobody included;
- as a partner, because a hidden cell could otherwise be computed. The total of every line of a table (all groups of
  one attribute, the others fixed) is taken to be known. So the hidden cells of a line are at least two and hold at
  least twenty people together; the smallest shown ones are added until they do. The same holds for every line whose
  total is itself a hidden cell, or the total would follow from its parts.

This is complementary cell suppression by lines (Willenborg and de Waal 2001, "Elements of Statistical Disclosure
Control", ch. 7).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import combinations, pairwise

import numpy as np
import numpy.typing as npt

from apps.monitoring.cubes import WindowCube
from biasgov.fairness.cube import CubeSchema, OutcomeCube
from biasgov.fairness.evaluation import Plan
from biasgov.fairness.schema import TAIL

SMALLEST_SHOWN = 10
"""People in a group that is shown."""
SMALLEST_HIDDEN = 20
"""People that the hidden groups of a line hold together; with ten an attacker sometimes succeeds across lines."""

Flags = npt.NDArray[np.bool_]
Counts = npt.NDArray[np.int64]
Names = tuple[str, ...]

KNOWN: Flags = np.zeros((), bool)
"""The total of the only line of a table is known."""


@dataclass(slots=True)
class Table:
    """The groups of one window: by attributes in the schema's order, events, people and which of them are hidden."""

    schema: CubeSchema
    events: dict[Names, Counts]
    people: dict[Names, Counts]
    hidden: dict[Names, Flags]
    blind: set[str]

    @classmethod
    def of(cls, window: WindowCube, plan: Plan) -> Table:
        schema = window.cube.schema
        names = lattice(schema, plan)
        people = {each: window.people.least(each) for each in names}
        return cls(
            schema,
            events_by_group(window.cube, names),
            people,
            {each: people[each] < SMALLEST_SHOWN for each in names},
            set(),
        )

    @property
    def hidden_cells(self) -> int:
        return sum(int(hidden.sum()) for hidden in self.hidden.values())

    def complete(self) -> None:
        """Hide what would give a hidden cell away, attributes first and then what they are crossed to.

        Whose attribute is unknown belongs to no group: such cells are neither protected nor partners. Where no level is
        left to be a partner, not even the attribute's coverage is told.
        """
        for names, hidden in self.hidden.items():
            inside = known(names)
            people, events = self.people[names][inside], self.events[names][inside]
            hidden[inside] = completed(hidden[inside], people, events, totals(self.hidden, names))
            if len(names) == 1 and events.any() and open_lines(hidden[inside], people, axis=0, total_hidden=KNOWN):
                self.blind.update(names)
                hidden[-1] = True


def complete_together(tables: Sequence[Table]) -> None:
    """`Table.complete` for windows that end together, shortest first, until they agree.

    Where a group is hidden in one window and hardly differs from the next (by fewer than ten events), it is hidden
    there too: the one would be known within that difference from the other.
    """
    while True:
        before = sum(table.hidden_cells for table in tables)
        for shorter, longer in pairwise(tables):
            for names, hidden in shorter.hidden.items():
                near = longer.events[names] - shorter.events[names] < SMALLEST_SHOWN
                hidden |= longer.hidden[names] & near
                longer.hidden[names] |= hidden & near
        for table in tables:
            table.complete()
        if sum(table.hidden_cells for table in tables) == before:
            return


def completed(
    hidden: Flags, people: Counts, events: Counts, below: Sequence[Flags], free: Flags | None = None
) -> Flags:
    """Hidden cells and their partners.

    below: for each axis, which of the lines along it have a hidden total. free: what may become a partner, by default
    whatever is not hidden.
    """
    hidden = hidden.copy()
    free = np.ones_like(hidden) if free is None else free
    while True:
        before = int(hidden.sum())
        for axis, total_hidden in enumerate(below):
            left = free & ~hidden
            lacking = open_lines(hidden, people, axis=axis, total_hidden=total_hidden) & left.any(axis=axis)
            smallest = np.where(left, events, np.iinfo(np.int64).max).argmin(axis=axis, keepdims=True)
            partner = np.zeros_like(hidden)
            np.put_along_axis(partner, smallest, np.expand_dims(lacking, axis), axis)
            hidden |= partner
        if int(hidden.sum()) == before:
            return hidden


def open_lines(hidden: Flags, people: Counts, *, axis: int, total_hidden: Flags) -> Flags:
    """Which lines along an axis hide something that their total and their shown cells would give away."""
    cells = hidden.sum(axis=axis)
    held = np.where(hidden, people, 0).sum(axis=axis)
    return np.asarray(((cells > 0) | total_hidden) & ((cells < 2) | (held < SMALLEST_HIDDEN)))


def totals(hidden: dict[Names, Flags], names: Names) -> list[Flags]:
    """For each attribute of a table: which of the lines along it have a hidden total, by the table without it."""
    if len(names) == 1:
        return [KNOWN]
    inside = known(names[1:])
    return [hidden[names[:i] + names[i + 1 :]][inside] for i in range(len(names))]


def known(names: Names) -> tuple[slice, ...]:
    """The cells of a table whose attributes are all known."""
    return (slice(-1),) * len(names)


def lattice(schema: CubeSchema, plan: Plan) -> tuple[Names, ...]:
    """Every grouping and every part of one, fewest attributes first, names in the schema's order."""
    parts = {
        chosen
        for names in plan.groupings(schema)
        for size in range(1, len(names) + 1)
        for chosen in combinations(ordered(schema, names), size)
    }
    return tuple(sorted(parts, key=lambda names: (len(names), names)))


def ordered(schema: CubeSchema, names: Names) -> Names:
    return tuple(name for name in schema.names if name in names)


def events_by_group(cube: OutcomeCube, names: Sequence[Names]) -> dict[Names, Counts]:
    """Events of every group of the named tables."""
    schema = cube.schema
    n: Counts = cube.marginal(schema.names).n.sum(axis=tuple(range(-len(TAIL), 0)))
    return {each: n.sum(axis=tuple(i for i, name in enumerate(schema.names) if name not in each)) for each in names}
