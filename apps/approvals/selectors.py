"""Reading requests: what they ask for, who has signed, and what waits for whom."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from django.db.models import Exists, OuterRef, Q, QuerySet

from apps.accounts.models import User
from apps.accounts.permissions import may, models_within, recall
from apps.accounts.roles import COLLECTIVE
from apps.approvals import states
from apps.approvals.kinds import Kind, Need, kind, kinds
from apps.approvals.models import Approval, ApprovalStep, Resolution, Signature
from apps.approvals.waiting import signable_by

REMARK = "remark"


@dataclass(frozen=True, slots=True)
class SignatureView:
    """A signature that stands under the request as it is now. counts: the person may still give it."""

    verb: str
    person_id: int
    person: str
    signed_at: datetime
    counts: bool


@dataclass(frozen=True, slots=True)
class ResolutionView:
    """A decision of the ethics board in favour of the request as it is now."""

    verb: str
    case_id: int
    decided_at: datetime


@dataclass(frozen=True, slots=True)
class StepView:
    """A step, or a remark (event ``remark``)."""

    event: str
    actor: str
    text: str
    revision: int
    at: datetime


@dataclass(frozen=True, slots=True)
class ApprovalView:
    """A request as it stands. signatures, resolutions: those of the present digest; needs: in the order of the kind."""

    id: int
    kind: str
    model_id: int | None
    model_slug: str
    model_name: str
    subject: str
    title: str
    content: Mapping[str, Any]
    reason: str
    revision: int
    digest: str
    needs: tuple[Need, ...]
    signatures: tuple[SignatureView, ...]
    resolutions: tuple[ResolutionView, ...]
    state: str
    requester_id: int
    requester: str
    created_at: datetime
    submitted_at: datetime | None
    expires_at: datetime | None
    decided_at: datetime | None
    effective_from: datetime | None

    @property
    def signed_verbs(self) -> frozenset[str]:
        """The needs that are met."""
        signed = {each.verb for each in self.signatures if each.counts} - COLLECTIVE
        return frozenset(signed | {each.verb for each in self.resolutions})

    @property
    def open_needs(self) -> tuple[Need, ...]:
        """The needs that are not met yet."""
        met = self.signed_verbs
        return tuple(need for need in self.needs if need.verb not in met)

    @property
    def is_open(self) -> bool:
        return self.state in states.OPEN


@dataclass(frozen=True, slots=True)
class ApprovalInForce:
    """A request in effect, as far as who carries it out has to know it."""

    id: int
    content: Mapping[str, Any]
    reason: str
    requester_id: int
    effective_from: datetime


def approval(approval_id: int) -> ApprovalView | None:
    """One request, or None."""
    return next(iter(_views(_rows().filter(pk=approval_id))), None)


def approvals(
    *,
    kind: str = "",
    state_in: Collection[str] = (),
    model_id: int | None = None,
    subject: str = "",
    before_id: int | None = None,
    limit: int = 50,
) -> tuple[ApprovalView, ...]:
    """Requests, newest first; `before_id` continues after that one. Five queries, however many there are."""
    rows = _rows()
    if kind:
        rows = rows.filter(kind=kind)
    if state_in:
        rows = rows.filter(state__in=state_in)
    if model_id is not None:
        rows = rows.filter(model_id=model_id)
    if subject:
        rows = rows.filter(subject=subject)
    if before_id is not None:
        rows = rows.filter(pk__lt=before_id)
    return _views(rows.order_by("-id")[:limit])


def approvals_waiting_for(person: User, *, limit: int = 50) -> tuple[ApprovalView, ...]:
    """Submitted requests that this person may sign now, those that expire first before the others."""
    return _views(signable_by(person).select_related("model", "requester").order_by("expires_at", "id")[:limit])


def approvals_waiting_count(person: User, most: int | None = None) -> int:
    """How many requests this person may sign now, counted up to `most`."""
    return signable_by(person)[:most].count()


def approvals_visible_to(
    person: User,
    *,
    among: Collection[str] = (),
    open_only: bool = False,
    before_id: int | None = None,
    limit: int = 50,
) -> tuple[ApprovalView, ...]:
    """Requests that this person may read, newest first. among: only those of these kinds."""
    rows = _rows()
    allowed = Q(requester=person)
    for each in kinds():
        within = [models_within(person, verb) for verb in {each.view, *each.signers}]
        if None in within:
            allowed |= Q(kind=each.name)
        else:
            allowed |= Q(kind=each.name, model_id__in=frozenset[int]().union(*(ids for ids in within if ids)))
    rows = rows.filter(allowed)
    if among:
        rows = rows.filter(kind__in=among)
    if open_only:
        rows = rows.filter(state__in=states.OPEN)
    if before_id is not None:
        rows = rows.filter(pk__lt=before_id)
    return _views(rows.order_by("-id")[:limit])


def digest_of(row: Approval) -> str:
    """What a signature covers: SHA-256 of the request's canonical JSON, its revision included; hexadecimal."""
    covered = {
        "kind": row.kind,
        "model": row.model_id,
        "subject": row.subject,
        "title": row.title,
        "content": row.content,
        "reason": row.reason,
        "needs": row.needs,
        "revision": row.revision,
    }
    canonical = json.dumps(covered, sort_keys=True, separators=(",", ":"), ensure_ascii=False, allow_nan=False)
    return hashlib.sha256(canonical.encode()).hexdigest()


