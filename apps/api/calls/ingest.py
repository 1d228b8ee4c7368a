"""The door for events and labels."""

from __future__ import annotations

from collections.abc import Sequence

import msgspec

from apps.api import counters
from apps.api.endpoint import JSON, NDJSON, Answer, Call, Endpoint
from apps.api.problems import FieldError, Problem
from apps.api.shapes.words import BatchRefusal
from apps.inference.checks import protected_field
from apps.inference.decoding import EVENTS, LABELS, Decoded, EventsBody, LabelsBody, Malformed
from apps.inference.services import events_ingest, labels_ingest
from apps.inference.shapes import Event, Label, Receipt, Rejection
from apps.overrides.services import overrides_record_of_events


def post_events(call: Call[bytes]) -> Answer:
    try:
        decoded = EVENTS.decode(call.body, lines=call.media_type == NDJSON)
    except Malformed as problem:
        raise Problem(400, str(problem)) from None
    receipt = events_ingest(spec=call.spec, events=decoded.rows, actor=call.bearer.actor)
    overrides_record_of_events(spec=call.spec, events=decoded.rows, actor=call.bearer.actor)
    refused = [protected_field(call.spec, rejection) for rejection in decoded.rejected]
    return _answer("events", decoded.places, refused, receipt)


def post_labels(call: Call[bytes]) -> Answer:
    try:
        decoded: Decoded[Label] = LABELS.decode(call.body, lines=call.media_type == NDJSON)
    except Malformed as problem:
        raise Problem(400, str(problem)) from None
    receipt = labels_ingest(spec=call.spec, labels=decoded.rows, actor=call.bearer.actor)
    return _answer("labels", decoded.places, decoded.rejected, receipt)


def _answer(kind: str, places: Sequence[int], refused: list[Rejection], receipt: Receipt) -> Answer:
    """202 if any row is stored now, 422 with the same members if every row was refused."""
    late = [msgspec.structs.replace(each, index=places[each.index]) for each in receipt.rejected]
    rejected = sorted(refused + late, key=lambda each: each.index)
    counters.batch(kind, accepted=receipt.accepted, duplicates=receipt.duplicates, rejected=len(rejected))
    if receipt.accepted or receipt.duplicates:
        return Answer(202, Receipt(receipt.accepted, receipt.duplicates, rejected))
    first = rejected[0]
    raise Problem(
        422,
        f"{kind}[{first.index}]: {first.message}" + (" Every row was refused." if len(rejected) > 1 else ""),
        code=first.code.replace("_", "-"),
        errors=[
            FieldError(f"{kind}[{each.index}].{each.field}".rstrip("."), each.code, each.message) for each in rejected
        ],
        members={"accepted": 0, "duplicates": 0, "rejected": msgspec.to_builtins(rejected)},
    )


EVENT_EXAMPLE = {
    "event_id": "2026-11-02-000017",
    "subject_id": "customer-8812",
    "occurred_at": "2026-11-02T09:30:00+11:00",
    "version": "2.1.0",
    "decision": 1,
    "score": 0.83,
    "features": {"income": 64000, "products": ["card", "loan"]},
    "override": {"by": "agent-7", "decision": 0, "reason": "Recent hardship notice"},
}
LABEL_EXAMPLE = {"event_id": "2026-11-02-000017", "label": 1, "observed_at": "2026-11-20T00:00:00Z"}

ENDPOINTS = (
    Endpoint(
        "POST",
        "models/<slug>/events",
        "events:write",
        "Send up to 10,000 events",
        post_events,
        {202: Receipt, 422: BatchRefusal},
        EventsBody,
        (JSON, NDJSON),
        raw=True,
        example={"events": [EVENT_EXAMPLE]},
        row=Event,
    ),
    Endpoint(
        "POST",
        "models/<slug>/labels",
        "labels:write",
        "Send up to 10,000 labels, before or after their events",
        post_labels,
        {202: Receipt, 422: BatchRefusal},
        LabelsBody,
        (JSON, NDJSON),
        raw=True,
        example={"labels": [LABEL_EXAMPLE]},
        row=Label,
    ),
)
