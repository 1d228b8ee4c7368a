"""How far the pipeline is, asked of its own rows, and waiting for it with progress bars."""

from __future__ import annotations

import time
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, replace
from typing import Any, Final

from django.apps import apps as installed
from django.db import OperationalError, close_old_connections
from kombu.exceptions import OperationalError as BrokerDownError
from tqdm import tqdm

from apps.common import clock
from apps.demo.errors import StuckError
from apps.inference import selectors as inference
from apps.monitoring import selectors as monitoring
from apps.registry import selectors as registry
from apps.vault import selectors as vault
from biasgov.celery import app

LOOK_EVERY: Final = 1.0
WAKE_EVERY: Final = 10
STUCK_AFTER: Final = 300.0
TASKS: Final = ("compute.open_uploads", "compute.sweep", "compute.evaluate_due", "governance.respond")


@dataclass(frozen=True, slots=True)
class Backlog:
    """What the pipeline has still to do: sealed uploads, hours to count, moments to evaluate, runs to answer, and
    the models whose newest hour has not been evaluated.
    """

    uploads: int
    hours: int
    evaluations: int
    unanswered: int
    behind: tuple[str, ...]

    def is_empty(self) -> bool:
        """Nothing is left to do."""
        return self == Backlog(0, 0, 0, 0, ())

    def is_computed(self) -> bool:
        """Nothing is left to do but to answer."""
        return replace(self, unanswered=0).is_empty()

    def __str__(self) -> str:
        return (
            f"{self.uploads} uploads to open, {self.hours} hours to count, {self.evaluations} moments to evaluate, "
            f"{self.unanswered} evaluations to answer, newest hour missing for: {', '.join(self.behind) or 'none'}"
        )


@dataclass(frozen=True, slots=True)
class Totals:
    """What the database holds after all."""

    models: list[str]
    runs: int
    findings: int
    incidents: int


def backlog() -> Backlog:
    """What is left to do at this moment."""
    close_old_connections()
    specs = {spec.id: spec.slug for spec in registry.all_specs()}
    newest = clock.hour_ceiling(clock.now())
    fresh = monitoring.freshness(list(specs))
    behind = [slug for key, slug in specs.items() if (as_of := fresh[key].as_of) is None or as_of < newest]
    waiting = inference.dirty_hours_waiting(model_ids=list(specs))
    return Backlog(
        uploads=vault.queue().uploads,
        hours=sum(each.hours for each in waiting.values()),
        evaluations=_count("monitoring", "MonitoringDue", ready_at__lte=clock.now()),
        unanswered=_count("pipeline", "UnansweredEvaluation"),
        behind=tuple(behind),
    )


def totals() -> Totals:
    """Models, runs, findings and incidents in the database."""
    close_old_connections()
    return Totals(
        models=sorted(spec.slug for spec in registry.all_specs()),
        runs=_count("monitoring", "MonitoringRun"),
        findings=_count("responses", "Finding"),
        incidents=_count("incidents", "Incident"),
    )


def wait_until_done(watch: Callable[[], Any], *, done: Callable[[Backlog], bool] = Backlog.is_empty) -> None:
    """Wait until what is left to do is `done`, showing progress and calling `watch` about once a second.

    The workers find their work by themselves; they are only woken a little earlier than the schedule would.
    Raises StuckError after five minutes without any change.
    """
    left, changed, looks = backlog(), time.monotonic(), 0
    with (
        _bar("Counting hours", left.hours) as hours,
        _bar("Evaluating windows", left.evaluations) as evaluations,
    ):
        while not done(left):
            if looks % WAKE_EVERY == 0:
                wake()
            looks += 1
            time.sleep(LOOK_EVERY)
            watch()
            before = left
            with suppress(OperationalError):  # The database is being started again; what was left is still left.
                left = backlog()
            _show(hours, left.hours)
            _show(evaluations, left.evaluations)
            changed = time.monotonic() if left != before else changed
            if time.monotonic() - changed > STUCK_AFTER:
                raise StuckError(f"The pipeline has made no progress for {STUCK_AFTER:.0f} seconds. Left: {left}.")


def wake() -> None:
    """Have the workers look for work now. Lost or late messages do no harm."""
    for task in TASKS:
        with suppress(BrokerDownError):  # The schedule wakes them once the broker is back.
            app.send_task(task, expires=WAKE_EVERY, retry=False)


def _show(bar: tqdm[Any], left: int) -> None:
    """Move a bar to where `left` items are left; more work than was known lengthens it."""
    bar.total = max(bar.total, bar.n + left)
    bar.update(bar.total - left - bar.n)
    bar.refresh()


def _bar(title: str, total: int) -> tqdm[Any]:
    return tqdm(desc=title, total=total, unit="", leave=True)


def _count(label: str, model: str, **conditions: Any) -> int:
    found: int = installed.get_model(label, model)._default_manager.filter(**conditions).count()
    return found
