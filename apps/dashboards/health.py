"""The four objectives of the service itself, and every model's freshness and coverage."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from apps.common import clock
from apps.dashboards.words import Badge, attribute_name, count, duration, percent
from apps.monitoring import selectors as monitoring
from apps.monitoring.selectors import FRESHNESS_OBJECTIVE, Freshness, RunRow
from apps.monitoring.services import evaluations_waiting
from apps.pipeline.heartbeat import MEASURED, availability
from apps.registry.spec import ModelSpec
from apps.responses import selectors as responses
from apps.responses.selectors import Delivery
from biasgov.fairness.data_quality import COVERAGE_ALERT, COVERAGE_OBJECTIVE

DELIVERY_OBJECTIVE = timedelta(minutes=15)
AVAILABILITY_OBJECTIVE = 0.995
_NOTHING = Badge("plain", "nothing measured yet")


@dataclass(frozen=True, slots=True)
class Objective:
    """One objective: what was promised, what is the case, and whether that is kept."""

    title: str
    value: str
    objective: str
    status: Badge


@dataclass(frozen=True, slots=True)
class HealthRow:
    """One model: freshness of its daily window, and coverage of its attributes in the longest window."""

    slug: str
    name: str
    fresh: Freshness
    fresh_status: Badge
    coverage: str
    coverage_status: Badge


@dataclass(frozen=True, slots=True)
class HealthPage:
    objectives: tuple[Objective, ...]
    rows: tuple[HealthRow, ...]
    queue: tuple[tuple[str, str | datetime], ...]

    @property
    def summary(self) -> str:
        """`3 of 4 objectives are kept.`"""
        kept = sum(each.status.kind == "within" for each in self.objectives)
        return f"{kept} of {len(self.objectives)} objectives are kept."


def health_page(specs: Sequence[ModelSpec]) -> HealthPage:
    """The service's objectives over the models given, and one row a model; a constant number of queries."""
    ids = [spec.id for spec in specs]
    fresh = monitoring.freshness(ids)
    runs = monitoring.latest_runs_of(ids)
    widest = {identity: list(windows.values())[-1] for identity, windows in runs.items() if windows}
    available = availability()
    return HealthPage(
        objectives=(
            fresh_objective(list(fresh.values())),
            delivery_objective(responses.delivery_times(clock.now() - MEASURED)),
            availability_objective(available.share),
            coverage_objective([share for run in widest.values() for share in shares(run)]),
        ),
        rows=tuple(_row(spec, fresh[spec.id], widest.get(spec.id)) for spec in specs),
        queue=_queue(list(fresh.values()), available.last),
    )


def fresh_objective(fresh: Sequence[Freshness]) -> Objective:
    """The oldest daily window: younger than two hours."""
    title, objective = "age of the oldest daily window", duration(FRESHNESS_OBJECTIVE.total_seconds())
    ages = [one.age for one in fresh if one.age is not None]
    if not fresh:
        return Objective(title, "–", objective, _NOTHING)
    if len(ages) < len(fresh):
        return Objective(title, "–", objective, Badge("inconclusive", "a model was never computed"))
    oldest = max(ages)
    return Objective(title, duration(oldest.total_seconds()), objective, _kept(oldest < FRESHNESS_OBJECTIVE))


def delivery_objective(deliveries: Sequence[Delivery]) -> Objective:
    """From breach to delivered alert, the slowest of 30 days: within 15 minutes; what is undelivered still ages."""
    title, objective = "breach to delivered alert, slowest of 30 days", duration(DELIVERY_OBJECTIVE.total_seconds())
    if not deliveries:
        return Objective(title, "–", objective, Badge("plain", "no alert yet"))
    now = clock.now()
    slowest = max((each.delivered_at or now) - each.detected_at for each in deliveries)
    return Objective(title, duration(slowest.total_seconds()), objective, _kept(slowest <= DELIVERY_OBJECTIVE))


def availability_objective(share: float | None) -> Objective:
    """Minutes of the last 30 days in which both sides of the pipeline did their round: 99.5 %."""
    title, objective = "pipeline availability, 30 days", percent(AVAILABILITY_OBJECTIVE, 1)
    if share is None:
        return Objective(title, "–", objective, _NOTHING)
    return Objective(title, percent(share, 2), objective, _kept(share >= AVAILABILITY_OBJECTIVE))


def coverage_objective(known: Sequence[float]) -> Objective:
    """Coverage of the least covered attribute of any model, in its longest window: above 90 %."""
    title, objective = "coverage of the least covered attribute", percent(COVERAGE_OBJECTIVE)
    if not known:
        return Objective(title, "–", objective, _NOTHING)
    return Objective(title, percent(min(known), 1), objective, _kept(min(known) > COVERAGE_OBJECTIVE))


def shares(run: RunRow) -> list[float]:
    """The known coverage shares of a run's attributes."""
    return [share for share in run.coverage.values() if share is not None]


def _kept(kept: bool) -> Badge:
    return Badge("within", "kept") if kept else Badge("breach", "missed")


def _row(spec: ModelSpec, fresh: Freshness, run: RunRow | None) -> HealthRow:
    known = shares(run) if run else []
    covered = run.coverage.items() if run else ()
    status = {"met": Badge("within", "fresh"), "missed": Badge("stale", "stale")}
    return HealthRow(
        slug=spec.slug,
        name=spec.name,
        fresh=fresh,
        fresh_status=status.get(fresh.state, Badge("stale", "never computed")),
        coverage=", ".join(f"{attribute_name(name)} {percent(share, 1)}" for name, share in covered) or "–",
        coverage_status=_covered(min(known, default=None)),
    )


def _covered(least: float | None) -> Badge:
    if least is None:
        return _NOTHING
    if least > COVERAGE_OBJECTIVE:
        return Badge("within", "above 90 %")
    return Badge("breach", "below 80 %") if least < COVERAGE_ALERT else Badge("inconclusive", "below 90 %")


def _queue(fresh: Sequence[Freshness], last: Mapping[str, datetime]) -> tuple[tuple[str, str | datetime], ...]:
    dead = responses.dead_letters().count()
    rounds = tuple((f"last round of the {side} side", at) for side, at in sorted(last.items()))
    return (
        ("hours waiting to be counted", count(sum(one.waiting_hours for one in fresh))),
        ("models with an evaluation due", count(len(evaluations_waiting()))),
        ("messages given up", count(dead)),
        *(rounds or (("last round of the pipeline", "never: start the workers and beat"),)),
    )
