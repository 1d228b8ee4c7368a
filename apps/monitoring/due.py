"""Evaluations that must happen: rows, so that nothing depends on a message arriving."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from uuid import uuid4

from django.db import connection, transaction
from django.db.models import Min

from apps.common import clock
from apps.monitoring.models import CloserLook, LatestEvaluation, MonitoringDue, MonitoringRun, RunState
from apps.monitoring.windows import live_as_of

RESTATE_AFTER = timedelta(minutes=15)

_MARK = """
INSERT INTO monitoring_due AS due (model_id, as_of, generation, marked_at, ready_at, leased_by)
SELECT %(model)s, moment, 1, %(now)s, CASE WHEN moment <= %(now)s AND known.run THEN %(later)s ELSE %(now)s END, ''
FROM unnest(%(moments)s::timestamptz[]) AS moment CROSS JOIN LATERAL (
    SELECT EXISTS (
        SELECT FROM monitoring_run r WHERE r.model_id = %(model)s AND r."window" = '24h' AND r.as_of = moment
    ) AS run
) AS known
ORDER BY moment
ON CONFLICT (model_id, as_of) DO UPDATE
SET generation = due.generation + 1, ready_at = least(due.ready_at, excluded.ready_at)
"""


@dataclass(frozen=True, slots=True)
class DueEvaluation:
    """One leased evaluation; `token` proves the lease, `generation` says which reasons it answers."""

    model_id: int
    as_of: datetime
    generation: int
    token: str


def evaluations_mark_due(*, model_id: int, moments: Sequence[datetime], at_once: bool = False) -> None:
    """Have the windows that end at these moments evaluated (again). Harmless when repeated.

    A past moment that has runs already is restated after a quarter of an hour, so that a stream of late labels does
    not restate a month of days with every label; `at_once` does not wait.
    """
    now = clock.now()
    with connection.cursor() as cursor:
        cursor.execute(
            _MARK,
            {
                "model": model_id,
                "now": now,
                "later": now if at_once else now + RESTATE_AFTER,
                "moments": sorted(set(moments)),
            },
        )


def evaluations_mark_live(*, model_ids: Sequence[int]) -> None:
    """Have every model's live windows evaluated at least once an hour, and those of the hour before made final.

    What was live last has ended: it is evaluated once more. The last midnight is never left out of the daily series.
    A model under a closer look is evaluated again when that many minutes have passed.
    """
    now = clock.now()
    live = live_as_of(now)
    midnight = now.replace(hour=0, minute=0, second=0, microsecond=0)
    last = {row.model_id: row for row in LatestEvaluation.objects.filter(model_id__in=list(model_ids))}
    closer = dict(CloserLook.objects.filter(model_id__in=list(model_ids)).values_list("model_id", "minutes"))
    seen = set(
        MonitoringRun.objects.filter(model_id__in=list(model_ids), as_of=midnight, state=RunState.FINAL).values_list(
            "model_id", flat=True
        )
    )
    for identity in model_ids:
        known, minutes = last.get(identity), closer.get(identity)
        moments = {midnight} if identity not in seen else set()
        if known is None or known.as_of != live:
            moments |= {live, known.as_of if known else live}
        elif minutes is not None and now - known.evaluated_at >= timedelta(minutes=minutes):
            moments |= {live}
        if moments:
            evaluations_mark_due(model_id=identity, moments=sorted(moments), at_once=True)


@transaction.atomic
def cadence_set(*, model_id: int, every: timedelta | None) -> None:
    """Have a model's live windows evaluated that often, at most an hour apart; None for the usual hour."""
    minutes = None if every is None else max(1, min(60, int(every / timedelta(minutes=1))))
    looks = CloserLook.objects.filter(model_id=model_id)
    if minutes is None:
        looks.delete()
    elif not looks.filter(minutes=minutes).exists():
        CloserLook.objects.update_or_create(model_id=model_id, defaults={"minutes": minutes, "since": clock.now()})


def evaluations_waiting() -> dict[int, datetime]:
    """By model: since when the longest waiting evaluation that may be worked on now has been due."""
    rows = MonitoringDue.objects.filter(ready_at__lte=clock.now()).values_list("model_id").annotate(Min("marked_at"))
    return dict(rows)


def evaluations_lease(*, models: Sequence[int], limit: int, seconds: float, worker: str) -> list[DueEvaluation]:
    """Take up to `limit` due evaluations of `models` for `seconds`, earliest moment first; nobody else gets them."""
    now, token = clock.now(), f"{worker[:30]}:{uuid4().hex}"
    with transaction.atomic(), connection.cursor() as cursor:
        cursor.execute(
            "WITH taken AS (SELECT id FROM monitoring_due WHERE model_id = ANY(%s) AND ready_at <= %s"
            " AND (lease_until IS NULL OR lease_until <= %s)"
            " ORDER BY as_of, model_id LIMIT %s FOR UPDATE SKIP LOCKED)"
            " UPDATE monitoring_due d SET lease_until = %s, leased_by = %s FROM taken WHERE d.id = taken.id"
            " RETURNING d.model_id, d.as_of, d.generation, d.leased_by",
            [list(models), now, now, limit, now + timedelta(seconds=seconds), token],
        )
        return sorted((DueEvaluation(*row) for row in cursor.fetchall()), key=lambda due: due.as_of)


def settle(due: DueEvaluation) -> bool:
    """End a lease in the caller's transaction; False if it was lost, and then its result must not be stored.

    The row goes if nothing new became due meanwhile; otherwise it stays, free for the next worker.
    """
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT generation FROM monitoring_due WHERE model_id = %s AND as_of = %s AND leased_by = %s FOR UPDATE",
            [due.model_id, due.as_of, due.token],
        )
        row = cursor.fetchone()
        if row is None:
            return False
        if row[0] == due.generation:
            cursor.execute("DELETE FROM monitoring_due WHERE model_id = %s AND as_of = %s", [due.model_id, due.as_of])
        else:
            cursor.execute(
                "UPDATE monitoring_due SET lease_until = NULL, leased_by = '' WHERE model_id = %s AND as_of = %s",
                [due.model_id, due.as_of],
            )
    return True


def give_back(dues: Sequence[DueEvaluation]) -> None:
    """End leases without having evaluated."""
    with connection.cursor() as cursor:
        cursor.execute(
            "UPDATE monitoring_due SET lease_until = NULL, leased_by = ''"
            " WHERE leased_by = ANY(%s) AND as_of = ANY(%s)",
            [[due.token for due in dues], [due.as_of for due in dues]],
        )
