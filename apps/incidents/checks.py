"""What every verb asks of the texts, groups and categories that it is given."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from apps.common.errors import Refused
from apps.incidents.causes import CAUSES
from apps.registry.spec import ModelSpec

LONGEST_TITLE = 200
LONGEST_TEXT = 20_000


@dataclass(frozen=True, slots=True)
class Group:
    """A group that an incident concerns, and how many people, if somebody has counted them (and how)."""

    attribute: str
    group: str
    people: int | None = None
    source: str = ""


def check_text(field: str, text: str, *, longest: int = LONGEST_TEXT, missing: str = "") -> None:
    """Raises Refused for text that is too long, that PostgreSQL cannot store, or, with `missing`, that is empty."""
    if missing and not text.strip():
        raise Refused(field, missing)
    if len(text.strip()) > longest:
        raise Refused(field, f"It has {len(text.strip()):,} characters; at most {longest:,} fit.")
    if "\0" in text:
        raise Refused(field, "The character U+0000 is not allowed.")


def check_group(model: ModelSpec, given: Group, *, field: str) -> None:
    """Raises Refused for a group that the model's attributes do not have."""
    declared = {attribute.name: attribute.levels for attribute in model.attributes}
    names, levels = given.attribute.split("*"), given.group.split("*")
    if len(names) != len(levels) or not all(name in declared for name in names):
        raise Refused(field, f"{model.slug} has no attribute {given.attribute!r}.", code="unknown_attribute")
    for name, level in zip(names, levels, strict=True):
        if level not in declared[name]:
            raise Refused(field, f"The attribute {name!r} has no level {level!r}.", code="unknown_level")
    if given.people is not None and not 0 <= given.people <= 2_000_000_000:
        raise Refused(f"{field}.people", "This is no number of people.")


def check_causes(causes: Sequence[str]) -> None:
    """Raises Refused for a category that does not exist."""
    if unknown := [key for key in causes if key not in CAUSES]:
        raise Refused("causes", f"{unknown[0]!r} is none of {', '.join(CAUSES)}.")
