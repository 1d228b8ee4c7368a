"""The response ladder: what can happen to a finding, in one table.

Only breaches open and only evaluations within bounds close. Inconclusive and not estimable do neither: they break a
row of good evaluations, since three in a row means three in a row.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta

from apps.responses.observations import BREACH, WITHIN

ABSENT, OPEN, CLOSED = "", "open", "closed"

BREACHED, RECOVERED, ALERTED, ACKNOWLEDGED = "breached", "recovered", "alerted", "acknowledged"
JUDGEMENT_LOST, JUDGEMENT_REGAINED, SEVERITY_CHANGED = "judgement_lost", "judgement_regained", "severity_changed"

# (state, event): (next state, name of the transition; none where nothing is worth a row)
STEPS: dict[tuple[str, str], tuple[str, str]] = {
    (ABSENT, BREACHED): (OPEN, "opened"),
    (OPEN, BREACHED): (OPEN, ""),
    (OPEN, SEVERITY_CHANGED): (OPEN, "severity_changed"),
    (OPEN, ALERTED): (OPEN, "alerted"),
    (OPEN, ACKNOWLEDGED): (OPEN, "acknowledged"),
    (OPEN, JUDGEMENT_LOST): (OPEN, "judgement_lost"),
    (OPEN, JUDGEMENT_REGAINED): (OPEN, "judgement_regained"),
    (OPEN, RECOVERED): (CLOSED, "closed"),
}

CLOSE_AFTER = 3
"""Evaluations within bounds in a row, in every window that was in breach."""

LIVE_FOR = timedelta(hours=3)
"""Evaluations older than this are history: they open findings without an alert."""

SEVERITIES = ("low", "medium", "high", "critical")


@dataclass(frozen=True, slots=True)
class Recovery:
    """How far a window that was in breach has recovered.

    streak: evaluations within bounds in a row, up to the moment `as_of`. before: the same without that moment, so
    that a repeated evaluation of one moment (late events, late labels) replaces its predecessor and counts once.
    """

    as_of: datetime
    before: int
    streak: int

    @property
    def complete(self) -> bool:
        return self.streak >= CLOSE_AFTER

    def to_dict(self) -> dict[str, str | int]:
        return {"as_of": self.as_of.isoformat(), "before": self.before, "streak": self.streak}

    @classmethod
    def from_dict(cls, content: dict[str, str | int]) -> Recovery:
        return cls(datetime.fromisoformat(str(content["as_of"])), int(content["before"]), int(content["streak"]))


def recovery_after(previous: Recovery | None, verdict: str, as_of: datetime) -> Recovery | None:
    """Where a window stands after one more evaluation; None for a window that has never been in breach."""
    if previous is None:
        return Recovery(as_of, 0, 0) if verdict == BREACH else None
    before = previous.before if previous.as_of == as_of else previous.streak
    return Recovery(as_of, before, before + 1 if verdict == WITHIN else 0)


def rank(severity: str | None) -> int:
    """0 for the mildest; unknown severities count as low."""
    return SEVERITIES.index(severity) if severity in SEVERITIES else 0
