"""The compute side's part in a person's access: it trusts no row that says so, opens few values, and seals them.

Beside `enrichment` this is the only place where attributes of individuals leave the vault: for a request that
compliance signed, to a key that is the requester's alone, after an audit entry that is committed first.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import timedelta

import numpy as np
from django.db import transaction

from apps.approvals import selectors as approvals
from apps.approvals.selectors import ApprovalInForce
from apps.audit import services as audit
from apps.common import clock
from apps.common.errors import Refused
from apps.vault import crypto, keys
from apps.vault.access import ACCESS_KIND, WAITING, content_check, move
from apps.vault.columns import halves
from apps.vault.crypto import DisclosedSubject, VaultError
from apps.vault.models import VaultAccess, VaultAccessStep
from apps.vault.pseudonyms import Pseudonymiser
from apps.vault.purpose import entering
from apps.vault.shelf import shelf, taken

ACTOR = "system:compute"
A_DAY = 20
"""Requests opened within 24 hours, by everybody: what a web side taken over could get at most before people notice."""


def accesses_answer() -> int:
    """Open and seal what people were given access to and ask for; answers how many were answered.

    Where a block is damaged, or nothing can be sealed to the key, the access ends and says so. Raises KeysUnavailable
    while the key-encryption key is out of reach; the access waits.
    """
    answered = 0
    for row in VaultAccess.objects.filter(state=VaultAccess.State.ASKED).order_by("asked_at")[:A_DAY]:
        with transaction.atomic(durable=True):
            granted = _granted(row)
            if isinstance(granted, str):
                _refuse(row, granted)
                continue
            audit.append(
                actor=ACTOR,
                action="vault.attributes_read",
                subject=f"approval:{row.pk}",
                detail={
                    "purpose": "access request",
                    "for": granted.reason,
                    "legal_basis": granted.content["legal_basis"],
                    "person": row.person_id,
                    "subjects": len(granted.content["subjects"]),
                },
            )
        try:
            values = _values(granted.content["subjects"])
            sealed = crypto.seal_disclosure(values, bytes(row.public_key or b""), approval=row.pk)
        except VaultError as error:
            _refuse(row, str(error))
            continue
        with transaction.atomic():
            detail = {"subjects": len(granted.content["subjects"])}
            answered += move(row, "sealed", ACTOR, detail, sealed=sealed, sealed_at=clock.now(), public_key=None)
    return answered


@transaction.atomic
def _refuse(row: VaultAccess, reason: str) -> None:
    move(row, "refused", ACTOR, {"reason": reason}, reason=reason[:300], public_key=None)


def _granted(row: VaultAccess) -> ApprovalInForce | str:
    """The signed request behind a row, or why nothing is opened for it."""
    now = clock.now()
    found = approvals.approval_in_force(row.pk, of=ACCESS_KIND)
    if found is None:
        return "It is not signed, or who asked or signed may not do so any more."
    try:
        content_check(None, found.content)
    except Refused:
        return "What was signed is no request for access."
    if found.requester_id != row.person_id:
        return "It is another person's request."
    if min(row.until, found.effective_from + timedelta(hours=found.content["hours"])) <= now:
        return "The time for which access was given is over."
    if row.asked_at is None or not timedelta(0) <= now - row.asked_at <= WAITING or len(row.public_key or b"") != 32:
        return "It was not asked for just now."
    steps = VaultAccessStep.objects.filter(event="sealed")
    if steps.filter(access_id=row.pk).exists():
        return "It was opened before."
    if steps.filter(at__gt=now - timedelta(days=1)).count() >= A_DAY:
        return f"{A_DAY} requests were opened within a day; no more are before tomorrow."
    return found


def _values(subjects: Sequence[str]) -> tuple[DisclosedSubject, ...]:
    pseudonyms = np.frombuffer(b"".join(Pseudonymiser().many(subjects)), np.uint8).reshape(-1, 16)
    found: list[dict[str, str] | None] = [None] * len(subjects)
    received: list[int | None] = [None] * len(subjects)
    high, low = halves(pseudonyms)
    with entering("access") as cursor:
        known, ranges = keys.data_keys(cursor), shelf(cursor)
        if len(ranges):
            needed, rows = ranges.sorted_out(high)
            for block, here in zip(taken(cursor, ranges.first[needed], known), rows, strict=True):
                row, is_here = block.rows_of_halves(high[here], low[here])
                choices = block.attributes()
                for place, at in zip(here[is_here].tolist(), row[is_here].tolist(), strict=True):
                    found[place] = choices[block.choice[at]]
                    received[place] = int(block.received[at])
    return tuple(DisclosedSubject(*each) for each in zip(subjects, found, received, strict=True))
