"""Checking the whole log: in portions, so that a million entries hold up nobody, and resumable after a kill.

Checked are every entry against the hash that its leaf recorded, the leaves against the stored nodes and against every
signed head outside the database, and that no entry is without a place. What a check finds is only as good as the
machine it runs on; who does not trust that takes an export and `biasgov verify-audit`.
"""

from __future__ import annotations

import time
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey
from django.db import transaction

from apps.audit import selectors
from apps.audit.keys import head_file, known_keys
from apps.audit.models import AuditEntry, AuditLeaf, AuditPending, AuditVerification
from apps.audit.services import append
from apps.common import clock
from biasgov.audit import heads, merkle
from biasgov.audit.heads import HeadError, SignedHead

BATCH = 5_000
MOST_FAULTS = 100
DAILY = timedelta(days=1)
_STATE = AuditVerification.State


@dataclass(frozen=True, slots=True)
class VerificationView:
    """A check of the log: what it covers, how far it is and what it found."""

    id: int
    state: str
    requested_at: datetime
    requested_by: str
    finished_at: datetime | None
    size: int
    checked: int
    heads: int
    root: bytes
    faults: tuple[str, ...]

    @property
    def is_running(self) -> bool:
        return self.state in (_STATE.WAITING, _STATE.RUNNING)

    @property
    def is_intact(self) -> bool:
        return self.state == _STATE.INTACT


def verification_request(*, actor: str) -> VerificationView:
    """Ask for a check of the whole log; one that is not finished yet is answered instead of a second."""
    with transaction.atomic():
        running = AuditVerification.objects.filter(finished_at=None).order_by("-id").first()
        if running is not None:
            return _view(running)
        made = AuditVerification.objects.create(requested_at=clock.now(), requested_by=actor)
        append(actor=actor, action="audit.verification_requested", subject=f"audit-verification:{made.pk}")
    return _view(made)


def verification_latest(*, finished: bool = False) -> VerificationView | None:
    """The newest check, or the newest that has finished."""
    found = AuditVerification.objects.order_by("-id")
    newest = (found.exclude(finished_at=None) if finished else found).first()
    return _view(newest) if newest else None


def verification_continue(*, seconds: float) -> bool:
    """Work on the oldest unfinished check for about `seconds`; True if more is left. One a day begins by itself."""
    deadline = time.monotonic() + seconds
    _begin_daily()
    while time.monotonic() < deadline:
        with transaction.atomic():
            check = (
                AuditVerification.objects.select_for_update(skip_locked=True)
                .filter(finished_at=None)
                .order_by("id")
                .first()
            )
            if check is None:
                return False
            _portion(check)
    return AuditVerification.objects.filter(finished_at=None).exists()


def _begin_daily() -> None:
    newest = verification_latest()
    due = newest is None or (not newest.is_running and clock.now() - newest.requested_at >= DAILY)
    if due and selectors.tree_size():
        verification_request(actor="system:audit")


def _portion(check: AuditVerification) -> None:
    """Check the next leaves, or finish."""
    if check.state == _STATE.WAITING:
        check.state, check.size = _STATE.RUNNING, selectors.tree_size()
    frontier = merkle.Frontier(check.checked, map(bytes, check.peaks))
    faults = _Faults(check.faults)
    signed = head_file().beyond(check.checked + 1)
    waiting, keys = next(signed, None), known_keys()
    leaves = AuditLeaf.objects.filter(leaf_index__gte=check.checked, leaf_index__lt=check.size)
    for leaf in leaves.select_related("entry").order_by("leaf_index")[:BATCH]:
        if leaf.leaf_index != frontier.size:
            break
        _check_entry(leaf, faults)
        frontier.append(bytes(leaf.leaf_hash))
        while waiting is not None and waiting.size <= frontier.size:
            check.heads += 1
            _check_head(waiting, frontier.head, keys, faults)
            waiting = next(signed, None)
    complete = frontier.size == check.size
    stopped = frontier.size == check.checked and not complete
    if stopped:
        faults.add(f"leaf {frontier.size:,} or its entry is missing; nothing after it could be checked")
    check.checked, check.peaks = frontier.size, frontier.peaks
    if complete or stopped:
        _finish(check, frontier, faults, waiting if complete else None)
    check.faults = faults.found
    check.save()


def _check_entry(leaf: AuditLeaf, faults: _Faults) -> None:
    digest = selectors.content_hash(leaf.entry)
    if digest != bytes(leaf.leaf_hash):
        faults.add(f"entry {leaf.entry_id:,} is not what leaf {leaf.leaf_index:,} recorded")
    elif digest != bytes(leaf.entry.leaf_hash):
        faults.add(f"entry {leaf.entry_id:,} carries a hash of other content")


def _check_head(
    signed: SignedHead, found: merkle.TreeHead, keys: Mapping[bytes, Ed25519PublicKey], faults: _Faults
) -> None:
    said = f"the head of size {signed.size:,} signed at {signed.signed_at:%Y-%m-%d %H:%M} UTC"
    try:
        heads.check_by_one_of(signed, keys)
    except HeadError as error:
        faults.add(str(error))
    if signed.size < found.size:
        faults.add(f"{said} stands in the file behind a larger one")
    elif signed.head.root != found.root:
        faults.add(f"{said} has another root: an entry before it was changed, taken out or put in since")


def _finish(check: AuditVerification, frontier: merkle.Frontier, faults: _Faults, waiting: SignedHead | None) -> None:
    if waiting is not None and waiting.size > selectors.tree_size():
        faults.add(f"the signed head of size {waiting.size:,} covers more entries than the log has")
    if frontier.size == check.size and selectors.tree_head(check.size).root != frontier.head.root:
        faults.add("the stored nodes lead to another root than the leaves")
    lost = AuditEntry.objects.filter(leaf=None).exclude(pk__in=AuditPending.objects.values("entry_id")).count()
    if lost:
        faults.add(f"{lost:,} entries are neither in the tree nor waiting for it")
    check.root = frontier.head.root
    check.finished_at = clock.now()
    check.state = _STATE.BROKEN if faults.found else _STATE.INTACT
    append(
        actor="system:audit",
        action=f"audit.verified_{check.state}",
        subject=f"audit-verification:{check.pk}",
        detail={"entries": check.checked, "heads": check.heads, "faults": faults.found[:10]},
    )


class _Faults:
    """What was found, the first hundred in words."""

    def __init__(self, found: list[str]) -> None:
        self.found = list(found)

    def add(self, fault: str) -> None:
        if len(self.found) < MOST_FAULTS:
            self.found.append(fault)
        elif len(self.found) == MOST_FAULTS:
            self.found.append("and more")


def _view(check: AuditVerification) -> VerificationView:
    return VerificationView(
        id=check.pk,
        state=check.state,
        requested_at=check.requested_at,
        requested_by=check.requested_by,
        finished_at=check.finished_at,
        size=check.size,
        checked=check.checked,
        heads=check.heads,
        root=bytes(check.root),
        faults=tuple(check.faults),
    )
