"""Reading incidents and complaints: the public face of `register`, `detail`, `due` and `complaint_register`."""

from __future__ import annotations

from apps.incidents import states
from apps.incidents.complaint_register import (
    ComplaintFilter,
    ComplaintRow,
    complaint,
    complaint_counts,
    complaint_steps,
    complaints,
    complaints_due,
    complaints_of_incident,
    complaints_since,
    complaints_since_of,
    complaints_waiting_count,
)
from apps.incidents.detail import by_currency, evidence, evidence_documents, evidence_of, incident_detail, totals
from apps.incidents.due import action, actions_due, actions_due_count, actions_of_case, next_due
from apps.incidents.models import Complaint, CostLine, Incident, SavedView
from apps.incidents.models.incidents import SEVERITIES
from apps.incidents.register import (
    clocks_waiting,
    clocks_waiting_count,
    counts_by_state,
    incident,
    incident_times,
    incidents,
    incidents_linked,
    incidents_of_findings,
    open_counts,
    place_of,
    register,
)
from apps.incidents.rows import (
    NEWEST,
    SEVEREST,
    ActionRow,
    ClockRow,
    CostRow,
    Due,
    EvidenceRow,
    Filter,
    IncidentDetail,
    IncidentRow,
    Money,
    Place,
)

__all__ = [
    "COMPLAINT_CHANNELS",
    "COMPLAINT_SOURCES",
    "COST_KINDS",
    "NEWEST",
    "SEVEREST",
    "SEVERITIES",
    "ActionRow",
    "ClockRow",
    "ComplaintFilter",
    "ComplaintRow",
    "CostRow",
    "Due",
    "EvidenceRow",
    "Filter",
    "IncidentDetail",
    "IncidentRow",
    "Money",
    "Place",
    "action",
    "actions_due",
    "actions_due_count",
    "actions_of_case",
    "by_currency",
    "clocks_waiting",
    "clocks_waiting_count",
    "complaint",
    "complaint_counts",
    "complaint_steps",
    "complaints",
    "complaints_due",
    "complaints_of_incident",
    "complaints_since",
    "complaints_since_of",
    "complaints_waiting_count",
    "counts_by_state",
    "evidence",
    "evidence_documents",
    "evidence_of",
    "incident",
    "incident_detail",
    "incident_times",
    "incidents",
    "incidents_linked",
    "incidents_of_findings",
    "models_with_open_incidents",
    "next_due",
    "open_counts",
    "place_of",
    "register",
    "saved_views",
    "totals",
]

COMPLAINT_SOURCES: tuple[str, ...] = tuple(Complaint.Source.values)
COMPLAINT_CHANNELS: tuple[str, ...] = tuple(Complaint.Channel.values)
COST_KINDS: tuple[str, ...] = tuple(CostLine.Kind.values)


def models_with_open_incidents() -> frozenset[int]:
    """The models of incidents that are not closed."""
    return frozenset(Incident.objects.exclude(state=states.CLOSED).values_list("model_id", flat=True))


def saved_views(person_id: int, register: str) -> tuple[SavedView, ...]:
    """A person's own filters of a register, by name."""
    return tuple(SavedView.objects.filter(person_id=person_id, register=register).order_by("name"))
