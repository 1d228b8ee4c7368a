"""What may be known about the vault without entering it."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from django.db.models import Count, Min, Sum

from apps.vault.models import VaultErasure, VaultUpload


@dataclass(frozen=True, slots=True)
class UploadRow:
    """What became of an upload."""

    upload_id: str
    actor: str
    received_at: datetime
    subjects: int
    state: str
    stored: int
    reason: str


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
    found = VaultUpload.objects.filter(pk=identity).defer("sealed").first()
    return _row(found) if found else None


def uploads_recent(limit: int = 20) -> list[UploadRow]:
    """The newest uploads first."""
    return [_row(row) for row in VaultUpload.objects.defer("sealed").order_by("-received_at")[:limit]]


def queue() -> VaultQueue:
    """What waits for the compute side; two queries."""
    uploads = VaultUpload.objects.filter(state=VaultUpload.State.PENDING).aggregate(
        count=Count("id"), subjects=Sum("subjects"), oldest=Min("received_at")
    )
    erasures = VaultErasure.objects.filter(state=VaultErasure.State.PENDING).aggregate(
        count=Count("id"), oldest=Min("requested_at")
    )
    since = min((moment for moment in (uploads["oldest"], erasures["oldest"]) if moment), default=None)
    return VaultQueue(uploads["count"], uploads["subjects"] or 0, erasures["count"], since)


def _row(found: VaultUpload) -> UploadRow:
    return UploadRow(
        str(found.pk), found.actor, found.received_at, found.subjects, found.state, found.stored, found.reason
    )
