"""What was kept long enough goes: raw events, the pseudonyms in them, hour cubes and runs, each after its own period.

A model with an open incident keeps everything. What goes is in the audit log, in the transaction in which it goes.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta

from django.db import transaction

from apps.audit import services as audit
from apps.common import clock
from apps.incidents import selectors as incidents
from apps.inference import forgetting as log
from apps.inference import services as inference
from apps.monitoring import selectors as kept
from apps.monitoring import services as monitoring
from apps.pipeline.models import LetGo
from apps.registry import selectors as registry
from apps.registry.retention import Retention, retention_of
from apps.registry.spec import ModelSpec

ACTOR = "system:compute"


@dataclass(frozen=True, slots=True)
class Due:
    """Something that was kept long enough. `held`: an incident of the model is open, so it stays."""

    kind: str
    models: tuple[str, ...]
    before: datetime
    amount: int
    held: bool


def counted_since(model_id: int) -> datetime:
    """The moment before which hours are not counted again: what they were counted from is not all there any more."""
    gone = LetGo.objects.filter(model_id=model_id).first()
    return gone.before if gone else datetime.min.replace(tzinfo=UTC)


def retention_plan() -> list[Due]:
    """What is due now, and what is held. Reads only."""
    specs, periods, held = _state()
    found = [
        Due("events", tuple(spec.slug for spec in due), _moment(day + timedelta(days=1)), amount, held=stays)
        for day, some in _days(specs, periods)
        for stays in (False, True)
        if (due := [spec for spec in some if (spec.id in held) is stays])
        and (amount := log.events_on(day, [spec.id for spec in due]))
    ]
    for spec in specs:
        for kind, before, counts, _ in _steps(spec, periods[spec.id]):
            if amount := counts(spec.id, before):
                found.append(Due(kind, (spec.slug,), before, amount, spec.id in held))
    return found


def retention_apply() -> int:
    """Let go of what is due and not held; answers how many pieces of work that was. Compute side; can be repeated.

    Days of the event log go as partitions. Where another model still needs the day, the rows of the others go.
    """
    specs, periods, held = _state()
    done = 0
    for day, some in _days(specs, periods):
        due = [spec for spec in some if spec.id not in held]
        if due and log.events_on(day, [spec.id for spec in due]):
            with transaction.atomic():
                for spec in due:
                    _let_go(spec.id, _moment(day + timedelta(days=1)))
                how = inference.day_drop(day=day, model_ids=[spec.id for spec in due])
                _record("retention.events", day.isoformat(), {"models": [spec.slug for spec in due], "partition": how})
            done += 1
    for spec in specs:
        for kind, before, counts, drop in _steps(spec, periods[spec.id]):
            if spec.id not in held and counts(spec.id, before):
                with transaction.atomic():
                    if kind == "pseudonyms":
                        _let_go(spec.id, before)
                    gone = drop(spec.id, before)
                    _record(f"retention.{kind}", spec.slug, {"before": before.isoformat(), "gone": gone})
                done += bool(gone)
    return done


def _state() -> tuple[tuple[ModelSpec, ...], Mapping[int, Retention], frozenset[int]]:
    specs = registry.all_specs()
    return specs, retention_of([spec.id for spec in specs]), incidents.models_with_open_incidents()


def _days(specs: Iterable[ModelSpec], periods: Mapping[int, Retention]) -> Iterator[tuple[date, list[ModelSpec]]]:
    """Days of the event log with the models whose period for them is over."""
    for day in log.days_kept():
        due = [spec for spec in specs if _moment(day + timedelta(days=1)) <= _before(periods[spec.id].events)]
        if due:
            yield day, due


Step = tuple[str, datetime, Callable[[int, datetime], int], Callable[[int, datetime], int]]


def _steps(spec: ModelSpec, period: Retention) -> list[Step]:
    return [
        (
            "pseudonyms",
            _before(period.pseudonyms),
            log.pseudonyms_waiting,
            lambda model, before: inference.pseudonyms_forget(model_id=model, before=before),
        ),
        (
            "cubes",
            _before(period.cubes),
            kept.cubes_before,
            lambda model, before: monitoring.cubes_drop(model_id=model, before=before),
        ),
        (
            "runs",
            _before(period.runs),
            kept.runs_before,
            lambda model, before: monitoring.runs_drop_old(model_id=model, before=before),
        ),
    ]


def _let_go(model_id: int, before: datetime) -> None:
    """From now on no hour of the model before a moment is counted again."""
    if not LetGo.objects.filter(model_id=model_id, before__gte=before).exists():
        LetGo.objects.update_or_create(model_id=model_id, defaults={"before": before})


def _before(days: int) -> datetime:
    """Midnight UTC so many days ago."""
    return _moment(clock.now().astimezone(UTC).date() - timedelta(days=days))


def _moment(day: date) -> datetime:
    return datetime(day.year, day.month, day.day, tzinfo=UTC)


def _record(action: str, subject: str, detail: Mapping[str, object]) -> None:
    audit.append(actor=ACTOR, action=action, subject=subject, detail=dict(detail))
