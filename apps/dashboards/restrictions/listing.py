"""The register of restrictions: what an address asks for, one page of it, and all of it as a file."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import timedelta
from statistics import median
from typing import Any

from django.http import QueryDict
from django.urls import reverse

from apps.common import clock
from apps.dashboards.registers import EXPORTED_AT_ONCE, SHOWN_AT_ONCE, Address, Tab, tabs_of
from apps.dashboards.tables import Table, table
from apps.dashboards.words import Badge, duration
from apps.registry import selectors as registry
from apps.registry.selectors import ModelName
from apps.responses import selectors as responses
from apps.responses.selectors import RestrictionRow

VIEW = "finding.view"
ALL = "all"
STATES: Mapping[str, Badge] = {
    "proposed": Badge("inconclusive", "proposed"),
    "in_force": Badge("breach", "in force"),
    "lifted": Badge("within", "lifted"),
    "declined": Badge("plain", "declined"),
}
SHOWS: Mapping[str, tuple[str, ...]] = {ALL: (), **{state: (state,) for state in STATES}}
MEASURED_FOR = timedelta(days=90)
COLUMNS = (
    "restriction",
    "model",
    "state",
    "blocked decision types",
    "reason",
    "breach",
    "proposed",
    "in force",
    "decided by",
    "note",
    "in effect at every gateway",
    "seconds from breach to effect",
    "lifted",
    "request",
)
_TITLES = {ALL: "All", **{state: badge.text.capitalize() for state, badge in STATES.items()}}


@dataclass(frozen=True, slots=True)
class Asked:
    """What an address asks for; models are those that the person may see, by id."""

    address: Address
    models: Mapping[int, ModelName]
    chosen: tuple[int, ...]
    before_id: int | None


@dataclass(frozen=True, slots=True)
class Line:
    """A restriction in the register. effect: how soon after the breach every gateway had it, in words.

    request: the page of the request by which it was lifted, "" where it was not.
    """

    row: RestrictionRow
    model: ModelName
    state: Badge
    blocks: str
    effect: str
    request: str


@dataclass(frozen=True, slots=True)
class Register:
    """One page of the register; `following` is the query string of the next one, "" on the last."""

    say: str
    lines: tuple[Line, ...]
    tabs: tuple[Tab, ...]
    total: int
    following: str


def asked_of(query: QueryDict, user: Any) -> Asked:
    """Read an address of the register."""
    models = {each.id: each for each in registry.names_visible_to(user)}
    slugs = {each.slug: each.id for each in models.values()}
    address = Address.read(query, "restrictions", {"model": slugs}, SHOWS, ALL)
    model_id = slugs.get(address.given.get("model", ""))
    before = query.get("before", "")
    return Asked(
        address,
        models,
        tuple(models) if model_id is None else (model_id,),
        int(before) if before.isascii() and before.isdecimal() and len(before) < 19 else None,
    )


def page_of(asked: Asked) -> Register:
    """The page that is asked for, in three queries."""
    states = SHOWS[asked.address.show]
    rows = responses.restriction_register(
        asked.chosen, states=states, before_id=asked.before_id, limit=SHOWN_AT_ONCE + 1
    )
    counts = responses.restriction_counts(asked.chosen)
    shown = rows[:SHOWN_AT_ONCE]
    return Register(
        say=_say(asked.chosen, counts),
        lines=tuple(_line(row, asked.models[row.model_id]) for row in shown),
        tabs=tabs_of(asked.address, SHOWS, _TITLES, counts),
        total=sum(counts.values()),
        following=asked.address.with_(before=str(shown[-1].id)) if len(rows) > SHOWN_AT_ONCE else "",
    )


def export(asked: Asked) -> Iterator[Table]:
    """All of the register that is asked for, some hundred rows at a time, so that memory stays bounded."""
    before, states = None, SHOWS[asked.address.show]
    while True:
        rows = responses.restriction_register(asked.chosen, states=states, before_id=before, limit=EXPORTED_AT_ONCE)
        cells = [_cells(row, asked.models[row.model_id]) for row in rows]
        yield table("restrictions", "Register of restrictions", COLUMNS, cells)
        if len(rows) < EXPORTED_AT_ONCE:
            return
        before = rows[-1].id


def _say(model_ids: Sequence[int], counts: Mapping[str, int]) -> str:
    """How many models are restricted, and how soon the restrictions of a quarter were in effect everywhere."""
    now, waiting = counts["in_force"], counts["proposed"]
    first = f"{now:,} models are restricted" if now > 1 else f"{now or 'No'} model is restricted"
    if waiting:
        first += f", and {waiting} restriction{' waits' if waiting == 1 else 's wait'} for a person's decision"
    times = responses.restriction_times(model_ids, clock.now() - MEASURED_FOR)
    known = [each.seconds for each in times if each.acknowledged]
    if not known:
        return f"{first}."
    open_ = len(times) - len(known)
    later = f"; {open_} {'was' if open_ == 1 else 'were'} not acknowledged by all of them" if open_ else ""
    half = duration(median(known))
    return f"{first}. In 90 days every gateway obeyed within {half} of the breach at the median{later}."


def _line(row: RestrictionRow, model: ModelName) -> Line:
    return Line(
        row=row,
        model=model,
        state=STATES[row.state],
        blocks=responses.decision_types_text(row.blocked_decision_types),
        effect=_effect(row),
        request=reverse("approval", args=[row.approval_id]) if row.approval_id else "",
    )


def _effect(row: RestrictionRow) -> str:
    if row.acknowledged_at is not None:
        return f"{duration((row.acknowledged_at - row.breach_at).total_seconds())} after the breach"
    if row.in_force:
        return "not acknowledged yet"
    return "never acknowledged" if row.lifted_at else ""


def _cells(row: RestrictionRow, model: ModelName) -> tuple[Any, ...]:
    taken = (row.acknowledged_at - row.breach_at).total_seconds() if row.acknowledged_at else None
    return (
        row.id,
        model.slug,
        STATES[row.state].text,
        ", ".join(row.blocked_decision_types),
        row.reason,
        row.breach_at,
        row.proposed_at,
        row.in_force_at,
        "the policy" if row.automatic else row.decided_by,
        row.note,
        row.acknowledged_at,
        taken,
        row.lifted_at,
        row.approval_id,
    )
