"""What may be known about the vault without entering it."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from django.db.models import Count, Min, QuerySet, Sum

from apps.common import clock
from apps.vault.models import VaultAccess, VaultAccessStep, VaultErasure, VaultKeyReport, VaultUpload


@dataclass(frozen=True, slots=True)
class UploadRow:
    """What became of an upload: how many people it holds, how many of them are worked off, stored, replaced.

    taken: how many bytes of a file are received for good; touched_at: when the last of them came.
    """

    upload_id: str
    actor: str
    form: str
    received_at: datetime
    touched_at: datetime
    taken: int
    subjects: int
    state: str
    done: int
    stored: int
    replaced: int
    reason: str
    opened_at: datetime | None


@dataclass(frozen=True, slots=True)
class AccessRow:
    """Somebody's access, by the request that it came from."""

    approval_id: int
    person_id: int
    state: str
    until: datetime
    asked_at: datetime | None
    shown_at: datetime | None
    reason: str

    @property
    def is_open(self) -> bool:
        return self.state in VaultAccess.OPEN


@dataclass(frozen=True, slots=True)
class AccessStep:
    """A step of an access that the data protection contact has not been told of."""

    id: int
    approval_id: int
    event: str
    at: datetime
    person: str
    subjects: int
    basis: str


@dataclass(frozen=True, slots=True)
class KeyLine:
    """A data key, oldest first; `people` are in blocks under it."""

    version: int
    wrapped_by: str
    created_at: datetime
    sealed: int
    people: int


@dataclass(frozen=True, slots=True)
class KeyReport:
    """How the keys stand, as the compute side said last."""

    keys: tuple[KeyLine, ...]
    floor: int
    next_at: datetime | None
    reported_at: datetime


@dataclass(frozen=True, slots=True)
class ErasureRow:
    """A request that a person's attributes be erased; whose they are is no part of it."""

    id: int
    actor: str
    requested_at: datetime
    done: bool
    executed_at: datetime | None


@dataclass(frozen=True, slots=True)
class VaultQueue:
    """What the compute side has still to do: sealed uploads and erasures, and since when the oldest waits."""

    uploads: int
    subjects: int
    erasures: int
    waiting_since: datetime | None


def erasures(limit: int, *, before_id: int | None = None) -> list[ErasureRow]:
    """The newest requests for erasure first; `before_id` continues after that one. One query."""
    found = VaultErasure.objects.order_by("-id")
    rows = found if before_id is None else found.filter(pk__lt=before_id)
    done = VaultErasure.State.DONE
    return [ErasureRow(row.pk, row.actor, row.requested_at, row.state == done, row.executed_at) for row in rows[:limit]]


def upload(upload_id: str) -> UploadRow | None:
    """What became of that upload; None if there is none of that id."""
    try:
        identity = UUID(upload_id)
    except ValueError:
        return None
    found = VaultUpload.objects.filter(pk=identity).first()
    return _row(found) if found else None


def uploads_recent(limit: int = 20, *, before: datetime | None = None) -> list[UploadRow]:
    """The newest uploads first; `before` goes on behind one that began then."""
    rows = VaultUpload.objects.order_by("-received_at", "-pk")
    return [_row(row) for row in (rows.filter(received_at__lt=before) if before else rows)[:limit]]


def access(approval_id: int) -> AccessRow | None:
    """The access that a request brought; None while it is not signed."""
    return accesses([approval_id]).get(approval_id)


def accesses(approval_ids: Collection[int]) -> dict[int, AccessRow]:
    """The accesses that these requests brought, by request."""
    rows = VaultAccess.objects.filter(pk__in=approval_ids).defer("sealed", "public_key")
    return {row.pk: _access(row) for row in rows}


def accesses_open_of(person_id: int, *, limit: int = 20) -> list[AccessRow]:
    """The looks that a person may still have, those that end first before the others."""
    rows = _open_of(person_id).defer("sealed", "public_key").order_by("until", "pk")
    return [_access(row) for row in rows[:limit]]


def accesses_open_count(person_id: int, most: int | None = None) -> int:
    """How many looks a person may still have, counted up to `most`."""
    return _open_of(person_id)[:most].count()


def _open_of(person_id: int) -> QuerySet[VaultAccess]:
    return VaultAccess.objects.filter(person_id=person_id, state__in=VaultAccess.OPEN, until__gt=clock.now())


def access_steps_unannounced(limit: int = 100) -> list[AccessStep]:
    """Values that were opened or shown, and of which the data protection contact is still to be told."""
    rows = VaultAccessStep.objects.filter(announced_at__isnull=True, event__in=["sealed", "shown"])
    return [
        AccessStep(
            id=row.pk,
            approval_id=row.access_id,
            event=row.event,
            at=row.at,
            person=row.access.person.display_name,
            subjects=len(row.access.approval.content["subjects"]),
            basis=row.access.approval.content["basis"],
        )
        for row in rows.select_related("access__approval", "access__person")
        .defer("access__sealed")
        .order_by("id")[:limit]
    ]


def key_report() -> KeyReport | None:
    """How the keys stand; None before the compute side has said so."""
    found = VaultKeyReport.objects.first()
    if found is None:
        return None
    lines = (KeyLine(**{**each, "created_at": datetime.fromisoformat(each["created_at"])}) for each in found.keys)
    return KeyReport(tuple(lines), found.floor, found.next_at, found.reported_at)


def queue() -> VaultQueue:
    """What waits for the compute side; two queries."""
    uploads = VaultUpload.objects.filter(state__in=[VaultUpload.State.PENDING, VaultUpload.State.STORING]).aggregate(
        count=Count("id"), subjects=Sum("subjects"), oldest=Min("received_at")
    )
    erasures = VaultErasure.objects.filter(state=VaultErasure.State.PENDING).aggregate(
        count=Count("id"), oldest=Min("requested_at")
    )
    since = min((moment for moment in (uploads["oldest"], erasures["oldest"]) if moment), default=None)
    return VaultQueue(uploads["count"], uploads["subjects"] or 0, erasures["count"], since)


def _access(row: VaultAccess) -> AccessRow:
    return AccessRow(row.pk, row.person_id, row.state, row.until, row.asked_at, row.shown_at, row.reason)


def _row(found: VaultUpload) -> UploadRow:
    return UploadRow(
        upload_id=str(found.pk),
        actor=found.actor,
        form=found.form,
        received_at=found.received_at,
        touched_at=found.touched_at,
        taken=found.taken,
        subjects=found.subjects,
        state=found.state,
        done=found.position,
        stored=found.stored,
        replaced=found.replaced,
        reason=found.reason,
        opened_at=found.opened_at,
    )
