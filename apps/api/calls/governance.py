"""What was found and by which bounds it was judged."""

from __future__ import annotations

from apps.api.calls.models import CURSOR, LIMIT
from apps.api.endpoint import Answer, Call, Endpoint, Parameter
from apps.api.problems import not_found
from apps.api.shapes import FindingsAnswer, PolicyAnswer
from apps.common import clock
from apps.thresholds import selectors as thresholds

PAGE = 50
STATES = ("open", "closed")


def show_findings(call: Call[None]) -> Answer:
    raise NotImplementedError


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
