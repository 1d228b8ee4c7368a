"""The register: what an address asks for, one page of it, and all of it as a file."""

from __future__ import annotations

import re
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

from django.http import QueryDict
from django.urls import reverse

from apps.accounts.permissions import models_within
from apps.common import clock
from apps.dashboards.incidents.words import ORIGINS, STATES, deadline_words, severity_badge
from apps.dashboards.registers import EXPORTED_AT_ONCE, SHOWN_AT_ONCE, Address, Tab, tabs_of
from apps.dashboards.tables import Table, table
from apps.dashboards.words import Badge
from apps.incidents import selectors, states
from apps.incidents.causes import CAUSES
from apps.incidents.selectors import NEWEST, SEVEREST, Due, Filter, IncidentRow, Place
from apps.registry.spec import ModelSpec

VIEW = "incident.view"
UNFINISHED, ALL = "unfinished", "all"
SHOWS: Mapping[str, tuple[str, ...]] = {
    UNFINISHED: states.UNFINISHED,
    **{state: (state,) for state in states.ALL},
    ALL: (),
}
DEADLINES: Mapping[str, tuple[str, timedelta]] = {
    "passed": ("has passed", timedelta()),
    "day": ("within a day", timedelta(days=1)),
    "week": ("within 7 days", timedelta(days=7)),
}
_TITLES = {UNFINISHED: "Unfinished", **{state: STATES[state].text.capitalize() for state in states.ALL}, ALL: "All"}
_PLACE = re.compile(r"([0-3])-([0-9]{1,18})")
COLUMNS = (
    "incident",
    "title",
    "model",
    "severity",
    "state",
    "opened by",
    "root causes",
    "lead",
    "began",
    "aware since",
    "opened",
    "next deadline",
    "closed",
    "cost",
)


@dataclass(frozen=True, slots=True)
class Asked:
    """What an address asks for; `after` is where its page begins."""

    filter: Filter
    address: Address
    after: Place | None


@dataclass(frozen=True, slots=True)
class Line:
    """An incident in the register. due: the next deadline in words, with when it is and whether it has passed."""

    row: IncidentRow
    url: str
    severity: Badge
    state: Badge
    due: str
    due_at: datetime | None
    late: bool


@dataclass(frozen=True, slots=True)
class Register:
    """One page of the register; `following` is the query string of the next one, "" on the last."""

    lines: tuple[Line, ...]
    tabs: tuple[Tab, ...]
    total: int
    following: str


def asked_of(query: QueryDict, user: Any, specs: Sequence[ModelSpec]) -> Asked:
    """Read an address of the register."""
    slugs = {spec.slug: spec.id for spec in specs}
    parts: Mapping[str, Collection[str] | None] = {
        "text": None,
        "severity": selectors.SEVERITIES,
        "model": slugs,
        "cause": CAUSES,
        "origin": ORIGINS,
        "deadline": DEADLINES,
        "since": None,
        "mine": ("1",),
        "reopened": ("1",),
        "order": (SEVEREST,),
    }
    address = Address.read(query, "incidents", parts, SHOWS, UNFINISHED)
    given, place = address.given, _PLACE.fullmatch(query.get("after", ""))
    deadline = DEADLINES.get(given.get("deadline", ""))
    chosen = Filter(
        text=given.get("text", ""),
        states=SHOWS[address.show],
        severity=given.get("severity", ""),
        model_id=slugs.get(given.get("model", "")),
        cause=given.get("cause", ""),
        origin=given.get("origin", ""),
        lead_id=user.pk if "mine" in given else None,
        opened_since=_day(given.get("since", "")),
        due_before=clock.now() + deadline[1] if deadline else None,
        reopened="reopened" in given,
        order=given.get("order", NEWEST),
    )
    return Asked(chosen, address, Place(int(place[1]), int(place[2])) if place else None)


def page_of(user: Any, asked: Asked) -> Register:
    """The page that is asked for, in five queries."""
    visible = models_within(user, VIEW)
    rows = selectors.register(asked.filter, visible=visible, after=asked.after, limit=SHOWN_AT_ONCE + 1)
    shown = rows[:SHOWN_AT_ONCE]
    due = selectors.next_due([row.id for row in shown if row.state != states.CLOSED])
    counts = selectors.counts_by_state(asked.filter, visible=visible)
    now = clock.now()
    last = selectors.place_of(shown[-1]) if len(rows) > SHOWN_AT_ONCE else None
    return Register(
        lines=tuple(_line(row, due.get(row.id), now) for row in shown),
        tabs=tabs_of(asked.address, SHOWS, _TITLES, counts),
        total=sum(counts.values()),
        following=asked.address.with_(after=f"{last.rank}-{last.id}") if last else "",
    )


def export(user: Any, asked: Asked) -> Iterator[Table]:
    """All of the register that is asked for, some hundred rows at a time, so that memory stays bounded."""
    visible, after = models_within(user, VIEW), None
    while True:
        rows = selectors.register(asked.filter, visible=visible, after=after, limit=EXPORTED_AT_ONCE)
        ids = [row.id for row in rows]
        due, totals = selectors.next_due(ids), selectors.totals(ids)
        yield table("incidents", "Bias incident register", COLUMNS, [_cells(row, due, totals) for row in rows])
        if len(rows) < EXPORTED_AT_ONCE:
            return
        after = selectors.place_of(rows[-1])


def _cells(
    row: IncidentRow, due: Mapping[int, Due], totals: Mapping[int, tuple[selectors.Money, ...]]
) -> tuple[str | int | datetime | None, ...]:
    cost = selectors.by_currency(totals.get(row.id, ()))
    following = due.get(row.id) if row.state != states.CLOSED else None
    return (
        row.id,
        row.title,
        row.model_slug,
        row.severity,
        STATES[row.state].text,
        ORIGINS[row.origin],
        ", ".join(CAUSES[key].title for key in row.causes),
        row.lead,
        row.began_at,
        row.aware_at,
        row.opened_at,
        following.at if following else None,
        row.closed_at,
        ", ".join(f"{amount} {currency}" for currency, amount in cost.items()),
    )


def _line(row: IncidentRow, due: Due | None, now: datetime) -> Line:
    return Line(
        row=row,
        url=reverse("incident", args=[row.id]),
        severity=severity_badge(row.severity),
        state=STATES[row.state],
        due=f"{'report' if due.what == 'clock' else 'action'} {deadline_words(due.at, now)}" if due else "",
        due_at=due.at if due else None,
        late=due is not None and due.at < now,
    )


def _day(text: str) -> datetime | None:
    try:
        return datetime.strptime(text, "%Y-%m-%d").replace(tzinfo=UTC)
    except ValueError:
        return None
