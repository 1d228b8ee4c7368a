"""The calibration review that falls due once a year: kept as it is, with signatures, or changed by a proposal."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from typing import TYPE_CHECKING, Any

from django.core.exceptions import ObjectDoesNotExist
from django.db import transaction

from apps.approvals import services as approvals
from apps.approvals.kinds import Kind, Need
from apps.approvals.selectors import ApprovalView
from apps.common import clock
from apps.common.errors import Refused
from apps.registry.selectors import model_spec_by_id
from apps.thresholds import publishing
from apps.thresholds.models import Review
from apps.thresholds.proposals import LONGEST_REVIEW, PROPOSE, SIGN, VIEW
from apps.thresholds.versions import NoPolicy, PolicyInForce, policy_in_force, policy_version

if TYPE_CHECKING:
    from apps.accounts.models import User

NAME = "threshold_review"


@dataclass(frozen=True, slots=True)
class Kept:
    """A review's outcome: the version stays, until the next review.

    evidence: the figures that were looked at, {name: number or text}; assessment_reference: what the review rests on.
    """

    version: PolicyInForce
    next_due: date
    assessment_reference: str
    evidence: Mapping[str, Any]

    def content(self) -> dict[str, Any]:
        """JSON-able; inverse of `kept_of`."""
        version = self.version
        return {
            "version": {"id": version.id, "version": version.version, "digest": version.digest},
            "policy": version.policy.to_dict(),
            "next_due": self.next_due.isoformat(),
            "assessment": self.assessment_reference,
            "evidence": dict(self.evidence),
        }


def kept_of(content: Mapping[str, Any]) -> Kept:
    """The outcome that a request's content is. Raises ValueError or KeyError for anything else."""
    return Kept(
        version=policy_version(content["version"]["id"]),
        next_due=date.fromisoformat(content["next_due"]),
        assessment_reference=content["assessment"],
        evidence=content["evidence"],
    )


@transaction.atomic
def review_draft(
    *,
    model_id: int,
    next_due: date,
    assessment_reference: str,
    evidence: Mapping[str, Any],
    reason: str,
    person: User,
) -> ApprovalView:
    """Write down that the policy in force was reviewed and stays.

    reason: what was looked at and why nothing is changed. Raises Http404 or PermissionDenied for who may not propose
    thresholds, Refused naming the field.
    """
    spec = model_spec_by_id(model_id)
    try:
        version = policy_in_force(model_id, clock.now())
    except NoPolicy:
        raise Refused("model", "The model has no policy to review.") from None
    reference = publishing.checked_reference(assessment_reference)
    return approvals.approval_draft(
        kind=NAME,
        model_id=model_id,
        subject=f"model:{spec.slug}",
        title=f"Keep the thresholds of {spec.name} after review"[:200],
        content=Kept(version, next_due, reference, evidence).content(),
        reason=reason,
        person=person,
    )


def review_submit(*, approval_id: int, person: User) -> ApprovalView:
    """Ask for the signature under a review. Raises as the approvals do."""
    return approvals.approval_submit(approval_id=approval_id, person=person)


def _check(model_id: int | None, content: Mapping[str, Any]) -> None:
    try:
        kept = kept_of(content)
    except (KeyError, TypeError, ValueError, AttributeError, ObjectDoesNotExist) as error:
        raise Refused("content", f"This is no review: {error}.") from None
    if kept.version.model_id != model_id or content != kept.content():
        raise Refused("content", "The text does not fit the version that it names.")
    _demand_in_force(kept)
    publishing.checked_reference(kept.assessment_reference)
    today = clock.now().date()
    if not today < kept.next_due <= today + LONGEST_REVIEW:
        raise Refused("next_due", "The next review falls due after today, and within a year.")


def _demand_in_force(kept: Kept) -> None:
    now_in_force = policy_in_force(kept.version.model_id, clock.now())
    if now_in_force.id != kept.version.id:
        raise Refused(
            "version",
            f"Version {now_in_force.version} is in force by now; the review was of version {kept.version.version}.",
            code="base_moved",
        )


def _bring_about(approval: ApprovalView, actor: str) -> datetime | None:
    kept = kept_of(approval.content)
    publishing.hold(kept.version.model_id)
    _demand_in_force(kept)
    Review.objects.create(
        policy_version_id=kept.version.id, approval_id=approval.id, next_due=kept.next_due, reviewed_at=clock.now()
    )
    return None


KIND = Kind(
    name=NAME,
    title="Review of thresholds",
    request=PROPOSE,
    view=VIEW,
    signers=(SIGN,),
    needs=lambda content: [Need(SIGN, "a review counts when it is signed")],
    effect=_bring_about,
    check=_check,
    valid_for=timedelta(days=30),
)
