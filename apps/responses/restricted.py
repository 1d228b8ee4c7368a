"""Reading restrictions, the gateways, and how long it took until a restriction was in effect."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import datetime

from django.db.models import Count, QuerySet

from apps.common import clock
from apps.responses import ladder
from apps.responses.models import Cause, Gateway, ModelStatus, Restriction


@dataclass(frozen=True, slots=True)
class RestrictionRow:
    """A restriction as pages read it.

    decided_by: who confirmed or declined it, "" for the policy itself. approval_id: the request by which it was lifted.
    """

    id: int
    model_id: int
    state: str
    automatic: bool
    blocked_decision_types: tuple[str, ...]
    reason: str
    breach_at: datetime
    proposed_at: datetime
    in_force_at: datetime | None
    decided_by: str
    note: str
    sequence: int | None
    acknowledged_at: datetime | None
    lifted_at: datetime | None
    approval_id: int | None

    @property
    def in_force(self) -> bool:
        return self.state == ladder.IN_FORCE


@dataclass(frozen=True, slots=True)
class GatewayRow:
    """A gateway and the newest status that it has in effect."""

    id: int
    name: str
    token: str
    sequence: int
    acknowledged_at: datetime
    retired: bool


@dataclass(frozen=True, slots=True)
class RestrictionTime:
    """Seconds from a breach to its restriction in effect at every gateway, up to now where it is not yet."""

    model_id: int
    restriction_id: int
    seconds: float
    acknowledged: bool


def restriction_of(model_id: int) -> RestrictionRow | None:
    """The model's restriction that is proposed or in force, if there is one."""
    found = Restriction.objects.select_related("decided_by")
    row = found.filter(model_id=model_id, state__in=ladder.LIVE).first()
    return None if row is None else _row(row)


def restrictions_of(model_ids: Sequence[int]) -> dict[int, RestrictionRow]:
    """`restriction_of` of many models in one query; models without one are left out."""
    found = Restriction.objects.select_related("decided_by").filter(model_id__in=model_ids, state__in=ladder.LIVE)
    return {row.model_id: _row(row) for row in found}


def restriction_register(
    model_ids: Collection[int], *, states: Collection[str] = (), before_id: int | None = None, limit: int = 50
) -> tuple[RestrictionRow, ...]:
    """The restrictions that these models ever had, newest first; none of `states` means every state. One query."""
    found = Restriction.objects.filter(model_id__in=model_ids).select_related("decided_by")
    if states:
        found = found.filter(state__in=states)
    if before_id is not None:
        found = found.filter(pk__lt=before_id)
    return tuple(map(_row, found.order_by("-id")[:limit]))


def restriction_counts(model_ids: Collection[int]) -> dict[str, int]:
    """How many restrictions of these models stand in each state. One query."""
    counted = Restriction.objects.filter(model_id__in=model_ids).order_by().values_list("state").annotate(Count("id"))
    return dict.fromkeys(Restriction.State.values, 0) | dict(counted)


def restriction_model(restriction_id: int) -> int | None:
    """Which model a restriction is about, if there is such a one."""
    return Restriction.objects.filter(pk=restriction_id).values_list("model_id", flat=True).first()


def restriction_moments(model_id: int) -> tuple[tuple[datetime, bool, str], ...]:
    """When restrictions of the model came into force or were lifted, oldest first: (moment, in force, reason)."""
    found = Restriction.objects.filter(model_id=model_id)
    moments = [(row.in_force_at, True, row.reason) for row in found if row.in_force_at]
    moments += [(row.lifted_at, False, row.reason) for row in found if row.lifted_at]
    return tuple(sorted(moments))


def proposed_restrictions(visible: Collection[int] | None, *, limit: int = 50) -> tuple[RestrictionRow, ...]:
    """The restrictions that wait for a person's confirmation, the oldest first; `visible` narrows to these models."""
    return tuple(map(_row, _proposed(visible).select_related("decided_by").order_by("proposed_at", "id")[:limit]))


def proposed_count(visible: Collection[int] | None, most: int | None = None) -> int:
    """How many `proposed_restrictions` has, counted up to `most`."""
    return _proposed(visible)[:most].count()


def standings_of(model_ids: Sequence[int]) -> dict[int, tuple[str, bool]]:
    """The tier of each model that ever had a finding, and whether it is restricted; one query."""
    rows = ModelStatus.objects.filter(pk__in=model_ids).values_list("model_id", "tier", "restriction_id")
    return {model_id: (tier, restriction_id is not None) for model_id, tier, restriction_id in rows}


def incidents_of(cause_ids: Collection[int]) -> tuple[int, ...]:
    """The incidents that look after these causes."""
    found = Cause.objects.filter(pk__in=cause_ids, incident_id__isnull=False).order_by("incident_id")
    return tuple(number for number in found.values_list("incident_id", flat=True).distinct() if number is not None)


def status_number(model_id: int) -> int:
    """The number of the model's newest status; 0 while nothing was ever decided about it."""
    return ModelStatus.objects.filter(pk=model_id).values_list("sequence", flat=True).first() or 0


def gateways(model_id: int) -> tuple[GatewayRow, ...]:
    """The gateways of a model, by name."""
    return tuple(
        GatewayRow(
            id=each.pk,
            name=each.name,
            token=each.token,
            sequence=each.sequence,
            acknowledged_at=each.acknowledged_at,
            retired=each.retired_at is not None,
        )
        for each in Gateway.objects.filter(model_id=model_id).order_by("name", "id")
    )


def restriction_times(model_ids: Sequence[int], since: datetime) -> tuple[RestrictionTime, ...]:
    """How long it took from breach to acknowledged restriction, for those that came into force since then."""
    now = clock.now()
    found = Restriction.objects.filter(model_id__in=model_ids, in_force_at__gte=since).order_by("id")
    return tuple(
        RestrictionTime(
            model_id=row.model_id,
            restriction_id=row.pk,
            seconds=((row.acknowledged_at or row.lifted_at or now) - row.breach_at).total_seconds(),
            acknowledged=row.acknowledged_at is not None,
        )
        for row in found
    )


def _proposed(visible: Collection[int] | None) -> QuerySet[Restriction]:
    found = Restriction.objects.filter(state=ladder.PROPOSED)
    return found if visible is None else found.filter(model_id__in=visible)


def _row(row: Restriction) -> RestrictionRow:
    return RestrictionRow(
        id=row.pk,
        model_id=row.model_id,
        state=row.state,
        automatic=row.automatic,
        blocked_decision_types=tuple(row.blocked_decision_types),
        reason=row.reason,
        breach_at=row.breach_at,
        proposed_at=row.proposed_at,
        in_force_at=row.in_force_at,
        decided_by=row.decided_by.display_name if row.decided_by else "",
        note=row.note,
        sequence=row.sequence,
        acknowledged_at=row.acknowledged_at,
        lifted_at=row.lifted_at,
        approval_id=row.approval_id,
    )
