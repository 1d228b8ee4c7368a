"""The complaints register: from customers and regulators, about models, with the deadline of the rule that applies."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Any

from django.db import transaction

from apps.accounts.models import User
from apps.accounts.permissions import demand
from apps.audit import services as audit
from apps.common import clock
from apps.common.contacts import REFUSAL, holds_contact
from apps.common.errors import Refused
from apps.incidents import complaint_states as states
from apps.incidents import steps
from apps.incidents.changing import link
from apps.incidents.checks import check_text
from apps.incidents.clocks import COMPLAINT_RULES, DEFAULT_COMPLAINT_RULE
from apps.incidents.models import Complaint, ComplaintStep, Incident
from apps.incidents.opening import incident_open
from apps.registry.selectors import slug_of
from apps.registry.spec import ModelSpec

RECORD = "complaint.record"


@transaction.atomic
def complaint_record(
    *,
    model: ModelSpec,
    actor: str,
    source: str,
    channel: str,
    summary: str,
    received_at: datetime,
    rule: str = DEFAULT_COMPLAINT_RULE,
    attribute: str = "",
    reference: str = "",
    person: User | None = None,
) -> Complaint:
    """Write a complaint down: what it is about, not who complains.

    Parameters
    ----------
    person
        Who writes it down, where a person does: they must be allowed to.
    rule
        By which it has to be answered, a key of `clocks.COMPLAINT_RULES`.
    attribute
        The protected attribute that it speaks of, one of the model's; "" where none.
    reference
        Its number in the system where the person's data are kept.

    Raises
    ------
    Http404, PermissionDenied
        The person may not record complaints about this model.
    Refused
        A part is missing or wrong, or the text holds an address or telephone number.
    """
    if person is not None:
        demand(person, RECORD, model)
    if source not in Complaint.Source.values:
        raise Refused("source", f"{source!r} is none of {', '.join(Complaint.Source.values)}.")
    if channel not in Complaint.Channel.values:
        raise Refused("channel", f"{channel!r} is none of {', '.join(Complaint.Channel.values)}.")
    if rule not in COMPLAINT_RULES:
        raise Refused("rule", f"{rule!r} is none of {', '.join(COMPLAINT_RULES)}.")
    if attribute and attribute not in model.attribute_names:
        raise Refused("attribute", f"{model.slug} has no attribute {attribute!r}.", code="unknown_attribute")
    check_text("summary", summary, missing="Say what is complained about.")
    check_text("reference", reference, longest=100)
    _names_nobody("summary", summary)
    _names_nobody("reference", reference)
    if received_at > clock.now():
        raise Refused("received_at", "It cannot have been received in the future.")
    complaint = Complaint.objects.create(
        model_id=model.id,
        source=source,
        channel=channel,
        reference=reference.strip(),
        summary=summary.strip(),
        attribute=attribute,
        rule=rule,
        received_at=received_at,
        due_at=COMPLAINT_RULES[rule].due(received_at),
        recorded_by=actor,
        recorded_at=clock.now(),
    )
    detail = {"model": model.slug, "source": source, "channel": channel, "due": complaint.due_at.isoformat()}
    _record(complaint, "recorded", states.ABSENT, actor, "", detail)
    return complaint


@transaction.atomic
def complaint_examine(*, complaint_id: int, person: User) -> Complaint:
    """Start examining it. Raises Refused (``state``) if that is done or it has ended."""
    complaint = _held(complaint_id, person)
    _move(complaint, "examination_started", person)
    return complaint


@transaction.atomic
def complaint_answer(*, complaint_id: int, person: User, outcome: str, answer: str) -> Complaint:
    """Say what was found and answered. Raises Refused (``state``), or for a missing outcome or text."""
    complaint = _held(complaint_id, person)
    if outcome not in states.OUTCOMES:
        raise Refused("outcome", f"{outcome!r} is none of {', '.join(states.OUTCOMES)}.")
    check_text("answer", answer, missing="Say what was found and answered.")
    _names_nobody("answer", answer)
    changes = {"outcome": outcome, "answer": answer.strip(), "answered_at": clock.now()}
    _move(complaint, "answered", person, text=answer.strip(), changes=changes)
    return complaint


@transaction.atomic
def complaint_withdraw(*, complaint_id: int, person: User, reason: str) -> Complaint:
    """It was taken back by who had complained. Raises Refused (``state``), or without a reason."""
    complaint = _held(complaint_id, person)
    check_text("reason", reason, longest=5000, missing="Say how it was taken back.")
    _move(complaint, "withdrawn", person, text=reason.strip())
    return complaint


@transaction.atomic
def complaint_reopen(*, complaint_id: int, person: User, reason: str) -> Complaint:
    """Take it up again. The deadline stays that of the day on which it was received."""
    complaint = _held(complaint_id, person)
    check_text("reason", reason, longest=5000, missing="Say why it is taken up again.")
    _move(complaint, "reopened", person, text=reason.strip(), changes={"outcome": "", "answered_at": None})
    return complaint


@transaction.atomic
def complaint_link(*, complaint_id: int, person: User, incident_id: int) -> Complaint:
    """Say which incident it belongs to: one of the same model that is being worked on."""
    complaint = _held(complaint_id, person)
    incident = steps.held_for(incident_id, person)
    if incident.model_id != complaint.model_id:
        raise Refused("incident", f"Incident {incident_id} is about another model.", code="other_model")
    _join(complaint, incident, person)
    return complaint


@transaction.atomic
def complaint_open_incident(
    *, complaint_id: int, person: User, model: ModelSpec, title: str, severity: str
) -> Incident:
    """Open an incident for a complaint; the house became aware when it was received.

    Raises Http404 or PermissionDenied for who may not open incidents, Refused if it belongs to one already.
    """
    complaint = _held(complaint_id, person)
    if model.id != complaint.model_id:
        raise ValueError(f"complaint {complaint_id} is not about {model.slug}")
    if complaint.incident_id:
        raise Refused("complaint", f"It belongs to incident {complaint.incident_id}.", code="exists")
    incident = incident_open(
        model=model,
        title=title,
        summary=complaint.summary,
        severity=severity,
        origin="complaint",
        actor=person.actor,
        person=person,
        aware_at=complaint.received_at,
    )
    _join(complaint, incident, person)
    return incident


def _join(complaint: Complaint, incident: Incident, person: User) -> None:
    if complaint.incident_id == incident.pk:
        return
    if Complaint.objects.filter(pk=complaint.pk, incident=None).update(incident=incident) != 1:
        raise Refused("complaint", f"It belongs to incident {complaint.incident_id}.", code="exists")
    complaint.incident = incident
    _record(complaint, "linked", complaint.state, person.actor, f"Incident {incident.pk}", {"incident": incident.pk})
    link(incident, "complaint", str(complaint.pk), complaint.summary[:200], actor=person.actor)


def _held(complaint_id: int, person: User) -> Complaint:
    """The complaint, held until the transaction ends, for a person who may record complaints about its model."""
    found = Complaint.objects.select_for_update(of=("self",)).filter(pk=complaint_id).first()
    if found is None:
        raise Refused("complaint", f"There is no complaint {complaint_id}.", code="unknown")
    demand(person, RECORD, found.model_id)
    return found


def _move(
    complaint: Complaint, event: str, person: User, *, text: str = "", changes: Mapping[str, Any] | None = None
) -> None:
    before = complaint.state
    after = states.STEPS.get((before, event))
    if after is None:
        raise Refused("complaint", f"This complaint is {states.TITLES[before]}; that cannot be done now.", code="state")
    fields = {**(changes or {}), "state": after}
    if Complaint.objects.filter(pk=complaint.pk, state=before).update(**fields) != 1:
        raise Refused("complaint", "Somebody was faster. Look at it again.", code="state")
    for name, value in fields.items():
        setattr(complaint, name, value)
    _record(complaint, event, before, person.actor, text, {"outcome": complaint.outcome} if complaint.outcome else {})


def _record(complaint: Complaint, event: str, before: str, actor: str, text: str, detail: Mapping[str, Any]) -> None:
    ComplaintStep.objects.create(
        complaint=complaint,
        at=clock.now(),
        event=event,
        from_state=before,
        to_state=complaint.state,
        actor=actor,
        text=text,
    )
    audit.append(
        actor=actor,
        action=f"complaint.{event}",
        subject=f"complaint:{complaint.pk}",
        model=slug_of(complaint.model_id),
        detail={**detail, "state": complaint.state},
    )


def _names_nobody(field: str, text: str) -> None:
    """Addresses and telephone numbers are noticed; names cannot be, and the page asks not to write any."""
    if holds_contact(text):
        raise Refused(field, REFUSAL, code="personal")
