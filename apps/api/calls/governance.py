"""What was found and by which bounds it was judged."""

from __future__ import annotations

from apps.api.calls.models import CURSOR, LIMIT, cursor_of, id_of, limit_of
from apps.api.endpoint import Answer, Call, Endpoint, Parameter
from apps.api.problems import not_found
from apps.api.shapes.governance import FindingAnswer, FindingsAnswer, PolicyAnswer
from apps.api.shapes.metrics import BoundAnswer
from apps.common import clock
from apps.common.errors import Refused
from apps.responses import selectors as responses
from apps.thresholds import selectors as thresholds

PAGE = 50
STATES = ("open", "closed")


def show_findings(call: Call[None]) -> Answer:
    limit = limit_of(call.query, default=PAGE)
    state = call.query.get("state", "")
    if state not in ("", *STATES):
        raise Refused("state", f"This is none of {', '.join(STATES)}.")
    after = id_of(call.query.get("cursor", ""))
    rows = responses.findings(call.spec.id, limit=limit + 1, state=state, before_id=after or None)
    following = cursor_of(rows[limit - 1].id) if len(rows) > limit else None
    return Answer(200, FindingsAnswer(call.spec.slug, [_finding(row) for row in rows[:limit]], following))


def _finding(row: responses.FindingRow) -> FindingAnswer:
    return FindingAnswer(
        id=row.id,
        metric=row.metric,
        attribute=row.attribute,
        group=row.group,
        reference=row.reference,
        state=row.state,
        tier=row.tier,
        severity=row.severity,
        sentence=row.sentence,
        window=row.window,
        value=row.value,
        interval=[row.low, row.high],
        bound=BoundAnswer(row.bound_low, row.bound_high),
        run_id=row.run_id,
        opened_at=row.opened_at,
        opened_as_of=row.opened_as_of,
        last_as_of=row.last_as_of,
        last_verdict=row.last_verdict,
        acknowledged_at=row.acknowledged_at,
        acknowledged_by=row.acknowledged_by or None,
        closed_at=row.closed_at,
    )


def show_policy(call: Call[None]) -> Answer:
    try:
        policy = thresholds.policy_in_force(call.spec.id, clock.now())
    except thresholds.NoPolicy:
        raise not_found() from None
    return Answer(
        200,
        PolicyAnswer(
            model=call.spec.slug,
            id=policy.id,
            version=policy.version,
            digest=policy.digest,
            effective_from=policy.effective_from,
            assessment_reference=policy.assessment_reference,
            legal_basis=list(policy.legal_basis),
            justification=policy.justification,
            policy=policy.policy.to_dict(),
        ),
    )


ENDPOINTS = (
    Endpoint(
        "GET",
        "models/<slug>/findings",
        "read",
        "List the findings of a model, newest first",
        show_findings,
        {200: FindingsAnswer},
        query=(Parameter("state", "Only this state.", {"type": "string", "enum": list(STATES)}, "open"), LIMIT, CURSOR),
    ),
    Endpoint(
        "GET", "models/<slug>/policy", "read", "Show the threshold policy in force", show_policy, {200: PolicyAnswer}
    ),
)
