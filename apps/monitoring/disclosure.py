"""What a run may tell: figures of groups of at least ten people, and none from which a smaller group's would follow.

The compute side takes everything else out before a run or a point is stored, and nothing but a run or a point leaves
it: the web side's database role can read no cube. So this is the one place where small groups are protected; every
page, export, alert and answer of the API shows what it let through.

Which groups are hidden: `tables` for the windows of one moment, `holding` beside what was told before.
docs/disclosure.md says what neither protects against.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from itertools import product
from typing import Any

import numpy as np

from apps.monitoring.cubes import WindowCube
from apps.monitoring.holding import Holding, nothing_held
from apps.monitoring.tables import (
    KNOWN,
    SMALLEST_SHOWN,
    Counts,
    Flags,
    Names,
    Table,
    complete_together,
    completed,
    known,
    ordered,
)
from biasgov.fairness.evaluation import Plan
from biasgov.fairness.schema import SEPARATOR

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
_SIDES = ("n_before", "n_after")


@dataclass(frozen=True, slots=True)
class Hidden:
    """What must not be told of one window.

    groups: (attribute, group) whose figures are hidden. attributes: those with a hidden group that has events, so that
    no figure about all of their groups is told. blind: attributes of which not even the coverage is told, only whether
    it is low. withheld: by attributes in the schema's order, row-major places of groups that are hidden only because of
    what was told before.
    """

    groups: frozenset[tuple[str, str]]
    attributes: frozenset[str]
    blind: frozenset[str]
    withheld: Mapping[str, list[int]]

    @classmethod
    def of(cls, table: Table, plan: Plan, alone: Mapping[Names, Flags]) -> Hidden:
        """alone: what is hidden whatever was told before."""
        groups: set[tuple[str, str]] = set()
        attributes: set[str] = set()
        for names in plan.groupings(table.schema):
            own = ordered(table.schema, names)
            attribute, hidden = SEPARATOR.join(names), table.hidden[own]
            turned = hidden.transpose([own.index(name) for name in names])
            labels = product(*(table.schema.axis(name).labels for name in names))
            groups.update(
                (attribute, SEPARATOR.join(levels))
                for levels, is_hidden in zip(labels, turned.ravel(), strict=True)
                if is_hidden
            )
            if (hidden & (table.events[own] > 0))[known(own)].any():
                attributes.add(attribute)
        held = {
            SEPARATOR.join(names): np.flatnonzero(hidden & ~alone[names]).tolist()
            for names, hidden in table.hidden.items()
            if (hidden & ~alone[names]).any()
        }
        return cls(frozenset(groups), frozenset(attributes), frozenset(table.blind), held)

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


def hidden_groups(windows: Mapping[str, WindowCube], plan: Plan, holding: Holding = nothing_held) -> dict[str, Hidden]:
    """What must not be told of each of the windows that end together, by window, shortest first.

    `holding` hides what would give hidden groups away beside other moments. Raises ValueError if a plan does not fit.
    """
    tables = {name: Table.of(window, plan) for name, window in windows.items()}
    complete_together(list(tables.values()))
    alone = {name: {names: hidden.copy() for names, hidden in each.hidden.items()} for name, each in tables.items()}
    while True:
        before = sum(table.hidden_cells for table in tables.values())
        holding(tables)
        complete_together(list(tables.values()))
        if sum(table.hidden_cells for table in tables.values()) == before:
            return {name: Hidden.of(table, plan, alone[name]) for name, table in tables.items()}


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
    levels = slice(-1)
    groups, totals = people_of_groups < SMALLEST_SHOWN, events.sum(axis=1)
    groups |= hidden
    groups[levels] = completed(groups[levels], people_of_groups[levels], totals[levels], [KNOWN])
    cells = (people < SMALLEST_SHOWN) | groups[:, None]
    kinds_known = np.zeros(people.shape[1], bool)
    cells[levels] = completed(cells[levels], people[levels], events[levels], [kinds_known, groups[levels]])
    return groups, cells


def disclosed(document: Mapping[str, Any], hidden: Hidden) -> dict[str, Any]:
    """A run's document with every hidden figure taken out. Harmless when repeated.

    A hidden result becomes ``suppressed: true`` with its figures None. The group's label coverage, parity bounds,
    reliability curve and changes go too, and changes that rest on fewer than ten events on a side. A bin of a curve
    with fewer than ten events keeps its number and nothing else, and where its content would follow from the others,
    so does the smallest of those.
    """
    quality = document["quality"]
    coverage = _covered(document["coverage"], hidden)
    told = {
        **document,
        "coverage": coverage,
        "unknown_by_decision": {
            name: dict.fromkeys(shares) if name in hidden.blind else shares
            for name, shares in document["unknown_by_decision"].items()
        },
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
        told["changes"] = [_change(each) for each in document["changes"] if not _rests_on_few(each, hidden)]
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


def _rests_on_few(change: Mapping[str, Any], hidden: Hidden) -> bool:
    sides = (change.get(side, SMALLEST_SHOWN) for side in _SIDES)
    return _speaks_of_hidden(change, hidden) or min(sides) < SMALLEST_SHOWN


def _change(change: Mapping[str, Any]) -> dict[str, Any]:
    """Without how many there were on either side: that would be two more windows, which nothing is held against."""
    return {name: value for name, value in change.items() if name not in _SIDES}


def _curve(bins: list[Mapping[str, Any]], *, whole: bool) -> list[dict[str, Any]]:
    sizes = np.array([each["n"] or 0 for each in bins], np.int64)
    small = sizes < SMALLEST_SHOWN
    hidden = completed(small, sizes, sizes, [KNOWN]) if small.any() and not whole else small | whole
    return [
        {key: value if key == "bin" else None for key, value in each.items()} if is_hidden else dict(each)
        for each, is_hidden in zip(bins, hidden, strict=True)
    ]
