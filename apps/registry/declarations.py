"""The rules a model's declaration must keep, each refused with the field's name."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass

from apps.common.errors import Refused
from apps.registry.models import MonitoredModel
from apps.registry.spec import AttributeSpec, Words, cube_schema
from biasgov.fairness.policy import PRESETS
from biasgov.fairness.schema import MAXIMUM_LEVELS, SEPARATOR, UNKNOWN

INDUSTRIES = (*sorted(PRESETS), "other")
RISK_LEVELS = tuple(MonitoredModel.Risk.values)
SLUG = re.compile(r"[a-z0-9](?:[a-z0-9-]{0,62}[a-z0-9])?")
ATTRIBUTE_NAME = re.compile(r"[A-Za-z][A-Za-z0-9_ -]{0,39}")
VERSION = re.compile(r"[A-Za-z0-9][A-Za-z0-9._+-]{0,99}")
LEVEL_LENGTH = 80
FEATURES_AT_MOST = 64
FEATURE_LENGTH = 100
CONTROL = re.compile(r"[\x00-\x1f\x7f-\x9f]")

EVENT_FIELDS = frozenset(
    {"event_id", "subject_id", "occurred_at", "version", "decision", "score", "label", "features", "override"}
)
"""An attribute may not bear the name of an event's field: it could not be told apart at the door."""

DEFAULT_WORDS = Words(("unfavourable", "favourable"), ("negative", "positive"))


@dataclass(frozen=True, slots=True)
class AttributeDeclaration:
    """A protected attribute as its owner declares it; `pairs` names the attributes it is also crossed with."""

    name: str
    levels: tuple[str, ...]
    reference: str
    pairs: tuple[str, ...] = ()


def check_attributes(
    declared: Sequence[AttributeDeclaration], *, field: str = "protected_attributes"
) -> tuple[AttributeSpec, ...]:
    """The declarations as specs, in their order. Raises Refused naming the first field that breaks a rule."""
    if not declared:
        raise Refused(field, "A model needs at least one protected attribute.")
    names = [attribute.name for attribute in declared]
    for index, attribute in enumerate(declared):
        here = f"{field}[{index}]"
        _check_name(attribute.name, names, f"{here}.name")
        _check_levels(attribute.levels, f"{here}.levels")
        if attribute.reference not in attribute.levels:
            raise Refused(f"{here}.reference", f"{attribute.reference!r} is not one of the declared levels.")
        for partner in attribute.pairs:
            if partner not in names or partner == attribute.name:
                raise Refused(f"{here}.pairs", f"{partner!r} is not another declared attribute of this model.")
    specs = tuple(AttributeSpec(each.name, tuple(each.levels), each.reference) for each in declared)
    try:
        cube_schema(specs)
    except ValueError as error:
        raise Refused(field, f"{error}.", code="too_large") from None
    return specs


def _check_name(name: str, names: Sequence[str], field: str) -> None:
    if not ATTRIBUTE_NAME.fullmatch(name):
        raise Refused(
            field, f"{name!r} must start with a letter and hold up to 40 letters, digits, blanks, '-' and '_'."
        )
    if name.casefold() in EVENT_FIELDS:
        raise Refused(field, f"{name!r} is the name of an event's field.", code="reserved")
    if [other.casefold() for other in names].count(name.casefold()) > 1:
        raise Refused(field, f"{name!r} is declared twice.", code="duplicate")


def _check_levels(levels: Sequence[str], field: str) -> None:
    if not 1 <= len(levels) <= MAXIMUM_LEVELS:
        raise Refused(field, f"There must be 1 to {MAXIMUM_LEVELS} levels, not {len(levels)}.")
    for level in levels:
        if not level.strip() or len(level) > LEVEL_LENGTH or SEPARATOR in level or CONTROL.search(level):
            raise Refused(
                field,
                f"{level!r} must be 1 to {LEVEL_LENGTH} characters, without control characters and '{SEPARATOR}'.",
            )
        if level == UNKNOWN:
            raise Refused(field, f"{UNKNOWN!r} always exists and must not be declared.", code="reserved")
    if len(set(levels)) != len(levels):
        raise Refused(field, "A level is declared twice.", code="duplicate")


def pairs_of(declared: Sequence[AttributeDeclaration]) -> tuple[tuple[str, str], ...]:
    """Every declared pair once, in the order of the attributes."""
    order = {attribute.name: index for index, attribute in enumerate(declared)}
    found = {
        tuple(sorted((attribute.name, partner), key=order.__getitem__))
        for attribute in declared
        for partner in attribute.pairs
    }
    return tuple((one, two) for one, two in sorted(found, key=lambda pair: (order[pair[0]], order[pair[1]])))


def check_segment(segment: str, declared: Sequence[AttributeDeclaration]) -> str:
    """The declared attribute by which changes are explained, or "" for none. Raises Refused."""
    names = [attribute.name for attribute in declared]
    if segment and segment not in names:
        raise Refused("segment", f"{segment!r} is none of this model's attributes {', '.join(names)}.")
    return segment


def check_features(features: Sequence[str], declared: Sequence[AttributeDeclaration]) -> tuple[str, ...]:
    """The names of the features by which people are alike or not, as declared. Raises Refused."""
    if len(features) > FEATURES_AT_MOST or len(set(features)) != len(features):
        raise Refused("features", f"There may be up to {FEATURES_AT_MOST} features, none of them named twice.")
    protected = {attribute.name.casefold() for attribute in declared}
    for index, name in enumerate(features):
        check_text(name, f"features[{index}]", longest=FEATURE_LENGTH)
        if name.strip().casefold() in protected:
            raise Refused(f"features[{index}]", f"{name!r} is a protected attribute and no feature.", code="reserved")
    return tuple(features)


def check_text(value: str, field: str, *, longest: int) -> str:
    """`value` without surrounding blanks; refused when empty, too long or with control characters."""
    text = value.strip()
    if not text or len(text) > longest or re.search(r"[\x00-\x08\x0b\x0c\x0e-\x1f\x7f]", text):
        raise Refused(field, f"There must be 1 to {longest} characters and no control characters.")
    return text
