"""The register of incidents: finding them, page by page."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Sequence
from datetime import datetime
from typing import Any

from django.db.models import Count, Min, Q, QuerySet

from apps.incidents import states
from apps.incidents.due import WAITING_CLOCKS
from apps.incidents.models import Action, Incident, IncidentLink, RegulatoryClock
from apps.incidents.models.incidents import SEVERITIES
from apps.incidents.rows import SEVEREST, Due, Filter, IncidentRow, Place
from apps.incidents.searching import found_by


def incidents(
    *, model_id: int | None = None, state: str = "", severity: str = "", before_id: int | None = None, limit: int = 50
) -> tuple[IncidentRow, ...]:
    """Incidents, newest first; `before_id` continues after that one. One query."""
    chosen = Filter(states=(state,) if state else (), severity=severity, model_id=model_id)
    after = Place(0, before_id) if before_id is not None else None
    return register(chosen, after=after, limit=limit)


def register(
    chosen: Filter, *, visible: Collection[int] | None = None, after: Place | None = None, limit: int = 50
) -> tuple[IncidentRow, ...]:
    """A page of the register; `visible` narrows it to these models. One query."""
    found = _chosen(chosen, visible)
    if after is not None and chosen.order == SEVEREST:
        found = found.filter(Q(severity_rank__lt=after.rank) | Q(severity_rank=after.rank, pk__lt=after.id))
    elif after is not None:
        found = found.filter(pk__lt=after.id)
    order = ("-severity_rank", "-id") if chosen.order == SEVEREST else ("-id",)
    return rows_of(_complete(found.order_by(*order))[:limit])


def place_of(row: IncidentRow) -> Place:
    """The place after which the next page begins."""
    return Place(SEVERITIES.index(row.severity), row.id)


def counts_by_state(chosen: Filter, *, visible: Collection[int] | None = None) -> dict[str, int]:
    """How many incidents of each state the filter finds, its own states left aside. One query."""
    rows = _chosen(chosen, visible, but_states=True).order_by().values("state").annotate(n=Count("id"))
    found = {row["state"]: row["n"] for row in rows}
    return {state: found.get(state, 0) for state in states.ALL}


def incident_times(model_id: int, *, since: datetime) -> tuple[IncidentRow, ...]:
    """The incidents of a model that were opened since then, newest first: for the time axis of its charts."""
    return register(Filter(model_id=model_id, opened_since=since), limit=100)


def open_counts(model_ids: Sequence[int]) -> dict[int, int]:
    """How many unfinished incidents each of these models has; models without one miss. One query."""
    rows = Incident.objects.filter(model_id__in=list(model_ids), state__in=states.UNFINISHED)
    return {row["model_id"]: row["n"] for row in rows.order_by().values("model_id").annotate(n=Count("id"))}


def incidents_linked(kind: str, target: str) -> tuple[IncidentRow, ...]:
    """The incidents that something is linked to, such as a finding or a run; newest first."""
    linked = IncidentLink.objects.filter(kind=kind, target=target).values("incident_id")
    return rows_of(_complete(Incident.objects.filter(pk__in=linked).order_by("-id")))


def incidents_of_findings(finding_ids: Sequence[int]) -> dict[int, int]:
    """The newest incident of each of these findings that has one, by finding. One query."""
    rows = IncidentLink.objects.filter(kind=IncidentLink.Kind.FINDING, target__in=[str(each) for each in finding_ids])
    return {int(target): number for target, number in rows.order_by("incident_id").values_list("target", "incident_id")}


def incident(incident_id: int) -> IncidentRow | None:
    """One incident, or None."""
    return next(iter(rows_of(_complete(Incident.objects.filter(pk=incident_id)))), None)


def clocks_waiting(
    *, visible: Collection[int] | None = None, until: datetime, limit: int = 50
) -> tuple[tuple[IncidentRow, Due], ...]:
    """Unfinished incidents with a regulatory clock that is due until then and neither reported nor set aside."""
    rows = _clocks(visible, until).annotate(at=Min("due_at")).order_by("at", "incident_id")[:limit]
    due = {row["incident_id"]: Due(row["at"], "clock") for row in rows}
    found = {row.id: row for row in rows_of(_complete(Incident.objects.filter(pk__in=due)))}
    return tuple((found[key], due[key]) for key in due)


def clocks_waiting_count(*, visible: Collection[int] | None = None, until: datetime, most: int | None = None) -> int:
    """How many incidents `clocks_waiting` has, counted up to `most`."""
    return _clocks(visible, until).distinct()[:most].count()


def _clocks(visible: Collection[int] | None, until: datetime) -> QuerySet[RegulatoryClock, Any]:
    waiting = RegulatoryClock.objects.filter(
        state__in=WAITING_CLOCKS, due_at__lte=until, incident__state__in=states.CHANGEABLE
    )
    if visible is not None:
        waiting = waiting.filter(incident__model_id__in=visible)
    return waiting.order_by().values("incident_id")


def _chosen(chosen: Filter, visible: Collection[int] | None, *, but_states: bool = False) -> QuerySet[Incident]:
    found = Incident.objects.all()
    conditions: dict[str, Any] = {
        "severity": chosen.severity or None,
        "model_id": chosen.model_id,
        "causes__contains": [chosen.cause] if chosen.cause else None,
        "origin": chosen.origin or None,
        "lead_id": chosen.lead_id,
        "opened_at__gte": chosen.opened_since,
        "model_id__in": visible,
        "state__in": chosen.states if chosen.states and not but_states else None,
        "reopened_at__isnull": False if chosen.reopened else None,
    }
    found = found.filter(**{name: value for name, value in conditions.items() if value is not None})
    found = found.filter(found_by(chosen.text))
    if chosen.due_before is not None:
        clocks_due = RegulatoryClock.objects.filter(state__in=WAITING_CLOCKS, due_at__lte=chosen.due_before)
        actions_late = Action.objects.filter(state=Action.State.OPEN, due_at__lte=chosen.due_before)
        found = found.filter(
            Q(pk__in=clocks_due.values("incident_id"))
            | Q(pk__in=actions_late.filter(incident__isnull=False).values("incident_id"))
        )
    return found


def _complete(found: QuerySet[Incident]) -> QuerySet[Incident]:
    return found.select_related("model", "lead").defer("search", "explanation", "lessons")


def rows_of(found: Iterable[Incident]) -> tuple[IncidentRow, ...]:
    """Incidents as values; their models and leads must be at hand."""
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
