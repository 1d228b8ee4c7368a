"""Restricting a model: proposed or imposed by the ladder as the policy says, confirmed or declined by a person."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any

from django.db import transaction

from apps.accounts.models import User
from apps.accounts.permissions import demand
from apps.audit import services as audit
from apps.common import clock
from apps.common.errors import Refused
from apps.registry import selectors as registry
from apps.registry.spec import ModelSpec
from apps.responses import ladder
from apps.responses.announcements import announce
from apps.responses.ladder import height, rank
from apps.responses.models import Finding, Restriction, RestrictionStep
from apps.responses.status import status_settle
from apps.responses.steps import SYSTEM, hold
from apps.responses.wording import decision_types_text
from biasgov.fairness.response_plan import ResponsePlan

LONGEST_NOTE = 2000


def restrict(spec: ModelSpec, climbed: Sequence[Finding], plan: ResponsePlan, *, detected_at: datetime) -> None:
    """Propose or impose a restriction for findings that have just reached the rung of one, or a higher one.

    A model that has a live one keeps it as it is. The caller holds the model.
    """
    reached = [finding for finding in climbed if height(finding.tier) >= height(ladder.RESTRICT)]
    if not reached or Restriction.objects.filter(model_id=spec.id, state__in=ladder.LIVE).exists():
        return
    worst = min(reached, key=lambda each: (-rank(each.severity), each.pk))
    automatic, now = plan.restriction == "automatic", clock.now()
    event = "imposed" if automatic else "proposed"
    restriction = Restriction.objects.create(
        model_id=spec.id,
        cause=worst.cause,
        state=ladder.RESTRICTION_STEPS[ladder.ABSENT, event],
        automatic=automatic,
        blocked_decision_types=list(plan.blocked_decision_types),
        reason=f"{worst.sentence} ({worst.entered[ladder.RESTRICT]['why']})",
        breach_at=detected_at,
        proposed_at=now,
        in_force_at=now if automatic else None,
    )
    _record(restriction, event, "", SYSTEM, {"model": spec.slug, "blocks": restriction.blocked_decision_types})
    if automatic:
        _announce(spec, restriction, worst.severity)


@transaction.atomic
def restriction_confirm(*, restriction_id: int, person: User, note: str = "") -> Restriction:
    """Put a proposed restriction into force.

    Raises
    ------
    Http404, PermissionDenied
        The person may not see the model, or may not confirm restrictions.
    Refused
        There is none, or it is no longer proposed (``state``).
    """
    restriction = _held(restriction_id, person)
    now = clock.now()
    _step(restriction, "confirmed", person, note, changes={"in_force_at": now, "decided_by": person})
    status_settle(restriction.model_id)
    spec = registry.model_spec_by_id(restriction.model_id)
    _announce(spec, restriction, _severity(restriction.model_id))
    return restriction


@transaction.atomic
def restriction_decline(*, restriction_id: int, person: User, reason: str) -> Restriction:
    """Refuse a proposed restriction, with a reason. Raises as `restriction_confirm`, and Refused without a reason."""
    restriction = _held(restriction_id, person)
    if not reason.strip():
        raise Refused("reason", "Say why the model is not to be restricted.")
    _step(restriction, "declined", person, reason, changes={"decided_by": person})
    return restriction


def restriction_lifted(restriction: Restriction, *, actor: str, approval_id: int) -> None:
    """End a restriction by a request that all have signed. The caller holds the model. Raises Refused (``state``)."""
    changes = {"lifted_at": clock.now(), "approval_id": approval_id}
    _take(restriction, "lifted", actor, "", changes)


def _held(restriction_id: int, person: User) -> Restriction:
    restriction = Restriction.objects.filter(pk=restriction_id).first()
    if restriction is None:
        raise Refused("restriction", f"There is no restriction {restriction_id}.", code="unknown")
    demand(person, "restriction.confirm", restriction.model_id)
    hold(restriction.model_id)
    restriction.refresh_from_db()
    return restriction


def _step(restriction: Restriction, event: str, person: User, note: str, *, changes: Mapping[str, Any]) -> None:
    text = note.strip()
    if len(text) > LONGEST_NOTE:
        raise Refused("note", f"It has {len(text):,} characters; at most {LONGEST_NOTE:,} fit.")
    _take(restriction, event, person.actor, text, {**changes, "note": text})


def _take(restriction: Restriction, event: str, actor: str, text: str, changes: Mapping[str, Any]) -> None:
    before = restriction.state
    after = ladder.RESTRICTION_STEPS.get((before, event))
    if after is None:
        said = restriction.get_state_display().lower()
        raise Refused("restriction", f"This restriction is {said}; it can no longer be {event}.", code="state")
    fields = {**changes, "state": after}
    if Restriction.objects.filter(pk=restriction.pk, state=before).update(**fields) != 1:
        raise Refused("restriction", "Somebody has just decided on this restriction.", code="state")
    for name, value in fields.items():
        setattr(restriction, name, value)
    _record(restriction, event, before, actor, {"text": text} if text else {})


def _record(restriction: Restriction, event: str, before: str, actor: str, detail: Mapping[str, Any]) -> None:
    RestrictionStep.objects.create(
        restriction=restriction,
        event=event,
        from_state=before,
        to_state=restriction.state,
        actor=actor,
        text=detail.get("text", ""),
        at=clock.now(),
    )
    audit.append(
        actor=actor,
        action=f"restriction.{event}",
        subject=f"restriction:{restriction.pk}",
        model=registry.slug_of(restriction.model_id),
        detail=detail,
    )


def _announce(spec: ModelSpec, restriction: Restriction, severity: str) -> None:
    announce(
        model=spec,
        key=f"restriction-{restriction.pk}-in-force",
        title=f"{spec.name} is restricted"[:200],
        body=f"{decision_types_text(restriction.blocked_decision_types)} Reason: {restriction.reason}",
        severity=severity,
        path=f"/models/{spec.slug}/",
        detected_at=clock.now(),
    )


def _severity(model_id: int) -> str:
    severities = Finding.objects.filter(model_id=model_id, state=Finding.State.OPEN).values_list("severity", flat=True)
    return max(severities, key=rank, default="high")
