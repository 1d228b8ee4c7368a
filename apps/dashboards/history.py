"""What changed, and when: model versions with their packages, policies, findings, on one line of time."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

CHANGE = "change"
"""The kind of an event that is a change point."""

_NAMED_PACKAGES = 3
_SEVERITIES = ("critical", "high", "medium", "low")


@dataclass(frozen=True, slots=True)
class Event:
    """Something that happened: a line in the time line, and `mark`, its short name on the chart ("" for none)."""

    at: datetime
    kind: str
    text: str
    mark: str


def version_events(versions: Iterable[Mapping[str, Any]]) -> list[Event]:
    """Registered versions, oldest first, each with what its environment changed against the one before."""
    ordered = sorted(versions, key=lambda version: version["released_at"])
    events: list[Event] = []
    before: Mapping[str, Any] | None = None
    for version in ordered:
        changes: list[str] = package_changes(before, version["environment"]) if before is not None else []
        text = f"Version {version['version']} registered."
        if changes:
            text += f" {'; '.join(changes)}."
        named = changes[0] if changes else f"version {version['version']}"
        events.append(Event(version["released_at"], "version", text, named if before is not None else ""))
        before = version["environment"]
    return events


def package_changes(old: Mapping[str, Any], new: Mapping[str, Any]) -> list[str]:
    """Differences of two environments in words: `scikit-learn 1.4.2 → 1.5.0`; at most three, then a count."""
    before, after = dict(old.get("packages") or {}), dict(new.get("packages") or {})
    for environment, packages in ((old, before), (new, after)):
        if environment.get("python"):
            packages["Python"] = environment["python"]
    changes = [
        _change(name, before.get(name), after.get(name))
        for name in sorted(before.keys() | after.keys(), key=str.lower)
        if before.get(name) != after.get(name)
    ]
    if len(changes) <= _NAMED_PACKAGES:
        return changes
    return [*changes[:_NAMED_PACKAGES], f"{len(changes) - _NAMED_PACKAGES} more packages"]


def finding_events(opened: Iterable[tuple[datetime, str, str]]) -> list[Event]:
    """Openings of findings, one event a moment: (moment, severity, sentence) of each -> how many, and the worst.

    Severity and sentence are those of a finding's last breach, and are said to be.
    """
    by_moment: dict[datetime, list[tuple[str, str]]] = {}
    for at, severity, sentence in opened:
        by_moment.setdefault(at, []).append((severity, sentence))
    events = []
    for at, found in by_moment.items():
        severity, sentence = min(found, key=lambda each: _SEVERITIES.index(each[0]))
        opened_then = f"{len(found)} findings opened, the worst" if len(found) > 1 else "Finding opened"
        text = f"{opened_then}: {sentence.rstrip('.')} ({severity} at its last breach)."
        events.append(Event(at, "finding", text, ""))
    return events


def restriction_events(moments: Iterable[tuple[datetime, bool, str]]) -> list[Event]:
    """Restrictions that came into force or were lifted: (moment, in force, reason) of each."""
    return [
        Event(at, "restriction", f"Restricted: {reason}", "restricted")
        if in_force
        else Event(at, "restriction", "The restriction was lifted.", "lifted")
        for at, in_force, reason in moments
    ]


def latest(events: Sequence[Event], *, most: int, changes: int) -> tuple[tuple[Event, ...], tuple[Event, ...]]:
    """The entries to show at once and those behind them, both newest first.

    `changes` of the newest changes of a disparity are among the first, whatever came after them: they are the answer
    to "since when".
    """
    ordered = newest_first(events)
    kept = [event for event in ordered if event.kind == CHANGE][:changes]
    kept += [event for event in ordered if event not in kept][: max(most - len(kept), 0)]
    return tuple(newest_first(kept)), tuple(event for event in ordered if event not in kept)


def newest_first(events: Iterable[Event]) -> list[Event]:
    return sorted(events, key=lambda event: event.at, reverse=True)


def _change(name: str, old: str | None, new: str | None) -> str:
    if old is None:
        return f"{name} {new} added"
    if new is None:
        return f"{name} {old} removed"
    return f"{name} {old} → {new}"
