"""What follows from a breach, and after how long: the governed numbers of the response ladder.

They stand in a policy beside its bounds, so that they are versioned and signed with them. Nothing here moves anything:
the steps themselves are the table in `apps.responses.ladder`.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field, fields
from typing import Any
from zoneinfo import ZoneInfo

WINDOWS = ("24h", "7d", "30d")
SEVERITIES = ("low", "medium", "high", "critical")
RESTRICTIONS = ("confirm", "automatic")
EVERY_DECISION = "*"
"""Blocks whatever type of decision a gateway asks about."""

DEFAULT_DEADLINES = {"low": 160, "medium": 80, "high": 40, "critical": 8}
"""Business hours from the opening of a finding within which it must be remediated."""

_CALENDAR = re.compile(r"([A-Z]{2}(-[A-Z0-9]{1,4})?)?")
_DECISION_TYPE = re.compile(r"\*|[A-Za-z0-9][A-Za-z0-9_.:-]{0,59}")


@dataclass(frozen=True, slots=True)
class ResponsePlan:
    """When a finding climbs the ladder, when it may come down again, and what a restriction blocks.

    persist_after: breaching evaluations in a row that make a breach persistent; persist_window: the window whose
    breach is persistent by itself ("" for none). sustain_severity, sustain_hours: the severity that must not be left
    for so many hours to be sustained; sustain_window: the window whose breach is sustained by itself.
    escalate_severity: from which a finding goes straight to the board. step_down_after: evaluations within bounds in a
    row for every step down. enhanced_minutes: between two evaluations under enhanced monitoring. deadlines: business
    hours for remediation by severity. calendar: public holidays of a country or a part of it, as ISO 3166 says it
    ("AU", "AU-NSW"; "" for none); opens, closes: the business hours of a working day in `time_zone`. restriction:
    whether a restriction is in force at once (``automatic``) or when a person confirms it (``confirm``).
    blocked_decision_types: what it blocks, "*" for all. acknowledge_minutes: how long a gateway may take to
    acknowledge a restriction.

    Raises ValueError naming what does not fit.
    """

    persist_after: int = 3
    persist_window: str = "7d"
    sustain_severity: str = "high"
    sustain_hours: int = 24
    sustain_window: str = "30d"
    escalate_severity: str = "critical"
    step_down_after: int = 3
    enhanced_minutes: int = 15
    deadlines: Mapping[str, int] = field(default_factory=lambda: dict(DEFAULT_DEADLINES))
    calendar: str = ""
    time_zone: str = "UTC"
    opens: int = 9
    closes: int = 17
    restriction: str = "confirm"
    blocked_decision_types: tuple[str, ...] = (EVERY_DECISION,)
    acknowledge_minutes: int = 15

    def __post_init__(self) -> None:
        object.__setattr__(self, "deadlines", dict(self.deadlines))
        object.__setattr__(self, "blocked_decision_types", tuple(self.blocked_decision_types))
        for name, least, most in _WHOLE:
            value = getattr(self, name)
            if isinstance(value, bool) or not isinstance(value, int) or not least <= value <= most:
                raise ValueError(f"ladder.{name} must be a whole number from {least} to {most}, not {value!r}")
        if self.opens >= self.closes:
            raise ValueError(f"ladder.opens {self.opens} must lie before ladder.closes {self.closes}")
        for name, known in _CHOICES:
            if getattr(self, name) not in known:
                raise ValueError(f"ladder.{name} must be one of {', '.join(known)}, not {getattr(self, name)!r}")
        self._check_deadlines()
        if not isinstance(self.calendar, str) or not _CALENDAR.fullmatch(self.calendar):
            raise ValueError(f"ladder.calendar must be like 'AU' or 'AU-NSW', not {self.calendar!r}")
        try:
            ZoneInfo(self.time_zone)
        except (KeyError, ValueError, TypeError, OSError):
            raise ValueError(f"ladder.time_zone {self.time_zone!r} is no time zone") from None
        self._check_decision_types()

    def _check_deadlines(self) -> None:
        if set(self.deadlines) != set(SEVERITIES):
            raise ValueError(f"ladder.deadlines needs exactly {', '.join(SEVERITIES)}")
        for severity, hours in self.deadlines.items():
            if isinstance(hours, bool) or not isinstance(hours, int) or not 1 <= hours <= 10_000:
                raise ValueError(f"ladder.deadlines.{severity} must be 1 to 10000 business hours, not {hours!r}")

    def _check_decision_types(self) -> None:
        if not 1 <= len(self.blocked_decision_types) <= 50:
            raise ValueError("ladder.blocked_decision_types needs 1 to 50 entries, or '*' for every decision")
        for each in self.blocked_decision_types:
            if not isinstance(each, str) or not _DECISION_TYPE.fullmatch(each):
                raise ValueError(f"ladder.blocked_decision_types: {each!r} is no name of a type of decision")

    def reaches(self, severity: str, least: str) -> bool:
        """Whether `severity` is `least` or worse."""
        return SEVERITIES.index(severity) >= SEVERITIES.index(least)

    def to_dict(self) -> dict[str, Any]:
        """JSON-able; exact inverse of `from_dict`."""
        told = {each.name: getattr(self, each.name) for each in fields(self)}
        return told | {
            "deadlines": dict(self.deadlines),
            "blocked_decision_types": list(self.blocked_decision_types),
        }

    @classmethod
    def from_dict(cls, content: Mapping[str, Any]) -> ResponsePlan:
        """The plan in JSON; absent keys take the defaults. Raises ValueError naming what does not fit."""
        if not isinstance(content, Mapping):
            raise ValueError("ladder must be a mapping")
        strange = set(content) - {each.name for each in fields(cls)}
        if strange:
            raise ValueError(f"ladder has no {', '.join(sorted(map(str, strange)))}")
        given = dict(content)
        if not isinstance(given.get("deadlines", {}), Mapping):
            raise ValueError("ladder.deadlines must be a mapping from severity to business hours")
        if not isinstance(given.get("blocked_decision_types", ()), list | tuple):
            raise ValueError("ladder.blocked_decision_types must be a list")
        return cls(**given)


_WHOLE = (
    ("persist_after", 1, 1000),
    ("sustain_hours", 1, 24 * 30),
    ("step_down_after", 1, 1000),
    ("enhanced_minutes", 1, 60),
    ("opens", 0, 23),
    ("closes", 1, 24),
    ("acknowledge_minutes", 1, 24 * 60),
)
_CHOICES: tuple[tuple[str, tuple[str, ...]], ...] = (
    ("persist_window", ("", *WINDOWS)),
    ("sustain_window", ("", *WINDOWS)),
    ("sustain_severity", SEVERITIES),
    ("escalate_severity", SEVERITIES),
    ("restriction", RESTRICTIONS),
)
