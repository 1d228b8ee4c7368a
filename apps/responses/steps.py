"""Taking a step of the ladder: guarded UPDATE, transition row and audit entry, in the caller's transaction."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Any

from django.db import connection

from apps.audit import services as audit
from apps.common import clock
from apps.registry.selectors import slug_of
from apps.responses import ladder
from apps.responses.models import Finding, FindingTransition

SYSTEM = "system:responses"
_LOCK = 7_302


def hold(model_id: int) -> None:
    """Let whoever moves several findings of a model, its restriction or its status take turns, until the transaction
    ends."""
    with connection.cursor() as cursor:
        cursor.execute("SELECT pg_advisory_xact_lock(%s, %s)", [_LOCK, model_id])


def step(
    finding: Finding,
    event: str,
    *,
    actor: str = SYSTEM,
    run_id: int | None = None,
    as_of: datetime | None = None,
    detail: Mapping[str, Any] | None = None,
    changes: Mapping[str, Any] | None = None,
    only_if: Mapping[str, Any] | None = None,
) -> bool:
    """Take one step of the ladder: guarded UPDATE, transition row and audit entry; False if somebody was faster.

    only_if: further conditions that the stored finding must still meet. Raises KeyError for a step that the ladder
    does not have.
    """
    before = finding.rung
    after, name = ladder.STEPS[before, event]
    closed = after == ladder.CLOSED
    place = {"state": Finding.State.CLOSED} if closed else {"state": Finding.State.OPEN, "tier": after}
    fields = {**(changes or {}), **place}
    ours = Finding.objects.filter(pk=finding.pk, state=Finding.State.OPEN, tier=finding.tier, **(only_if or {}))
    if ours.update(**fields) != 1:
        return False
    for name_of, value in fields.items():
        setattr(finding, name_of, value)
    if name:
        record(finding, name, before, actor, run_id, as_of, detail or {})
    return True


def climbed(finding: Finding, tier: str, why: str) -> dict[str, Any]:
    """The changes that a step up brings; rungs that it skips are entered with it."""
    now = clock.now().isoformat()
    rungs = ladder.TIERS[: ladder.height(tier)]
    return {"entered": {rung: {"at": now, "why": why} for rung in rungs} | finding.entered}


def brought_down(finding: Finding, tier: str) -> dict[str, Any]:
    """The changes that every step down to an open rung brings: should it climb again, people are told again."""
    kept = {rung: known for rung, known in finding.entered.items() if ladder.height(rung) <= ladder.height(tier)}
    return {"entered": kept, "told_tier": tier}


def record(
    finding: Finding,
    name: str,
    before: str,
    actor: str,
    run_id: int | None,
    as_of: datetime | None,
    detail: Mapping[str, Any],
) -> None:
    """Write a step down and into the audit log."""
    FindingTransition.objects.create(
        finding=finding,
        event=name,
        from_state=before,
        to_state=finding.rung,
        actor=actor,
        run_id=run_id,
        as_of=as_of,
        detail=dict(detail),
    )
    about = {"metric": finding.metric, "attribute": finding.attribute, "group": finding.group, "run": run_id}
    audit.append(
        actor=actor,
        action=f"finding.{name}",
        subject=f"finding:{finding.pk}",
        model=slug_of(finding.model_id),
        detail={**about, **detail},
    )
