"""Taking a step: guarded UPDATE, timeline entry and audit entry in the caller's transaction.

Everything that happens to one incident happens one after the other: each verb holds its row until it is done.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from django.db import IntegrityError

from apps.accounts.models import User
from apps.accounts.permissions import demand
from apps.audit import services as audit
from apps.common import clock
from apps.common.errors import Refused
from apps.incidents import states
from apps.incidents.models import Incident, IncidentStep
from apps.registry.selectors import slug_of

MANAGE = "incident.manage"


def held(incident_id: int) -> Incident:
    """The incident, held until the transaction ends. Raises Refused (``unknown``) if there is none."""
    found = Incident.objects.select_for_update(of=("self",)).filter(pk=incident_id).first()
    if found is None:
        raise Refused("incident", f"There is no incident {incident_id}.", code="unknown")
    return found


def held_for(incident_id: int, person: User, *, verb: str = MANAGE, changeable: bool = True) -> Incident:
    """The incident, held for a person who may do `verb` to it.

    Raises Http404 or PermissionDenied, and Refused (``state``) where its content must stay as it is.
    """
    found = held(incident_id)
    demand(person, verb, found.model_id)
    if changeable and found.state not in states.CHANGEABLE:
        raise Refused(
            "incident", f"This incident is {states.TITLES[found.state]}; its content stays as it is.", code="state"
        )
    return found


def move(
    incident: Incident,
    event: str,
    *,
    actor: str,
    text: str = "",
    detail: Mapping[str, Any] | None = None,
    changes: Mapping[str, Any] | None = None,
) -> None:
    """Take a step of the table `states.STEPS`. Raises Refused (``state``) if it has no such step."""
    before = incident.state
    after = states.STEPS.get((before, event))
    if after is None:
        raise Refused(
            "incident", f"This incident is {states.TITLES[before]}; that cannot be done to it now.", code="state"
        )
    _update(incident, before, {**(changes or {}), "state": after})
    _write(incident, event, before, actor, text, detail)


def note(
    incident: Incident,
    event: str,
    *,
    actor: str,
    text: str = "",
    detail: Mapping[str, Any] | None = None,
    changes: Mapping[str, Any] | None = None,
) -> None:
    """Write down something that does not move the incident, with what it changes in it."""
    _update(incident, incident.state, dict(changes or {}))
    _write(incident, event, incident.state, actor, text, detail)


def opened(incident: Incident, *, actor: str, detail: Mapping[str, Any]) -> None:
    """The first entry of a new incident."""
    _write(incident, "opened", states.ABSENT, actor, "", detail)


def _update(incident: Incident, before: str, fields: dict[str, Any]) -> None:
    fields["revision"] = incident.revision + 1
    same = Incident.objects.filter(pk=incident.pk, state=before, revision=incident.revision)
    if same.update(**fields) != 1:
        raise IntegrityError(f"incident {incident.pk} moved although its row was held")
    for name, value in fields.items():
        setattr(incident, name, value)


def _write(
    incident: Incident, event: str, before: str, actor: str, text: str, detail: Mapping[str, Any] | None
) -> None:
    told = dict(detail or {})
    IncidentStep.objects.create(
        incident=incident,
        at=clock.now(),
        event=event,
        from_state=before,
        to_state=incident.state,
        actor=actor,
        text=text,
        detail=told,
    )
    audit.append(
        actor=actor,
        action=f"incident.{event}",
        subject=f"incident:{incident.pk}",
        model=slug_of(incident.model_id),
        detail={**told, **({"text": text} if text else {}), "state": incident.state},
    )
