"""Asking, signing, rejecting. Who asks never signs; what changes has to be signed again.

Everything that happens to one request happens one after the other: each verb holds its row until it is done.
"""

from __future__ import annotations

import logging
from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import Any

from django.db import IntegrityError, transaction

from apps.accounts.models import User
from apps.accounts.permissions import demand, may
from apps.accounts.roles import COLLECTIVE
from apps.accounts.second_factors import lacks_second_factor
from apps.approvals import states
from apps.approvals.kinds import Kind, kind
from apps.approvals.models import Approval, ApprovalStep, Resolution, Signature
from apps.approvals.selectors import REMARK, ApprovalView, digest_of, may_read, signable, view_of
from apps.audit import services as audit
from apps.common import clock
from apps.common.errors import Refused
from apps.registry.selectors import slug_of
from biasgov.audit.encoding import plain

logger = logging.getLogger(__name__)

CONFIRMED_FOR = timedelta(minutes=5)
"""How long ago a person who signs may have proved who they are."""
SYSTEM = "system:approvals"
BOARD = "system:board"
_LONGEST_TITLE = 200


@transaction.atomic
def approval_draft(
    *,
    kind: str,
    model_id: int | None,
    subject: str,
    title: str,
    content: Mapping[str, Any],
    reason: str,
    person: User,
) -> ApprovalView:
    """Write a request down without submitting it.

    Parameters
    ----------
    kind
        The name of a declared kind.
    subject
        What it is about, as the audit log names it: ``model:claims-triage``.
    content
        JSON values: all that the effect will need.
    reason
        Why it is asked for, in the requester's words.

    Raises
    ------
    Http404, PermissionDenied
        The person may not ask for this.
    Refused
        A part is missing, or the kind does not accept the content.
    """
    declared = _kind(kind)
    demand(person, declared.request, model_id)
    checked = _checked(declared, model_id, title, content, reason)
    row = Approval(kind=kind, model_id=model_id, subject=subject, requester=person, created_at=clock.now(), **checked)
    row.digest = digest_of(row)
    row.save()
    _note(row, "drafted", "", person.actor)
    return view_of(row)


@transaction.atomic
def approval_change(
    *, approval_id: int, person: User, title: str, content: Mapping[str, Any], reason: str
) -> ApprovalView:
    """Put another text in the place of an open request's; signatures under the former one count no more.

    Raises Refused if the request is not open or the text is not accepted, PermissionDenied for anybody but the
    requester.
    """
    row = _held(approval_id)
    _own(row, person)
    declared = _kind(row.kind)
    demand(person, declared.request, row.model_id)
    checked = _checked(declared, row.model_id, title, content, reason)
    if row.state == states.SUBMITTED:
        declared.ready(checked["content"])
    voided = Signature.objects.filter(approval=row, digest=row.digest).count()
    for field, value in checked.items():
        setattr(row, field, value)
    row.revision += 1
    row.digest = digest_of(row)
    _step(row, "changed", person.actor, **checked, revision=row.revision, digest=row.digest, detail={"voided": voided})
    return view_of(row)


@transaction.atomic
def approval_submit(*, approval_id: int, person: User) -> ApprovalView:
    """Ask for the signatures.

    Raises Refused if it is not a draft or its text is not ready, PermissionDenied for anybody but the requester.
    """
    row = _held(approval_id)
    _own(row, person)
    declared = _kind(row.kind)
    demand(person, declared.request, row.model_id)
    declared.ready(row.content)
    now = clock.now()
    _step(row, "submitted", person.actor, submitted_at=now, expires_at=now + declared.valid_for)
    return view_of(row)


