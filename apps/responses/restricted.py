"""Reading restrictions, the gateways, and how long it took until a restriction was in effect."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from apps.common import clock
from apps.responses import ladder
from apps.responses.models import Gateway, Restriction


@dataclass(frozen=True, slots=True)
class RestrictionRow:
    """A restriction as pages read it. decided_by: who confirmed it, "" for the policy itself."""

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


def restrictions_since(model_id: int) -> tuple[tuple[datetime, str, RestrictionRow], ...]:
    """The moments at which restrictions of the model came into force or were lifted, oldest first: (when, what, it)."""
    found = Restriction.objects.select_related("decided_by").filter(model_id=model_id).order_by("id")
    moments = [(row.in_force_at, ladder.IN_FORCE, row) for row in found if row.in_force_at]
    moments += [(row.lifted_at, ladder.LIFTED, row) for row in found if row.lifted_at]
    return tuple((at, what, _row(row)) for at, what, row in sorted(moments, key=lambda each: each[0]))


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
    )
