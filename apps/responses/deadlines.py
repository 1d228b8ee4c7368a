"""By when a finding must be remediated, in the business hours of its policy."""

from __future__ import annotations

from datetime import datetime

from apps.common.business_hours import BusinessHours
from apps.thresholds import selectors as thresholds
from biasgov.fairness.response_plan import ResponsePlan


def plan_of(model_id: int, at: datetime) -> ResponsePlan:
    """The ladder of the policy in force; the house's defaults for a model without a policy."""
    try:
        return thresholds.policy_in_force(model_id, at).policy.ladder
    except thresholds.NoPolicy:
        return ResponsePlan()


def deadline_of(plan: ResponsePlan, severity: str, start: datetime) -> datetime:
    """By when a finding of that severity must be remediated that was opened, or grew worse, at `start`."""
    hours = BusinessHours(plan.calendar, plan.time_zone, plan.opens, plan.closes)
    return hours.deadline(start, plan.deadlines[severity])
