"""Hiding groups that are too small to be shown, before a run is stored: the web side may read all that is stored."""

from __future__ import annotations

from collections.abc import Mapping, Set
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


def too_small(*, group: str | None, n: int | None, least_n: int | None) -> bool:
    """Whether a result rests on a group of fewer than ten events: its own, or one that it is compared with.

    `least_n` counts the events of the smallest group that the result rests on; 0 where it rests on none.
    """
    return _few(group, n) or 0 < (least_n or 0) < SMALLEST_SHOWN


def suppressed(document: Mapping[str, Any]) -> dict[str, Any]:
    """The document with every figure taken out that speaks of a too small group, or from which its own follows.

    A result that rests on such a group, aggregates included, becomes ``suppressed: true`` with its figures None; the
    group's label coverage and parity bounds go too. A bin of a reliability curve with fewer than ten events keeps its
    number and nothing else. Harmless when repeated.
    """
    small = {(each["attribute"], each["group"]) for each in document["results"] if _few(each["group"], each["n"])}
    # A bound on a ratio to a small group tells that group's rate.
    against_small = {
        (each["attribute"], each["group"])
        for each in document["results"]
        if each["group"] is not None and (each["attribute"], each["reference"]) in small
    }
    quality = {
        **document["quality"],
        "label_coverage_by_group": _without(document["quality"]["label_coverage_by_group"], small),
        "parity_bounds": _without(document["quality"]["parity_bounds"], small | against_small),
    }
    curves = {
        attribute: {group: [_bin(each) for each in bins] for group, bins in groups.items()}
        for attribute, groups in document["reliability"].items()
    }
    results = [_result(each) for each in document["results"]]
    return {**document, "results": results, "quality": quality, "reliability": curves}


def _without(table: Mapping[str, Mapping[str, Any]], hidden: Set[tuple[str, str]]) -> dict[str, dict[str, Any]]:
    return {
        attribute: {group: None if (attribute, group) in hidden else shown for group, shown in groups.items()}
        for attribute, groups in table.items()
    }


def _few(group: str | None, n: int | None) -> bool:
    return group is not None and (n is None or n < SMALLEST_SHOWN)


def _result(result: Mapping[str, Any]) -> dict[str, Any]:
    if result.get("suppressed") or too_small(group=result["group"], n=result["n"], least_n=result["least_n"]):
        return {**result, **dict.fromkeys(HIDDEN_FIELDS), "suppressed": True}
    return {**result, "suppressed": False}


def _bin(point: Mapping[str, Any]) -> dict[str, Any]:
    if point["n"] is not None and point["n"] >= SMALLEST_SHOWN:
        return dict(point)
    return {key: value if key == "bin" else None for key, value in point.items()}