@transaction.atomic
def approval_sign(*, approval_id: int, person: User, digest: str, confirmed_at: datetime | None) -> ApprovalView:
    """Sign a request as it was read; the last signature that is needed brings it about in the same transaction.

    Parameters
    ----------
    digest
        That of the text which the person has read.
    confirmed_at
        When the person last proved who they are; at most `CONFIRMED_FOR` ago.

    Raises
    ------
    Http404, PermissionDenied
        The person may not see the request, or holds no role that could sign it.
    Refused
        ``own_request``, ``not_confirmed``, ``second_factor`` (none is set up), ``changed`` (since it was read),
        ``forged`` (changed past its digest), ``expired``, ``state`` (not submitted), ``signed`` (by this person
        before), ``not_needed`` (that role has signed), ``board`` (a member alone is not the board), or what the effect
        refuses.
    """
    row = _held(approval_id)
    before = view_of(row)
    _demand_signer(row, person)
    now = clock.now()
    if confirmed_at is None or now - confirmed_at > CONFIRMED_FOR:
        raise Refused("confirmation", "Confirm that it is you, then sign.", code="not_confirmed")
    if lacks_second_factor(person):
        raise Refused("person", "Set up a second factor first: a signature must be yours alone.", code="second_factor")
    _demand_signable(row, digest)
    if any(each.person_id == person.pk for each in before.signatures):
        raise Refused("approval", "You have signed this request.", code="signed")
    need = signable(person, before)
    if need is None:
        raise Refused("approval", "The signature that you could give is there already.", code="not_needed")
    Signature.objects.create(
        approval=row,
        requester_id=row.requester_id,
        person=person,
        verb=need.verb,
        digest=row.digest,
        confirmed_at=confirmed_at,
        signed_at=now,
    )
    _step(row, "signature_given", person.actor, detail={"as": need.verb})
    complete = view_of(row)
    if not complete.open_needs:
        _bring_about(row, person.actor)
    return view_of(row)


@transaction.atomic
def approval_reject(*, approval_id: int, person: User, reason: str) -> ApprovalView:
    """Refuse a request for good, with reasons.

    Raises Refused without a reason or if it is not submitted, Http404 or PermissionDenied for who could not sign it.
    """
    row = _held(approval_id)
    _demand_signer(row, person)
    if not reason.strip():
        raise Refused("reason", "Say why, so that the requester can do better.")
    _check_stored("reason", reason)
    _step(row, "rejected", person.actor, text=reason.strip(), decided_at=clock.now())
    return view_of(row)


@transaction.atomic
def approval_decide(*, approval_id: int, digest: str, case_id: int, carried: bool, reason: str) -> ApprovalView:
    """Meet the needs of a request that are the ethics board's, or reject it, as the board has decided.

    For `apps.board` alone, in the transaction of its decision; the database looks at the case as well. Where nothing
    else is missing the request is brought about. An effect that is refused then does not undo the decision: the
    request is rejected, with what was refused as the reason.

    Parameters
    ----------
    digest
        That of the text on which the board has voted.
    case_id
        The case, which is decided already.

    Raises
    ------
    Refused
        ``changed`` (since the vote was opened), ``forged``, ``expired``, ``state`` (not submitted), ``not_needed``.
    """
    row = _held(approval_id)
    _demand_signable(row, digest)
    verbs = [need.verb for need in view_of(row).open_needs if need.collective]
    if not verbs:
        raise Refused("approval", "This request needs no decision of the board.", code="not_needed")
    now = clock.now()
    if not carried:
        _step(row, "rejected", BOARD, text=reason, decided_at=now, detail={"case": case_id})
        return view_of(row)
    for verb in verbs:
        Resolution.objects.create(approval=row, verb=verb, digest=digest, case_id=case_id, decided_at=now)
    _step(row, "board_agreed", BOARD, detail={"case": case_id, "as": verbs})
    if not view_of(row).open_needs:
        try:
            with transaction.atomic():
                _bring_about(row, BOARD)
        except Refused as refusal:
            row.refresh_from_db()
            text = f"The board agreed, but it can no longer be done: {refusal.message}"
            _step(row, "rejected", BOARD, text=text, decided_at=now, detail={"case": case_id})
    return view_of(row)


