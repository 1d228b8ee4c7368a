"""What a serving gateway asks before it decides, and that it has taken note."""

from __future__ import annotations

from apps.api.endpoint import Answer, Call, Endpoint
from apps.api.shapes.governance import AcknowledgedAnswer, AcknowledgementBody, StatusAnswer
from apps.responses import selectors as responses
from apps.responses.services import status_acknowledge

MAX_AGE = 2


def show_status(call: Call[None]) -> Answer:
    document = responses.status_document(call.spec)
    return Answer(200, document, etag=document["etag"])


def acknowledge_status(call: Call[AcknowledgementBody]) -> Answer:
    noted = status_acknowledge(
        model=call.spec,
        actor=call.bearer.actor,
        gateway=call.body.gateway or call.bearer.name,
        sequence=call.body.sequence,
    )
    return Answer(
        201,
        AcknowledgedAnswer(
            gateway=noted.gateway,
            sequence=noted.sequence,
            current=noted.current,
            restriction_id=noted.restriction_id,
            acknowledged_at=noted.acknowledged_at,
        ),
    )


ENDPOINTS = (
    Endpoint(
        "GET",
        "models/<slug>/status",
        "read",
        "Show what the model may decide, signed",
        show_status,
        {200: StatusAnswer},
        max_age=MAX_AGE,
    ),
    Endpoint(
        "POST",
        "models/<slug>/status/ack",
        "read",
        "Acknowledge that a status is in effect",
        acknowledge_status,
        {201: AcknowledgedAnswer},
        AcknowledgementBody,
        example={"gateway": "eu-1", "sequence": 0},
    ),
)
