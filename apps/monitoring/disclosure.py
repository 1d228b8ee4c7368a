"""What a run may tell: figures of groups of at least ten people, and none from which a smaller group's would follow.

The compute side takes everything else out before a run or a point is stored, and nothing but a run or a point leaves
it: the web side's database role can read no cube. So this module is the one place where small groups are protected.

A cell of a table (a group of an attribute, or of attributes together) is hidden

- itself, if fewer than ten people are in it, nobody included;
- as a partner, because a hidden cell could otherwise be computed. The total of every line of a table (all groups of
  one attribute, the others fixed) is taken to be known. So the hidden cells of a line are at least two and hold at
  least twenty people together; the smallest shown ones are added until they do. The same holds for every line whose
  total is itself a hidden cell, or the total would follow from its parts.

This is complementary cell suppression by lines (Willenborg and de Waal 2001, "Elements of Statistical Disclosure
Control", ch. 7); docs/disclosure.md says what it does not protect against.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from itertools import combinations, pairwise, product
from typing import Any

import numpy as np
import numpy.typing as npt

from apps.monitoring.cubes import WindowCube
from biasgov.fairness.cube import CubeSchema
from biasgov.fairness.evaluation import Plan
from biasgov.fairness.schema import SEPARATOR, TAIL

SMALLEST_SHOWN = 10
"""People in a group that is shown."""
SMALLEST_HIDDEN = 20
"""People that the hidden groups of a line hold together; with ten an attacker sometimes succeeds across lines."""

HIDDEN_FIELDS = (
    "value",
    "interval",
    "n",
    "share",
    "numerator",
    "denominator",
    "reference_numerator",
    "reference_denominator",
    "p",
    "p_adjusted",
    "least_n",
    "least_cell",
    "details",
)

Flags = npt.NDArray[np.bool_]
Counts = npt.NDArray[np.int64]
Names = tuple[str, ...]

_KNOWN: Flags = np.zeros((), bool)
"""The total of the only line of a table is known."""


@dataclass(frozen=True, slots=True)
class Hidden:
    """What must not be told of one window.

    groups: (attribute, group) whose figures are hidden. attributes: those with a hidden group that has events, so that
    no figure about all of their groups is told. blind: attributes of which not even the coverage is told, only whether
    it is low.
    """

    groups: frozenset[tuple[str, str]]
    attributes: frozenset[str]
    blind: frozenset[str]

    def hides(self, *, attribute: str, group: str | None, reference: str | None, least_n: int | None) -> bool:
        """Whether a figure of a group, beside its reference if it has one, or of all groups (None) is hidden.

        `least_n`: events of the smallest group that it rests on, 0 for none; never told below ten either, so that
        figures that rest on a sample of the events follow the same rule.
        """
        if 0 < (least_n or 0) < SMALLEST_SHOWN:
            return True
        if group is None:
            return attribute in self.attributes
        return (attribute, group) in self.groups or (attribute, reference) in self.groups


def hidden_groups(windows: Mapping[str, WindowCube], plan: Plan) -> dict[str, Hidden]:
    """What must not be told of each of the windows that end together. Raises ValueError if a plan does not fit.

    Where a group is hidden in one window and hardly differs from the next (by fewer than ten events), it is hidden
    there too: the one would be known within that difference from the other.
    """
    tables = [_Table.of(window, plan) for window in windows.values()]
    while True:
        before = sum(table.hidden_cells for table in tables)
        for shorter, longer in pairwise(tables):
            _align(shorter, longer)
        for table in tables:
            table.complete()
        if sum(table.hidden_cells for table in tables) == before:
            return {name: table.described(plan) for name, table in zip(windows, tables, strict=True)}


def hidden_of_table(*, people_of_groups: Counts, people: Counts, events: Counts, hidden: Flags) -> tuple[Flags, Flags]:
    """What must not be told of a table of groups by kinds, whose totals over all groups are known for every kind.

    Parameters
    ----------
    people_of_groups, people
        Different people in each group, shape (levels + 1,), and of each kind, shape (levels + 1, kinds); the last level
        is unknown, which is neither protected nor a partner.
    events
        Events, in the shape of `people`.
    hidden
        Groups that are hidden already, shape (levels + 1,).

    Returns
    -------
    The hidden groups and the hidden cells, in the shapes of `people_of_groups` and `people`.
    """
    known = slice(-1)
    groups, totals = people_of_groups < SMALLEST_SHOWN, events.sum(axis=1)
    groups |= hidden
    groups[known] = _completed(groups[known], people_of_groups[known], totals[known], [_KNOWN])
    cells = (people < SMALLEST_SHOWN) | groups[:, None]
    kinds_known = np.zeros(people.shape[1], bool)
    cells[known] = _completed(cells[known], people[known], events[known], [kinds_known, groups[known]])
    return groups, cells


def disclosed(document: Mapping[str, Any], hidden: Hidden) -> dict[str, Any]:
    """A run's document with every hidden figure taken out. Harmless when repeated.

    A hidden result becomes ``suppressed: true`` with its figures None. The group's label coverage, parity bounds,
    reliability curve and changes go too. A bin of a curve with fewer than ten events keeps its number and nothing
    else, and where its content would follow from the others, so does the smallest of those.
    """
    quality = document["quality"]
    coverage = _covered(document["coverage"], hidden)
    told = {
        **document,
        "coverage": coverage,
        "quality": {
            **quality,
            "coverage": _covered(quality["coverage"], hidden),
            "label_coverage_by_group": _without(quality["label_coverage_by_group"], hidden.groups),
            "parity_bounds": _without(quality["parity_bounds"], hidden.groups | _beside_hidden(document, hidden)),
        },
        "results": [disclosed_result(each, hidden) for each in document["results"]],
        "reliability": {
            attribute: {
                group: _curve(bins, whole=(attribute, group) in hidden.groups) for group, bins in groups.items()
            }
            for attribute, groups in document["reliability"].items()
        },
    }
    if "changes" in document:
        told["changes"] = [each for each in document["changes"] if not _speaks_of_hidden(each, hidden)]
    if "family" in document:
        family = document["family"]
        results = [each for each in family["results"] if not _speaks_of_hidden(each, hidden)]
        told["family"] = {**family, "results": results}
    return told


def disclosed_result(result: Mapping[str, Any], hidden: Hidden) -> dict[str, Any]:
    """A result with its figures taken out if they are hidden; `suppressed` says whether they were."""
    is_hidden = result.get("suppressed") or hidden.hides(
        attribute=result["attribute"],
        group=result["group"],
        reference=result["reference"],
        least_n=result["least_n"],
    )
    return {**result, **(dict.fromkeys(HIDDEN_FIELDS) if is_hidden else {}), "suppressed": bool(is_hidden)}


@dataclass(slots=True)
class _Table:
    """The groups of one window: by attributes in the schema's order, events, people and which of them are hidden."""

    schema: CubeSchema
    events: dict[Names, Counts]
    people: dict[Names, Counts]
    hidden: dict[Names, Flags]
    blind: set[str]

    @classmethod
    def of(cls, window: WindowCube, plan: Plan) -> _Table:
        schema = window.cube.schema
        n: Counts = window.cube.marginal(schema.names).n.sum(axis=tuple(range(-len(TAIL), 0)))
        names = tuple(_lattice(schema, plan.groupings(schema)))
        others = {each: tuple(i for i, name in enumerate(schema.names) if name not in each) for each in names}
        people = {each: window.people.least(each) for each in names}
        return cls(
            schema,
            {each: n.sum(axis=others[each]) for each in names},
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
            known = (slice(-1),) * len(names)
            below = (
                [self.hidden[names[:i] + names[i + 1 :]][known[1:]] for i in range(len(names))]
                if len(names) > 1
                else [_KNOWN]
            )
            people, events = self.people[names][known], self.events[names][known]
            hidden[known] = _completed(hidden[known], people, events, below)
            if len(names) == 1 and events.any() and _open(hidden[known], people, axis=0, total_hidden=_KNOWN):
                self.blind.update(names)
                hidden[-1] = True

    def described(self, plan: Plan) -> Hidden:
        groups: set[tuple[str, str]] = set()
        attributes: set[str] = set()
        for names in plan.groupings(self.schema):
            ordered = _ordered(self.schema, names)
            attribute, hidden = SEPARATOR.join(names), self.hidden[ordered]
            turned = hidden.transpose([ordered.index(name) for name in names])
            labels = product(*(self.schema.axis(name).labels for name in names))
            groups.update(
                (attribute, SEPARATOR.join(levels))
                for levels, is_hidden in zip(labels, turned.ravel(), strict=True)
                if is_hidden
            )
            known = (slice(-1),) * len(names)
            if (hidden & (self.events[ordered] > 0))[known].any():
                attributes.add(attribute)
        return Hidden(frozenset(groups), frozenset(attributes), frozenset(self.blind))


def _align(shorter: _Table, longer: _Table) -> None:
    for names, hidden in shorter.hidden.items():
        near = longer.events[names] - shorter.events[names] < SMALLEST_SHOWN
        hidden |= longer.hidden[names] & near
        longer.hidden[names] |= hidden & near


def _completed(hidden: Flags, people: Counts, events: Counts, totals: list[Flags]) -> Flags:
    """Hidden cells and their partners. totals: for each axis, which of the lines along it have a hidden total."""
    hidden = hidden.copy()
    while True:
        before = int(hidden.sum())
        for axis, total_hidden in enumerate(totals):
            lacking = _open(hidden, people, axis=axis, total_hidden=total_hidden) & ~hidden.all(axis=axis)
            smallest = np.where(hidden, np.iinfo(np.int64).max, events).argmin(axis=axis, keepdims=True)
            partner = np.zeros_like(hidden)
            np.put_along_axis(partner, smallest, np.expand_dims(lacking, axis), axis)
            hidden |= partner
        if int(hidden.sum()) == before:
            return hidden


def _open(hidden: Flags, people: Counts, *, axis: int, total_hidden: Flags) -> Flags:
    """Which lines along an axis hide something that their total and their shown cells would give away."""
    cells = hidden.sum(axis=axis)
    held = np.where(hidden, people, 0).sum(axis=axis)
    return np.asarray(((cells > 0) | total_hidden) & ((cells < 2) | (held < SMALLEST_HIDDEN)))


def _lattice(schema: CubeSchema, groupings: tuple[Names, ...]) -> Iterator[Names]:
    """Every grouping and every part of one, fewest attributes first, names in the schema's order."""
    parts = {
        chosen
        for names in groupings
        for size in range(1, len(names) + 1)
        for chosen in combinations(_ordered(schema, names), size)
    }
    yield from sorted(parts, key=lambda names: (len(names), names))


def _ordered(schema: CubeSchema, names: Names) -> Names:
    return tuple(name for name in schema.names if name in names)


def _covered(coverage: Mapping[str, float | None], hidden: Hidden) -> dict[str, float | None]:
    """Coverage where it gives nothing away: of several attributes together it is one more sum over their cells."""
    return {
        name: None if name in hidden.blind or (SEPARATOR in name and name in hidden.attributes) else share
        for name, share in coverage.items()
    }


def _without(table: Mapping[str, Mapping[str, Any]], groups: frozenset[tuple[str, str]]) -> dict[str, dict[str, Any]]:
    return {
        attribute: {group: None if (attribute, group) in groups else shown for group, shown in members.items()}
        for attribute, members in table.items()
    }


def _beside_hidden(document: Mapping[str, Any], hidden: Hidden) -> frozenset[tuple[str, str]]:
    """Groups whose reference is hidden: a bound on a ratio to it tells its rate."""
    return frozenset(
        (each["attribute"], each["group"])
        for each in document["results"]
        if each["group"] is not None and (each["attribute"], each["reference"]) in hidden.groups
    )


def _speaks_of_hidden(each: Mapping[str, Any], hidden: Hidden) -> bool:
    return hidden.hides(attribute=each["attribute"], group=each["group"], reference=each["reference"], least_n=None)


def _curve(bins: list[Mapping[str, Any]], *, whole: bool) -> list[dict[str, Any]]:
    sizes = np.array([each["n"] or 0 for each in bins], np.int64)
    small = sizes < SMALLEST_SHOWN
    hidden = _completed(small, sizes, sizes, [_KNOWN]) if small.any() and not whole else small | whole
    return [
        {key: value if key == "bin" else None for key, value in each.items()} if is_hidden else dict(each)
        for each, is_hidden in zip(bins, hidden, strict=True)
    ]
