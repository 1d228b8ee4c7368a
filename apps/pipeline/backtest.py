"""Running a proposed policy over the past: stored evaluations judged again, and the false alarm budget. Compute side.

A proposal's back-test is a row that waits (`apps.thresholds.backtests`). Whoever takes it holds it by a lease: if the
worker dies, the lease ends and another one takes it.
"""

from __future__ import annotations

import logging
from collections.abc import Iterator, Mapping, Sequence
from datetime import datetime, timedelta
from typing import Any

from apps.common import clock
from apps.monitoring import selectors as monitoring
from apps.monitoring.selectors import RunRow, StoredResults
from apps.registry import selectors as registry
from apps.registry.spec import ModelSpec
from apps.thresholds import selectors as thresholds
from apps.thresholds import services
from apps.thresholds.services import AskedBacktest
from biasgov.fairness.backtest import Replayer, StoredWindow
from biasgov.fairness.backtest_summary import summary
from biasgov.fairness.budget import budget, population_of
from biasgov.fairness.policy import Policy
from biasgov.fairness.policy_changes import UNCHANGED, compare
from biasgov.fairness.response_plan import WINDOWS

logger = logging.getLogger(__name__)

LOOKED_BACK = timedelta(days=90)
MOMENTS_AT_ONCE = 40
"""The results of so many evaluations are in memory together."""
TOLD_EVERY = 5 * MOMENTS_AT_ONCE
GROUPS_AT_MOST = 8

Moment = tuple[datetime, Sequence[RunRow]]


def backtest_next() -> bool:
    """Compute the back-test that waits longest; False if none waits.

    One that cannot be computed is answered with the kind of error alone: a library's message may quote values.
    """
    asked = services.backtest_lease()
    if asked is None:
        return False
    try:
        found = compute(asked)
    except Exception as error:
        logger.error("the back-test %s of model %s failed: %s", asked.id, asked.model_id, type(error).__name__)
        services.backtest_fail(asked=asked, note=f"It could not be computed ({type(error).__name__}).")
    else:
        services.backtest_store(asked=asked, result=found)
    return True


def compute(asked: AskedBacktest) -> dict[str, Any]:
    """What both policies would have said in the last 90 days, and what they cost in false alarms.

    The keys are those of `backtest_summary.summary`, with ``from``, ``until``, ``days`` and ``budget``; that is None,
    and ``no_budget`` says why, where the model has nothing to simulate from.
    """
    now = clock.now()
    since = now - LOOKED_BACK
    replayer = Replayer(asked.today, asked.proposed, close_after=asked.today.ladder.step_down_after)
    policies = {each.id: each.policy for each in thresholds.policy_versions(asked.model_id)}
    bounded = asked.today.bounded | asked.proposed.bounded
    for as_of, windows in _past(asked, since, policies, bounded):
        replayer.look(as_of, windows)
    services.backtest_tell(asked=asked, note="Every evaluation is judged. False alarms are being simulated.")
    return {
        "from": since.isoformat(),
        "until": now.isoformat(),
        "days": LOOKED_BACK.days,
        **summary(replayer.replay()),
        **_budget(asked),
    }


def _past(
    asked: AskedBacktest, since: datetime, policies: Mapping[int, Policy], bounded: frozenset[str]
) -> Iterator[tuple[datetime, list[StoredWindow]]]:
    """The stored evaluations in the order of time; says now and then how many there were."""
    moments = _moments(asked.model_id, since)
    for first in range(0, len(moments), MOMENTS_AT_ONCE):
        if first % TOLD_EVERY == 0:
            services.backtest_tell(asked=asked, note=f"{first:,} of {len(moments):,} evaluations are judged.")
        some = moments[first : first + MOMENTS_AT_ONCE]
        stored = monitoring.run_results([row.id for _, rows in some for row in rows], bounded)
        for as_of, rows in some:
            yield as_of, [_stored(stored[row.id], policies[row.policy_version_id]) for row in rows]


def _moments(model_id: int, since: datetime) -> list[Moment]:
    """The newest revisions of every evaluation, narrowest window first; windows without events say nothing."""
    found: dict[datetime, dict[str, RunRow]] = {}
    for window in WINDOWS:
        cursor: str | None = None
        while True:
            page = monitoring.runs(model_id, window, since=since, cursor=cursor, limit=1000)
            for row in page.rows:
                if row.n:
                    found.setdefault(row.as_of, {})[window] = row
            if (cursor := page.next_cursor) is None:
                break
    return [(as_of, [rows[name] for name in WINDOWS if name in rows]) for as_of, rows in sorted(found.items())]


def _stored(found: StoredResults, policy: Policy) -> StoredWindow:
    return StoredWindow(found.window, policy.confidence, found.results, found.hidden, policy)


def _budget(asked: AskedBacktest) -> dict[str, Any]:
    spec = registry.model_spec_by_id(asked.model_id)
    newest = monitoring.latest_runs(asked.model_id).get(WINDOWS[-1])
    if newest is None or not newest.n:
        return {"budget": None, "no_budget": "nothing was decided in the last 30 days"}
    document = monitoring.run_document(newest.id) or {"results": []}
    days = (newest.to_at - newest.from_at) / timedelta(days=1)
    try:
        population = population_of(
            events_per_day=newest.n / days,
            groups=min(max(len(each.levels) for each in spec.attributes), GROUPS_AT_MOST),
            rates=_rates(document["results"], spec),
        )
    except (KeyError, ValueError):
        return {"budget": None, "no_budget": "the model's rates are hidden, or everybody was decided on alike"}
    moved = [each.metric for each in compare([asked.today], asked.proposed) if each.effect != UNCHANGED and each.metric]
    found = budget(asked.today, asked.proposed, population, metric=moved[0] if moved else None)
    return {"budget": found.to_dict(), "no_budget": ""}


def _rates(results: Sequence[Mapping[str, Any]], spec: ModelSpec) -> dict[str, float]:
    """Rates over the shown groups of the attribute that is known of most events."""
    found: dict[str, float] = {}
    for metric in ("selection_rate", "tpr", "fpr"):
        best = 0
        for attribute in spec.attribute_names:
            counted = [
                (each["numerator"], each["denominator"])
                for each in results
                if each["metric"] == metric and each["attribute"] == attribute and each["numerator"] is not None
            ]
            over = sum(bottom for _, bottom in counted)
            if over > best:
                best, found[metric] = over, sum(top for top, _ in counted) / over
    return found
