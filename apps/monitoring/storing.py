"""Writing runs and their points. A run that would say the same as the newest revision is not written again."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from datetime import datetime
from typing import Any

import psycopg
from django.db import connection

from apps.audit import services as audit
from apps.common import clock
from apps.monitoring.disclosure import Hidden
from apps.monitoring.evaluation import EvaluatedWindow, Inputs
from apps.monitoring.models import MonitoringRun
from apps.monitoring.standing import standing_keep
from biasgov.fairness.evaluation import Result

_POINT_COLUMNS = (
    '(model_id, run_id, "window", as_of, metric, attribute, "group", value, low, high, n, verdict, severity)'
)


def alone(model_id: int) -> None:
    """Keep everybody else from storing runs of a model until the caller's transaction ends."""
    with connection.cursor() as cursor:
        # A row that only the compute side may lock; an advisory lock could be held by anybody.
        cursor.execute("INSERT INTO cube.turn (model_id) VALUES (%s) ON CONFLICT DO NOTHING", [model_id])
        cursor.execute("SELECT FROM cube.turn WHERE model_id = %s FOR UPDATE", [model_id])


def store_runs(model_id: int, evaluated: Sequence[EvaluatedWindow], inputs: Inputs) -> list[int]:
    """The ids of the runs that hold what was evaluated, in the caller's transaction: new revisions where it differs.

    The audit log gets the digests of those that are new, so that no stored run can be replaced unseen.
    """
    alone(model_id)
    stored = [_store(model_id, window, inputs) for window in evaluated]
    fresh = {window.cube.window: run for window, (run, is_new) in zip(evaluated, stored, strict=True) if is_new}
    if fresh:
        digests = {window.cube.window: window.document.digest for window in evaluated}
        audit.append(
            actor="system:compute",
            action="run.stored",
            subject=f"model:{inputs.model}",
            detail={
                "as_of": inputs.as_of.isoformat(),
                "runs": [{"run": run, "window": name, "document": digests[name]} for name, run in fresh.items()],
            },
        )
        standing_keep(model_id)
    return [run for run, _ in stored]


def _store(model_id: int, window: EvaluatedWindow, inputs: Inputs) -> tuple[int, bool]:
    """The run's id, and whether it is new."""
    newest = (
        MonitoringRun.objects.filter(model_id=model_id, window=window.cube.window, as_of=inputs.as_of)
        .order_by("-revision")
        .values_list("id", "revision", "document_digest")
        .first()
    )
    if newest is not None and newest[2] == window.document.digest:
        return int(newest[0]), False
    content = window.document.content
    run = MonitoringRun.objects.create(
        model_id=model_id,
        window=window.cube.window,
        as_of=inputs.as_of,
        revision=newest[1] + 1 if newest else 1,
        from_at=window.cube.from_at,
        to_at=window.cube.to_at,
        n=content["n"],
        state=inputs.state,
        coverage=content["coverage"],
        label_coverage=content["label_coverage"],
        policy_version_id=inputs.policy["id"],
        policy_digest=inputs.policy["digest"],
        cubes=window.cube.cubes,
        cubes_digest=window.cube.digest,
        code_version=content["code_version"],
        seed=window.seed,
        document=window.document.compressed,
        document_digest=window.document.digest,
        computed_at=clock.now(),
    )
    _replace_points(run.pk, model_id, window, inputs.as_of)
    return int(run.pk), True


def _replace_points(run_id: int, model_id: int, window: EvaluatedWindow, as_of: datetime) -> None:
    name, singles = window.cube.window, set(window.cube.cube.schema.names)
    with connection.cursor() as outer:
        outer.execute(
            'DELETE FROM monitoring_point WHERE model_id = %s AND "window" = %s AND as_of = %s',
            [model_id, name, as_of],
        )
    with (
        psycopg.Cursor(connection.connection) as cursor,
        cursor.copy(f"COPY monitoring_point {_POINT_COLUMNS} FROM STDIN") as copy,
    ):
        for values in _points(window.results, singles, window.hidden):
            copy.write_row((model_id, run_id, name, as_of, *values))


def _points(results: Sequence[Result], singles: set[str], told_not: Hidden) -> Iterator[tuple[Any, ...]]:
    for result in results:
        if result.group is None or (result.attribute in singles and result.measurement.known):
            hidden = told_not.hides(
                attribute=result.attribute,
                group=result.group,
                reference=result.reference,
                least_n=result.measurement.least_n,
            )
            low, high = result.interval
            yield (
                result.metric,
                result.attribute,
                result.group or "",
                *((None, None, None, None) if hidden else (result.value, low, high, result.n)),
                result.verdict if result.judged else "",
                result.severity or "",
            )