@transaction.atomic
def approval_withdraw(*, approval_id: int, person: User, reason: str = "") -> ApprovalView:
    """Take one's own open request back. Raises Refused if it is not open, PermissionDenied if it is not one's own."""
    row = _held(approval_id)
    _own(row, person)
    _step(row, "withdrawn", person.actor, text=reason.strip(), decided_at=clock.now())
    return view_of(row)


@transaction.atomic
def approval_remark(*, approval_id: int, person: User, text: str) -> None:
    """Add to the discussion of a request. Raises Refused for an empty text, Http404 for who may not read it."""
    row = _held(approval_id)
    if not may_read(person, view_of(row)):
        demand(person, _kind(row.kind).view, row.model_id)
    if not text.strip():
        raise Refused("text", "The remark is empty.")
    _check_stored("text", text)
    _note(row, REMARK, row.state, person.actor, text=text.strip()[:5000])


def approvals_void(*, kind: str, subject: str, reason: str, actor: str) -> int:
    """Take back the open requests about something that is no longer what they were asked for; how many those were.

    For a verb of the matter's own app, in its transaction: it holds what the requests are about (see `Kind.hold`).
    """
    waiting = Approval.objects.filter(kind=kind, subject=subject, state__in=states.OPEN)
    rows = list(waiting.select_for_update(of=("self",)).order_by("pk"))
    for row in rows:
        _step(row, "voided", actor, text=reason, decided_at=clock.now())
    return len(rows)


def approvals_advance(*, limit: int = 500) -> int:
    """Let what has waited too long expire and what was signed for a later moment become effective; how many moved.

    Each request is a transaction of its own, and one that fails does not hold up the others.
    """
    now = clock.now()
    due = Approval.objects.filter(state=states.SUBMITTED, expires_at__lte=now)
    signed = Approval.objects.filter(state=states.SIGNED, effective_from__lte=now)
    ids = [*due.values_list("pk", flat=True)[:limit], *signed.values_list("pk", flat=True)[:limit]]
    return sum(_advanced(approval_id, now) for approval_id in ids)


def _advanced(approval_id: int, now: datetime) -> bool:
    try:
        with transaction.atomic():
            row = _held(approval_id)
            if row.state == states.SUBMITTED and row.expires_at and row.expires_at <= now:
                _step(row, "expired", SYSTEM, decided_at=now)
            elif row.state == states.SIGNED:
                _step(row, "became_effective", SYSTEM)
            else:
                return False
    except Exception:
        logger.exception("Advancing request %s failed.", approval_id)
        return False
    return True


def _bring_about(row: Approval, actor: str) -> None:
    now = clock.now()
    effective_from = _kind(row.kind).effect(view_of(row), actor)
    _step(row, "signed", actor, decided_at=now, effective_from=effective_from or now)
    if effective_from is None or effective_from <= now:
        _step(row, "became_effective", actor)


def _check_stored(field: str, text: str) -> None:
    """Raises Refused for text that PostgreSQL cannot store."""
    if "\0" in text:
        raise Refused(field, "The character U+0000 is not allowed.")


def _checked(
    declared: Kind, model_id: int | None, title: str, content: Mapping[str, Any], reason: str
) -> dict[str, Any]:
    if not title.strip():
        raise Refused("title", "Say in a few words what is asked for.")
    if len(title) > _LONGEST_TITLE:
        raise Refused("title", f"It has {len(title)} characters; at most {_LONGEST_TITLE} fit.")
    if not reason.strip():
        raise Refused("reason", "Say why this is asked for.")
    _check_stored("title", title)
    _check_stored("reason", reason)
    try:
        told = plain(dict(content))
    except ValueError as error:
        raise Refused("content", str(error)) from None
    declared.check(model_id, told)
    needs = list(declared.needs(told))
    verbs = [need.verb for need in needs]
    if not verbs or len(set(verbs)) != len(verbs) or not set(verbs) <= set(declared.signers):
        raise ValueError(f"{declared.name} needs signatures of different verbs among {declared.signers}, not {verbs}")
    return {
        "title": title.strip(),
        "content": told,
        "reason": reason.strip(),
        "needs": [{"verb": need.verb, "why": need.why} for need in needs],
    }


