"""Reading what was found about training sets."""

from __future__ import annotations

from collections.abc import Collection, Iterable
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from apps.retraining.models import RetrainingCheck
from apps.retraining.provenance import Reason


@dataclass(frozen=True, slots=True)
class CheckRow:
    """A training set and what was found. state: ``allowed``, ``held`` or ``released`` (by people)."""

    id: int
    model_id: int
    model_slug: str
    model_name: str
    name: str
    manifest: dict[str, Any]
    lineage: dict[str, int]
    reasons: tuple[Reason, ...]
    state: str
    checked_by: str
    checked_at: datetime
    released_at: datetime | None

    @property
    def subject(self) -> str:
        """Its name in the audit log and in requests."""
        return f"retraining:{self.id}"


def check(check_id: int) -> CheckRow | None:
    """One, or None."""
    return next(iter(_rows(RetrainingCheck.objects.filter(pk=check_id))), None)


def checks(model_ids: Collection[int], *, limit: int, before_id: int | None = None) -> tuple[CheckRow, ...]:
    """Those of the models, newest first; `before_id` continues after that one. One query."""
    found = RetrainingCheck.objects.filter(model_id__in=model_ids).order_by("-id")
    if before_id is not None:
        found = found.filter(pk__lt=before_id)
    return _rows(found[:limit])


def _rows(found: Any) -> tuple[CheckRow, ...]:
    rows: Iterable[RetrainingCheck] = found.select_related("model")
    return tuple(
        CheckRow(
            id=row.pk,
            model_id=row.model_id,
            model_slug=row.model.slug,
            model_name=row.model.name,
            name=row.name,
            manifest=row.manifest,
            lineage=row.lineage,
            reasons=tuple(Reason(**reason) for reason in row.reasons),
            state=row.state,
            checked_by=row.checked_by,
            checked_at=row.checked_at,
            released_at=row.released_at,
        )
        for row in rows
    )
