"""Closing an incident with evidence, lessons and a second person; and opening it again.

Closure is a request of the approvals engine: who asks for it never signs it, and what is signed is what was read,
because the incident's content stays as it is from the request on.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Any

from django.db import IntegrityError, transaction

from apps.accounts.models import User
from apps.approvals.kinds import Kind, Need
from apps.approvals.selectors import ApprovalView
from apps.approvals.services import approval_draft, approval_submit, approvals_void
from apps.board import selectors as board
from apps.common import clock
from apps.common.errors import Refused
from apps.common.wording import shortened
from apps.incidents import states, steps
from apps.incidents.causes import CAUSES
from apps.incidents.checks import check_text
from apps.incidents.models import Action, Evidence, Incident, RegulatoryClock
from apps.responses import services as responses

CLOSURE = "incident_closure"
SIGN = "incident.close"


@transaction.atomic
def incident_closure_request(*, incident_id: int, person: User, statement: str, lessons: str) -> ApprovalView:
    """Ask a second person to close the incident.

    Parameters
    ----------
    statement
        What shows that it is over.
    lessons
        What the house has learnt.

    Raises
    ------
    Http404, PermissionDenied
        The person may not run incidents of this model.
    Refused
        Something is still open: ``actions``, ``clocks``, ``board``, ``causes``; or ``statement`` or ``lessons`` is
        missing.
    """
    incident = steps.held_for(incident_id, person)
    check_text("statement", statement, longest=5000, missing="Say what shows that it is over.")
    check_text("lessons", lessons, missing="Say what the house has learnt.")
    _demand_finished(incident)
    steps.move(
        incident,
        "closure_requested",
        actor=person.actor,
        text=statement.strip(),
        changes={"lessons": lessons.strip()},
    )
    drafted = approval_draft(
        kind=CLOSURE,
        model_id=incident.model_id,
        subject=f"incident:{incident.pk}",
        title=shortened(f"Close incident {incident.pk}: {incident.title}", 200),
        content=_content(incident),
        reason=statement,
        person=person,
    )
    return approval_submit(approval_id=drafted.id, person=person)


@transaction.atomic
def incident_reopen(*, incident_id: int, person: User, reason: str) -> Incident:
    """Take a closed incident up again. Raises Refused if it is not closed, or one of the same cause is open."""
    _hold_model(incident_id)
    incident = steps.held_for(incident_id, person, changeable=False)
    check_text("reason", reason, longest=5000, missing="Say why it is taken up again.")
    try:
        with transaction.atomic():
            changes = {"closed_at": None, "reopened_at": clock.now()}
            steps.move(incident, "reopened", actor=person.actor, text=reason.strip(), changes=changes)
    except IntegrityError:
        running = Incident.objects.exclude(state=states.CLOSED).filter(cause_key=incident.cause_key).first()
        if running is None:
            raise
        message = f"Incident {running.pk} of the same cause is open: go on there."
        raise Refused("incident", message, code="exists") from None
    responses.cause_resume(incident_id=incident.pk, actor=person.actor)
    return incident


def incident_close(approval: ApprovalView, actor: str) -> datetime | None:
    """What the signature brings about. Raises Refused if the incident is no longer what was signed."""
    incident = steps.held(int(approval.content["incident"]))
    if incident.revision != approval.content["revision"]:
        raise Refused("incident", "The incident is no longer what was asked to be closed.", code="changed")
    steps.move(
        incident,
        "closed",
        actor=actor,
        detail={"approval": approval.id, "digest": approval.digest},
        changes={"closed_at": clock.now()},
    )
    responses.cause_end(incident_id=incident.pk, actor=actor)
    return None


def incident_hold(subject: str) -> None:
    """Hold the incident that a request for closure is about."""
    incident_id = int(subject.partition(":")[2])
    _hold_model(incident_id)
    steps.held(incident_id)


def closure_void(incident: Incident, *, reason: str, actor: str) -> None:
    """End the request for the closure of an incident that is held, because it is no longer all there is to sign."""
    if approvals_void(kind=CLOSURE, subject=f"incident:{incident.pk}", reason=reason, actor=actor):
        incident.refresh_from_db(fields=["state", "revision"])


def incident_closure_ended(approval: ApprovalView, actor: str) -> None:
    """The request came to nothing: the incident goes on."""
    incident = steps.held(int(approval.content["incident"]))
    if incident.state == states.CLOSING:
        detail = {"approval": approval.id, "request": approval.state}
        steps.move(incident, "closure_refused", actor=actor, detail=detail)


def needs(content: Mapping[str, Any]) -> list[Need]:
    """One more person who runs incidents, or compliance."""
    return [Need(SIGN, "nobody closes an incident alone")]


def check(model_id: int | None, content: Mapping[str, Any]) -> None:
    """Raises Refused unless the content is that of an incident whose closure has been asked for.

    Without this, a draft written around `incident_closure_request` could close an incident with open actions.
    """
    number = content.get("incident")
    closing = Incident.objects.filter(model_id=model_id, state=states.CLOSING)
    found = closing.filter(pk=number).first() if isinstance(number, int) else None
    if found is None or content != _content(found):
        raise Refused("content", "Ask for closure on the incident's page.", code="content")


CLOSURE_KIND = Kind(
    name=CLOSURE,
    title="Closure of an incident",
    request=steps.MANAGE,
    view="incident.view",
    signers=(SIGN,),
    needs=needs,
    effect=incident_close,
    check=check,
    ended=incident_closure_ended,
    hold=incident_hold,
)


def _hold_model(incident_id: int) -> None:
    """Let whoever moves the model's findings finish first: they hold the model before its causes and incidents."""
    model_id = Incident.objects.filter(pk=incident_id).values_list("model_id", flat=True).first()
    if model_id is not None:
        responses.hold(model_id)


def _demand_finished(incident: Incident) -> None:
    actions = Action.objects.filter(incident=incident, state=Action.State.OPEN).count()
    if actions:
        said = "An action is" if actions == 1 else f"{actions} actions are"
        raise Refused("actions", f"{said} open. Say what became of each first.", code="open")
    undecided = RegulatoryClock.objects.filter(
        incident=incident, state__in=[RegulatoryClock.State.PROPOSED, RegulatoryClock.State.RUNNING]
    ).count()
    if undecided:
        said = "A regulatory clock is" if undecided == 1 else f"{undecided} regulatory clocks are"
        raise Refused("clocks", f"{said} neither reported nor set aside.", code="open")
    if board.has_open_case("incident", incident.pk):
        raise Refused(
            "board", "The ethics board has this incident before it. It closes after the decision.", code="open"
        )
    if not incident.causes:
        raise Refused("causes", "Name the root cause first.", code="missing")


def _content(incident: Incident) -> dict[str, Any]:
    """What is signed: how the incident stands, with the digests of its evidence."""
    actions = Action.objects.filter(incident=incident).order_by("id")
    return {
        "incident": incident.pk,
        "revision": incident.revision,
        "severity": incident.severity,
        "root_causes": [CAUSES[key].title for key in incident.causes],
        "explanation": incident.explanation,
        "lessons": incident.lessons,
        "actions": [f"{each.state}: {each.title}. {each.outcome}" for each in actions],
        "evidence": list(Evidence.objects.filter(incident=incident).order_by("id").values_list("digest", flat=True)),
    }
