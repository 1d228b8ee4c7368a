"""May this be learned from? Asked by a training pipeline before it trains."""

from __future__ import annotations

from apps.api.endpoint import Answer, Call, Endpoint
from apps.api.problems import not_found
from apps.api.shapes.retraining import ReasonAnswer, RetrainingAnswer, RetrainingBody
from apps.retraining import selectors, services
from apps.retraining.selectors import CheckRow


def check_training_set(call: Call[RetrainingBody]) -> Answer:
    body = call.body
    found = services.retraining_check(
        model=call.spec,
        name=body.name,
        rows=body.rows,
        sources=[(each.source, each.rows) for each in body.sources],
        event_ids=body.event_ids,
        event_hashes=body.event_hashes,
        actor=call.bearer.actor,
    )
    return Answer(201, _answer(found))


def show_training_set(call: Call[None]) -> Answer:
    found = selectors.check(int(call.path["check_id"]))
    if found is None or found.model_id != call.spec.id:
        raise not_found()
    return Answer(200, _answer(found))


def _answer(found: CheckRow) -> RetrainingAnswer:
    return RetrainingAnswer(
        id=found.id,
        model=found.model_slug,
        name=found.name,
        verdict=found.state,  # type: ignore[arg-type]
        reasons=[ReasonAnswer(each.code, each.message, each.rows) for each in found.reasons],
        checked_at=found.checked_at,
        released_at=found.released_at,
    )


ENDPOINTS = (
    Endpoint(
        "POST",
        "models/<slug>/retraining",
        "gate:write",
        "Ask whether a training set may be learned from",
        check_training_set,
        {201: RetrainingAnswer},
        RetrainingBody,
        example={
            "name": "claims, autumn",
            "rows": 1200,
            "sources": [{"source": "observed_outcome", "rows": 1000}, {"source": "human_review", "rows": 200}],
            "event_ids": ["event-1", "event-2"],
        },
    ),
    Endpoint(
        "GET",
        "models/<slug>/retraining/<int:check_id>",
        "read",
        "Show what became of a training set",
        show_training_set,
        {200: RetrainingAnswer},
    ),
)
