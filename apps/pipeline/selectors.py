"""What the Health page shows: the four service objectives, the queues and what is wrong."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from django.db.models import Q

from apps.common import clock
from apps.inference import selectors as inference
from apps.monitoring import selectors as monitoring
from apps.pipeline import heartbeat
from apps.pipeline.burning import FEWEST_MINUTES, MAY_MISS, burn_rates, stale_shares, unknown_shares
from apps.pipeline.models import Alarm, Side, UnansweredEvaluation
from apps.registry.spec import ModelSpec
from apps.responses import selectors as responses
from apps.vault import selectors as vault
from biasgov.fairness.data_quality import COVERAGE_OBJECTIVE

__all__ = [
    "MAY_MISS",
    "AlarmRow",
    "Objective",
    "ObjectiveRow",
    "Queues",
    "alarms",
    "objectives",
    "queues",
    "rounds",
    "silent_sides",
]

DELIVERY_OBJECTIVE = timedelta(minutes=15)
AVAILABILITY_OBJECTIVE = 0.995
SHORTEST_AVAILABILITY = 24 * 60
"""Minutes that must have been watched before anything is said about a month."""
LONGEST = "30d"

MET, MISSED, UNKNOWN = "met", "missed", "unknown"


@dataclass(frozen=True, slots=True)
class ObjectiveRow:
    """One line of detail: what it speaks of, its value, and its own state."""

    subject: str
    value: float | None
    state: str
    note: str = ""


@dataclass(frozen=True, slots=True)
class Objective:
    """A service objective. `value` and `objective` are seconds or shares, as `unit` says; the worst row decides.

    state: met, missed, or unknown where nothing could be measured, which is never shown as met. burn: how fast what it
    may miss is used up, by window (see `burning`).
    """

    key: str
    name: str
    unit: str
    objective: float
    value: float | None
    state: str
    burn: Mapping[str, float | None]
    rows: tuple[ObjectiveRow, ...]


@dataclass(frozen=True, slots=True)
class Queues:
    """What waits: hours to count, evaluations to answer, uploads to open; and since when the oldest of each does."""

    dirty_hours: int
    oldest_dirty: datetime | None
    unanswered: int
    oldest_unanswered: datetime | None
    uploads: int
    erasures: int
    oldest_upload: datetime | None


@dataclass(frozen=True, slots=True)
class AlarmRow:
    """An open alarm; without a model it concerns the whole installation."""

    model_id: int | None
    kind: str
    attribute: str
    message: str
    raised_at: datetime


def objectives(specs: Sequence[ModelSpec]) -> tuple[Objective, ...]:
    """Freshness, alert delivery, availability and coverage, in this order; a fixed number of queries."""
    watched = heartbeat.availability()
    return (_freshness(specs, watched), _delivery(), _availability(watched), _coverage(specs))


def rounds() -> dict[str, datetime | None]:
    """When each side of the pipeline did its last round, to the minute; None for one that never did."""
    return heartbeat.last_rounds()


def silent_sides() -> dict[str, datetime]:
    """The sides that stand still, with their last round. While governance does, nobody is alerted to anything."""
    return {side: last for side, last in heartbeat.last_rounds().items() if last and heartbeat.is_silent(last)}


def queues(specs: Sequence[ModelSpec]) -> Queues:
    """The pipeline's queues, for these models."""
    identities = [spec.id for spec in specs]
    waiting = inference.dirty_hours_waiting(model_ids=identities).values()
    unanswered = list(
        UnansweredEvaluation.objects.filter(model_id__in=identities)
        .order_by("created_at")
        .values_list("created_at", flat=True)
    )
    sealed = vault.queue()
    return Queues(
        dirty_hours=sum(each.hours for each in waiting),
        oldest_dirty=min((each.oldest_marked_at for each in waiting), default=None),
        unanswered=len(unanswered),
        oldest_unanswered=unanswered[0] if unanswered else None,
        uploads=sealed.uploads,
        erasures=sealed.erasures,
        oldest_upload=sealed.waiting_since,
    )


