"""Looking things up in a run document: its results by metric, attribute and group, and the one to speak of first."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from apps.dashboards.palette import UNKNOWN
from apps.dashboards.words import SEVERITY_ORDER
from apps.registry.spec import ModelSpec

Result = Mapping[str, Any]

TOO_SMALL = frozenset({"group_too_small", "reference_too_small", "cell_too_small", "below_minimum_share"})
_VERDICT_ORDER = {"breach": 0, "inconclusive": 1, "within": 2, "not_estimable": 4}
_SMALL = 3


@dataclass(frozen=True, slots=True)
class Reading:
    """A run document, indexed once."""

    document: Mapping[str, Any]
    index: Mapping[tuple[str, str, str | None], Result]

    @classmethod
    def of(cls, document: Mapping[str, Any]) -> Reading:
        index = {(each["metric"], each["attribute"], each["group"]): each for each in document["results"]}
        return cls(document, index)

    def result(self, metric: str, attribute: str, group: str | None = None) -> Result | None:
        """The result, or None if the run has none of that name."""
        return self.index.get((metric, attribute, group))

    def groups(self, metric: str, attribute: str) -> list[str]:
        """Groups that have a result for the metric, in the order of the document."""
        return [g for m, a, g in self.index if m == metric and a == attribute and g is not None]

    def unjudged(self, metric: str, attribute: str) -> list[str]:
        """Groups that are too small to be judged, suppressed ones included, in the order of the document."""
        return [
            group
            for (m, a, group), each in self.index.items()
            if m == metric and a == attribute and group is not None and (each.get("suppressed") or too_small(each))
        ]

    def worst(self, metric: str, attribute: str) -> Result | None:
        """What to speak of first: the severest breach, else the furthest from parity, groups too small last.

        The aggregate comes first where it is in breach although no single group is.
        """
        candidates = [
            each
            for (m, a, group), each in self.index.items()
            if m == metric
            and a == attribute
            and group is not None
            and each["value"] is not None
            and UNKNOWN not in group.split("*")
        ]
        worst = min(candidates, key=_badness, default=None)
        aggregate = self.result(metric, attribute)
        if worst is not None and (worst["verdict"] == "breach" or (aggregate or {}).get("verdict") != "breach"):
            return worst
        return aggregate or next(
            (each for (m, a, _), each in self.index.items() if m == metric and a == attribute), None
        )


def too_small(result: Result) -> bool:
    """Whether the group is too small to be judged either way, whatever its value."""
    return result.get("verdict") == "inconclusive" and result.get("reason") in TOO_SMALL


def judged_on(reading: Reading, result: Result) -> int:
    """Decisions that a result rests on: of the group and its reference, or of all groups for an aggregate."""
    own = result.get("n") or 0
    if result.get("group") is None or result.get("reference") is None:
        return own
    attribute, reference = result["attribute"], result["reference"]
    for metric in ("selection_rate", "base_rate"):
        other = reading.result(metric, attribute, reference)
        if other is not None:
            return own + (other["n"] or 0)
    return own


def reference_group(spec: ModelSpec, attribute: str) -> str:
    """The reference of an attribute, or the references of several joined by `*`."""
    references = {each.name: each.reference for each in spec.attributes}
    return "*".join(references[name] for name in attribute.split("*"))


def levels(spec: ModelSpec, attribute: str) -> tuple[str, ...]:
    """Declared levels of one attribute in their order, `unknown` last."""
    declared = next((each.levels for each in spec.attributes if each.name == attribute), ())
    return (*declared, UNKNOWN)


def in_order(spec: ModelSpec, attribute: str, groups: Sequence[str]) -> list[str]:
    """Groups with the reference first, then in declared order of every attribute, unknown last."""
    orders = [{level: place for place, level in enumerate(levels(spec, name))} for name in attribute.split("*")]
    reference = reference_group(spec, attribute)

    def place(group: str) -> tuple[bool, bool, list[int]]:
        parts = group.split("*")
        at = [order.get(part, len(order)) for order, part in zip(orders, parts, strict=True)]
        return group != reference, UNKNOWN in parts, at

    return sorted(groups, key=place)


def distance(result: Result) -> float:
    """How far a value lies from parity: |log| for ratios, the absolute value otherwise."""
    value = float(result["value"])
    if result["metric"].endswith("_ratio"):
        return abs(math.log(value)) if value > 0 else math.inf
    return abs(value)


def _badness(result: Result) -> tuple[int, int, float]:
    verdict = _SMALL if too_small(result) else _VERDICT_ORDER.get(result.get("verdict") or "", 2)
    return (
        verdict,
        SEVERITY_ORDER.get(result.get("severity") or "", 4),
        -distance(result),
    )
