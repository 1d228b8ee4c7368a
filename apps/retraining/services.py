"""Checking training sets, and releasing those that were held: a person asks, compliance signs."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict
from datetime import datetime, timedelta
from typing import Any

from django.db import transaction

from apps.accounts.models import User
from apps.accounts.permissions import demand
from apps.approvals import selectors as approvals
from apps.approvals import states
from apps.approvals.kinds import Kind, Need
from apps.approvals.selectors import ApprovalView
from apps.approvals.services import approval_draft, approval_submit
from apps.audit import services as audit
from apps.common import clock
from apps.common.errors import Refused
from apps.inference.selectors import lineage_of
from apps.registry.spec import ModelSpec
from apps.retraining import provenance
from apps.retraining.models import RetrainingCheck
from apps.retraining.selectors import CheckRow, check

RELEASE = "retraining_release"
_State = RetrainingCheck.State


@transaction.atomic
def retraining_check(
    *,
    model: ModelSpec,
    name: str,
    rows: int,
    sources: Sequence[tuple[str, int]],
    event_ids: Sequence[str] = (),
    event_hashes: Sequence[str] = (),
    actor: str,
) -> CheckRow:
    """Say whether a training set may be used, or why a human has to look at it first.

    Parameters
    ----------
    sources
        Pairs of a label source (`provenance.SOURCES`) and its number of rows.
    event_ids, event_hashes
        Events of this model in the training set, as they were sent or as SHA-256 of their id in hexadecimal.

    Raises
    ------
    Refused
        Numbers that do not fit together, or an event named twice.
    """
    lineage = lineage_of(model, event_ids=event_ids, event_hashes=event_hashes)
    manifest = provenance.manifest_of(
        name=name, rows=rows, sources=provenance.sources_added(sources), named=lineage.named
    )
    reasons = provenance.reasons(manifest, lineage)
    state = _State.HELD if reasons else _State.ALLOWED
    row = RetrainingCheck.objects.create(
        model_id=model.id,
        name=manifest.name,
        manifest=manifest.to_dict(),
        lineage=asdict(lineage),
        reasons=[asdict(reason) for reason in reasons],
        state=state,
        checked_by=actor,
        checked_at=clock.now(),
    )
    audit.append(
        actor=actor,
        action=f"retraining.{state}",
        subject=f"retraining:{row.pk}",
        model=model.slug,
        detail={**manifest.to_dict(), "reasons": [reason.code for reason in reasons]},
    )
    return _read(row.pk)


@transaction.atomic
def retraining_release_request(*, check_id: int, person: User, reason: str) -> ApprovalView:
    """Ask compliance to let a held training set be used.

    Raises Refused if it is not held or somebody has asked already, Http404 or PermissionDenied for who may not ask.
    """
    found = check(check_id)
    if found is None:
        raise Refused("check", f"There is no training set {check_id}.", code="unknown")
    demand(person, "remediation.plan", found.model_id)
    RetrainingCheck.objects.select_for_update().get(pk=check_id)
    if found.state != _State.HELD:
        raise Refused("check", f"This training set is {found.state}.", code="state")
    if approvals.approvals(kind=RELEASE, subject=found.subject, state_in=states.OPEN, limit=1):
        raise Refused("check", "Somebody has asked for its release already.", code="asked")
    drafted = approval_draft(
        kind=RELEASE,
        model_id=found.model_id,
        subject=found.subject,
        title=f"Learn from {found.name}"[:200],
        content=_content(found),
        reason=reason,
        person=person,
    )
    return approval_submit(approval_id=drafted.id, person=person)


def retraining_release(approval: ApprovalView, actor: str) -> datetime | None:
    """What the last signature brings about. Raises Refused if the training set is held no more."""
    check_id = int(approval.content["check"])
    released = RetrainingCheck.objects.filter(pk=check_id, state=_State.HELD)
    if released.update(state=_State.RELEASED, released_at=clock.now()) != 1:
        raise Refused("check", "This training set is no longer held.", code="state")
    audit.append(
        actor=actor,
        action="retraining.released",
        subject=approval.subject,
        model=approval.model_slug,
        detail={"approval": approval.id, "digest": approval.digest},
    )
    return None


def needs(content: Mapping[str, Any]) -> list[Need]:
    """Compliance, always."""
    return [Need("retraining.sign", "labels that may repeat the model's own decisions need a human look")]


def content_check(model_id: int | None, content: Mapping[str, Any]) -> None:
    """Raises Refused unless the content is that of a held training set of the model.

    Without this, a draft written around `retraining_release_request` could release another model's, or say other
    reasons than were found.
    """
    number = content.get("check")
    found = check(number) if isinstance(number, int) else None
    if found is None or found.model_id != model_id or found.state != _State.HELD or content != _content(found):
        raise Refused("content", "Ask for the release on the training set's page.", code="content")


RELEASE_KIND = Kind(
    name=RELEASE,
    title="Release of training data",
    request="remediation.plan",
    view="model.view",
    signers=("retraining.sign",),
    needs=needs,
    check=content_check,
    effect=retraining_release,
    valid_for=timedelta(days=30),
)


def _content(found: CheckRow) -> dict[str, Any]:
    """What is signed: the training set, and why it is held."""
    return {
        "training_set": found.name,
        "check": found.id,
        "rows": found.manifest["rows"],
        "labels": found.manifest["sources"],
        "held_because": [each.message for each in found.reasons],
    }


def _read(check_id: int) -> CheckRow:
    found = check(check_id)
    assert found is not None
    return found
