"""Erasing a subject: asked for on the web side, done on the compute side."""

from __future__ import annotations

import re
from uuid import UUID

import numpy as np
from django.db import transaction
from django.db.models import Min

from apps.accounts.models import User
from apps.accounts.permissions import demand
from apps.audit import services as audit
from apps.common import clock
from apps.common.errors import Refused
from apps.vault import blocks, keys, shelf
from apps.vault.columns import halves
from apps.vault.models import VaultErasure, VaultUpload
from apps.vault.opening import microseconds
from apps.vault.pseudonyms import Pseudonymiser
from apps.vault.purpose import entering

AT_ONCE = 1000
ERASE = "vault.erase"
_LONGEST_ID = 200
_CONTROL = re.compile(r"[\x00-\x1f\x7f-\x9f]")
_SEALED = (VaultUpload.State.RECEIVING, VaultUpload.State.PENDING, VaultUpload.State.STORING)


def erasure_request(*, actor: str, subject_id: str) -> int:
    """Ask for a subject's attributes to be erased; answers the request's id.

    Everything received before the request goes, also what is still sealed; later hours count the subject as unknown.
    """
    with transaction.atomic():
        request = VaultErasure.objects.create(actor=actor, subject=UUID(bytes=Pseudonymiser().one(subject_id)))
        audit.append(actor=actor, action="vault.erasure_requested", subject=f"vault-erasure:{request.pk}")
    return int(request.pk)


@transaction.atomic
def erasure_ask(*, person: User, subject_id: str) -> int:
    """`erasure_request` by a person who may; answers the request's id.

    Raises PermissionDenied, and Refused for what can be no subject's id.
    """
    demand(person, ERASE)
    if not 1 <= len(subject_id) <= _LONGEST_ID or _CONTROL.search(subject_id):
        raise Refused("subject_id", f"This must be 1 to {_LONGEST_ID} characters without control characters.")
    return erasure_request(actor=person.actor, subject_id=subject_id)


def erasures_execute() -> int:
    """Erase what is asked for; answers how many requests were carried out. Compute side."""
    with transaction.atomic():
        requests = list(
            VaultErasure.objects.select_for_update(skip_locked=True)
            .filter(state=VaultErasure.State.PENDING)
            .order_by("requested_at", "id")[:AT_ONCE]
        )
        if not requests:
            return 0
        erased = _erase(requests)
        done = [request.pk for request in requests]
        VaultErasure.objects.filter(pk__in=done, state=VaultErasure.State.PENDING).update(
            state=VaultErasure.State.DONE, executed_at=clock.now()
        )
        audit.append(
            actor="system:compute",
            action="vault.erasure_done",
            subject=f"vault-erasure:{done[0]}",
            detail={"requests": done, "records": erased},
        )
    return len(done)


def erasures_forget() -> list[bytes]:
    """Forget the pseudonyms of erasures that are done, in the caller's transaction; answers them for the last time.

    One is kept while an upload that was received before its request is still sealed: the person must stay out of it.
    Compute side.
    """
    waiting = VaultUpload.objects.filter(state__in=_SEALED).aggregate(oldest=Min("received_at"))["oldest"]
    done = VaultErasure.objects.filter(state=VaultErasure.State.DONE, subject__isnull=False)
    if waiting is not None:
        done = done.filter(requested_at__lt=waiting)
    requests = list(done.select_for_update(skip_locked=True).order_by("id")[:AT_ONCE])
    if not requests:
        return []
    ids = [request.pk for request in requests]
    VaultErasure.objects.filter(pk__in=ids).update(subject=None)
    audit.append(
        actor="system:compute",
        action="vault.erasure_forgotten",
        subject=f"vault-erasure:{ids[0]}",
        detail={"requests": ids},
    )
    return [request.subject.bytes for request in requests if request.subject]


def _erase(requests: list[VaultErasure]) -> int:
    subjects = np.frombuffer(
        b"".join(request.subject.bytes for request in requests if request.subject), np.uint8
    ).reshape(-1, 16)
    until = np.array([microseconds(request.requested_at) for request in requests], np.int64)
    with entering("erasure") as cursor:
        known, ranges = keys.data_keys(cursor), shelf.shelf(cursor)
        if not len(ranges):
            return 0
        key, changed, erased = known[max(known)], [], 0
        needed, rows = ranges.sorted_out(halves(subjects)[0])
        for block, here in zip(shelf.taken(cursor, ranges.first[needed], known, changing=True), rows, strict=True):
            rest = blocks.without(block, subjects[here], until[here])
            if len(rest) < len(block):
                erased += len(block) - len(rest)
                changed.append(rest)
        keys.count_sealed(cursor, key, len(changed))
        shelf.put_back(cursor, changed, key)
    return erased
