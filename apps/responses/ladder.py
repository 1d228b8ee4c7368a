"""The response ladder: every step that a finding can take, in one table.

Only breaches lift a finding to a rung and only evaluations within bounds bring it down. Inconclusive and not estimable
do neither: they break a row of good evaluations and a row of bad ones, since three in a row means three in a row. From
``restrict`` upwards only people bring it down. After how many evaluations and hours, the policy says
(`biasgov.fairness.response_plan`).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from apps.responses.observations import BREACH, WITHIN
from biasgov.fairness.response_plan import SEVERITIES, ResponsePlan

ABSENT, CLOSED = "", "closed"
ALERT, MONITOR, RESTRICT, ESCALATE = TIERS = ("alert", "monitor-enhanced", "restrict", "escalate")
NO_TIER = "none"
"""What a model without an open finding is on."""

BREACHED, PERSISTED, SUSTAINED, GRAVE, OVERDUE = "breached", "persisted", "sustained", "grave", "overdue"
RECOVERED, EASED = "recovered", "eased"
ALERTED, NOTED, ACKNOWLEDGED, SEVERITY_CHANGED = "alerted", "noted", "acknowledged", "severity_changed"
JUDGEMENT_LOST, JUDGEMENT_REGAINED = "judgement_lost", "judgement_regained"
SEPARATED = "separated"

_NOTES = {
    BREACHED: "",
    SEVERITY_CHANGED: "severity_changed",
    ALERTED: "alerted",
    NOTED: "noted",
    ACKNOWLEDGED: "acknowledged",
    JUDGEMENT_LOST: "judgement_lost",
    JUDGEMENT_REGAINED: "judgement_regained",
    SEPARATED: "separated",
}

# (rung, event): (next rung, name of the transition; none where nothing is worth a row)
STEPS: dict[tuple[str, str], tuple[str, str]] = {
    (ABSENT, BREACHED): (ALERT, "opened"),
    (ALERT, PERSISTED): (MONITOR, "monitored"),
    (ALERT, SUSTAINED): (RESTRICT, "restricted"),
    (ALERT, GRAVE): (ESCALATE, "escalated"),
    (ALERT, OVERDUE): (ESCALATE, "escalated"),
    (MONITOR, SUSTAINED): (RESTRICT, "restricted"),
    (MONITOR, GRAVE): (ESCALATE, "escalated"),
    (MONITOR, OVERDUE): (ESCALATE, "escalated"),
    (RESTRICT, GRAVE): (ESCALATE, "escalated"),
    (RESTRICT, OVERDUE): (ESCALATE, "escalated"),
    (ESCALATE, EASED): (MONITOR, "eased"),
    (RESTRICT, EASED): (MONITOR, "eased"),
    (MONITOR, RECOVERED): (ALERT, "stepped_down"),
    (ALERT, RECOVERED): (CLOSED, "closed"),
    **{(rung, event): (rung, name) for rung in TIERS for event, name in _NOTES.items()},
}

PROPOSED, IN_FORCE, DECLINED, LIFTED = "proposed", "in_force", "declined", "lifted"

# A restriction goes up and down with people; the policy says whether it starts as a proposal or in force.
RESTRICTION_STEPS: dict[tuple[str, str], str] = {
    (ABSENT, "proposed"): PROPOSED,
    (ABSENT, "imposed"): IN_FORCE,
    (PROPOSED, "confirmed"): IN_FORCE,
    (PROPOSED, "declined"): DECLINED,
    (IN_FORCE, "lifted"): LIFTED,
}
LIVE = (PROPOSED, IN_FORCE)

LIVE_FOR = timedelta(hours=3)
"""Evaluations older than this are history: they open findings, but neither alert nor climb."""

LENGTHS = {"24h": timedelta(hours=24), "7d": timedelta(days=7), "30d": timedelta(days=30)}


@dataclass(frozen=True, slots=True)
class Recovery:
    """How far a window that was in breach has recovered.

    streak: evaluations within bounds in a row, up to the moment `as_of`. before: the same without that moment, so
    that a repeated evaluation of one moment (late events, late labels) replaces its predecessor and counts once.
    """

    as_of: datetime
    before: int
    streak: int

    def to_dict(self) -> dict[str, str | int]:
        return {"as_of": self.as_of.isoformat(), "before": self.before, "streak": self.streak}

    @classmethod
    def from_dict(cls, content: Mapping[str, str | int]) -> Recovery:
        return cls(datetime.fromisoformat(str(content["as_of"])), int(content["before"]), int(content["streak"]))


def recovery_after(previous: Recovery | None, verdict: str, as_of: datetime) -> Recovery | None:
    """Where a window stands after one more evaluation; None for a window that has never been in breach."""
    if previous is None:
        return Recovery(as_of, 0, 0) if verdict == BREACH else None
    before = previous.before if previous.as_of == as_of else previous.streak
    return Recovery(as_of, before, before + 1 if verdict == WITHIN else 0)


def counted_anew(recovery: Recovery) -> Recovery:
    """A window's recovery after a step down: the evaluations of this one do not count for the next."""
    return Recovery(recovery.as_of, -1, 0)


