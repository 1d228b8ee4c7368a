"""What a model's gateways are told: one row a model, numbered, signed when it is asked for."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime, timedelta
from functools import lru_cache
from typing import Any

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from django.conf import settings

from apps.audit import services as audit
from apps.common import clock
from apps.registry.selectors import slug_of
from apps.registry.spec import ModelSpec
from apps.responses import ladder
from apps.responses.ladder import height
from apps.responses.models import Finding, ModelStatus, Restriction
from apps.responses.steps import SYSTEM
from biasgov.client import status as documents

SLOT = timedelta(seconds=30)
"""Documents of one slot are the same bytes, so that "not modified" can be said; after it, validity has moved on."""


def status_settle(model_id: int) -> ModelStatus:
    """Bring a model's status up to what its findings and its restriction are, in the caller's transaction.

    The caller holds the model (`steps.hold`). A change takes the next number, and the first of them writes the row: a
    model about which nothing was ever decided has none.
    """
    found = ModelStatus.objects.filter(pk=model_id).first() or ModelStatus(pk=model_id)
    open_tiers = Finding.objects.filter(model_id=model_id, state=Finding.State.OPEN).values_list("tier", flat=True)
    tier = max(open_tiers.distinct(), key=height, default=ladder.NO_TIER)
    in_force = Restriction.objects.filter(model_id=model_id, state=ladder.IN_FORCE).first()
    restriction_id = in_force.pk if in_force else None
    if (found.tier, found.restriction_id) != (tier, restriction_id):
        found.sequence, found.tier, found.restriction, found.changed_at = (
            found.sequence + 1,
            tier,
            in_force,
            clock.now(),
        )
        found.save()
        audit.append(
            actor=SYSTEM,
            action="status.changed",
            subject=f"model:{slug_of(model_id)}",
            detail={"sequence": found.sequence, "tier": tier, "restriction": restriction_id},
        )
    if in_force is not None and in_force.sequence is None:
        Restriction.objects.filter(pk=in_force.pk, sequence=None).update(sequence=found.sequence)
    return found


def status_document(spec: ModelSpec) -> Mapping[str, Any]:
    """The model's status, signed, as `biasgov.client.status` describes it. One query.

    Raises ConfigurationError where this process may not hold the signing key.
    """
    key = _signing_key(settings.KEYRING.read("status_signing"))
    found = ModelStatus.objects.select_related("restriction").filter(pk=spec.id).first() or ModelStatus(pk=spec.id)
    issued_at = _slot(clock.now())
    return documents.Status(
        model=spec.slug,
        tier=found.tier,
        restriction=_told(found.restriction) if found.restriction else None,
        sequence=found.sequence,
        issued_at=issued_at,
        valid_until=issued_at + timedelta(seconds=settings.STATUS_VALID_SECONDS),
        key_id=documents.key_id(key.public_key()),
    ).document(key)


def status_public_key() -> str:
    """The public key that gateways are to trust, in hexadecimal."""
    return _signing_key(settings.KEYRING.read("status_signing")).public_key().public_bytes_raw().hex()


def _told(restriction: Restriction) -> documents.Restriction:
    return documents.Restriction(
        id=restriction.pk,
        blocked_decision_types=tuple(restriction.blocked_decision_types),
        since=restriction.in_force_at or restriction.proposed_at,
        reason=restriction.reason,
    )


def _slot(at: datetime) -> datetime:
    return datetime.fromtimestamp(at.timestamp() // SLOT.total_seconds() * SLOT.total_seconds(), at.tzinfo)


@lru_cache(maxsize=2)
def _signing_key(seed: bytes) -> Ed25519PrivateKey:
    return Ed25519PrivateKey.from_private_bytes(seed)
