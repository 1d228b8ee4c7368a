"""The registers. What was told stays told: steps, evidence, links and costs are append-only (migrations, *_sql)."""

from apps.incidents.models.complaints import Complaint, ComplaintStep
from apps.incidents.models.incidents import AffectedGroup, Evidence, Incident, IncidentLink, IncidentStep
from apps.incidents.models.work import Action, CostLine, RegulatoryClock, SavedView

__all__ = [
    "Action",
    "AffectedGroup",
    "Complaint",
    "ComplaintStep",
    "CostLine",
    "Evidence",
    "Incident",
    "IncidentLink",
    "IncidentStep",
    "RegulatoryClock",
    "SavedView",
]
