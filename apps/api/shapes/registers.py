"""Incidents, complaints and overridden decisions."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated, Any, Literal

from msgspec import Meta, Struct

from apps.api.shapes.words import CATEGORIES, Slug
from apps.inference.shapes import Binary, Identifier
from apps.overrides.categories import UNSTATED


class GroupBody(Struct, frozen=True, forbid_unknown_fields=True):
    """A group that an incident concerns; several attributes are joined by `*`, as in results."""

    attribute: Annotated[str, Meta(min_length=1, max_length=400)]
    group: Annotated[str, Meta(min_length=1, max_length=400)]
    people: (
        Annotated[int, Meta(ge=0, le=2_000_000_000, description="Fewer than ten are kept as `fewer than ten`.")] | None
    ) = None
    source: Annotated[str, Meta(max_length=300, description="How they were counted.")] = ""


class IncidentBody(Struct, frozen=True, forbid_unknown_fields=True):
    """An incident to open. Nobody is named in it: groups and numbers only."""

    model: Slug
    title: Annotated[str, Meta(min_length=1, max_length=200, pattern=r"\S")]
    summary: Annotated[str, Meta(min_length=1, max_length=20_000, pattern=r"\S")]
    severity: Literal["low", "medium", "high", "critical"]
    began_at: (
        Annotated[datetime, Meta(tz=True, description="Since when people were concerned, if that is known.")] | None
    ) = None
    aware_at: (
        Annotated[datetime, Meta(tz=True, description="When the house became aware; clocks start here.")] | None
    ) = None
    groups: Annotated[list[GroupBody], Meta(max_length=100)] = []
    runs: Annotated[
        list[Annotated[int, Meta(ge=1, le=2**62)]],
        Meta(max_length=20, description="Runs of the model whose documents are frozen as evidence."),
    ] = []
    cause_key: Annotated[
        str,
        Meta(max_length=100, description="Names the cause: while an incident of it is open, the answer is 409."),
    ] = ""


class IncidentAnswer(Struct, frozen=True):
    """An incident of the register."""

    id: int
    model: str
    title: str
    summary: str
    severity: str
    state: str
    origin: str
    causes: list[str]
    began_at: datetime | None
    aware_at: datetime
    opened_at: datetime
    closed_at: datetime | None


class IncidentsAnswer(Struct, frozen=True):
    """Incidents, newest first."""

    incidents: list[IncidentAnswer]
    next: str | None


class ComplaintBody(Struct, frozen=True, forbid_unknown_fields=True):
    """A complaint about a model's decisions: what it is about, never who complains."""

    model: Slug
    source: Literal["customer", "representative", "regulator", "ombudsman", "staff"]
    channel: Literal["letter", "mail", "phone", "web", "branch", "media"]
    summary: Annotated[str, Meta(min_length=1, max_length=20_000, pattern=r"\S")]
    received_at: Annotated[datetime, Meta(tz=True, description="The deadline counts from here.")]
    rule: Literal["rg-271-30", "rg-271-45"] = "rg-271-30"
    attribute: Annotated[str, Meta(max_length=40, description="The protected attribute that it speaks of.")] = ""
    reference: Annotated[str, Meta(max_length=100, description="Its number where the person's data are kept.")] = ""


class ComplaintAnswer(Struct, frozen=True):
    """A complaint of the register."""

    id: int
    model: str
    source: str
    channel: str
    summary: str
    attribute: str
    reference: str
    received_at: datetime
    due_at: datetime
    state: str
    outcome: str
    answered_at: datetime | None
    incident: int | None


class ComplaintsAnswer(Struct, frozen=True):
    """Complaints, newest first."""

    complaints: list[ComplaintAnswer]
    next: str | None


class OverrideBody(Struct, frozen=True, forbid_unknown_fields=True):
    """One decision of the model that a person decided otherwise. Nobody it was about is named."""

    event_id: Identifier
    by: Annotated[Identifier, Meta(description="Who decided, as the house names its people.")]
    decision: Annotated[Binary, Meta(description="What the person decided; not what the model had.")]
    at: Annotated[datetime, Meta(tz=True, description="When; not before the event and not in the future.")] | None = (
        None
    )
    category: Literal[CATEGORIES] = UNSTATED  # type: ignore[valid-type]
    reason: Annotated[str, Meta(max_length=1000)] = ""


class OverridesBody(Struct, frozen=True, forbid_unknown_fields=True):
    """Overrides to record; the first one of an event stands."""

    overrides: Annotated[list[OverrideBody], Meta(min_length=1, max_length=1000)]


class OverrideAnswer(Struct, frozen=True):
    """An override of the register. event_key: the first 16 bytes of the SHA-256 of the event's id, as a UUID."""

    id: int
    event_key: str
    occurred_at: datetime
    from_decision: int
    to_decision: int
    category: str
    reason: str
    by: str
    overridden_at: datetime


class OverridesAnswer(Struct, frozen=True):
    """Overrides, the last recorded first; `rates` by group in the last counted period, small groups hidden."""

    model: str
    overrides: list[OverrideAnswer]
    rates: dict[str, Any] | None
    next: str | None
