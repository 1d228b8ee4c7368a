"""What can be done with incidents. The writing verbs of this app, in one place."""

from apps.incidents.evidence import NONE, Chart, ChartLine, Given
from apps.incidents.opening import Escalated, Group, incident_open, incident_open_for_escalation

__all__ = [
    "NONE",
    "Chart",
    "ChartLine",
    "Escalated",
    "Given",
    "Group",
    "incident_open",
    "incident_open_for_escalation",
]
