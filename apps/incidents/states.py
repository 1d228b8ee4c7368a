"""The life of an incident, in one table.

What is not in it cannot happen. An incident that is closing or closed keeps its content: what was signed is what was
read. A closed one is reopened and never edited.
"""

from __future__ import annotations

ABSENT = ""
OPEN, INVESTIGATING, REMEDIATING, CLOSING, CLOSED = "open", "investigating", "remediating", "closing", "closed"

STEPS: dict[tuple[str, str], str] = {
    (ABSENT, "opened"): OPEN,
    (OPEN, "investigation_started"): INVESTIGATING,
    (OPEN, "remediation_started"): REMEDIATING,
    (INVESTIGATING, "remediation_started"): REMEDIATING,
    (REMEDIATING, "investigation_started"): INVESTIGATING,
    (OPEN, "closure_requested"): CLOSING,
    (INVESTIGATING, "closure_requested"): CLOSING,
    (REMEDIATING, "closure_requested"): CLOSING,
    (CLOSING, "closure_refused"): INVESTIGATING,
    (CLOSING, "closed"): CLOSED,
    (CLOSED, "reopened"): INVESTIGATING,
}

ALL = (OPEN, INVESTIGATING, REMEDIATING, CLOSING, CLOSED)
CHANGEABLE = (OPEN, INVESTIGATING, REMEDIATING)
UNFINISHED = (*CHANGEABLE, CLOSING)

TITLES = {
    OPEN: "open",
    INVESTIGATING: "being investigated",
    REMEDIATING: "being remedied",
    CLOSING: "closure asked for",
    CLOSED: "closed",
}
