"""Monitoring's verbs: count hours, mark and evaluate windows, recompute a run. Compute side, but for marking."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime

from django.db import transaction

from apps.common import clock
from apps.monitoring.baselines import declared_of
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
from apps.monitoring.families import LONGEST, relatives_of
from apps.monitoring.models import LatestEvaluation
from apps.monitoring.old import cubes_drop, runs_drop_old
from apps.monitoring.override_rates import override_rates_count, override_rates_due
from apps.monitoring.recomputations import recomputation_ask, recomputation_next
from apps.monitoring.recomputing import Recomputed, run_recompute
from apps.monitoring.samples import samples_of
from apps.monitoring.storing import store_runs
from apps.monitoring.superseded import runs_drop_superseded
from apps.monitoring.telling import Telling
from apps.monitoring.windows import live_as_of, moments_touched
from apps.registry.spec import ModelSpec

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
    "recomputation_ask",
    "recomputation_next",
    "run_recompute",
    "runs_drop_old",
    "runs_drop_superseded",
    "windows_evaluate",
]


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
