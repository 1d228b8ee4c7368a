"""The service's own objectives, queues and alarms, and every model's freshness and coverage, in words."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from apps.common import clock
from apps.dashboards.words import NBSP, Badge, attribute_name, count, duration, percent
from apps.monitoring import selectors as monitoring
from apps.monitoring.selectors import Freshness, RunRow
from apps.pipeline import selectors as pipeline
from apps.registry.spec import ModelSpec
from apps.responses import selectors as responses
from biasgov.fairness.data_quality import COVERAGE_ALERT, COVERAGE_OBJECTIVE

_TITLES = {
    "freshness": "age of the oldest daily window",
    "delivery": "breach to delivered alert, slowest of 30 days",
    "availability": "pipeline availability, 30 days",
    "coverage": "least covered attribute, 7 days",
}
_STATES = {"met": Badge("within", "kept"), "missed": Badge("breach", "missed")}
_UNKNOWN = {
    "freshness": Badge("plain", "not computed yet"),
    "delivery": Badge("plain", "no alert yet"),
    "availability": Badge("plain", "watched for less than a day"),
    "coverage": Badge("plain", "nothing measured yet"),
}

_BUDGETS = {
    "freshness": "the daily windows are fresh",
    "delivery": "alerts arrive in time",
    "availability": "the pipeline is up",
    "coverage": "attributes are known",
}

RESTRICTIONS_OF = timedelta(days=30)


@dataclass(frozen=True, slots=True)
class Objective:
    """One objective: what was promised, what is the case, and whether that is kept."""

    title: str
    value: str
    objective: str
    status: Badge


@dataclass(frozen=True, slots=True)
class Budget:
    """What an objective may miss in 30 days, and how fast that is used up in the last day, week and month."""

    title: str
    may_miss: str
    rates: tuple[str, ...]
    status: Badge


@dataclass(frozen=True, slots=True)
class HealthRow:
    """One model: freshness of its daily window, and coverage of its attributes over 7 days."""

    slug: str
    name: str
    fresh: Freshness
    fresh_status: Badge
    coverage: str
    coverage_status: Badge


@dataclass(frozen=True, slots=True)
class Fact:
    """Something that waits; `since` is the oldest one's time."""

    title: str
    value: str
    since: datetime | None = None


@dataclass(frozen=True, slots=True)
class AlarmLine:
    model: str
    message: str
    since: datetime


@dataclass(frozen=True, slots=True)
class RestrictionLine:
    """A restriction of the last 30 days: how long it took from the breach until every gateway had it in effect."""

    slug: str
    name: str
    number: int
    seconds: float
    status: Badge

    @property
    def taken(self) -> str:
        return duration(self.seconds)


@dataclass(frozen=True, slots=True)
class SilentSide:
    """A side of the pipeline that stands still."""

    text: str
    since: datetime


@dataclass(frozen=True, slots=True)
class HealthPage:
    objectives: tuple[Objective, ...]
    budgets: tuple[Budget, ...]
    rows: tuple[HealthRow, ...]
    queue: tuple[Fact, ...]
    alarms: tuple[AlarmLine, ...]
    restrictions: tuple[RestrictionLine, ...]
    silent: tuple[SilentSide, ...]

    @property
    def summary(self) -> str:
        """`3 of 4 objectives are kept.`"""
        kept = sum(each.status.kind == "within" for each in self.objectives)
        return f"{kept} of {len(self.objectives)} objectives are kept."

    @property
    def restriction_time(self) -> str:
        """`The slowest of 3 took 14 min; 1 is not in effect everywhere yet.`"""
        slowest = duration(max((line.seconds for line in self.restrictions), default=0.0))
        waiting = sum(line.status.kind != "within" for line in self.restrictions)
        late = f"; {waiting} {'is' if waiting == 1 else 'are'} not in effect everywhere yet" if waiting else ""
        number = len(self.restrictions)
        return f"{'The only one' if number == 1 else f'The slowest of {number}'} took {slowest}{late}."


def objectives(specs: Sequence[ModelSpec]) -> tuple[Objective, ...]:
    """The four objectives over the models given; a constant number of queries."""
    return tuple(map(objective, pipeline.objectives(specs)))


def budget(found: pipeline.Objective) -> Budget:
    """How fast an objective's budget is used up, in words."""
    rates = list(found.burn.values())
    return Budget(
        title=_BUDGETS[found.key],
        may_miss=_quantity(pipeline.MAY_MISS[found.key], "share"),
        rates=tuple("–" if rate is None else f"{rate:.1f}" if rate < 10 else count(round(rate)) for rate in rates),
        status=_burning(rates[0], rates[-1]),
    )


