"""What can be done with incidents and complaints. The writing verbs of this app, in one place."""

from apps.incidents.actions import action_add, action_create, action_end
from apps.incidents.changing import (
    incident_change,
    incident_evidence_add,
    incident_group_set,
    incident_link,
    incident_move,
    incident_note,
    incident_seen,
)
from apps.incidents.checks import Group
from apps.incidents.closing import CLOSURE_KIND, incident_closure_request, incident_reopen
from apps.incidents.complaints import (
    complaint_answer,
    complaint_examine,
    complaint_link,
    complaint_open_incident,
    complaint_record,
    complaint_reopen,
    complaint_withdraw,
)
from apps.incidents.costs import cost_book, cost_reverse
from apps.incidents.deadlines import clock_report, clock_set_aside, clock_start
from apps.incidents.evidence import NONE, Chart, ChartLine, Given, run_label, threshold_label
from apps.incidents.gathering import (
    Escalated,
    incident_findings_add,
    incident_findings_leave,
    incident_open_for_escalation,
    said_by,
    title_of,
)
from apps.incidents.opening import incident_open
from apps.incidents.saved_views import view_forget, view_save

__all__ = [
    "CLOSURE_KIND",
    "NONE",
    "Chart",
    "ChartLine",
    "Escalated",
    "Given",
    "Group",
    "action_add",
    "action_create",
    "action_end",
    "clock_report",
    "clock_set_aside",
    "clock_start",
    "complaint_answer",
    "complaint_examine",
    "complaint_link",
    "complaint_open_incident",
    "complaint_record",
    "complaint_reopen",
    "complaint_withdraw",
    "cost_book",
    "cost_reverse",
    "incident_change",
    "incident_closure_request",
    "incident_evidence_add",
    "incident_findings_add",
    "incident_findings_leave",
    "incident_group_set",
    "incident_link",
    "incident_move",
    "incident_note",
    "incident_open",
    "incident_open_for_escalation",
    "incident_reopen",
    "incident_seen",
    "run_label",
    "said_by",
    "threshold_label",
    "title_of",
    "view_forget",
    "view_save",
]
