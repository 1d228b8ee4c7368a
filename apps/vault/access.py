"""People who see attributes of named subjects: they ask, compliance signs, the compute side opens, they look once.

The right to look is a row that comes with the last signature. What the compute side opens for it is sealed to a key
that exists in the requester's browser alone, so neither the database nor a copy of it holds a value for anybody else.

============  ==========================================================================================
granted       signed; the requester may ask for the values until the time is over
asked         the requester's browser has made a key, and the compute side is to seal to it
sealed        the values wait, sealed, for the one look
shown         they were looked at; nothing of them is left here
ended         taken back, refused by the compute side, or opened and not looked at within ten minutes
expired       the time was over first
============  ==========================================================================================
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta
from typing import Any

from django.db import transaction

from apps.accounts.models import User
from apps.accounts.permissions import demand, may
from apps.approvals import services as approvals
from apps.approvals.kinds import Kind, Need
from apps.approvals.selectors import ApprovalView
from apps.audit import services as audit
from apps.common import clock
from apps.common.errors import Refused
from apps.vault import crypto
from apps.vault.crypto import DisclosedSubject, VaultError
from apps.vault.models import VaultAccess, VaultAccessStep

ACCESS = "access_request"
REQUEST, SIGN = "access.request", "access.sign"
SUBJECTS_AT_MOST = 20
HOURS_AT_MOST = 72
WAITING = timedelta(minutes=10)
"""How long an answer may take, and how long it then waits to be looked at."""
SYSTEM = "system:vault"
LEGAL_BASES: Mapping[str, str] = {
    "gdpr-15": "the person asks what is held about them (GDPR, Article 15)",
    "gdpr-16": "the person says that it is wrong (GDPR, Article 16)",
    "gdpr-9-2-f": "a legal claim is made or defended (GDPR, Article 9(2)(f))",
    "ai-act-10-5": "bias of a high-risk system is corrected, and counts do not suffice (AI Act, Article 10(5))",
    "order": "an authority or a court demands it; the purpose names its order",
}
_State = VaultAccess.State
STEPS: dict[tuple[str, str], str] = {
    (_State.GRANTED, "asked"): _State.ASKED,
    (_State.ASKED, "sealed"): _State.SEALED,
    (_State.ASKED, "lapsed"): _State.GRANTED,
    (_State.ASKED, "refused"): _State.ENDED,
    (_State.SEALED, "shown"): _State.SHOWN,
    (_State.SEALED, "lapsed"): _State.ENDED,
    **{(state, "ended"): _State.ENDED for state in (_State.GRANTED, _State.ASKED, _State.SEALED)},
    **{(state, "expired"): _State.EXPIRED for state in (_State.GRANTED, _State.ASKED, _State.SEALED)},
}
_NO_IDENTITY = re.compile(r"[\x00-\x1f\x7f-\x9f\ud800-\udfff]")


@transaction.atomic
def access_request(
    *, person: User, subjects: Sequence[str], legal_basis: str, purpose: str, hours: int
) -> ApprovalView:
    """Ask to see the attributes of named subjects; compliance sees it in the inbox.

    Raises
    ------
    PermissionDenied
        The person may not ask.
    Refused
        Nobody or too many are named, a name comes twice or cannot be one, the basis is none of `LEGAL_BASES`, no
        purpose is given, or the time is not 1 to `HOURS_AT_MOST` hours.
    """
    content = {
        "subjects": [each.strip() for each in subjects],
        "legal_basis": legal_basis,
        "basis": LEGAL_BASES.get(legal_basis, ""),
        "hours": hours,
    }
    number = len(subjects)
    asked = approvals.approval_draft(
        kind=ACCESS,
        model_id=None,
        subject="vault",
        title=f"See the attributes of {number} {'person' if number == 1 else 'people'}",
        content=content,
        reason=purpose,
        person=person,
    )
    return approvals.approval_submit(approval_id=asked.id, person=person)


def content_check(model_id: int | None, content: Mapping[str, Any]) -> None:
    """Raises Refused for a content that nobody could be given access by."""
    subjects, hours = content.get("subjects"), content.get("hours")
    if not isinstance(subjects, list) or not subjects:
        raise Refused("subjects", "Name at least one person, by the id under which their attributes were sent.")
    if len(subjects) > SUBJECTS_AT_MOST:
        raise Refused("subjects", f"{len(subjects)} people are named; one request covers at most {SUBJECTS_AT_MOST}.")
    for place, each in enumerate(subjects, 1):
        if not isinstance(each, str) or not 1 <= len(each) <= 200 or _NO_IDENTITY.search(each):
            raise Refused("subjects", f"Line {place} is no subject id: 1 to 200 characters, no control characters.")
    if len(set(subjects)) < len(subjects):
        raise Refused("subjects", "Somebody is named twice.")
    if content.get("legal_basis") not in LEGAL_BASES:
        raise Refused("legal_basis", "Choose the legal basis.")
    if isinstance(hours, bool) or not isinstance(hours, int) or not 1 <= hours <= HOURS_AT_MOST:
        raise Refused("hours", f"Access lasts for 1 to {HOURS_AT_MOST} hours.")
    if len(content) != 4 or content.get("basis") != LEGAL_BASES[content["legal_basis"]]:
        raise Refused("content", "This is no request for access.")


def access_grant(asked: ApprovalView, actor: str) -> None:
    """The effect of the last signature, in its transaction: from now on the requester may look once."""
    requester = User.objects.get(pk=asked.requester_id)
    if not may(requester, REQUEST):
        raise Refused("approval", f"{asked.requester} may not ask for access any more.", code="role_lost")
    row = VaultAccess.objects.create(
        approval_id=asked.id,
        person=requester,
        until=clock.now() + timedelta(hours=asked.content["hours"]),
        state=_State.GRANTED,
    )
    _note(row, "granted", actor, {"subjects": len(asked.content["subjects"]), "until": row.until.isoformat()})


@transaction.atomic
def access_ask(*, approval_id: int, person: User, public_key: bytes, confirmed_at: datetime | None) -> None:
    """Have the compute side open the values and seal them to a key that the person's browser has just made.

    Raises
    ------
    PermissionDenied
        The person may not ask for access any more.
    Refused
        ``not_found`` (no access of theirs), ``not_confirmed``, ``expired``, or ``state`` (asked for, looked at or
        ended before).
    """
    row = _own(approval_id, person)
    if confirmed_at is None or clock.now() - confirmed_at > approvals.CONFIRMED_FOR:
        raise Refused("confirmation", "Confirm that it is you, then open the values.", code="not_confirmed")
    _step(row, "asked", person.actor, public_key=public_key, asked_at=clock.now())


@transaction.atomic
def access_show(*, approval_id: int, person: User, private_key: bytes) -> tuple[DisclosedSubject, ...]:
    """The values, to the one person, once; nothing of them remains here.

    Show them only after the transaction is committed: its audit entry is what allows the look. Raises what
    `access_ask` raises, and Refused (``key``) where the key is not that of the browser that asked: the look is then
    not used up.
    """
    row = _own(approval_id, person)
    if row.state != _State.SEALED or row.sealed is None:
        raise _not_now(row)
    if clock.now() - _moment(row.sealed_at) > WAITING:
        raise Refused("access", "The values were not looked at within ten minutes. Ask again.", code="expired")
    try:
        disclosed = crypto.open_disclosure(bytes(row.sealed), private_key, approval=approval_id)
    except VaultError:
        raise Refused("key", "Only the browser in which you asked for the values can show them.", code="key") from None
    _step(row, "shown", person.actor, {"subjects": len(disclosed)}, shown_at=clock.now(), sealed=None)
    return disclosed


@transaction.atomic
def access_end(*, approval_id: int, person: User, reason: str) -> None:
    """End somebody's access early: the requester, or who could have signed it.

    Raises Refused (``not_found``, ``state``), PermissionDenied.
    """
    row = _held(approval_id)
    if row is None:
        raise Refused("access", "There is no such access.", code="not_found")
    if row.person_id != person.pk:
        demand(person, SIGN)
    if not reason.strip():
        raise Refused("reason", "Say why it ends.")
    _step(row, "ended", person.actor, {"reason": reason.strip()[:300]}, reason=reason.strip()[:300], sealed=None)


def accesses_advance() -> int:
    """Let lapse what nobody answered or looked at in time, and end what is over; answers how many moved."""
    now, moved = clock.now(), 0
    for approval_id in VaultAccess.objects.filter(state__in=VaultAccess.OPEN).values_list("pk", flat=True)[:500]:
        with transaction.atomic():
            row = _held(approval_id)
            if row is None or row.state not in VaultAccess.OPEN:
                continue
            since = row.sealed_at if row.state == _State.SEALED else row.asked_at
            if row.until <= now:
                _step(row, "expired", SYSTEM, sealed=None, public_key=None)
            elif row.state != _State.GRANTED and now - _moment(since) > WAITING:
                _step(row, "lapsed", SYSTEM, sealed=None, public_key=None)
            else:
                continue
        moved += 1
    return moved


def step_announced(*, step_id: int) -> bool:
    """Note that a step is announced, in the caller's transaction; False if it was before."""
    unannounced = VaultAccessStep.objects.filter(pk=step_id, announced_at__isnull=True)
    return bool(unannounced.update(announced_at=clock.now()))


