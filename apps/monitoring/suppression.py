"""Hiding groups that are too small to be shown."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

SMALLEST_SHOWN = 10
HIDDEN_FIELDS = ("value", "interval", "n", "p_adjusted")


def too_small(result: Mapping[str, Any]) -> bool:
    """Whether a result speaks of a group of fewer than ten events."""
    return result["group"] is not None and (result["n"] is None or result["n"] < SMALLEST_SHOWN)


def suppressed(document: Mapping[str, Any]) -> dict[str, Any]:
    """The document with every too small group's figures taken out; nothing else changes.

    A result becomes ``suppressed: true`` with its value, interval, n and p-value None. A bin of a reliability curve
    with fewer than ten events loses its figures too.
    """
    results = [_hidden(r) if too_small(r) else {**r, "suppressed": False} for r in document["results"]]
    curves = {
        attribute: {group: [_hidden_bin(b) for b in bins] for group, bins in groups.items()}
        for attribute, groups in document.get("reliability", {}).items()
    }
    return {**document, "results": results, "reliability": curves}


def _hidden(result: Mapping[str, Any]) -> dict[str, Any]:
    return {**result, **dict.fromkeys(HIDDEN_FIELDS), "suppressed": True}


def _hidden_bin(curve_bin: Mapping[str, Any]) -> dict[str, Any]:
    n = curve_bin.get("n")
    if n is None or n >= SMALLEST_SHOWN:
        return dict(curve_bin)
    return {key: value if key == "bin" else None for key, value in curve_bin.items()}