def recovered(windows: Mapping[str, Mapping[str, Any]], plan: ResponsePlan) -> bool:
    """Whether the shortest window that was in breach has been within bounds as often in a row as the policy asks."""
    shortest = next((windows[window] for window in LENGTHS if window in windows), None)
    return shortest is not None and Recovery.from_dict(shortest).streak >= plan.step_down_after


@dataclass(frozen=True, slots=True)
class Persistence:
    """How long a finding has been in breach, counted in evaluation moments however often each was evaluated.

    severities: of the windows in breach at the moment `as_of`; "" for those that are not, or that do not count.
    before: breaching moments in a row before it. severe_before: since when, before it, the severity had not been left
    that the policy asks for.
    """

    as_of: datetime
    severities: Mapping[str, str]
    before: int = 0
    severe_before: datetime | None = None

    @property
    def worst(self) -> str:
        """The severest breach of the moment; "" if no window is in breach."""
        return max(filter(None, self.severities.values()), key=rank, default="")

    @property
    def streak(self) -> int:
        """Breaching moments in a row, this one included."""
        return self.before + 1 if self.worst else 0

    def severe_since(self, plan: ResponsePlan) -> datetime | None:
        """Since when the severity that the plan asks for has not been left."""
        if not self.worst or not plan.reaches(self.worst, plan.sustain_severity):
            return None
        return self.severe_before or self.as_of

    def after(self, severities: Mapping[str, str], as_of: datetime, plan: ResponsePlan) -> Persistence:
        """After one more evaluation, of this moment again (some of its windows may be new) or of the next."""
        if as_of == self.as_of:
            return Persistence(as_of, {**self.severities, **severities}, self.before, self.severe_before)
        return Persistence(as_of, dict(severities), self.streak, self.severe_since(plan))

    def to_dict(self) -> dict[str, Any]:
        return {
            "as_of": self.as_of.isoformat(),
            "severities": dict(self.severities),
            "before": self.before,
            "severe_before": self.severe_before.isoformat() if self.severe_before else None,
        }

    @classmethod
    def from_dict(cls, content: Mapping[str, Any]) -> Persistence:
        severe = content["severe_before"]
        return cls(
            datetime.fromisoformat(content["as_of"]),
            content["severities"],
            content["before"],
            datetime.fromisoformat(severe) if severe else None,
        )


@dataclass(frozen=True, slots=True)
class Climb:
    """The highest rung that a finding's breaches justify, and why, in words that can be shown."""

    event: str
    why: str


def climb_due(found: Persistence, plan: ResponsePlan) -> Climb | None:
    """What the present moment asks for, if anything."""
    in_breach = {window for window, severity in found.severities.items() if severity}
    if not in_breach:
        return None
    if plan.reaches(found.worst, plan.escalate_severity):
        return Climb(GRAVE, f"{found.worst} severity")
    if plan.sustain_window in in_breach:
        return Climb(SUSTAINED, f"breach in the {plan.sustain_window} window")
    since = found.severe_since(plan)
    if since is not None and found.as_of - since >= timedelta(hours=plan.sustain_hours):
        return Climb(SUSTAINED, f"{plan.sustain_severity} severity or worse for {plan.sustain_hours} h")
    if plan.persist_window in in_breach:
        return Climb(PERSISTED, f"breach in the {plan.persist_window} window")
    if found.streak >= plan.persist_after:
        return Climb(PERSISTED, f"{plan.persist_after} breaching evaluations in a row")
    return None


def counts(window: str, as_of: datetime, counts_from: datetime | None) -> bool:
    """Whether a window may lift a finding that people brought down at `counts_from`.

    It may once it holds nothing from before: yesterday's decisions do not undo today's lift.
    """
    return counts_from is None or as_of - LENGTHS[window] >= counts_from


def rank(severity: str | None) -> int:
    """0 for the mildest; unknown severities count as low."""
    return SEVERITIES.index(severity) if severity in SEVERITIES else 0


def height(tier: str) -> int:
    """1 for the lowest rung, 0 for none."""
    return TIERS.index(tier) + 1 if tier in TIERS else 0
