"""What a model's windows may be compared with: declared shares of groups and scores, checked when they are declared."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from itertools import product
from typing import Any

from apps.common.errors import Refused
from apps.registry.spec import AttributeSpec
from biasgov.fairness.schema import SCORE_BINS, SEPARATOR

ROUNDING = 0.02
"""How far declared shares may add up to something else than 1: they are rounded figures out of reports."""

EVERYBODY = "*"
"""Where scores are declared for everybody and not by an attribute."""

Shares = dict[str, dict[str, float]]
Bins = dict[str, dict[str, list[float]]]


def check_shares(declared: Any, attributes: Sequence[AttributeSpec], *, field: str) -> Shares:
    """{attribute, or names joined by `*`: {level: share}} as declared, every group that is left out at 0.

    Raises Refused naming the place: not such a mapping, an attribute or a level that the model does not declare, a
    share that is no number from 0 to 1, shares that do not add up to 1 (give or take 0.02).
    """
    return {
        name: _checked(shares, _groups(name, attributes, f"{field}.{name}"), f"{field}.{name}")
        for name, shares in _mapping(declared, field).items()
    }


def check_score_bins(declared: Any, attributes: Sequence[AttributeSpec], *, field: str) -> Bins:
    """{attribute: {level: 20 shares}} as declared; `*`, or 20 shares alone, are those of everybody.

    Raises Refused naming the place.
    """
    if isinstance(declared, list):
        declared = {EVERYBODY: declared}
    found: Bins = {}
    for name, given in _mapping(declared, field).items():
        here = f"{field}.{name}"
        if name == EVERYBODY:
            found[EVERYBODY] = {EVERYBODY: _bins(given, here)}
            continue
        levels = _groups(name, attributes, here)
        if SEPARATOR in name:
            raise Refused(here, "Scores are declared by single attributes.")
        _known(_mapping(given, here), levels, here)
        found[name] = {level: _bins(bins, f"{here}.{level}") for level, bins in given.items()}
    return found


def _groups(name: str, attributes: Sequence[AttributeSpec], field: str) -> list[str]:
    levels = {attribute.name: attribute.levels for attribute in attributes}
    parts = name.split(SEPARATOR)
    order = [part for part in levels if part in parts]
    if parts != order:
        raise Refused(field, f"{name[:80]!r} is none of {', '.join(levels)}, alone or joined by '*' in this order.")
    return [SEPARATOR.join(codes) for codes in product(*(levels[part] for part in parts))]


def _checked(shares: Any, groups: Sequence[str], field: str) -> dict[str, float]:
    given = _mapping(shares, field)
    _known(given, groups, field)
    values = _adding_up([given.get(group, 0.0) for group in groups], field)
    return dict(zip(groups, values, strict=True))


def _bins(given: Any, field: str) -> list[float]:
    if not isinstance(given, list) or len(given) != SCORE_BINS:
        raise Refused(field, f"This must be a list of {SCORE_BINS} shares, one for every score bin.")
    return _adding_up(given, field)


def _adding_up(values: Sequence[Any], field: str) -> list[float]:
    for value in values:
        if isinstance(value, bool) or not isinstance(value, int | float) or not 0 <= value <= 1:
            raise Refused(field, "Every share must be a number from 0 to 1.")
    if abs(math.fsum(values) - 1) > ROUNDING:
        raise Refused(field, f"The shares add up to {math.fsum(values):.4g} and not to 1.")
    return [float(value) for value in values]


def _mapping(given: Any, field: str) -> Mapping[str, Any]:
    if not isinstance(given, Mapping):
        raise Refused(field, "This must be an object.")
    return given


def _known(given: Mapping[str, Any], groups: Sequence[str], field: str) -> None:
    for name in given:
        if name not in groups:
            raise Refused(field, f"{name[:80]!r} is not one of the declared levels.")