def move(row: VaultAccess, event: str, actor: str, detail: Mapping[str, Any], **changes: Any) -> bool:
    """One step, with its entry in the register and in the audit log; False if somebody else was first."""
    state = STEPS.get((row.state, event))
    if state is None or not VaultAccess.objects.filter(pk=row.pk, state=row.state).update(state=state, **changes):
        return False
    row.state = state
    _note(row, event, actor, detail)
    return True


def _step(row: VaultAccess, event: str, actor: str, detail: Mapping[str, Any] | None = None, **changes: Any) -> None:
    if not move(row, event, actor, detail or {}, **changes):
        raise _not_now(row)


def _note(row: VaultAccess, event: str, actor: str, detail: Mapping[str, Any]) -> None:
    VaultAccessStep.objects.create(access_id=row.pk, event=event, actor=actor, at=clock.now())
    audit.append(actor=actor, action=f"vault.access_{event}", subject=f"approval:{row.pk}", detail=dict(detail))


def _own(approval_id: int, person: User) -> VaultAccess:
    row = _held(approval_id)
    if row is None or row.person_id != person.pk:
        raise Refused("access", "There is no such access.", code="not_found")
    demand(person, REQUEST)
    if row.until <= clock.now() and row.state in VaultAccess.OPEN:
        raise Refused("access", "The time for which access was given is over. Ask again.", code="expired")
    return row


def _held(approval_id: int) -> VaultAccess | None:
    return VaultAccess.objects.select_for_update().filter(pk=approval_id).first()


def _moment(at: datetime | None) -> datetime:
    if at is None:
        raise ValueError("an access in this state has a time")
    return at


_SAID = {
    _State.GRANTED: "The values are not asked for yet.",
    _State.ASKED: "The compute side has not opened the values yet.",
    _State.SEALED: "The values are opened already.",
    _State.SHOWN: "The values were shown. They are shown once; another look needs another request.",
    _State.ENDED: "This access has ended.",
    _State.EXPIRED: "The time for which access was given is over. Ask again.",
}


def _not_now(row: VaultAccess) -> Refused:
    return Refused("access", _SAID[_State(row.state)], code="state")


ACCESS_KIND = Kind(
    name=ACCESS,
    title="Access to attributes",
    request=REQUEST,
    view="vault.view",
    signers=(SIGN,),
    needs=lambda content: (Need(SIGN, "Values of named people leave the vault only with the consent of compliance."),),
    check=content_check,
    effect=access_grant,
    valid_for=timedelta(days=7),
)
