"""What the registers say: states, severities, origins and events in words."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime

from apps.dashboards.words import Badge, duration
from apps.incidents import states

STATES: Mapping[str, Badge] = {
    states.OPEN: Badge("breach", "open"),
    states.INVESTIGATING: Badge("inconclusive", "being investigated"),
    states.REMEDIATING: Badge("inconclusive", "being remedied"),
    states.CLOSING: Badge("plain", "closure asked for"),
    states.CLOSED: Badge("within", "closed"),
}
_SEVERITIES = {"low": "plain", "medium": "inconclusive", "high": "breach", "critical": "breach"}
ORIGINS: Mapping[str, str] = {
    "escalation": "an escalation",
    "person": "a person",
    "complaint": "a complaint",
    "api": "a program",
}
EVENTS: Mapping[str, str] = {
    "opened": "opened the incident",
    "investigation_started": "started the investigation",
    "remediation_started": "started the remediation",
    "closure_requested": "asked for closure",
    "closure_refused": "the request for closure came to nothing",
    "closed": "closed the incident by signature",
    "reopened": "opened it again",
    "changed": "changed the description",
    "noted": "noted",
    "linked": "linked",
    "finding_attached": "gathered findings of the same cause",
    "finding_escalated": "escalated findings of the same cause",
    "finding_separated": "took findings up in another incident",
    "group_counted": "named or counted a group",
    "evidence_added": "froze further evidence",
    "action_added": "added an action",
    "action_done": "finished an action",
    "action_dropped": "dropped an action",
    "clock_confirmed": "said that a regulatory clock applies",
    "clock_set_aside": "set a regulatory clock aside",
    "clock_reported": "reported to a regulator",
    "board_decided": "decided",
    "cost_booked": "booked a cost",
    "cost_taken_back": "took a cost back",
}


def severity_badge(severity: str) -> Badge:
    """The severity in words and colour."""
    return Badge(_SEVERITIES[severity], severity)


def deadline_words(at: datetime, now: datetime) -> str:
    """`due in 2 d`, or `overdue by 3 h`."""
    seconds = (at - now).total_seconds()
    return f"due in {duration(seconds)}" if seconds >= 0 else f"overdue by {duration(-seconds)}"