def approval_in_force(approval_id: int, *, of: Kind) -> ApprovalInForce | None:
    """A request that is in effect, proven again from its text and signatures; None if anything does not hold.

    For a side that does not take the state of a row for true: the digest must be that of the text, every need of the
    kind must be met under it by somebody else who may still sign, and the requester must still be one who may ask.
    Reads of people no more than whether they are there and which roles they hold.
    """
    row = Approval.objects.filter(pk=approval_id, kind=of.name, state=states.EFFECTIVE).first()
    if row is None or row.effective_from is None or digest_of(row) != row.digest:
        return None
    given = Signature.objects.filter(approval_id=approval_id, digest=row.digest).exclude(person_id=row.requester_id)
    signed = {each.verb: each.person_id for each in given}
    concerned = User.objects.filter(pk__in=[row.requester_id, *signed.values()]).only("is_active")
    people = {person.pk: person for person in concerned}
    needs = of.needs(row.content)
    met = all(need.verb in signed and may(people[signed[need.verb]], need.verb, row.model_id) for need in needs)
    if not met or not may(people[row.requester_id], of.request, row.model_id):
        return None
    return ApprovalInForce(row.pk, row.content, row.reason, row.requester_id, row.effective_from)


def may_read(person: User, view: ApprovalView) -> bool:
    """Whether this person may read the request: as the requester, as a signer, or by the kind's verb."""
    if person.pk == view.requester_id:
        return True
    verbs = (kind(view.kind).view, *(need.verb for need in view.needs))
    return any(may(person, verb, view.model_id) for verb in verbs)


def signable(person: User, view: ApprovalView) -> Need | None:
    """The open need that this person's signature would meet; None if there is none, or if it is their own request."""
    if view.state != states.SUBMITTED or person.pk == view.requester_id:
        return None
    if any(each.person_id == person.pk for each in view.signatures):
        return None
    needs = (need for need in view.open_needs if not need.collective)
    return next((need for need in needs if may(person, need.verb, view.model_id)), None)


def approvals_for_the_board() -> tuple[ApprovalView, ...]:
    """Submitted requests that need a decision of the ethics board and have none yet, the oldest first."""
    asked = Q()
    for verb in sorted(COLLECTIVE):
        asked |= Q(needs__contains=[{"verb": verb}])
    decided = Resolution.objects.filter(approval=OuterRef("pk"), digest=OuterRef("digest"))
    return _views(_rows().filter(asked, ~Exists(decided), state=states.SUBMITTED).order_by("id"))


def steps(approval_id: int) -> tuple[StepView, ...]:
    """What happened to a request and what was remarked, oldest first."""
    rows = ApprovalStep.objects.filter(approval_id=approval_id).order_by("id")
    return tuple(StepView(row.event, row.actor, row.text, row.revision, row.at) for row in rows)


def view_of(row: Approval) -> ApprovalView:
    """A row as a value."""
    return _views([row])[0]


def _rows() -> QuerySet[Approval]:
    return Approval.objects.select_related("model", "requester")


def _views(rows: Iterable[Approval]) -> tuple[ApprovalView, ...]:
    found = list(rows)
    signatures = list(Signature.objects.filter(approval__in=[row.pk for row in found]).select_related("person"))
    people = {signature.person_id: signature.person for signature in signatures}
    recall(people.values())
    signed: dict[tuple[int, str], list[Signature]] = {}
    for signature in signatures:
        signature.person = people[signature.person_id]
        signed.setdefault((signature.approval_id, signature.digest), []).append(signature)
    resolved: dict[tuple[int, str], list[Resolution]] = {}
    for resolution in Resolution.objects.filter(approval__in=[row.pk for row in found]):
        resolved.setdefault((resolution.approval_id, resolution.digest), []).append(resolution)
    return tuple(
        _view(row, signed.get((row.pk, row.digest), []), resolved.get((row.pk, row.digest), [])) for row in found
    )


def _view(row: Approval, signatures: Iterable[Signature], resolutions: Iterable[Resolution]) -> ApprovalView:
    return ApprovalView(
        id=row.pk,
        kind=row.kind,
        model_id=row.model_id,
        model_slug=row.model.slug if row.model else "",
        model_name=row.model.name if row.model else "",
        subject=row.subject,
        title=row.title,
        content=row.content,
        reason=row.reason,
        revision=row.revision,
        digest=row.digest,
        needs=tuple(Need(**need) for need in row.needs),
        signatures=tuple(
            SignatureView(
                verb=each.verb,
                person_id=each.person_id,
                person=each.person.display_name,
                signed_at=each.signed_at,
                counts=may(each.person, each.verb, row.model_id),
            )
            for each in signatures
        ),
        resolutions=tuple(ResolutionView(each.verb, each.case_id, each.decided_at) for each in resolutions),
        state=row.state,
        requester_id=row.requester_id,
        requester=row.requester.display_name,
        created_at=row.created_at,
        submitted_at=row.submitted_at,
        expires_at=row.expires_at,
        decided_at=row.decided_at,
        effective_from=row.effective_from,
    )
