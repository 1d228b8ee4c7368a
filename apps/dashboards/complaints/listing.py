"""The complaints register: what an address asks for, one page of it, all of it as a file, and what waits."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from django.http import QueryDict
from django.urls import reverse

from apps.accounts.permissions import may_somewhere, models_within
from apps.common import clock
from apps.dashboards.incidents.words import deadline_words
from apps.dashboards.registers import EXPORTED_AT_ONCE, SHOWN_AT_ONCE, Address, Tab, tabs_of
from apps.dashboards.tables import Table, table
from apps.dashboards.waiting import Provider, Task
from apps.dashboards.words import Badge
from apps.incidents import complaint_states as states
from apps.incidents import selectors
from apps.incidents.clocks import DUE_SOON
from apps.incidents.selectors import ComplaintFilter, ComplaintRow
from apps.registry.spec import ModelSpec

VIEW, RECORD = "complaint.view", "complaint.record"
UNANSWERED, ALL = "unanswered", "all"
SHOWS: Mapping[str, tuple[str, ...]] = {
    UNANSWERED: states.UNANSWERED,
    **{state: (state,) for state in states.ALL},
    ALL: (),
}
DEADLINES: Mapping[str, tuple[str, timedelta]] = {
    "passed": ("has passed", timedelta()),
    "week": ("within 7 days", timedelta(days=7)),
}
STATES: Mapping[str, Badge] = {
    states.RECEIVED: Badge("inconclusive", "received"),
    states.EXAMINED: Badge("inconclusive", "being examined"),
    states.ANSWERED: Badge("within", "answered"),
    states.WITHDRAWN: Badge("plain", "withdrawn"),
}
OUTCOMES: Mapping[str, str] = {"upheld": "upheld", "partly_upheld": "partly upheld", "not_upheld": "not upheld"}
OVERDUE = Badge("breach", "overdue")
COLUMNS = (
    "complaint",
    "model",
    "source",
    "channel",
    "reference",
    "summary",
    "attribute",
    "received",
    "due",
    "state",
    "outcome",
    "answered",
    "incident",
)
_TITLES = {UNANSWERED: "Unanswered", **{state: STATES[state].text.capitalize() for state in states.ALL}, ALL: "All"}


@dataclass(frozen=True, slots=True)
class Asked:
    """What an address asks for; its page begins below `before_id`."""

    filter: ComplaintFilter
    address: Address
    before_id: int | None


@dataclass(frozen=True, slots=True)
class Line:
    """A complaint in the register; `due` is its deadline in words while it is unanswered."""

    row: ComplaintRow
    state: Badge
    due: str
    late: bool


@dataclass(frozen=True, slots=True)
class Register:
    """One page of the register; `following` is the query string of the next one, "" on the last."""

    lines: tuple[Line, ...]
    tabs: tuple[Tab, ...]
    total: int
    following: str


def asked_of(query: QueryDict, specs: Sequence[ModelSpec]) -> Asked:
    """Read an address of the register."""
    slugs = {spec.slug: spec.id for spec in specs}
    parts: Mapping[str, Collection[str] | None] = {
        "text": None,
        "source": selectors.COMPLAINT_SOURCES,
        "model": slugs,
        "attribute": {name for spec in specs for name in spec.attribute_names},
        "deadline": DEADLINES,
    }
    address = Address.read(query, "complaints", parts, SHOWS, UNANSWERED)
    given, before = address.given, query.get("before", "")
    deadline = DEADLINES.get(given.get("deadline", ""))
    chosen = ComplaintFilter(
        text=given.get("text", ""),
        states=SHOWS[address.show],
        source=given.get("source", ""),
        model_id=slugs.get(given.get("model", "")),
        attribute=given.get("attribute", ""),
        due_before=clock.now() + deadline[1] if deadline else None,
    )
    return Asked(chosen, address, int(before) if before.isascii() and before.isdecimal() and len(before) < 19 else None)


def page_of(user: Any, asked: Asked) -> Register:
    """The page that is asked for, in two queries."""
    visible, now = models_within(user, VIEW), clock.now()
    rows = selectors.complaints(asked.filter, visible=visible, before_id=asked.before_id, limit=SHOWN_AT_ONCE + 1)
    counts = selectors.complaint_counts(asked.filter, visible=visible)
    shown = rows[:SHOWN_AT_ONCE]
    return Register(
        lines=tuple(line_of(row, now) for row in shown),
        tabs=tabs_of(asked.address, SHOWS, _TITLES, counts),
        total=sum(counts.values()),
        following=asked.address.with_(before=str(shown[-1].id)) if len(rows) > SHOWN_AT_ONCE else "",
    )


def line_of(row: ComplaintRow, now: datetime) -> Line:
    """A complaint in one line."""
    late = row.unanswered and row.due_at < now
    return Line(row, STATES[row.state], deadline_words(row.due_at, now) if row.unanswered else "", late)


def export(user: Any, asked: Asked) -> Iterator[Table]:
    """All of the register that is asked for, some hundred rows at a time."""
    visible, before = models_within(user, VIEW), None
    while True:
        rows = selectors.complaints(asked.filter, visible=visible, before_id=before, limit=EXPORTED_AT_ONCE)
        yield table("complaints", "Complaints register", COLUMNS, [_cells(row) for row in rows])
        if len(rows) < EXPORTED_AT_ONCE:
            return
        before = rows[-1].id


def to_answer(user: Any, specs: Sequence[ModelSpec], limit: int) -> list[Task]:
    """Unanswered complaints whose deadline comes soon or has passed, for those who record them."""
    if not may_somewhere(user, RECORD):
        return []
    now, visible = clock.now(), models_within(user, RECORD)
    return [
        Task(
            kind="Answer",
            text=row.summary if len(row.summary) <= 120 else f"{row.summary[:119]}…",
            about=f"{row.model_name}, complaint {row.id}",
            url=reverse("complaint", args=[row.id]),
            since=row.received_at,
            status=OVERDUE if row.due_at < now else None,
            due=row.due_at,
        )
        for row in selectors.complaints_due(visible=visible, until=now + DUE_SOON, limit=limit)
    ]


def _to_answer_count(user: Any, most: int | None) -> int:
    if not may_somewhere(user, RECORD):
        return 0
    until = clock.now() + DUE_SOON
    return selectors.complaints_waiting_count(visible=models_within(user, RECORD), until=until, most=most)


TO_ANSWER = Provider(to_answer, _to_answer_count)


def _cells(row: ComplaintRow) -> tuple[str | int | datetime | None, ...]:
    return (
        row.id,
        row.model_slug,
        row.source,
        row.channel,
        row.reference,
        row.summary,
        row.attribute,
        row.received_at,
        row.due_at,
        STATES[row.state].text,
        OUTCOMES.get(row.outcome, ""),
        row.answered_at,
        row.incident_id,
    )
