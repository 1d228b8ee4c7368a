"""Reading the register of overrides."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from django.db.models import Count, QuerySet

from apps.overrides.models import Override


@dataclass(frozen=True, slots=True)
class OverrideRow:
    """An override as lists show it. event_key: the event in the log, by which its sender finds it again."""

    id: int
    event_key: UUID
    occurred_at: datetime
    from_decision: int
    to_decision: int
    category: str
    reason: str
    by: str
    overridden_at: datetime
    recorded_by: str


@dataclass(frozen=True, slots=True)
class Overridden:
    """What counting needs of an override: which event, when, and what the person decided."""

    event_key: UUID
    occurred_at: datetime
    to_decision: int


def overrides(
    model_id: int,
    *,
    category: str = "",
    to_decision: int | None = None,
    before_id: int | None = None,
    limit: int = 50,
) -> tuple[OverrideRow, ...]:
    """A page of a model's register, the last recorded first. One query."""
    found = _chosen(model_id, category, to_decision)
    if before_id is not None:
        found = found.filter(pk__lt=before_id)
    return tuple(
        OverrideRow(
            id=each.pk,
            event_key=each.event_key,
            occurred_at=each.occurred_at,
            from_decision=each.from_decision,
            to_decision=each.to_decision,
            category=each.category,
            reason=each.reason,
            by=each.by,
            overridden_at=each.overridden_at,
            recorded_by=each.recorded_by,
        )
        for each in found.order_by("-id")[:limit]
    )


def counts_by_category(model_id: int) -> dict[str, int]:
    """How many overrides of a model each category has; categories without one miss. One query."""
    rows = Override.objects.filter(model_id=model_id).order_by().values("category").annotate(n=Count("id"))
    return {row["category"]: row["n"] for row in rows}


def overridden_between(model_id: int, start: datetime, end: datetime) -> tuple[Overridden, ...]:
    """The overrides of decisions that the model made in [start, end), in order of time."""
    rows = Override.objects.filter(model_id=model_id, occurred_at__gte=start, occurred_at__lt=end)
    values = rows.order_by("occurred_at", "event_key").values_list("event_key", "occurred_at", "to_decision")
    return tuple(Overridden(*each) for each in values)


def models_with_overrides(start: datetime, end: datetime) -> Sequence[int]:
    """The ids of models of which decisions made in [start, end) were overridden."""
    rows = Override.objects.filter(occurred_at__gte=start, occurred_at__lt=end).order_by()
    return sorted(rows.values_list("model_id", flat=True).distinct())


def _chosen(model_id: int, category: str, to_decision: int | None) -> QuerySet[Override]:
    found = Override.objects.filter(model_id=model_id)
    if category:
        found = found.filter(category=category)
    return found if to_decision is None else found.filter(to_decision=to_decision)
