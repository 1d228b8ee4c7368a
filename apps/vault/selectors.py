"""What may be known about the vault without entering it."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from django.db.models import Count, Min, Sum

from apps.vault.models import VaultErasure, VaultUpload


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
class VaultQueue:
    """What the compute side has still to do: sealed uploads and erasures, and since when the oldest waits."""

    uploads: int
    subjects: int
    erasures: int
    waiting_since: datetime | None


def upload(upload_id: str) -> UploadRow | None:
    """What became of that upload; None if there is none of that id."""
    try:
        identity = UUID(upload_id)
    except ValueError:
        return None
    found = VaultUpload.objects.filter(pk=identity).first()
    return _row(found) if found else None


def uploads_recent(limit: int = 20) -> list[UploadRow]:
    """The newest uploads first."""
    return [_row(row) for row in VaultUpload.objects.order_by("-received_at")[:limit]]


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
