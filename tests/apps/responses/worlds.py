"""What runs may say, for tests of the ladder: observations with every part filled in."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from itertools import count
from typing import Any

from apps.common import clock
from apps.registry.spec import ModelSpec
from apps.responses.observations import AnsweredRun, Observation
from apps.responses.services import Answer, respond
from apps.thresholds.services import policy_publish
from biasgov.fairness.policy import Policy
from biasgov.fairness.response_plan import ResponsePlan

NOON = datetime(2026, 5, 4, 12, tzinfo=UTC)
HOUR = timedelta(hours=1)
RUN_IDS = count(10_000)


def look(spec: ModelSpec, verdict: str = "breach", **changes: Any) -> Observation:
    """One observation as of noon; the run gets a number of its own unless one is given."""
    fields: dict[str, Any] = {
        "model_id": spec.id,
        "run_id": changes.get("run_id") or next(RUN_IDS),
        "window": "24h",
        "as_of": NOON,
        "metric": "demographic_parity_ratio",
        "attribute": "region",
        "group": "APAC",
        "reference": "NA",
        "verdict": verdict,
        "severity": "medium" if verdict == "breach" else None,
        "value": 0.71 if verdict == "breach" else 0.92,
        "low": 0.66,
        "high": 0.75,
        "bound_low": 0.8,
        "bound_high": 1.25,
    }
    return Observation(**(fields | changes))


def answer(
    spec: ModelSpec, *looks: Observation, at: datetime | None = None, runs: Sequence[AnsweredRun] = ()
) -> Answer:
    """Respond a few minutes after the moment that the observations are as of."""
    moment = at or max(each.as_of for each in (*looks, *runs)) + timedelta(minutes=5)
    with clock.frozen(moment):
        return respond(model=spec, run_group=looks, runs=runs)


def answer_hours(spec: ModelSpec, *verdicts: str, start: datetime = NOON, **changes: Any) -> None:
    """One evaluation an hour, as of `start` and the hours after it."""
    for hour, verdict in enumerate(verdicts):
        answer(spec, look(spec, verdict, as_of=start + hour * HOUR, **changes))


def publish(spec: ModelSpec, **ladder: Any) -> None:
    """Put a policy in force with these numbers of the ladder."""
    policy_publish(
        model_id=spec.id,
        policy=Policy(ladder=ResponsePlan(**ladder)),
        assessment_reference="GOV002-17",
        actor="user:officer",
    )
