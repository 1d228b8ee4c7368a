"""Protected attributes go in here and never come out: they are sealed for the compute side at once."""

from __future__ import annotations

import re
from collections.abc import Sequence

from apps.api.endpoint import Answer, Call, Endpoint
from apps.api.problems import FieldError, Problem
from apps.api.shapes.attributes import AttributesBody, ErasureAnswer, SealedAnswer, SubjectBody
from apps.api.tokens import Bearer
from apps.common.errors import Refused
from apps.inference.checks import CONTROL
from apps.registry.selectors import specs_page
from apps.vault.services import attributes_upload, erasure_request

# What is no UTF-8 in an address arrives as a percent sign and a byte above 127: nobody's id looks like that by itself.
_NO_TEXT = re.compile("%[89A-F][0-9A-F]")


def put_attributes(call: Call[AttributesBody]) -> Answer:
    subjects = call.body.subjects
    declared = declared_to(call.bearer)
    errors = _errors(subjects, declared)
    if errors:
        raise Problem(422, f"{errors[0].field}: {errors[0].message} Nothing was stored.", errors=errors)
    receipt = attributes_upload(
        actor=call.bearer.actor,
        subjects=[(subject.subject_id, subject.attributes) for subject in subjects],
        # Another model's attributes are none of a bound token's business: it neither sees nor replaces them.
        attributes=None if call.bearer.model_slug is None else sorted(declared),
    )
    return Answer(202, SealedAnswer(str(receipt.upload_id), receipt.sealed))


def delete_attributes(call: Call[None]) -> Answer:
    if call.bearer.model_slug is not None:
        raise Problem(403, "A person is erased for every model: this needs a token that is bound to none.")
    subject = call.path["subject_id"]
    if not 1 <= len(subject) <= 200 or CONTROL.search(subject):
        raise Refused("subject_id", "This must be 1 to 200 characters without control characters.")
    if _NO_TEXT.search(subject):
        raise Refused("subject_id", "This is not UTF-8 behind its percent signs; another person might be meant.")
    return Answer(202, ErasureAnswer(str(erasure_request(actor=call.bearer.actor, subject_id=subject))))


def declared_to(bearer: Bearer) -> dict[str, frozenset[str]]:
    """Levels by attribute, over all models that the token may see."""
    found: dict[str, frozenset[str]] = {}
    for spec in specs_page(only=bearer.model_slug, after=0, limit=None):
        for attribute in spec.attributes:
            found[attribute.name] = found.get(attribute.name, frozenset()) | frozenset(attribute.levels)
    return found


def _errors(subjects: Sequence[SubjectBody], declared: dict[str, frozenset[str]]) -> list[FieldError]:
    """What is wrong, by row and attribute; a value is never repeated, because it is about a person."""
    errors: list[FieldError] = []
    seen: set[str] = set()
    for index, subject in enumerate(subjects):
        here = f"subjects[{index}]"
        if CONTROL.search(subject.subject_id):
            errors.append(FieldError(f"{here}.subject_id", "invalid", "Control characters are not allowed."))
        if subject.subject_id in seen:
            errors.append(FieldError(f"{here}.subject_id", "duplicate", "This subject is in the upload twice."))
        seen.add(subject.subject_id)
        for name, level in subject.attributes.items():
            levels = declared.get(name)
            if levels is None:
                message = "No model that this token may see declares this attribute."
                errors.append(FieldError(f"{here}.attributes.{name[:80]}", "unknown_attribute", message))
            elif level not in levels:
                message = "This is not a declared level. Leave out what is not known."
                errors.append(FieldError(f"{here}.attributes.{name}", "unknown_level", message))
    return errors


EXAMPLE = {"subjects": [{"subject_id": "customer-8812", "attributes": {"sex": "female", "age": "30 to 59"}}]}

ENDPOINTS = (
    Endpoint(
        "PUT",
        "attributes",
        "attributes:write",
        "Seal the protected attributes of people",
        put_attributes,
        {202: SealedAnswer},
        AttributesBody,
        example=EXAMPLE,
    ),
    Endpoint(
        "DELETE",
        "attributes/<path:subject_id>",
        "attributes:write",
        "Erase the protected attributes of a person",
        delete_attributes,
        {202: ErasureAnswer},
    ),
)
