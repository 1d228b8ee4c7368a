"""Regulatory clocks of an incident: a person says whether they apply, and when and to whom was reported."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Any

from django.db import transaction

from apps.accounts.models import User
from apps.common import clock
from apps.common.errors import Refused
from apps.incidents import clocks, steps
from apps.incidents.checks import check_text
from apps.incidents.models import Incident, RegulatoryClock

_State = RegulatoryClock.State

STEPS: dict[tuple[str, str], str] = {
    (_State.PROPOSED, "confirmed"): _State.RUNNING,
    (_State.PROPOSED, "set_aside"): _State.SET_ASIDE,
    (_State.RUNNING, "set_aside"): _State.SET_ASIDE,
    (_State.RUNNING, "reported"): _State.REPORTED,
    (_State.SET_ASIDE, "confirmed"): _State.RUNNING,
}


@transaction.atomic
def clock_start(
    *, incident_id: int, person: User, rule: str, started_at: datetime | None = None, note: str = ""
) -> RegulatoryClock:
    """Say that a clock applies: one that was proposed, that was set aside, or one that nobody had proposed.

    started_at: when the house became aware of what this clock is about (default: as for the incident); another moment
    needs a `note` that says why. Raises Refused for an unknown rule, or one that runs or has been reported.
    """
    if rule not in clocks.RULES:
        raise Refused("rule", f"{rule!r} is none of {', '.join(clocks.RULES)}.")
    incident = steps.held_for(incident_id, person)
    start = started_at or incident.aware_at
    if start > clock.now():
        raise Refused("started_at", "A clock cannot start in the future.")
    if start != incident.aware_at and not note.strip():
        raise Refused("note", "Say why this clock does not start when the house became aware of the incident.")
    found = RegulatoryClock.objects.filter(incident=incident, rule=rule).first()
    fields = {"started_at": start, "due_at": clocks.RULES[rule].due(start), "note": note.strip()}
    if found is None:
        found = RegulatoryClock.objects.create(
            incident=incident,
            rule=rule,
            state=_State.RUNNING,
            decided_by=person.actor,
            decided_at=clock.now(),
            added_at=clock.now(),
            **fields,
        )
        _record(incident, found, "confirmed", person)
        return found
    _step(incident, found, "confirmed", person, fields)
    return found


@transaction.atomic
def clock_set_aside(*, clock_id: int, person: User, note: str) -> RegulatoryClock:
    """Say why a clock does not apply. Raises Refused without a reason, or if it was reported or set aside."""
    incident, found = _held(clock_id, person)
    check_text("note", note, longest=5000, missing="Say why this clock does not apply.")
    _step(incident, found, "set_aside", person, {"note": note.strip()})
    return found


@transaction.atomic
def clock_report(*, clock_id: int, person: User, reported_at: datetime, note: str) -> RegulatoryClock:
    """Say when and to whom was reported. Raises Refused without that, or if the clock does not run."""
    incident, found = _held(clock_id, person)
    check_text("note", note, longest=5000, missing="Say to whom was reported, and under which reference.")
    if not found.started_at <= reported_at <= clock.now():
        raise Refused("reported_at", "The report lies between the start of the clock and now.")
    _step(incident, found, "reported", person, {"note": note.strip(), "reported_at": reported_at})
    return found


def _held(clock_id: int, person: User) -> tuple[Incident, RegulatoryClock]:
    found = RegulatoryClock.objects.filter(pk=clock_id).first()
    if found is None:
        raise Refused("clock", f"There is no clock {clock_id}.", code="unknown")
    incident = steps.held_for(found.incident_id, person)
    found.refresh_from_db()
    return incident, found


def _step(incident: Incident, found: RegulatoryClock, event: str, person: User, fields: Mapping[str, Any]) -> None:
    before = found.state
    after = STEPS.get((before, event))
    if after is None:
        said = _State(before).label.lower()
        raise Refused("clock", f"This clock is {said}; that cannot be done to it.", code="state")
    changes = {**fields, "state": after, "decided_by": person.actor, "decided_at": clock.now()}
    if RegulatoryClock.objects.filter(pk=found.pk, state=before).update(**changes) != 1:
        raise Refused("clock", "Somebody was faster. Look at it again.", code="state")
    for name, value in changes.items():
        setattr(found, name, value)
    _record(incident, found, event, person)


def _record(incident: Incident, found: RegulatoryClock, event: str, person: User) -> None:
    detail = {"rule": found.rule, "started": found.started_at.isoformat(), "due": found.due_at.isoformat()}
    if found.reported_at:
        detail["reported"] = found.reported_at.isoformat()
    steps.note(incident, f"clock_{event}", actor=person.actor, text=found.note, detail=detail)
