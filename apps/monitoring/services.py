"""Monitoring's verbs: count hours, mark and evaluate windows, recompute a run. Compute side, but for marking."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, Literal

from django.db import transaction

from apps.common import clock
from apps.monitoring import documents
from apps.monitoring.baselines import Declared, declared_of
from apps.monitoring.code_version import code_version
from apps.monitoring.counting import hours_count
from apps.monitoring.cubes import CountedHour, Hours, replace_hours, window_cubes
from apps.monitoring.due import (
    DueEvaluation,
    cadence_set,
    evaluations_lease,
    evaluations_mark_due,
    evaluations_mark_live,
    evaluations_waiting,
    give_back,
    settle,
)
from apps.monitoring.evaluation import Inputs, PolicyInForce, evaluate_windows, policy_described
from apps.monitoring.families import LONGEST, relatives_named, relatives_of
from apps.monitoring.holding import Again
from apps.monitoring.models import LatestEvaluation, MonitoringRun
from apps.monitoring.old import cubes_drop, runs_drop_old
from apps.monitoring.override_rates import override_rates_count, override_rates_due
from apps.monitoring.samples import samples_of
from apps.monitoring.storing import store_runs
from apps.monitoring.superseded import runs_drop_superseded
from apps.monitoring.telling import Telling
from apps.monitoring.windows import live_as_of, moments_touched
from apps.registry import selectors as registry
from apps.registry.spec import ModelSpec
from biasgov.fairness.cube import CubeSchema
from biasgov.fairness.evaluation import Plan

__all__ = [
    "CountedHour",
    "DueEvaluation",
    "Recomputed",
    "cadence_set",
    "cubes_drop",
    "evaluations_lease",
    "evaluations_mark_due",
    "evaluations_mark_live",
    "evaluations_waiting",
    "give_back",
    "hours_count",
    "hours_store",
    "override_rates_count",
    "override_rates_due",
    "run_recompute",
    "runs_drop_old",
    "runs_drop_superseded",
    "windows_evaluate",
]

Outcome = Literal["same", "different", "inputs_changed", "code_changed"]


@dataclass(frozen=True, slots=True)
class Recomputed:
    """What recomputing a run gave: the same bytes, others, or why bytes cannot be compared.

    ``inputs_changed``: late events, labels or attributes have replaced cubes since (a newer revision says so).
    ``code_changed``: the run was computed by another version of the statistical core, and bytes differ.
    """

    run_id: int
    outcome: Outcome
    stored_digest: str
    recomputed_digest: str


def hours_store(*, spec: ModelSpec, counted: Sequence[CountedHour]) -> None:
    """Replace the cubes of counted hours and mark the windows that hold them due, in the caller's transaction."""
    if counted:
        replace_hours(spec.id, counted)
        moments = moments_touched([each.hour for each in counted], now=clock.now())
        evaluations_mark_due(model_id=spec.id, moments=moments)


def windows_evaluate(
    *, spec: ModelSpec, as_of: datetime, policy: PolicyInForce, due: DueEvaluation | None = None
) -> list[int]:
    """Evaluate the three windows that end at `as_of` and store what is new; answers the ids of the runs.

    A run is stored only if it says something else than the newest revision of its moment. With `due`, the lease is
    settled in the same transaction, and if it was lost nothing is stored and the answer is empty.
    """
    started = clock.now()
    moment, schema = as_of.astimezone(UTC), spec.schema()
    with transaction.atomic():
        telling = Telling(spec, moment)
        cubes = window_cubes(spec.id, moment, schema)
        declared = declared_of(spec, cubes[LONGEST].versions)
        inputs = Inputs(
            model=spec.slug,
            as_of=moment,
            state="final" if as_of <= started else "provisional",
            policy=policy_described(policy),
            schema=schema,
            plan=spec.plan(),
            version_names=spec.version_names,
            declared=declared,
            samples=samples_of(spec.id, declared, cubes),
            relatives=relatives_of(spec, moment),
            hours=Hours(spec.id, schema),
            holding=telling.holding,
        )
        evaluated = evaluate_windows(cubes, inputs)
        if due is not None and not settle(due):
            return []
        ids = store_runs(spec.id, evaluated, inputs)
        telling.finish()
        if as_of == live_as_of(started):
            LatestEvaluation.objects.update_or_create(
                model_id=spec.id, defaults={"as_of": inputs.as_of, "evaluated_at": started}
            )
    return ids


def run_recompute(*, run_id: int) -> Recomputed:
    """Compute a stored run again from the cubes as they are now, and compare the bytes. Stores nothing.

    Raises MonitoringRun.DoesNotExist.
    """
    run = MonitoringRun.objects.get(pk=run_id)
    stored = documents.read(bytes(run.document))
    cubes = window_cubes(run.model_id, run.as_of, CubeSchema.from_dict(stored["schema"]))
    declared = Declared.from_dict(stored["declared"])
    inputs = Inputs(
        model=stored["model"],
        as_of=datetime.fromisoformat(stored["as_of"]),
        state=stored["state"],
        policy=stored["policy"],
        schema=CubeSchema.from_dict(stored["schema"]),
        plan=Plan.from_dict(stored["plan"]),
        version_names=registry.model_spec_by_id(run.model_id).version_names,
        declared=declared,
        samples=samples_of(run.model_id, declared, cubes),
        relatives=relatives_named(stored, run.as_of),
        hours=Hours(run.model_id, CubeSchema.from_dict(stored["schema"])),
        holding=Again(stored.get("withheld", {})),
    )
    (again,) = (each for each in evaluate_windows(cubes, inputs) if each.cube.window == run.window)
    outcome: Outcome = "same"
    if again.document.digest != run.document_digest:
        outcome = "different"
        known = {run.window: run.cubes_digest, **stored["decided_from"]}
        moved = any(cubes[window].digest != digest for window, digest in known.items())
        if moved or _read_beside(again.document.content) != _read_beside(stored):
            outcome = "inputs_changed"
        elif code_version() != run.code_version:
            outcome = "code_changed"
    return Recomputed(run_id, outcome, run.document_digest, again.document.digest)


def _read_beside(content: Mapping[str, Any]) -> tuple[Any, Any]:
    """What a run was computed from that is not in its own cubes: the sample of events, and other models' cubes."""
    return content.get("sample"), content.get("family", {}).get("members")
