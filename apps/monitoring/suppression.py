"""Hiding groups that are too small to be shown."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

SMALLEST_SHOWN = 10
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


def too_small(result: Mapping[str, Any]) -> bool:
    """Whether a result speaks of a group of fewer than ten events."""
    return result["group"] is not None and (result["n"] is None or result["n"] < SMALLEST_SHOWN)


def suppressed(document: Mapping[str, Any]) -> dict[str, Any]:
    """The document with every too small group's figures taken out.

    A result of such a group becomes ``suppressed: true`` with its figures None; its label coverage and parity bounds
    go too. A bin of a reliability curve with fewer than ten events keeps its number and nothing else.
    """
    small = {(result["attribute"], result["group"]) for result in document["results"] if too_small(result)}
    results = [
        {**result, **dict.fromkeys(HIDDEN_FIELDS), "suppressed": True}
        if (result["attribute"], result["group"]) in small
        else {**result, "suppressed": False}
        for result in document["results"]
    ]
    quality = {
        **document["quality"],
        **{
            name: {
                attribute: {group: None if (attribute, group) in small else shown for group, shown in groups.items()}
                for attribute, groups in document["quality"][name].items()
            }
            for name in ("label_coverage_by_group", "parity_bounds")
        },
    }
    curves = {
        attribute: {group: [_bin(each) for each in bins] for group, bins in groups.items()}
        for attribute, groups in document["reliability"].items()
    }
    return {**document, "results": results, "quality": quality, "reliability": curves}


def _bin(point: Mapping[str, Any]) -> dict[str, Any]:
    if point["n"] >= SMALLEST_SHOWN:
        return dict(point)
    return {key: value if key == "bin" else None for key, value in point.items()}