def alarms(specs: Sequence[ModelSpec]) -> list[AlarmRow]:
    """The open alarms of these models and of the whole installation, oldest first."""
    concerned = Q(model_id__in=[spec.id for spec in specs]) | Q(model=None)
    found = Alarm.objects.filter(concerned, cleared_at=None).order_by("raised_at", "id")
    return [AlarmRow(each.model_id, each.kind, each.attribute, each.message, each.raised_at) for each in found]


def _freshness(specs: Sequence[ModelSpec], watched: heartbeat.Availability) -> Objective:
    limit = monitoring.FRESHNESS_OBJECTIVE.total_seconds()
    found = monitoring.freshness([spec.id for spec in specs])
    rows = tuple(
        ObjectiveRow(
            spec.slug,
            each.age.total_seconds() if each.age is not None else None,
            each.state,
            f"{each.waiting_hours} hours wait to be counted" if each.waiting_hours else "",
        )
        for spec in specs
        for each in [found[spec.id]]
    )
    oldest = max((row.value for row in rows if row.value is not None), default=None)
    burn = burn_rates("freshness", stale_shares([spec.id for spec in specs], watched))
    name = "Daily window not older than 2 hours"
    return Objective("freshness", name, "seconds", limit, oldest, _worst(rows), burn, rows)


def _delivery() -> Objective:
    limit = DELIVERY_OBJECTIVE.total_seconds()
    found = responses.delivery_times(heartbeat.WINDOWS, within=DELIVERY_OBJECTIVE)
    rows = tuple(
        ObjectiveRow(each.channel, each.slowest, MET if each.slowest < limit else MISSED)
        for each in found
        if each.window == LONGEST
    )
    value = max((row.value for row in rows if row.value is not None), default=None)
    missed: dict[str, float | None] = {}
    for window in heartbeat.WINDOWS:
        counted = sum(each.counted for each in found if each.window == window)
        missed[window] = sum(each.late for each in found if each.window == window) / counted if counted else None
    burn = burn_rates("delivery", missed)
    name = "Alerts delivered within 15 minutes"
    return Objective("delivery", name, "seconds", limit, value, _worst(rows), burn, rows)


def _availability(found: heartbeat.Availability) -> Objective:
    share = found.share
    state = MISSED
    if share is None or found.minutes < SHORTEST_AVAILABILITY:
        state = UNKNOWN
    elif share >= AVAILABILITY_OBJECTIVE:
        state = MET
    now = clock.now()
    rows = tuple(
        ObjectiveRow(
            side.value,
            (now - last).total_seconds() if last else None,
            UNKNOWN if last is None else MET if now - last < heartbeat.SILENCE else MISSED,
            "seconds since its last round",
        )
        for side in Side
        for last in [found.last.get(side.value)]
    )
    note = f"{found.alive:,} of {found.minutes:,} minutes since {found.since:%Y-%m-%d %H:%M}" if found.since else ""
    rows = (ObjectiveRow("both sides", share, state, note), *rows)
    burn = burn_rates("availability", found.missed if found.minutes >= FEWEST_MINUTES else {})
    name = "Pipeline up 99.5 % of 30 days"
    return Objective("availability", name, "share", AVAILABILITY_OBJECTIVE, share, state, burn, rows)


def _coverage(specs: Sequence[ModelSpec]) -> Objective:
    latest = monitoring.latest_runs_of([spec.id for spec in specs])
    rows = tuple(
        ObjectiveRow(
            f"{spec.slug}: {attribute}",
            share,
            UNKNOWN if share is None else MET if share > COVERAGE_OBJECTIVE else MISSED,
        )
        for spec in specs
        for run in [latest.get(spec.id, {}).get("7d")]
        for attribute, share in (run.coverage if run else dict.fromkeys(spec.attribute_names)).items()
    )
    lowest = min((row.value for row in rows if row.value is not None), default=None)
    burn = burn_rates("coverage", unknown_shares(latest.values()))
    name = "Attributes known for 90 % of a week"
    return Objective("coverage", name, "share", COVERAGE_OBJECTIVE, lowest, _worst(rows), burn, rows)


def _worst(rows: Sequence[ObjectiveRow]) -> str:
    states = {row.state for row in rows}
    return MISSED if MISSED in states else UNKNOWN if UNKNOWN in states or not states else MET
