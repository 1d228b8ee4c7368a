"""Reading the complaints register."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from django.db.models import Count, QuerySet

from apps.incidents import complaint_states as states
from apps.incidents.clocks import COMPLAINT_RULES, ClockRule
from apps.incidents.models import Complaint, ComplaintStep
from apps.incidents.searching import found_by


@dataclass(frozen=True, slots=True)
class ComplaintRow:
    """A complaint as lists and its page show it."""

    id: int
    model_id: int
    model_slug: str
    model_name: str
    source: str
    channel: str
    reference: str
    summary: str
    attribute: str
    rule: ClockRule
    received_at: datetime
    due_at: datetime
    state: str
    outcome: str
    answer: str
    answered_at: datetime | None
    incident_id: int | None
    recorded_by: str

    @property
    def unanswered(self) -> bool:
        return self.state in states.UNANSWERED


@dataclass(frozen=True, slots=True)
class ComplaintFilter:
    """What the register is narrowed to; empty parts narrow nothing."""

    text: str = ""
    states: tuple[str, ...] = ()
    source: str = ""
    model_id: int | None = None
    attribute: str = ""
    due_before: datetime | None = None


def complaints(
    chosen: ComplaintFilter,
    *,
    visible: Collection[int] | None = None,
    before_id: int | None = None,
    limit: int = 50,
) -> tuple[ComplaintRow, ...]:
    """A page of the register, newest first; `visible` narrows it to these models. One query."""
    found = _chosen(chosen, visible)
    if before_id is not None:
        found = found.filter(pk__lt=before_id)
    return _rows(found.order_by("-id")[:limit])


def complaint_counts(chosen: ComplaintFilter, *, visible: Collection[int] | None = None) -> dict[str, int]:
    """How many complaints of each state the filter finds, its own states left aside. One query."""
    rows = _chosen(chosen, visible, but_states=True).order_by().values("state").annotate(n=Count("id"))
    found = {row["state"]: row["n"] for row in rows}
    return {state: found.get(state, 0) for state in states.ALL}


def complaint(complaint_id: int) -> ComplaintRow | None:
    """One complaint, or None."""
    return next(iter(_rows(Complaint.objects.filter(pk=complaint_id))), None)


def complaint_steps(complaint_id: int) -> tuple[ComplaintStep, ...]:
    """What happened to a complaint, oldest first."""
    return tuple(ComplaintStep.objects.filter(complaint_id=complaint_id).order_by("id"))


def complaints_of_incident(incident_id: int) -> tuple[ComplaintRow, ...]:
    """The complaints that belong to an incident, oldest first."""
    return _rows(Complaint.objects.filter(incident_id=incident_id).order_by("id"))


def complaints_since(model_id: int, at: datetime) -> int:
    """How many complaints about a model were received at or after `at`, those taken back left out.

    A threshold that never alerts while these come in is worth a look.
    """
    return Complaint.objects.filter(model_id=model_id, received_at__gte=at).exclude(state=states.WITHDRAWN).count()


def complaints_since_of(model_ids: Collection[int], at: datetime) -> dict[int, int]:
    """`complaints_since` of many models, in one query; models without any are left out."""
    rows = Complaint.objects.filter(model_id__in=list(model_ids), received_at__gte=at).exclude(state=states.WITHDRAWN)
    return {row["model_id"]: row["n"] for row in rows.order_by().values("model_id").annotate(n=Count("id"))}


def complaints_due(
    *, visible: Collection[int] | None = None, until: datetime, limit: int = 50
) -> tuple[ComplaintRow, ...]:
    """Unanswered complaints whose deadline lies before `until`, first due first."""
    return _rows(_due(visible, until).order_by("due_at", "id")[:limit])


def complaints_waiting_count(
    *, visible: Collection[int] | None = None, until: datetime, most: int | None = None
) -> int:
    """How many `complaints_due` has, counted up to `most`."""
    return _due(visible, until)[:most].count()


def _due(visible: Collection[int] | None, until: datetime) -> QuerySet[Complaint]:
    return _chosen(ComplaintFilter(due_before=until), visible)


def _chosen(
    chosen: ComplaintFilter, visible: Collection[int] | None, *, but_states: bool = False
) -> QuerySet[Complaint]:
    conditions: dict[str, Any] = {
        "source": chosen.source or None,
        "model_id": chosen.model_id,
        "attribute": chosen.attribute or None,
        "model_id__in": visible,
        "state__in": chosen.states if chosen.states and not but_states else None,
    }
    found = Complaint.objects.filter(**{name: value for name, value in conditions.items() if value is not None})
    if chosen.due_before is not None:
        found = found.filter(state__in=states.UNANSWERED, due_at__lte=chosen.due_before)
    return found.filter(found_by(chosen.text))


def _rows(found: QuerySet[Complaint]) -> tuple[ComplaintRow, ...]:
    rows = found.select_related("model").defer("search")
    return tuple(
        ComplaintRow(
            id=each.pk,
            model_id=each.model_id,
            model_slug=each.model.slug,
            model_name=each.model.name,
            source=each.source,
            channel=each.channel,
            reference=each.reference,
            summary=each.summary,
            attribute=each.attribute,
            rule=COMPLAINT_RULES[each.rule],
            received_at=each.received_at,
            due_at=each.due_at,
            state=each.state,
            outcome=each.outcome,
            answer=each.answer,
            answered_at=each.answered_at,
            incident_id=each.incident_id,
            recorded_by=each.recorded_by,
        )
        for each in rows
    )
