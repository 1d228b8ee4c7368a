"""Attribute schema versions: which attributes and levels all models together declared when people were checked."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass

from django.db import IntegrityError, transaction

from apps.audit import services as audit
from apps.common import clock
from apps.common.errors import Refused
from apps.registry import selectors as registry
from apps.vault.columns import Attributes
from apps.vault.models import AttributeSchema

Levels = Mapping[str, frozenset[str]]


@dataclass(frozen=True, slots=True)
class Schema:
    """A version, and the levels that each attribute may have under it."""

    version: int
    levels: Levels


def current_schema() -> Schema:
    """What the models declare now, as a version: the newest if nothing changed since, else the next, made now."""
    declared: dict[str, set[str]] = {}
    for spec in registry.all_specs():
        for attribute in spec.attributes:
            declared.setdefault(attribute.name, set()).update(attribute.levels)
    levels = {name: sorted(declared[name]) for name in sorted(declared)}
    while True:
        newest = AttributeSchema.objects.order_by("-version").first()
        if newest is not None and newest.levels == levels:
            return _schema(newest)
        version = newest.version + 1 if newest is not None else 1
        try:
            with transaction.atomic():
                made = AttributeSchema.objects.create(version=version, levels=levels, created_at=clock.now())
                audit.append(
                    actor="system:vault",
                    action="vault.schema_versioned",
                    subject=f"vault-schema:{version}",
                    detail={"attributes": {name: len(declared[name]) for name in levels}},
                )
                return _schema(made)
        except IntegrityError:
            # Somebody else made that version: look again.
            continue


def schema(version: int) -> Schema:
    """The version of that number; raises AttributeSchema.DoesNotExist."""
    return _schema(AttributeSchema.objects.get(pk=version))


def narrowed(whole: Schema, changeable: Collection[str] | None) -> Levels:
    """The attributes and levels that a sender who may change only some attributes can use; None: all of them."""
    return {name: levels for name, levels in whole.levels.items() if changeable is None or name in changeable}


def check_attributes(attributes: Attributes, levels: Levels, *, field: str) -> None:
    """Raises Refused, naming `field` and the attribute but never the level, for what is not declared."""
    for name, level in attributes.items():
        if name not in levels:
            yours = ", ".join(sorted(levels)) or "none"
            raise Refused(
                f"{field}.{name[:80]}",
                f"is declared by no model, or is not yours to change; yours are {yours}.",
                code="unknown_attribute",
            )
        if level not in levels[name]:
            # The level itself stays out of the message: it would travel into logs with the subject beside it.
            raise Refused(
                f"{field}.{name}",
                f"has a level that no model declares; declared are {', '.join(sorted(levels[name]))}.",
                code="unknown_level",
            )


def _schema(found: AttributeSchema) -> Schema:
    return Schema(found.version, {name: frozenset(levels) for name, levels in found.levels.items()})
