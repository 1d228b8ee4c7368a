"""Adding a version to the register: the one way in, whoever asked for it."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping, Sequence
from datetime import date, datetime, timedelta
from typing import Any

from django.db import connection

from apps.audit import services as audit
from apps.common import clock
from apps.common.business_hours import check_calendar
from apps.common.errors import Refused
from apps.registry.selectors import model_spec_by_id
from apps.thresholds.citations import CITATIONS
from apps.thresholds.models import Assessment, PolicyVersion
from apps.thresholds.versions import PolicyInForce, read
from biasgov.fairness.policy import Policy

_LOCK = 7_301
REVIEWED_EVERY = timedelta(days=365)
LONGEST_REFERENCE = 200

REGISTRATION = PolicyVersion.Way.REGISTRATION
SIGNED = PolicyVersion.Way.SIGNED
EMERGENCY = PolicyVersion.Way.EMERGENCY


def hold(model_id: int) -> None:
    """Let nobody else publish for this model until the transaction ends."""
    with connection.cursor() as cursor:
        cursor.execute("SELECT pg_advisory_xact_lock(%s, %s)", [_LOCK, model_id])


def newest(model_id: int) -> PolicyVersion | None:
    """The version published last, whether or not it has started."""
    return PolicyVersion.objects.filter(model_id=model_id).order_by("-version").first()


def publish(
    *,
    model_id: int,
    version: int,
    policy: Policy,
    limits: Mapping[str, float],
    assessment_reference: str,
    legal_basis: Sequence[str],
    justification: str,
    effective_from: datetime | None,
    review_due: date,
    way: PolicyVersion.Way,
    actor: str,
    approval_id: int | None = None,
) -> PolicyInForce:
    """Write the version and its audit entry, in the caller's transaction that holds the model (`hold`).

    effective_from: None for at once. Only a first version begins in the past.
    """
    body, now = policy.to_dict(), clock.now()
    start = effective_from or now
    start = start if version == 1 else max(start, now)
    row = PolicyVersion.objects.create(
        model_id=model_id,
        version=version,
        body=body,
        digest=digest_of(body),
        effective_from=start,
        assessment_reference=assessment_reference,
        assessment=Assessment.objects.filter(model_id=model_id, reference=assessment_reference).first(),
        legal_basis=list(legal_basis),
        justification=justification,
        limits=dict(limits),
        review_due=review_due,
        way=way,
        approval_id=approval_id,
        published_by=actor,
        published_at=now,
    )
    audit.append(
        actor=actor,
        action="policy.published_in_emergency" if way == EMERGENCY else "policy.published",
        subject=f"model:{model_spec_by_id(model_id).slug}",
        detail={
            "version": version,
            "digest": row.digest,
            "assessment": assessment_reference,
            "effective_from": start.isoformat(),
            "review_due": review_due.isoformat(),
            "way": way.value,
            "approval": approval_id,
            **({"reason": justification} if way == EMERGENCY else {}),
        },
    )
    return read(row)


def check_policy(policy: Policy) -> None:
    """What a policy's own checks cannot know. Raises Refused for public holidays that nobody has listed."""
    check_calendar(policy.ladder.calendar, field="ladder.calendar")


def checked_reference(given: str) -> str:
    """The assessment's reference. Raises Refused without one."""
    reference = given.strip()
    if not reference:
        raise Refused("assessment_reference", "Name the risk assessment that these thresholds come from.")
    if len(reference) > LONGEST_REFERENCE:
        raise Refused("assessment_reference", f"It has {len(reference)} characters; at most {LONGEST_REFERENCE} fit.")
    if "\0" in reference:
        raise Refused("assessment_reference", "The character U+0000 is not allowed.")
    return reference


def checked_basis(given: Sequence[str]) -> list[str]:
    """Keys of citations. Raises Refused for an unknown one."""
    for key in given:
        if key not in CITATIONS:
            raise Refused("legal_basis", f"There is no citation {key!r}.", code="unknown_citation")
    return list(dict.fromkeys(given))


def checked_start(given: datetime | None) -> datetime | None:
    """A start that is still to come, or None for at once. Raises Refused for a moment in the past or without a zone."""
    if given is None:
        return None
    if given.tzinfo is None:
        raise Refused("effective_from", f"{given.isoformat()} has no time zone.")
    if given < clock.now():
        raise Refused("effective_from", f"{given.isoformat()} has passed; a policy starts now or later.")
    return given


def digest_of(body: Mapping[str, Any]) -> str:
    """SHA-256 of the body as JSON with sorted keys and no white space, in hexadecimal."""
    return hashlib.sha256(json.dumps(body, sort_keys=True, separators=(",", ":")).encode()).hexdigest()
