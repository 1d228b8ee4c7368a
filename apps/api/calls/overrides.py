"""Telling that people decided otherwise than a model, and reading the register with its rates by group."""

from __future__ import annotations

import msgspec

from apps.api.calls.models import CURSOR, LIMIT, cursor_of, id_of, limit_of
from apps.api.endpoint import Answer, Call, Endpoint
from apps.api.problems import FieldError, Problem
from apps.api.shapes.registers import OverrideAnswer, OverridesAnswer, OverridesBody
from apps.api.shapes.words import BatchRefusal
from apps.inference.shapes import Receipt
from apps.monitoring import selectors as monitoring
from apps.overrides import selectors as read
from apps.overrides.services import Given, overrides_record

PAGE = 50


def post_overrides(call: Call[OverridesBody]) -> Answer:
    given = [
        Given(each.event_id, each.by, each.decision, each.at, each.category, each.reason)
        for each in call.body.overrides
    ]
    receipt = overrides_record(spec=call.spec, overrides=given, actor=call.bearer.actor)
    if receipt.accepted or receipt.duplicates:
        return Answer(202, receipt)
    first = receipt.rejected[0]
    raise Problem(
        422,
        f"overrides[{first.index}]: {first.message}",
        code=first.code.replace("_", "-"),
        errors=[
            FieldError(f"overrides[{each.index}].{each.field}", each.code, each.message) for each in receipt.rejected
        ],
        members={"accepted": 0, "duplicates": 0, "rejected": msgspec.to_builtins(receipt.rejected)},
    )


def list_overrides(call: Call[None]) -> Answer:
    limit = limit_of(call.query, default=PAGE)
    after = id_of(call.query.get("cursor", ""))
    rows = read.overrides(call.spec.id, before_id=after or None, limit=limit + 1)
    following = cursor_of(rows[limit - 1].id) if len(rows) > limit else None
    listed = [
        OverrideAnswer(
            id=row.id,
            event_key=str(row.event_key),
            occurred_at=row.occurred_at,
            from_decision=row.from_decision,
            to_decision=row.to_decision,
            category=row.category,
            reason=row.reason,
            by=row.by,
            overridden_at=row.overridden_at,
        )
        for row in rows[:limit]
    ]
    rates = monitoring.override_rates(call.spec.id)
    return Answer(200, OverridesAnswer(call.spec.slug, listed, dict(rates) if rates is not None else None, following))


OVERRIDE_EXAMPLE = {
    "event_id": "2026-11-02-000017",
    "by": "agent-7",
    "decision": 0,
    "at": "2026-11-02T10:05:00Z",
    "category": "hardship",
    "reason": "Recent hardship notice",
}

ENDPOINTS = (
    Endpoint(
        "POST",
        "models/<slug>/overrides",
        "events:write",
        "Tell that people decided otherwise than the model",
        post_overrides,
        {202: Receipt, 422: BatchRefusal},
        OverridesBody,
        example={"overrides": [OVERRIDE_EXAMPLE]},
    ),
    Endpoint(
        "GET",
        "models/<slug>/overrides",
        "read",
        "Overrides of a model, the last recorded first, and their rates by group",
        list_overrides,
        {200: OverridesAnswer},
        query=(LIMIT, CURSOR),
    ),
)
