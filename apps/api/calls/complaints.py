"""Recording and listing complaints."""

from __future__ import annotations

from apps.api.calls.models import CURSOR, LIMIT, cursor_of, id_of, limit_of
from apps.api.calls.naming import named_model, narrowed_to
from apps.api.endpoint import Answer, Call, Endpoint, Parameter
from apps.api.shapes.registers import ComplaintAnswer, ComplaintBody, ComplaintsAnswer
from apps.common.errors import Refused
from apps.incidents import selectors as read
from apps.incidents import services as incidents
from apps.incidents.complaint_states import ALL as STATES

PAGE = 50


def record_complaint(call: Call[ComplaintBody]) -> Answer:
    body = call.body
    recorded = incidents.complaint_record(
        model=named_model(call, body.model),
        actor=call.bearer.actor,
        source=body.source,
        channel=body.channel,
        summary=body.summary,
        received_at=body.received_at,
        rule=body.rule,
        attribute=body.attribute,
        reference=body.reference,
    )
    row = read.complaint(recorded.pk)
    if row is None:
        raise LookupError(f"complaint {recorded.pk} is gone")
    return Answer(201, _answer(row))


def list_complaints(call: Call[None]) -> Answer:
    limit = limit_of(call.query, default=PAGE)
    state = call.query.get("state", "")
    if state not in ("", *STATES):
        raise Refused("state", f"This is none of {', '.join(STATES)}.")
    chosen = read.ComplaintFilter(states=(state,) if state else (), model_id=narrowed_to(call))
    after = id_of(call.query.get("cursor", ""))
    rows = read.complaints(chosen, before_id=after or None, limit=limit + 1)
    following = cursor_of(rows[limit - 1].id) if len(rows) > limit else None
    return Answer(200, ComplaintsAnswer([_answer(row) for row in rows[:limit]], following))


def _answer(row: read.ComplaintRow) -> ComplaintAnswer:
    return ComplaintAnswer(
        id=row.id,
        model=row.model_slug,
        source=row.source,
        channel=row.channel,
        summary=row.summary,
        attribute=row.attribute,
        reference=row.reference,
        received_at=row.received_at,
        due_at=row.due_at,
        state=row.state,
        outcome=row.outcome,
        answered_at=row.answered_at,
        incident=row.incident_id,
    )


COMPLAINT_EXAMPLE = {
    "model": "card-limit",
    "source": "customer",
    "channel": "mail",
    "summary": "Was given a third of the limit that a spouse with the same income was given.",
    "received_at": "2026-11-02T09:30:00Z",
    "reference": "IDR-2026-0417",
}

ENDPOINTS = (
    Endpoint(
        "POST",
        "complaints",
        "incidents:write",
        "Record a complaint",
        record_complaint,
        {201: ComplaintAnswer},
        ComplaintBody,
        example=COMPLAINT_EXAMPLE,
    ),
    Endpoint(
        "GET",
        "complaints",
        "read",
        "List complaints, newest first",
        list_complaints,
        {200: ComplaintsAnswer},
        query=(
            Parameter("state", "Only this state.", {"type": "string", "enum": list(STATES)}, "received"),
            Parameter("model", "Only this model's.", {"type": "string"}, ""),
            LIMIT,
            CURSOR,
        ),
    ),
)
