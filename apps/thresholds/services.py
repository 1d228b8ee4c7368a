"""Publishing threshold policies."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Sequence
from datetime import datetime

from django.db import connection, transaction
from django.db.models import Max

from apps.audit import services as audit
from apps.common import clock
from apps.common.business_hours import check_calendar
from apps.common.errors import Refused
from apps.registry.selectors import model_spec_by_id
from apps.thresholds.citations import CITATIONS, basis_of
from apps.thresholds.models import PolicyVersion
from apps.thresholds.selectors import PolicyInForce, read
from biasgov.fairness.policy import DEFAULT_POLICY, PRESETS, Policy

_LOCK = 7_301
DIRECT = "direct publication"


@transaction.atomic
def policy_publish(
    *,
    model_id: int,
    policy: Policy,
    assessment_reference: str,
    actor: str,
    justification: str = "",
    legal_basis: Sequence[str] = (),
    effective_from: datetime | None = None,
) -> PolicyInForce:
    """Publish the next version of a model's policy, effective now or later.

    Meant for a model's registration and for ``manage.py policy_publish``: nobody countersigns it. Versions of one
    model are numbered one after the other, however many are published at once.

    Parameters
    ----------
    legal_basis
        Keys of `CITATIONS`; by default those that the policy's metrics and the model's industry rest on.

    Raises
    ------
    Refused
        Without an assessment, with an unknown citation, or for a start in the past of a model that has a policy:
        what was judged stays judged.
    """
    spec = model_spec_by_id(model_id)
    reference = assessment_reference.strip()
    if not reference:
        raise Refused("assessment_reference", "Name the risk assessment that these thresholds come from.")
    if len(reference) > 200:
        raise Refused("assessment_reference", f"It has {len(reference)} characters; at most 200 fit.")
    basis = list(legal_basis or basis_of(spec.industry))
    for key in basis:
        if key not in CITATIONS:
            raise Refused("legal_basis", f"There is no citation {key!r}.", code="unknown_citation")
    check_calendar(policy.ladder.calendar, field="ladder.calendar")
    now = clock.now()
    start = effective_from or now
    if start.tzinfo is None:
        raise Refused("effective_from", f"{start.isoformat()} has no time zone.")
    with connection.cursor() as cursor:
        cursor.execute("SELECT pg_advisory_xact_lock(%s, %s)", [_LOCK, model_id])
    newest = PolicyVersion.objects.filter(model_id=model_id).aggregate(newest=Max("version"))["newest"] or 0
    if newest and start < now:
        raise Refused("effective_from", f"{start.isoformat()} has passed; a policy starts now or later.")
    body = policy.to_dict()
    published = PolicyVersion.objects.create(
        model_id=model_id,
        version=newest + 1,
        body=body,
        digest=digest_of(body),
        effective_from=start,
        assessment_reference=reference,
        legal_basis=basis,
        justification=justification.strip(),
        published_by=actor,
        published_at=now,
    )
    audit.append(
        actor=actor,
        action="policy.published",
        subject=f"model:{spec.slug}",
        detail={
            "version": published.version,
            "digest": published.digest,
            "assessment": reference,
            "effective_from": start.isoformat(),
            "way": DIRECT,
        },
    )
    return read(published)


def preset_publish(*, model_id: int, assessment_reference: str, actor: str) -> PolicyInForce:
    """Publish the preset of the model's industry, or the house's defaults where there is none."""
    industry = model_spec_by_id(model_id).industry
    return policy_publish(
        model_id=model_id,
        policy=PRESETS.get(industry, DEFAULT_POLICY),
        assessment_reference=assessment_reference,
        actor=actor,
        justification=f"Preset for {industry}." if industry in PRESETS else "Defaults of the house.",
    )


def digest_of(body: dict[str, object]) -> str:
    """SHA-256 of the body as JSON with sorted keys and no white space, in hexadecimal."""
    return hashlib.sha256(json.dumps(body, sort_keys=True, separators=(",", ":")).encode()).hexdigest()
