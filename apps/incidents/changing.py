"""Running an incident: what is known of it changes, and every change is in its timeline."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from django.db import transaction

from apps.accounts.models import User
from apps.accounts.permissions import demand, may
from apps.common.errors import Refused
from apps.incidents import steps
from apps.incidents.causes import CAUSES
from apps.incidents.checks import Group, check_causes, check_group, check_text
from apps.incidents.evidence import Given, freeze
from apps.incidents.models import AffectedGroup, Incident, IncidentLink
from apps.incidents.models.incidents import SEVERITIES
from apps.incidents.opening import set_people
from apps.registry.spec import ModelSpec

CHANGED = "This incident has changed since you opened it. Look at it again, then send what you wrote."
STARTS = ("investigation_started", "remediation_started")


@transaction.atomic
def incident_move(*, incident_id: int, person: User, event: str, text: str = "") -> Incident:
    """Start the investigation or the remediation.

    Raises Http404 or PermissionDenied, and Refused (``state``) where the table has no such step.
    """
    if event not in STARTS:
        raise Refused("event", f"{event!r} is none of {', '.join(STARTS)}.")
    incident = steps.held_for(incident_id, person)
    steps.move(incident, event, actor=person.actor, text=text.strip())
    return incident


def incident_seen(*, incident_id: int, seen: int | None) -> None:
    """Hold the incident in the caller's transaction, and refuse (``changed``) where it is not as the person read it.

    So that a form that is sent twice, or by two people at once, has one effect.
    """
    if steps.held(incident_id).revision != seen:
        raise Refused("incident", CHANGED, code="changed")


@transaction.atomic
def incident_change(
    *,
    incident_id: int,
    person: User,
    seen: int,
    title: str,
    summary: str,
    severity: str,
    lead: User | None,
    causes: Sequence[str],
    explanation: str,
) -> Incident:
    """Put another description, severity, lead and root cause in the place of what `person` has read.

    Parameters
    ----------
    seen
        The revision that the person has read.

    Raises
    ------
    Http404, PermissionDenied
        The person may not run incidents of this model.
    Refused
        ``changed`` where somebody has changed the incident since, ``state`` where its content stays as it is, or a
        part that is missing or wrong.
    """
    incident = steps.held_for(incident_id, person)
    if incident.revision != seen:
        raise Refused("incident", CHANGED, code="changed")
    check_text("title", title, longest=200, missing="Say in a few words what has happened.")
    check_text("summary", summary, missing="Say what has happened, to which groups, and since when.")
    check_text("explanation", explanation)
    if severity not in SEVERITIES:
        raise Refused("severity", f"{severity!r} is none of {', '.join(SEVERITIES)}.")
    check_causes(causes)
    if lead is not None and not may(lead, steps.MANAGE, incident.model_id):
        raise Refused("lead", f"{lead.display_name} may not run incidents.")
    wanted: dict[str, Any] = {
        "title": title.strip(),
        "summary": summary.strip(),
        "severity": severity,
        "lead": lead,
        "causes": [key for key in CAUSES if key in causes],
        "explanation": explanation.strip(),
    }
    changed = {name: value for name, value in wanted.items() if getattr(incident, name) != value}
    if changed:
        told = {name: value.actor if isinstance(value, User) else value for name, value in changed.items()}
        steps.note(incident, "changed", actor=person.actor, detail=told, changes=changed)
    return incident


@transaction.atomic
def incident_note(*, incident_id: int, person: User, text: str) -> None:
    """Add a note to the timeline, also of a closed incident; whoever may plan remediation or run incidents may."""
    incident = steps.held(incident_id)
    _demand_part(person, incident)
    if incident.state == "closing":
        raise Refused("incident", "Closure is asked for: remark on the request instead.", code="state")
    check_text("text", text, longest=5000, missing="The note is empty.")
    steps.note(incident, "noted", actor=person.actor, text=text.strip())


@transaction.atomic
def incident_group_set(*, incident_id: int, person: User, model: ModelSpec, group: Group) -> None:
    """Name a group that is concerned, or say how many people of it and how they were counted.

    Fewer than ten people are kept as fewer than ten. Raises Refused for a group that the model does not have.
    """
    incident = steps.held_for(incident_id, person)
    if model.id != incident.model_id:
        raise ValueError(f"incident {incident.pk} is not about {model.slug}")
    check_group(model, group, field="group")
    if group.people is not None and not group.source.strip():
        raise Refused("source", "Say how these people were counted.")
    row, _ = AffectedGroup.objects.get_or_create(incident=incident, attribute=group.attribute, group=group.group)
    set_people(row, group)
    row.save(update_fields=["people", "decisions", "too_small", "source"])
    detail = {"attribute": group.attribute, "group": group.group, "people": row.people, "source": row.source}
    steps.note(incident, "group_counted", actor=person.actor, detail=detail)


@transaction.atomic
def incident_link(*, incident_id: int, person: User, kind: str, target: str, label: str = "") -> bool:
    """Link what the incident has to do with; False if it is linked already. The caller has looked at the target."""
    incident = steps.held_for(incident_id, person)
    return link(incident, kind, target, label, actor=person.actor)


def link(incident: Incident, kind: str, target: str, label: str, *, actor: str) -> bool:
    """Link, in the transaction of a verb that holds the incident; False if it is linked already."""
    if kind not in IncidentLink.Kind.values:
        raise Refused("kind", f"{kind!r} is none of {', '.join(IncidentLink.Kind.values)}.")
    if not target.strip() or len(target) > 100:
        raise Refused("target", "Say what is linked.")
    _, fresh = IncidentLink.objects.get_or_create(
        incident=incident, kind=kind, target=target.strip(), defaults={"label": label[:500], "added_by": actor}
    )
    if fresh:
        detail = {"kind": kind, "target": target.strip(), "label": label[:500]}
        steps.note(incident, "linked", actor=actor, detail=detail)
    return fresh


@transaction.atomic
def incident_evidence_add(*, incident_id: int, person: User, evidence: Given) -> int:
    """Freeze further evidence, such as runs after the remediation; returns how many documents were new."""
    incident = steps.held_for(incident_id, person)
    fresh = freeze(incident, evidence, actor=person.actor)
    if fresh:
        detail = {"documents": [{"title": each.title, "digest": each.digest} for each in fresh]}
        steps.note(incident, "evidence_added", actor=person.actor, detail=detail)
    return len(fresh)


def _demand_part(person: User, incident: Incident) -> None:
    """Let those pass who take part: who runs incidents, and who plans the model's remediation."""
    if not may(person, steps.MANAGE, incident.model_id):
        demand(person, "remediation.plan", incident.model_id)
