"""Back-tests that proposals wait for: asked here, computed on the compute side, answered here.

Whoever works them off (`apps.pipeline.backtest`) leases one at a time; a lease that runs out is taken by another.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from django.db import transaction
from django.db.models import Q

from apps.common import clock
from apps.thresholds.models import Backtest
from biasgov.audit.encoding import plain
from biasgov.fairness.policy import Policy

FRESH_FOR = timedelta(days=7)
"""A proposal is submitted with a back-test that is not older."""
LEASE = timedelta(minutes=10)
ATTEMPTS = 3


@dataclass(frozen=True, slots=True)
class AskedBacktest:
    """A leased back-test: the two policies that are to be run over the model's past."""

    id: int
    model_id: int
    today: Policy
    proposed: Policy


@dataclass(frozen=True, slots=True)
class BacktestState:
    """How far a proposal's back-test is: ``waiting``, ``done`` or ``failed``; result: what it found.

    note: why it failed; while somebody computes it, how far it is.
    """

    state: str
    asked_at: datetime
    computed_at: datetime | None
    result: Mapping[str, Any] | None
    note: str


def ask(*, model_id: int, approval_id: int, digest: str, today: Policy, proposed: Policy) -> None:
    """Have a proposal's text run over the past; the same text once."""
    Backtest.objects.get_or_create(
        approval_id=approval_id,
        digest=digest,
        defaults={
            "model_id": model_id,
            "policies": {"today": today.to_dict(), "proposed": proposed.to_dict()},
            "asked_at": clock.now(),
        },
    )


def fresh_result(approval_id: int, digest: str) -> Mapping[str, Any] | None:
    """What the back-test of that text found; None if it is not there or older than a week."""
    row = Backtest.objects.filter(approval_id=approval_id, digest=digest).first()
    if row is None or row.state != Backtest.State.DONE or row.computed_at is None:
        return None
    if row.computed_at < clock.now() - FRESH_FOR:
        return None
    return dict(row.result or {})


def is_result(digest: str, result: Mapping[str, Any]) -> bool:
    """Whether the compute side answered exactly this about that text."""
    rows = Backtest.objects.filter(digest=digest, state=Backtest.State.DONE, result=dict(result))
    return rows.exists()


def backtest_state(approval_id: int, digest: str) -> BacktestState | None:
    """How far it is; None if it was never asked for."""
    row = Backtest.objects.filter(approval_id=approval_id, digest=digest).first()
    if row is None:
        return None
    # Asked for again, it still has the note of its failure until somebody takes it.
    said = row.state != Backtest.State.WAITING or row.lease_until is not None
    return BacktestState(row.state, row.asked_at, row.computed_at, row.result, row.note if said else "")


def backtest_repeat(*, approval_id: int, digest: str) -> bool:
    """Have a back-test computed again that failed, or that is too old to be submitted; False if there is no need."""
    old = Q(state=Backtest.State.DONE, computed_at__lt=clock.now() - FRESH_FOR)
    rows = Backtest.objects.filter(Q(state=Backtest.State.FAILED) | old, approval_id=approval_id, digest=digest)
    return rows.update(state=Backtest.State.WAITING, attempts=0, asked_at=clock.now()) == 1


@transaction.atomic
def backtest_lease() -> AskedBacktest | None:
    """The back-test that waits longest, held for ten minutes; None if none waits. Compute side.

    One that was leased three times without an answer has killed its worker each time, and is given up.
    """
    now = clock.now()
    waiting = Backtest.objects.filter(Q(lease_until=None) | Q(lease_until__lt=now), state=Backtest.State.WAITING)
    row = waiting.select_for_update(skip_locked=True).order_by("asked_at", "id").first()
    if row is None:
        return None
    if row.attempts >= ATTEMPTS:
        Backtest.objects.filter(pk=row.pk).update(state=Backtest.State.FAILED, note="It did not come to an end.")
        return None
    Backtest.objects.filter(pk=row.pk).update(attempts=row.attempts + 1, lease_until=now + LEASE, note="")
    policies = row.policies
    return AskedBacktest(
        id=row.pk,
        model_id=row.model_id,
        today=Policy.from_dict(policies["today"]),
        proposed=Policy.from_dict(policies["proposed"]),
    )


def backtest_tell(*, asked: AskedBacktest, note: str) -> None:
    """Say how far a leased back-test is, without any value. Compute side."""
    Backtest.objects.filter(pk=asked.id, state=Backtest.State.WAITING).update(note=note[:200])


def backtest_store(*, asked: AskedBacktest, result: Mapping[str, Any]) -> bool:
    """Answer a leased back-test; False if another worker was faster. Compute side."""
    return _answer(asked, state=Backtest.State.DONE, result=plain(result), note="", computed_at=clock.now())


def backtest_fail(*, asked: AskedBacktest, note: str) -> bool:
    """Say that it cannot be computed, and why, without any value. Compute side."""
    return _answer(asked, state=Backtest.State.FAILED, note=note[:200])


def _answer(asked: AskedBacktest, **fields: Any) -> bool:
    rows = Backtest.objects.filter(pk=asked.id, state=Backtest.State.WAITING)
    return rows.update(lease_until=None, **fields) == 1
