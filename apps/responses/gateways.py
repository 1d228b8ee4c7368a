"""Which gateways have a status in effect, and how long that took."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta

from django.db import transaction

from apps.accounts.models import User
from apps.accounts.permissions import demand
from apps.audit import services as audit
from apps.common import clock
from apps.common.errors import Refused
from apps.registry import selectors as registry
from apps.registry.declarations import check_text
from apps.registry.spec import ModelSpec
from apps.responses import ladder
from apps.responses.announcements import announce
from apps.responses.deadlines import plan_of
from apps.responses.models import Acknowledgement, Gateway, ModelStatus, Restriction
from apps.responses.steps import hold

MOST_OF_A_MODEL = 200


@dataclass(frozen=True, slots=True)
class Acknowledged:
    """What became of an acknowledgement: current says whether it is of the newest status."""

    gateway: str
    sequence: int
    current: bool
    restriction_id: int | None
    acknowledged_at: datetime


@transaction.atomic
def status_acknowledge(*, model: ModelSpec, actor: str, gateway: str, sequence: int) -> Acknowledged:
    """Note that a gateway has the status of that number in effect; repeating it changes nothing.

    Parameters
    ----------
    actor
        The token by which the gateway asks; gateways of other tokens are others, whatever their names.

    Raises
    ------
    Refused
        The name is none, the status does not exist yet (``unknown``), or the model has too many gateways.
    """
    gateway = check_text(gateway, "gateway", longest=80)
    hold(model.id)
    now = clock.now()
    status = ModelStatus.objects.filter(pk=model.id).first() or ModelStatus(pk=model.id)
    if not 0 <= sequence <= status.sequence:
        raise Refused("sequence", f"The status has reached number {status.sequence}.", code="unknown")
    known = Gateway.objects.filter(model_id=model.id, token=actor, name=gateway).first()
    if known is None:
        if Gateway.objects.filter(model_id=model.id).count() >= MOST_OF_A_MODEL:
            raise Refused("gateway", f"The model has {MOST_OF_A_MODEL} gateways; give them fixed names.")
        known = Gateway.objects.create(
            model_id=model.id, token=actor, name=gateway, first_seen_at=now, sequence=sequence, acknowledged_at=now
        )
        _record(known, sequence, status, actor)
    elif known.sequence < sequence or known.retired_at is not None:
        fresh = known.sequence < sequence
        known.sequence, known.retired_at = max(known.sequence, sequence), None
        known.acknowledged_at = now if fresh else known.acknowledged_at
        known.save(update_fields=["sequence", "retired_at", "acknowledged_at"])
        if fresh:
            _record(known, sequence, status, actor)
    _settle(model.id)
    return Acknowledged(
        gateway=gateway,
        sequence=sequence,
        current=sequence == status.sequence,
        restriction_id=status.restriction_id if sequence == status.sequence else None,
        acknowledged_at=known.acknowledged_at,
    )


@transaction.atomic
def gateway_retire(*, gateway_id: int, person: User) -> None:
    """Wait for this gateway no more. It comes back by itself when it acknowledges again.

    Raises Http404 or PermissionDenied for who may not confirm restrictions, Refused if it is not there or retired.
    """
    gateway = Gateway.objects.filter(pk=gateway_id).first()
    if gateway is None:
        raise Refused("gateway", f"There is no gateway {gateway_id}.", code="unknown")
    demand(person, "restriction.confirm", gateway.model_id)
    hold(gateway.model_id)
    if Gateway.objects.filter(pk=gateway_id, retired_at=None).update(retired_at=clock.now()) != 1:
        raise Refused("gateway", f"{gateway.name} is retired.", code="retired")
    audit.append(
        actor=person.actor,
        action="gateway.retired",
        subject=f"gateway:{gateway_id}",
        model=registry.slug_of(gateway.model_id),
        detail={"name": gateway.name},
    )
    _settle(gateway.model_id)


def acknowledgements_chase() -> int:
    """Tell people of restrictions that not every gateway has acknowledged in time; how many there are."""
    now, late = clock.now(), 0
    for restriction in Restriction.objects.filter(state=ladder.IN_FORCE, acknowledged_at=None).order_by("pk"):
        since = restriction.in_force_at or restriction.proposed_at
        if now - since < timedelta(minutes=plan_of(restriction.model_id, now).acknowledge_minutes):
            continue
        late += 1
        spec = registry.model_spec_by_id(restriction.model_id)
        said = ", ".join(_lagging(restriction)) or "every gateway, for none has ever acknowledged"
        announce(
            model=spec,
            key=f"restriction-{restriction.pk}-not-acknowledged",
            title=f"{spec.name}: the restriction is not in effect everywhere"[:200],
            body=f"In force since {since:%Y-%m-%d %H:%M} UTC. As far as is known, these decide as before: {said}.",
            severity="critical",
            path=f"/models/{spec.slug}/",
            detected_at=now,
        )
    return late


def _lagging(restriction: Restriction) -> list[str]:
    waited_for = Gateway.objects.filter(model_id=restriction.model_id, retired_at=None)
    return [each.name for each in waited_for if each.sequence < (restriction.sequence or 0)]


def _settle(model_id: int) -> None:
    """Note when the last gateway that is waited for has a restriction in effect. The caller holds the model."""
    restriction = Restriction.objects.filter(model_id=model_id, state=ladder.IN_FORCE, acknowledged_at=None).first()
    if restriction is None or restriction.sequence is None or _lagging(restriction):
        return
    reached = Gateway.objects.filter(model_id=model_id, retired_at=None, sequence__gte=restriction.sequence)
    if reached.exists():
        Restriction.objects.filter(pk=restriction.pk, acknowledged_at=None).update(acknowledged_at=clock.now())


def _record(gateway: Gateway, sequence: int, status: ModelStatus, actor: str) -> None:
    carried = status.restriction_id if sequence == status.sequence else None
    Acknowledgement.objects.create(gateway=gateway, sequence=sequence, restriction_id=carried, at=clock.now())
    audit.append(
        actor=actor,
        action="status.acknowledged",
        subject=f"gateway:{gateway.pk}",
        model=registry.slug_of(gateway.model_id),
        detail={"gateway": gateway.name, "sequence": sequence, "restriction": carried},
    )