def _kind(name: str) -> Kind:
    try:
        return kind(name)
    except KeyError:
        raise Refused("kind", f"Nothing called {name!r} can be asked for.", code="unknown_kind") from None


def _held(approval_id: int) -> Approval:
    """The request, held until the transaction ends, and before it what it is about.

    Raises Refused (``unknown``) if there is none.
    """
    asked = Approval.objects.filter(pk=approval_id).values_list("kind", "subject").first()
    if asked is not None:
        _kind(asked[0]).hold(asked[1])
    row = Approval.objects.select_for_update(of=("self",)).filter(pk=approval_id).first()
    if row is None:
        raise Refused("approval", f"There is no request {approval_id}.", code="unknown")
    return row


def _own(row: Approval, person: User) -> None:
    if row.requester_id != person.pk:
        view = view_of(row)
        if not may_read(person, view):
            demand(person, _kind(row.kind).view, row.model_id)
        raise Refused("approval", "Only who asked for it may change it or take it back.", code="not_own")


def _demand_signable(row: Approval, digest: str) -> None:
    if row.state != states.SUBMITTED:
        raise Refused("approval", f"This request is {row.state}; only a submitted one can be signed.", code="state")
    if row.expires_at and row.expires_at <= clock.now():
        raise Refused("approval", "This request has expired. It has to be asked for again.", code="expired")
    if digest_of(row) != row.digest:
        raise Refused("digest", "This is not the text that its digest stands for. Nobody may sign it.", code="forged")
    if digest != row.digest:
        raise Refused("digest", "The request has been changed since you read it. Read it again.", code="changed")


def _demand_signer(row: Approval, person: User) -> None:
    if row.requester_id == person.pk:
        raise Refused("approval", "Nobody decides on their own request.", code="own_request")
    verbs = [need["verb"] for need in row.needs]
    held = {verb for verb in verbs if may(person, verb, row.model_id)}
    if not held:
        demand(person, verbs[0], row.model_id)
    if held <= COLLECTIVE:
        message = "The ethics board decides on this as a whole, in a case of its own; no member signs or rejects alone."
        raise Refused("approval", message, code="board")


def _step(
    row: Approval, event: str, actor: str, *, text: str = "", detail: Mapping[str, Any] | None = None, **changes: Any
) -> None:
    """Take one step of the table: guarded UPDATE, step row and audit entry. Raises Refused if it has no such step."""
    before = row.state
    after = states.STEPS.get((before, event))
    if after is None:
        raise Refused("approval", f"This request is {before}; that can no longer be done to it.", code="state")
    fields = {**changes, "state": after}
    if Approval.objects.filter(pk=row.pk, state=before).update(**fields) != 1:
        raise IntegrityError(f"request {row.pk} moved although its row was held")
    for field, value in fields.items():
        setattr(row, field, value)
    _note(row, event, before, actor, text=text, detail=detail)
    if after in states.CAME_TO_NOTHING:
        _kind(row.kind).ended(view_of(row), actor)


def _note(
    row: Approval, event: str, before: str, actor: str, *, text: str = "", detail: Mapping[str, Any] | None = None
) -> None:
    ApprovalStep.objects.create(
        approval=row,
        event=event,
        from_state=before,
        to_state=row.state,
        actor=actor,
        text=text,
        revision=row.revision,
        at=clock.now(),
    )
    audit.append(
        actor=actor,
        action=f"approval.{event}",
        subject=f"approval:{row.pk}",
        model=slug_of(row.model_id),
        detail={
            "kind": row.kind,
            "about": row.subject,
            "digest": row.digest,
            **({"text": text} if text else {}),
            **(detail or {}),
        },
    )
