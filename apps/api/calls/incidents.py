"""Opening and listing incidents."""

from __future__ import annotations

from apps.api.calls.models import CURSOR, LIMIT, cursor_of, id_of, limit_of
from apps.api.calls.naming import named_model, narrowed_to
from apps.api.endpoint import Answer, Call, Endpoint, Parameter
from apps.api.shapes.registers import IncidentAnswer, IncidentBody, IncidentsAnswer
from apps.common.errors import Refused
from apps.incidents import selectors as read
from apps.incidents import services as incidents
from apps.incidents.states import ALL as STATES
from apps.pipeline.escalating import evidence_of

PAGE = 50


def open_incident(call: Call[IncidentBody]) -> Answer:
    body = call.body
    spec = named_model(call, body.model)
    evidence = evidence_of(spec, run_ids=body.runs)
    if unknown := sorted(set(body.runs) - set(evidence.runs)):
        raise Refused("runs", f"{spec.slug} has no run {unknown[0]}.", code="unknown_run")
    incident = incidents.incident_open(
        model=spec,
        title=body.title,
        summary=body.summary,
        severity=body.severity,
        origin="api",
        actor=call.bearer.actor,
        began_at=body.began_at,
        aware_at=body.aware_at,
        groups=[incidents.Group(each.attribute, each.group, each.people, each.source) for each in body.groups],
        cause_key=f"api:{spec.slug}:{body.cause_key}" if body.cause_key else "",
        evidence=evidence,
    )
    row = read.incident(incident.pk)
    if row is None:
        raise LookupError(f"incident {incident.pk} is gone")
    return Answer(201, _answer(row))


def list_incidents(call: Call[None]) -> Answer:
    limit = limit_of(call.query, default=PAGE)
    state = call.query.get("state", "")
    if state not in ("", *STATES):
        raise Refused("state", f"This is none of {', '.join(STATES)}.")
    model_id = narrowed_to(call)
    after = id_of(call.query.get("cursor", ""))
    rows = read.incidents(model_id=model_id, state=state, before_id=after or None, limit=limit + 1)
    following = cursor_of(rows[limit - 1].id) if len(rows) > limit else None
    return Answer(200, IncidentsAnswer([_answer(row) for row in rows[:limit]], following))


def _answer(row: read.IncidentRow) -> IncidentAnswer:
    return IncidentAnswer(
        id=row.id,
        model=row.model_slug,
        title=row.title,
        summary=row.summary,
        severity=row.severity,
        state=row.state,
        origin=row.origin,
        causes=list(row.causes),
        began_at=row.began_at,
        aware_at=row.aware_at,
        opened_at=row.opened_at,
        closed_at=row.closed_at,
    )


INCIDENT_EXAMPLE = {
    "model": "card-limit",
    "title": "Applicants of one region get the higher limit half as often since Monday",
    "summary": "Noticed in the weekly figures; the feed of one region changed its format.",
    "severity": "high",
    "cause_key": "feed-2026-47",
}

ENDPOINTS = (
    Endpoint(
        "POST",
        "incidents",
        "incidents:write",
        "Open an incident",
        open_incident,
        {201: IncidentAnswer},
        IncidentBody,
        example=INCIDENT_EXAMPLE,
    ),
    Endpoint(
        "GET",
        "incidents",
        "read",
        "List incidents, newest first",
        list_incidents,
        {200: IncidentsAnswer},
        query=(
            Parameter("state", "Only this state.", {"type": "string", "enum": list(STATES)}, "open"),
            Parameter("model", "Only this model's.", {"type": "string"}, ""),
            LIMIT,
            CURSOR,
        ),
    ),
)
