"""What the selectors of this app answer with: frozen values."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date, datetime
from decimal import Decimal

from apps.incidents import clocks, states
from apps.incidents.models import AffectedGroup, IncidentLink, IncidentStep

NEWEST, SEVEREST = "newest", "severest"


@dataclass(frozen=True, slots=True)
class IncidentRow:
    """An incident as lists and the API show it. lead: a name, "" where nobody leads it."""

    id: int
    model_id: int
    model_slug: str
    model_name: str
    title: str
    summary: str
    severity: str
    state: str
    origin: str
    causes: tuple[str, ...]
    opened_by: str
    lead: str
    began_at: datetime | None
    aware_at: datetime
    opened_at: datetime
    closed_at: datetime | None
    reopened_at: datetime | None
    revision: int

    @property
    def changeable(self) -> bool:
        return self.state in states.CHANGEABLE


@dataclass(frozen=True, slots=True)
class Money:
    """An amount of one kind in one currency."""

    kind: str
    currency: str
    amount: Decimal


@dataclass(frozen=True, slots=True)
class ActionRow:
    """An action; `owner` is a name."""

    id: int
    model_id: int | None
    incident_id: int | None
    case_id: int | None
    title: str
    owner_id: int
    owner: str
    due_at: datetime
    state: str
    outcome: str
    added_by: str
    added_at: datetime
    ended_by: str
    ended_at: datetime | None


@dataclass(frozen=True, slots=True)
class ClockRow:
    """A regulatory clock with its rule."""

    id: int
    incident_id: int
    key: str
    rule: clocks.ClockRule
    state: str
    started_at: datetime
    due_at: datetime
    decided_by: str
    reported_at: datetime | None
    note: str


@dataclass(frozen=True, slots=True)
class EvidenceRow:
    """A frozen document without its content."""

    id: int
    incident_id: int
    kind: str
    title: str
    run_id: int | None
    digest: str
    added_by: str
    added_at: datetime


@dataclass(frozen=True, slots=True)
class CostRow:
    """A line of the ledger. taken_back: another line has undone it, or it is such a line itself."""

    id: int
    kind: str
    description: str
    quantity: Decimal
    unit_amount: Decimal
    amount: Decimal
    currency: str
    incurred_on: date
    booked_by: str
    taken_back: bool


@dataclass(frozen=True, slots=True)
class IncidentDetail:
    """Everything about one incident but the contents of its evidence. lead_id: None where nobody leads it."""

    row: IncidentRow
    explanation: str
    lessons: str
    lead_id: int | None
    cause_key: str
    steps: tuple[IncidentStep, ...]
    affected: tuple[AffectedGroup, ...]
    links: tuple[IncidentLink, ...]
    evidence: tuple[EvidenceRow, ...]
    clocks: tuple[ClockRow, ...]
    actions: tuple[ActionRow, ...]
    costs: tuple[CostRow, ...]
    totals: tuple[Money, ...]


@dataclass(frozen=True, slots=True)
class Filter:
    """What the register is narrowed to; empty parts narrow nothing.

    text: words to find, as people write them (quotes, OR, a leading minus). states: any of them. due_before: a clock or
    an action is due by then.
    """

    text: str = ""
    states: tuple[str, ...] = ()
    severity: str = ""
    model_id: int | None = None
    cause: str = ""
    origin: str = ""
    lead_id: int | None = None
    opened_since: datetime | None = None
    due_before: datetime | None = None
    reopened: bool = False
    order: str = NEWEST


@dataclass(frozen=True, slots=True)
class Place:
    """Where a page of the register ends: the severity's rank (for that order) and the id of its last row."""

    rank: int
    id: int


@dataclass(frozen=True, slots=True)
class Due:
    """The next thing that is due in an incident: ``clock`` or ``action``."""

    at: datetime
    what: str
