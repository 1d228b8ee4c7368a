"""What others may know about runs. Nothing here reaches cubes or the vault.

Groups of fewer than ten people, and their partners (`disclosure`), come out suppressed: without value, interval and
count.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta
from typing import Any

from apps.common import clock
from apps.inference import selectors as inference
from apps.monitoring.change_history import changes
from apps.monitoring.models import LatestEvaluation, OverrideRates
from apps.monitoring.old import cubes_before, runs_before
from apps.monitoring.points import points, trend
from apps.monitoring.portfolio import portfolio_points
from apps.monitoring.recomputations import RecomputationRow, recomputations_of
from apps.monitoring.rows import Freshness, Point, PortfolioRow, RunPage, RunRow, StoredResults, TrendSeries
from apps.monitoring.runs import (
    latest_runs,
    latest_runs_of,
    revisions,
    run,
    run_document,
    run_documents,
    run_results,
    runs,
    runs_at,
)

__all__ = [
    "FRESHNESS_OBJECTIVE",
    "Freshness",
    "Point",
    "PortfolioRow",
    "RecomputationRow",
    "RunPage",
    "RunRow",
    "StoredResults",
    "TrendSeries",
    "changes",
    "cubes_before",
    "freshness",
    "latest_runs",
    "latest_runs_of",
    "override_rates",
    "points",
    "portfolio_points",
    "recomputations_of",
    "revisions",
    "run",
    "run_document",
    "run_documents",
    "run_results",
    "runs",
    "runs_at",
    "runs_before",
    "trend",
]

FRESHNESS_OBJECTIVE = timedelta(hours=2)


def override_rates(model_id: int) -> Mapping[str, Any] | None:
    """The newest rates at which a model's decisions were overridden, with the id of their row; None before the first.

    {id, digest, from, as_of, decisions, overrides, in_favour, confidence, attributes: {name: [{group, suppressed,
    decisions, overrides, rate, interval, against, in_favour}]}}; moments are RFC 3339 text.
    """
    newest = OverrideRates.objects.filter(model_id=model_id).order_by("-as_of").first()
    return {**newest.document, "id": newest.pk, "digest": newest.digest} if newest is not None else None


def freshness(model_ids: Sequence[int]) -> dict[int, Freshness]:
    """How old the daily window of each model is, by the clock's present moment; two queries."""
    now = clock.now()
    waiting = inference.dirty_hours_waiting(model_ids=model_ids)
    evaluated = {row.model_id: row for row in LatestEvaluation.objects.filter(model_id__in=list(model_ids))}
    return {
        identity: _freshness(identity, evaluated.get(identity), waiting.get(identity), now) for identity in model_ids
    }


def _freshness(
    model_id: int, evaluation: LatestEvaluation | None, queue: inference.Waiting | None, now: datetime
) -> Freshness:
    waiting_since = queue.oldest_marked_at if queue else None
    waiting_hours = queue.hours if queue else 0
    if evaluation is None:
        return Freshness(model_id, None, None, waiting_since, waiting_hours, None, "unknown")
    oldest = min(evaluation.evaluated_at, waiting_since or evaluation.evaluated_at)
    age = max(now - oldest, timedelta(0))
    state = "met" if age < FRESHNESS_OBJECTIVE else "missed"
    return Freshness(model_id, evaluation.evaluated_at, evaluation.as_of, waiting_since, waiting_hours, age, state)
