"""Reading the incident register."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime

from django.db.models import QuerySet

from apps.incidents.models import Incident


@dataclass(frozen=True, slots=True)
class IncidentRow:
    """An incident as lists and the API show it."""

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


def incidents(
    *, model_id: int | None = None, state: str = "", severity: str = "", before_id: int | None = None, limit: int = 50
) -> tuple[IncidentRow, ...]:
    """Incidents, newest first; `before_id` continues after that one. One query."""
    found = Incident.objects.order_by("-id")
    if model_id is not None:
        found = found.filter(model_id=model_id)
    if state:
        found = found.filter(state=state)
    if severity:
        found = found.filter(severity=severity)
    if before_id is not None:
        found = found.filter(pk__lt=before_id)
    return _rows(_complete(found)[:limit])


def incident(incident_id: int) -> IncidentRow | None:
    """One incident, or None."""
    return next(iter(_rows(_complete(Incident.objects.filter(pk=incident_id)))), None)


def incident_count() -> int:
    """How many incidents there have ever been."""
    return Incident.objects.count()


def _complete(found: QuerySet[Incident]) -> QuerySet[Incident]:
    return found.select_related("model", "lead").defer("search", "explanation", "lessons")


def _rows(found: Iterable[Incident]) -> tuple[IncidentRow, ...]:
    return tuple(
        IncidentRow(
            id=each.pk,
            model_id=each.model_id,
            model_slug=each.model.slug,
            model_name=each.model.name,
            title=each.title,
            summary=each.summary,
            severity=each.severity,
            state=each.state,
            origin=each.origin,
            causes=tuple(each.causes),
            opened_by=each.opened_by,
            lead=each.lead.display_name if each.lead else "",
            began_at=each.began_at,
            aware_at=each.aware_at,
            opened_at=each.opened_at,
            closed_at=each.closed_at,
            reopened_at=each.reopened_at,
            revision=each.revision,
        )
        for each in found
    )
