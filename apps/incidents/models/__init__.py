"""The bias incident register. What was told stays told: steps, evidence and links are append-only (migration 0002)."""

from apps.incidents.models.incidents import AffectedGroup, Evidence, Incident, IncidentLink, IncidentStep
from apps.incidents.models.work import RegulatoryClock

__all__ = ["AffectedGroup", "Evidence", "Incident", "IncidentLink", "IncidentStep", "RegulatoryClock"]
