"""Files of attributes, as large as they come: read row by row, sealed part by part, resumed where they broke off."""

from __future__ import annotations

from collections.abc import Collection
from typing import Any
from uuid import UUID

from apps.api.calls.attributes import EXAMPLE, declared_to
from apps.api.endpoint import CSV, JSON, NDJSON, Answer, Call, Endpoint, Stream
from apps.api.problems import not_found
from apps.api.shapes.attributes import AttributesBody, SubjectBody, UploadAnswer
from apps.api.tokens import Bearer
from apps.vault import selectors
from apps.vault.services import Receiving, upload_begin, upload_withdraw

_FORMS = {CSV: "csv", JSON: "json", NDJSON: "ndjson"}


def put_attribute_upload(call: Call[Stream]) -> Answer:
    identity, actor = _identity(call), call.bearer.actor
    upload_begin(actor=actor, form=_FORMS[call.media_type], upload_id=identity, attributes=_changeable(call.bearer))
    receiving = Receiving(upload_id=identity, actor=actor, start=call.body.start)
    for chunk in call.body.chunks:
        receiving.feed(chunk)
    receiving.end()
    return Answer(202, _answer(call.bearer, identity))


def get_attribute_upload(call: Call[None]) -> Answer:
    return Answer(200, _answer(call.bearer, _identity(call)))


def delete_attribute_upload(call: Call[None]) -> Answer:
    identity = _identity(call)
    upload_withdraw(upload_id=identity, actor=call.bearer.actor)
    return Answer(200, _answer(call.bearer, identity))


def _identity(call: Call[Any]) -> UUID:
    return UUID(str(call.path["upload_id"]))


def _changeable(bearer: Bearer) -> Collection[str] | None:
    """Another model's attributes are none of a bound token's business: it neither sees nor replaces them."""
    return None if bearer.model_slug is None else sorted(declared_to(bearer))


def _answer(bearer: Bearer, identity: UUID) -> UploadAnswer:
    found = selectors.upload(str(identity))
    if found is None or found.actor != bearer.actor:
        raise not_found()
    return UploadAnswer(
        upload_id=found.upload_id,
        state=found.state,  # type: ignore[arg-type]
        offset=found.taken,
        subjects=found.subjects,
        done=found.done,
        stored=found.stored,
        replaced=found.replaced,
        reason=found.reason,
    )


ENDPOINTS = (
    Endpoint(
        "PUT",
        "attribute-uploads/<uuid:upload_id>",
        "attributes:write",
        "Seal a file of attributes, of up to five million people; the id is the sender's choice",
        put_attribute_upload,
        {202: UploadAnswer},
        AttributesBody,
        media_types=(JSON, NDJSON, CSV),
        stream=True,
        example=EXAMPLE,
        row=SubjectBody,
        csv_example="subject_id,sex,age\ncustomer-8812,female,30 to 59\n",
    ),
    Endpoint(
        "GET",
        "attribute-uploads/<uuid:upload_id>",
        "attributes:write",
        "How far an upload is",
        get_attribute_upload,
        {200: UploadAnswer},
    ),
    Endpoint(
        "DELETE",
        "attribute-uploads/<uuid:upload_id>",
        "attributes:write",
        "Take back an upload that is not complete",
        delete_attribute_upload,
        {200: UploadAnswer},
    ),
)
