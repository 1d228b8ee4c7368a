"""What a run says about one thing that is judged: the language in which runs speak to the ladder."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

WINDOWS = ("24h", "7d", "30d")
BREACH = "breach"
WITHIN = "within"

Key = tuple[str, str, str]


@dataclass(frozen=True, slots=True)
class AnsweredRun:
    """A run to be answered, whether or not it judged anything."""

    run_id: int
    window: str
    as_of: datetime


@dataclass(frozen=True, slots=True)
class Observation:
    """One judged result of one run: aggregates only.

    verdict: within, breach, inconclusive or not_estimable. severity: of a breach. group and reference: None for an
    aggregate over groups. suppressed: the group is too small to be spoken of. sentence: ready words for people; without
    it plain ones are built. detected_at: when the run was computed, from which the time to an alert counts. period: the
    last hours of the window ("6h") if it is they that are in breach.
    """

    model_id: int
    run_id: int
    window: str
    as_of: datetime
    metric: str
    attribute: str
    group: str | None
    reference: str | None
    verdict: str
    severity: str | None
    value: float | None
    low: float | None
    high: float | None
    bound_low: float | None
    bound_high: float | None
    decided_by_window: str | None = None
    suppressed: bool = False
    sentence: str | None = None
    detected_at: datetime | None = None
    period: str = ""

    @property
    def key(self) -> Key:
        """What a finding is about, whichever window sees it."""
        return self.metric, self.attribute, self.group or ""

    @property
    def bounded(self) -> bool:
        return self.bound_low is not None or self.bound_high is not None

    @property
    def run(self) -> AnsweredRun:
        return AnsweredRun(self.run_id, self.window, self.as_of)
