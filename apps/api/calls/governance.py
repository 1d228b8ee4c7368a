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
    policy = thresholds.policy_in_force(call.spec.id, clock.now())
    if policy is None:
        raise not_found()
    return Answer(
        200,
        PolicyAnswer(
            model=call.spec.slug,
            version=policy.version,
            digest=policy.digest,
            assessment_reference=policy.assessment_reference,
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
