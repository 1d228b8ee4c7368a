"""Runs that people ask to have computed again: asked for on the web side, carried out on the compute side.

What is asked for is a row that waits. Whoever takes it holds it by a lease: if the worker dies, another one takes it.
"""

from __future__ import annotations

import logging
from collections.abc import Mapping
from dataclasses import asdict, dataclass, replace
from datetime import datetime, timedelta
from typing import Any

from django.db import IntegrityError, transaction
from django.db.models import Q

from apps.accounts.models import User
from apps.accounts.permissions import demand
from apps.audit import services as audit
from apps.common import clock
from apps.common.errors import Refused
from apps.monitoring.models import MonitoringRun, Recomputation
from apps.monitoring.recomputing import COMPARABLE, Recomputed, run_recompute
from apps.registry.selectors import slug_of
from biasgov.audit.encoding import plain

logger = logging.getLogger(__name__)

RECOMPUTE = "run.recompute"
COMPUTE = "system:compute"
LEASE = timedelta(minutes=10)
ATTEMPTS = 3
_COMPARED = (
    "stored_digest",
    "recomputed_digest",
    "stored_cubes",
    "cubes",
    "stored_code",
    "code",
    "missing",
    "differing",
)


@dataclass(frozen=True, slots=True)
class RecomputationRow:
    """How far it is: ``waiting``, ``done`` or ``failed``. outcome: see `Recomputed`, whose parts are in `result`."""

    id: int
    state: str
    asked_by: str
    asked_at: datetime
    computed_at: datetime | None
    outcome: str
    result: Mapping[str, Any]
    note: str


@transaction.atomic
def recomputation_ask(*, run_id: int, person: User) -> int:
    """Have a run computed again and compared; the number of what was asked.

    Raises
    ------
    Http404, PermissionDenied
        The person may not see the run's model, or may not have its runs computed again.
    Refused
        There is no such run (``unknown``), or it waits to be computed again already (``exists``).
    """
    model_id = MonitoringRun.objects.filter(pk=run_id).values_list("model_id", flat=True).first()
    if model_id is None:
        raise Refused("run", f"There is no run {run_id}.", code="unknown")
    demand(person, RECOMPUTE, model_id)
    try:
        with transaction.atomic():
            asked = Recomputation.objects.create(
                run_id=run_id, model_id=model_id, asked_by=person, asked_at=clock.now()
            )
    except IntegrityError:
        raise Refused("run", f"Run {run_id} waits to be computed again already.", code="exists") from None
    audit.append(
        actor=person.actor, action="run.recompute_asked", subject=f"run:{run_id}", model=slug_of(model_id), detail={}
    )
    return asked.pk


def recomputations_of(run_id: int, *, limit: int = 5) -> tuple[RecomputationRow, ...]:
    """The last times that a run was to be computed again, newest first. One query."""
    rows = Recomputation.objects.filter(run_id=run_id).select_related("asked_by").order_by("-id")[:limit]
    return tuple(
        RecomputationRow(
            id=each.pk,
            state=each.state,
            asked_by=each.asked_by.display_name,
            asked_at=each.asked_at,
            computed_at=each.computed_at,
            outcome=each.outcome,
            result=each.result or {},
            note=each.note,
        )
        for each in rows
    )


def recomputation_next() -> bool:
    """Compute the run that waits longest again; False if none waits. Compute side.

    What cannot be computed is answered with the kind of error alone: a library's message may quote values.
    """
    asked = _lease()
    if asked is None:
        return False
    try:
        found = run_recompute(run_id=asked.run_id)
    except MonitoringRun.DoesNotExist:
        _answer(asked, None, "The run was superseded and let go of meanwhile.")
    except Exception as error:
        logger.error("computing run %s again failed: %s", asked.run_id, type(error).__name__)
        _answer(asked, None, f"It could not be computed again ({type(error).__name__}).")
    else:
        _answer(asked, found, "")
    return True


@transaction.atomic
def _lease() -> Recomputation | None:
    now = clock.now()
    free = Q(lease_until=None) | Q(lease_until__lt=now)
    waiting = Recomputation.objects.filter(free, state=Recomputation.State.WAITING)
    row = waiting.select_for_update(skip_locked=True).order_by("asked_at", "id").first()
    if row is None:
        return None
    if row.attempts >= ATTEMPTS:
        _answer(row, None, "It did not come to an end.")
        return None
    Recomputation.objects.filter(pk=row.pk).update(attempts=row.attempts + 1, lease_until=now + LEASE)
    return row


@transaction.atomic
def _answer(asked: Recomputation, found: Recomputed | None, note: str) -> None:
    """Store what came of it, once; the log says it with the digests."""
    if found and found.outcome not in COMPARABLE:
        found = replace(found, recomputed_digest="")
    result = plain({**asdict(found), "differences": list(found.differences)}) if found else None
    waiting = Recomputation.objects.filter(pk=asked.pk, state=Recomputation.State.WAITING)
    answered = waiting.update(
        state=Recomputation.State.DONE if found else Recomputation.State.FAILED,
        outcome=found.outcome if found else "",
        result=result,
        note=note,
        lease_until=None,
        computed_at=clock.now(),
    )
    if answered:
        told = {name: getattr(found, name) for name in _COMPARED} if found else {"note": note}
        audit.append(
            actor=COMPUTE,
            action="run.recomputed",
            subject=f"run:{asked.run_id}",
            model=slug_of(asked.model_id),
            detail={"outcome": found.outcome if found else "failed", **told},
        )
