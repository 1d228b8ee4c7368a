"""What others may know about thresholds: versions, the register, requests for changes, back-tests, assessments."""

from __future__ import annotations

from apps.thresholds.assessments import Assessed, Baseline
from apps.thresholds.backtests import BacktestState, backtest_state
from apps.thresholds.documents import LARGEST as LARGEST_ASSESSMENT
from apps.thresholds.limits import HOUSE_LIMITS
from apps.thresholds.models import PolicyVersion
from apps.thresholds.proposals import NAME as CHANGE
from apps.thresholds.proposals import Draft, Proposal, is_current, proposal_of
from apps.thresholds.publishing import REVIEWED_EVERY
from apps.thresholds.register import (
    STATES,
    AssessmentRow,
    DueReview,
    Filters,
    RegisterPage,
    RegisterRow,
    ReviewRow,
    VersionDetail,
    assessment,
    assessment_named,
    assessments_of,
    register_export,
    register_page,
    reviews_due,
    reviews_due_count,
    version_detail,
)
from apps.thresholds.reviews import NAME as REVIEW
from apps.thresholds.reviews import Kept, kept_of
from apps.thresholds.versions import (
    NoPolicy,
    PolicyInForce,
    PolicyStart,
    newest_version,
    policies_in_force,
    policy_in_force,
    policy_starts,
    policy_version,
    policy_versions,
)

WAYS = {way.value: str(way.label) for way in PolicyVersion.Way}
"""How a version came into the register, in words."""

__all__ = [
    "CHANGE",
    "HOUSE_LIMITS",
    "LARGEST_ASSESSMENT",
    "REVIEW",
    "REVIEWED_EVERY",
    "STATES",
    "WAYS",
    "Assessed",
    "AssessmentRow",
    "BacktestState",
    "Baseline",
    "Draft",
    "DueReview",
    "Filters",
    "Kept",
    "NoPolicy",
    "PolicyInForce",
    "PolicyStart",
    "Proposal",
    "RegisterPage",
    "RegisterRow",
    "ReviewRow",
    "VersionDetail",
    "assessment",
    "assessment_named",
    "assessments_of",
    "backtest_state",
    "is_current",
    "kept_of",
    "newest_version",
    "policies_in_force",
    "policy_in_force",
    "policy_starts",
    "policy_version",
    "policy_versions",
    "proposal_of",
    "register_export",
    "register_page",
    "reviews_due",
    "reviews_due_count",
    "version_detail",
]
