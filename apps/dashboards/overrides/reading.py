"""How often people override a model's decisions, by group and why: the sentence, the tables, the register."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from apps.common.wording import capitalised, group_phrase
from apps.dashboards.tables import Table, table
from apps.dashboards.words import attribute_name, group_name, interval, percent
from apps.monitoring import selectors as monitoring
from apps.overrides import selectors
from apps.overrides.categories import CATEGORIES
from apps.overrides.selectors import OverrideRow
from apps.registry.spec import ModelSpec

SHOWN_AT_ONCE = 50
EXPORTED_AT_ONCE = 500
HIDDEN = "suppressed"
COLUMNS = ("override", "event", "model decided", "person decided", "category", "reason", "by", "decided", "overridden")


@dataclass(frozen=True, slots=True)
class GroupLine:
    """A group's rate with its interval in words; a part is `HIDDEN` or a dash where there is nothing to tell.

    hidden: nothing of the group is told.
    """

    name: str
    reference: bool
    hidden: bool
    decisions: str
    overrides: str
    rate: str
    interval: str
    in_favour: str
    against: str


@dataclass(frozen=True, slots=True)
class Attribute:
    name: str
    lines: tuple[GroupLine, ...]


@dataclass(frozen=True, slots=True)
class Rates:
    """What was counted, in the period that ended at `as_of`; `say` is the sentence that a reader needs first."""

    say: str
    as_of: datetime
    from_at: datetime
    digest: str
    attributes: tuple[Attribute, ...]


@dataclass(frozen=True, slots=True)
class Line:
    row: OverrideRow
    model_decided: str
    person_decided: str
    category: str


def rates_of(spec: ModelSpec) -> Rates | None:
    """The newest rates, None before the first were counted."""
    found = monitoring.override_rates(spec.id)
    if found is None:
        return None
    return Rates(
        say=say(spec, found),
        as_of=datetime.fromisoformat(found["as_of"]),
        from_at=datetime.fromisoformat(found["from"]),
        digest=found["digest"],
        attributes=tuple(
            Attribute(attribute_name(name), tuple(_line(spec, name, each) for each in found["attributes"][name]))
            for name in spec.attribute_names
            if name in found["attributes"]
        ),
    )


def say(spec: ModelSpec, document: Mapping[str, Any]) -> str:
    """How often decisions are overridden, and where the groups of an attribute lie furthest apart."""
    total, decisions = document["overrides"], document["decisions"]
    share = f", in {percent(total / decisions)} of {decisions:,} decisions" if decisions >= total and decisions else ""
    first = f"In 30 days people decided otherwise than the model {total:,} time{'s' if total != 1 else ''}{share}."
    apart = [found for name, groups in document["attributes"].items() if (found := _furthest(name, groups))]
    if not apart:
        return f"{first} That is too few to compare groups without telling of individuals."
    _, attribute, most, least = max(apart, key=lambda each: each[0])
    return (
        f"{first} {capitalised(group_phrase(attribute, most['group']))} see it most often, in {percent(most['rate'])} "
        f"of decisions; {group_phrase(attribute, least['group'])} in {percent(least['rate'])}."
    )


def line_of(spec: ModelSpec, row: OverrideRow) -> Line:
    """An override in the model's own words."""
    return Line(row, word_of(spec, row.from_decision), word_of(spec, row.to_decision), CATEGORIES[row.category])


def word_of(spec: ModelSpec, decision: int) -> str:
    """A decision, 0 or 1 as sent, in the model's words."""
    return spec.words.decision[int(decision == spec.favourable_decision)]


def register_table(spec: ModelSpec, rows: Sequence[OverrideRow]) -> Table:
    """Overrides as rows of the file."""
    return table(
        "overrides",
        f"Decision overrides of {spec.name}",
        COLUMNS,
        [
            (
                row.id,
                str(row.event_key),
                word_of(spec, row.from_decision),
                word_of(spec, row.to_decision),
                CATEGORIES[row.category],
                row.reason,
                row.by,
                row.occurred_at,
                row.overridden_at,
            )
            for row in rows
        ],
    )


def counts_of(spec: ModelSpec) -> tuple[tuple[str, str, int], ...]:
    """Categories with at least one override: key, words, number."""
    counts = selectors.counts_by_category(spec.id)
    return tuple((key, said, counts[key]) for key, said in CATEGORIES.items() if key in counts)


def _furthest(attribute: str, groups: Sequence[Mapping[str, Any]]) -> tuple[float, str, Any, Any] | None:
    """The groups with the highest and the lowest rate, if two can be told."""
    told = [each for each in groups if each["rate"] is not None and each["group"] != "unknown"]
    if len(told) < 2:
        return None
    most, least = max(told, key=lambda each: each["rate"]), min(told, key=lambda each: each["rate"])
    return most["rate"] - least["rate"], attribute, most, least


def _line(spec: ModelSpec, attribute: str, group: Mapping[str, Any]) -> GroupLine:
    reference = next(each.reference for each in spec.attributes if each.name == attribute)

    def told(value: int | None) -> str:
        return HIDDEN if value is None else f"{value:,}"

    low, high = group["interval"]
    return GroupLine(
        name=group_name(group["group"]),
        reference=group["group"] == reference,
        hidden=group["suppressed"],
        decisions=told(group["decisions"]),
        overrides=told(group["overrides"]),
        rate=percent(group["rate"]),
        interval=interval(low * 100, high * 100, 1) if low is not None else "",
        in_favour=told(group["in_favour"]),
        against=told(group["against"]),
    )