def _burning(day: float | None, month: float | None) -> Badge:
    if month is None:
        return Badge("plain", "nothing measured yet")
    if month > 1:
        return Badge("breach", "used up")
    if day is not None and day > 1:
        return Badge("inconclusive", "burning too fast")
    return Badge("within", f"{percent(1 - month)} left")


def objective(found: pipeline.Objective) -> Objective:
    """An objective in words; what could not be measured is never shown as kept."""
    return Objective(
        title=_TITLES.get(found.key, found.name),
        value=_quantity(found.value, found.unit),
        objective=_quantity(found.objective, found.unit),
        status=_STATES.get(found.state) or _UNKNOWN.get(found.key, Badge("plain", "not measured yet")),
    )


def health_page(specs: Sequence[ModelSpec]) -> HealthPage:
    """Everything that the Health page shows of the models given; a constant number of queries."""
    ids = [spec.id for spec in specs]
    fresh = monitoring.freshness(ids)
    weeks = {identity: runs.get("7d") for identity, runs in monitoring.latest_runs_of(ids).items()}
    names = {spec.id: spec.name for spec in specs}
    found = pipeline.objectives(specs)
    return HealthPage(
        objectives=tuple(map(objective, found)),
        budgets=tuple(map(budget, found)),
        rows=tuple(_row(spec, fresh[spec.id], weeks.get(spec.id)) for spec in specs),
        queue=_queue(pipeline.queues(specs)),
        alarms=tuple(
            AlarmLine(names[each.model_id] if each.model_id else "Audit log", each.message, each.raised_at)
            for each in pipeline.alarms(specs)
        ),
        restrictions=_restrictions(specs),
        silent=silent(),
    )


_SILENT = {
    "governance": "The governance side stands still: nobody is alerted, and no restriction is proposed.",
    "compute": "The compute side stands still: nothing is counted or evaluated.",
}


def silent() -> tuple[SilentSide, ...]:
    """The sides that stand still, in words; one query."""
    return tuple(SilentSide(_SILENT[side], last) for side, last in pipeline.silent_sides().items())


def _restrictions(specs: Sequence[ModelSpec]) -> tuple[RestrictionLine, ...]:
    known = {spec.id: spec for spec in specs}
    found = responses.restriction_times(list(known), clock.now() - RESTRICTIONS_OF)
    return tuple(
        RestrictionLine(
            slug=known[each.model_id].slug,
            name=known[each.model_id].name,
            number=each.restriction_id,
            seconds=each.seconds,
            status=Badge("within", "acknowledged") if each.acknowledged else Badge("breach", "not acknowledged"),
        )
        for each in reversed(found)
    )


def _quantity(value: float | None, unit: str) -> str:
    if value is None:
        return "–"
    if unit == "seconds":
        return duration(value)
    return f"{round(value * 100, 2):g}{NBSP}%"


def _row(spec: ModelSpec, fresh: Freshness, run: RunRow | None) -> HealthRow:
    covered = run.coverage.items() if run else ()
    known = [share for _, share in covered if share is not None]
    status = {"met": Badge("within", "fresh"), "missed": Badge("stale", "stale")}
    return HealthRow(
        slug=spec.slug,
        name=spec.name,
        fresh=fresh,
        fresh_status=status.get(fresh.state, Badge("stale", "never computed")),
        coverage=", ".join(f"{attribute_name(name)} {percent(share, 1)}" for name, share in covered) or "–",
        coverage_status=covered_badge(min(known, default=None)),
    )


def covered_badge(least: float | None) -> Badge:
    """The state of a model's least covered attribute."""
    if least is None:
        return _UNKNOWN["coverage"]
    if least > COVERAGE_OBJECTIVE:
        return Badge("within", "above 90 %")
    return Badge("breach", "below 80 %") if least < COVERAGE_ALERT else Badge("inconclusive", "below 90 %")


def _queue(found: pipeline.Queues) -> tuple[Fact, ...]:
    return (
        Fact("hours of decisions to be counted", count(found.dirty_hours), found.oldest_dirty),
        Fact("evaluations to be answered", count(found.unanswered), found.oldest_unanswered),
        Fact("attribute uploads to be opened", count(found.uploads), found.oldest_upload),
        Fact("erasures to be carried out", count(found.erasures)),
    )
