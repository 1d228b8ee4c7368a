"""The register's verbs: publish at registration and in an emergency, propose, review, import an assessment."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import TYPE_CHECKING

from django.db import transaction

from apps.accounts.permissions import demand
from apps.common import clock
from apps.common.errors import Refused
from apps.registry.selectors import model_spec_by_id
from apps.thresholds import publishing
from apps.thresholds.backtests import (
    AskedBacktest,
    backtest_fail,
    backtest_lease,
    backtest_repeat,
    backtest_store,
    backtest_tell,
)
from apps.thresholds.citations import basis_of
from apps.thresholds.importing import assessment_import
from apps.thresholds.limits import HOUSE_LIMITS, limits_of
from apps.thresholds.proposals import proposal_change, proposal_draft, proposal_submit
from apps.thresholds.publishing import digest_of
from apps.thresholds.reviews import review_draft, review_submit
from apps.thresholds.versions import PolicyInForce, policy_in_force
from biasgov.fairness.policy import DEFAULT_POLICY, PRESETS, Policy
from biasgov.fairness.policy_changes import RELAXATION, compare

if TYPE_CHECKING:
    from apps.accounts.models import User

__all__ = [
    "AskedBacktest",
    "assessment_import",
    "backtest_fail",
    "backtest_lease",
    "backtest_repeat",
    "backtest_store",
    "backtest_tell",
    "digest_of",
    "policy_publish",
    "policy_publish_emergency",
    "preset_publish",
    "proposal_change",
    "proposal_draft",
    "proposal_submit",
    "review_draft",
    "review_submit",
]

EMERGENCY_REVIEW = timedelta(days=7)
"""An emergency version is to be reviewed, and signed for, within so many days."""


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
    """Publish a model's first policy, with its registration: nobody countersigns it. It may have begun in the past.

    Parameters
    ----------
    legal_basis
        Keys of `CITATIONS`; by default those that the policy's metrics and the model's industry rest on.

    Raises
    ------
    Refused
        Without an assessment, with an unknown citation, or for a model that has a policy (``needs_signature``): its
        next version is proposed and signed.
    """
    spec = model_spec_by_id(model_id)
    reference = publishing.checked_reference(assessment_reference)
    basis = publishing.checked_basis(legal_basis or basis_of(spec.industry))
    publishing.check_policy(policy)
    start = effective_from or clock.now()
    if start.tzinfo is None:
        raise Refused("effective_from", f"{start.isoformat()} has no time zone.")
    publishing.hold(model_id)
    if publishing.newest(model_id) is not None:
        raise Refused(
            "model", f"{spec.slug} has a policy. Propose the next version; compliance signs it.", code="needs_signature"
        )
    return publishing.publish(
        model_id=model_id,
        version=1,
        policy=policy,
        limits=HOUSE_LIMITS,
        assessment_reference=reference,
        legal_basis=basis,
        justification=justification.strip(),
        effective_from=start,
        review_due=(max(start, clock.now()) + publishing.REVIEWED_EVERY).date(),
        way=publishing.REGISTRATION,
        actor=actor,
    )


def preset_publish(*, model_id: int, assessment_reference: str, actor: str) -> PolicyInForce:
    """Publish the preset of the model's industry, or the house's defaults where there is none, as the first policy."""
    industry = model_spec_by_id(model_id).industry
    return policy_publish(
        model_id=model_id,
        policy=PRESETS.get(industry, DEFAULT_POLICY),
        assessment_reference=assessment_reference,
        actor=actor,
        justification=f"Preset for {industry}." if industry in PRESETS else "Defaults of the house.",
    )


@transaction.atomic
def policy_publish_emergency(
    *, model_id: int, policy: Policy, assessment_reference: str, reason: str, person: User
) -> PolicyInForce:
    """Publish a stricter policy at once, without a signature. The register flags it, and a review is due in a week.

    Raises
    ------
    Http404, PermissionDenied
        The person may not propose thresholds for this model.
    Refused
        Without a reason; for a change that makes any alert rarer (``relaxation``), which is never an emergency; or of
        anything but bounds (``not_a_bound``).
    """
    demand(person, "threshold.propose", model_id)
    reference = publishing.checked_reference(assessment_reference)
    if not reason.strip():
        raise Refused("reason", "Say why this cannot wait for a signature.")
    publishing.check_policy(policy)
    publishing.hold(model_id)
    former = publishing.newest(model_id)
    if former is None:
        raise Refused("model", "The model has no policy yet; its first one comes with the registration.")
    replaced = policy_in_force(model_id, clock.now())
    changes = compare([replaced.policy, Policy.from_dict(former.body)], policy)
    relaxed = [change.term for change in changes if change.effect == RELAXATION]
    if relaxed:
        raise Refused(
            "policy", f"It would make alerts rarer ({', '.join(relaxed)}): that needs a signature.", code="relaxation"
        )
    if policy.to_dict() | {"bounds": None} != Policy.from_dict(former.body).to_dict() | {"bounds": None}:
        raise Refused("policy", "An emergency tightens bounds alone; the rest needs a signature.", code="not_a_bound")
    return publishing.publish(
        model_id=model_id,
        version=former.version + 1,
        policy=policy,
        limits=limits_of(former.limits),
        assessment_reference=reference,
        legal_basis=former.legal_basis,
        justification=reason.strip(),
        effective_from=None,
        review_due=(clock.now() + EMERGENCY_REVIEW).date(),
        way=publishing.EMERGENCY,
        actor=person.actor,
    )
