"""Actions: what a person has to do by when. They belong to an incident, or to a case that the board has decided."""

from __future__ import annotations

from datetime import datetime

from django.db import transaction

from apps.accounts.models import User
from apps.accounts.permissions import demand, may
from apps.audit import services as audit
from apps.common import clock
from apps.common.errors import Refused
from apps.incidents import states, steps
from apps.incidents.checks import check_text
from apps.incidents.models import Action, Incident
from apps.registry.selectors import slug_of

PLAN = "remediation.plan"


@transaction.atomic
def action_add(*, incident_id: int, person: User, title: str, owner: User, due_at: datetime) -> Action:
    """Give somebody something to do about an incident; the model's owners may plan too.

    Raises Http404 or PermissionDenied, and Refused for an empty title, a deadline that has passed, or an owner who
    may not see the incident.
    """
    incident = steps.held_for(incident_id, person, verb=PLAN)
    return action_create(
        model_id=incident.model_id, incident=incident, title=title, owner=owner, due_at=due_at, actor=person.actor
    )


def action_create(
    *,
    model_id: int | None,
    incident: Incident | None,
    title: str,
    owner: User,
    due_at: datetime,
    actor: str,
    case_id: int | None = None,
) -> Action:
    """The same for a verb that has checked its own right, in its transaction; the board's conditions come by here."""
    check_text("title", title, longest=300, missing="Say what has to be done.")
    if due_at <= clock.now():
        raise Refused("due_at", "The deadline lies in the past.")
    if not may(owner, "incident.view", model_id):
        raise Refused("owner", f"{owner.display_name} may not see incidents of this model.")
    action = Action.objects.create(
        model_id=model_id,
        incident=incident,
        case_id=case_id,
        title=title.strip(),
        owner=owner,
        due_at=due_at,
        added_by=actor,
        added_at=clock.now(),
    )
    _record(action, "action_added", actor, {"owner": owner.actor, "due": due_at.isoformat()})
    return action


@transaction.atomic
def action_end(*, action_id: int, person: User, done: bool, outcome: str) -> Action:
    """Say what was done and where that can be seen, or why it is dropped.

    Its owner may say that it is done; dropping is for those who may plan.

    Raises
    ------
    Http404, PermissionDenied
        The action is none of this person's business.
    Refused
        ``state`` where it has ended already or its incident is closing or closed; ``outcome`` is missing.
    """
    found = Action.objects.filter(pk=action_id).values_list("incident_id", flat=True).first()
    incident = steps.held(found) if found else None
    action = Action.objects.select_for_update(of=("self",)).filter(pk=action_id).first()
    if action is None:
        raise Refused("action", f"There is no action {action_id}.", code="unknown")
    if not (done and action.owner_id == person.pk and person.is_active):
        demand(person, PLAN, action.model_id)
    if incident is not None and incident.state not in states.CHANGEABLE:
        message = f"The incident is {states.TITLES[incident.state]}; its actions stay as they are."
        raise Refused("action", message, code="state")
    check_text("outcome", outcome, longest=5000, missing="Say what was done and where it can be seen, or why not.")
    state = Action.State.DONE if done else Action.State.DROPPED
    fields = {
        "state": state,
        "outcome": outcome.strip(),
        "ended_by": person.actor,
        "ended_at": clock.now(),
    }
    if Action.objects.filter(pk=action_id, state=Action.State.OPEN).update(**fields) != 1:
        raise Refused("action", f"This action is {action.state} already.", code="state")
    for name, value in fields.items():
        setattr(action, name, value)
    _record(action, f"action_{state}", person.actor, {}, outcome.strip())
    return action


def _record(action: Action, event: str, actor: str, detail: dict[str, str], text: str = "") -> None:
    told = {"action": action.pk, "title": action.title, **detail}
    if action.incident is not None:
        steps.note(action.incident, event, actor=actor, text=text, detail=told)
        return
    audit.append(
        actor=actor,
        action=f"case.{event}",
        subject=f"case:{action.case_id}",
        model=slug_of(action.model_id),
        detail={**told, **({"text": text} if text else {})},
    )
