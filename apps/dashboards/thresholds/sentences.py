"""What a back-test says, in plain sentences that a signature can rest on."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from apps.dashboards.thresholds.words import exact
from apps.dashboards.words import NBSP, metric_name

Found = Mapping[str, Any]


def alerts_sentence(found: Found) -> str:
    """How many alerts of the past go, stay and come."""
    kept, lost, gained, days = (found.get(name, 0) for name in ("kept", "lost", "gained", "days"))
    total, days = kept + lost, days or 90
    if not found.get("evaluations", total):
        return f"No evaluation of the last {days} days is stored, so nothing can be said about alerts."
    if lost:
        said = (
            f"With the new bounds, the only alert of the last {days} days would not have been raised"
            if total == 1
            else f"With the new bounds, {lost} of {total} alerts of the last {days} days would not have been raised"
        )
        return f"{said}{f', and {_others(gained)} would' if gained else ''}."
    if gained:
        return f"With the new bounds, {_more(gained)} would have been raised in the last {days} days, beside {total}."
    if not total:
        return f"No alert was raised in the last {days} days, and none would have been with the new bounds."
    stay = "The only alert" if total == 1 else f"All {total} alerts"
    return f"{stay} of the last {days} days would have been raised with the new bounds too{_severity(found)}."


def budget_sentence(found: Found) -> str:
    """The false alarm budget and the delay, old beside new."""
    budget = found.get("budget")
    if not budget:
        why = found.get("no_budget")
        return f"False alarms cannot be estimated: {why}." if why else ""
    today, proposed = budget["today"], budget["proposed"]
    said = _alarms(today["per_year"], proposed["per_year"])
    delay = _delay(budget["looked_for"], today["delay_hours"], proposed["delay_hours"], budget["delay_horizon_hours"])
    return " ".join(each for each in (said, delay) if each)


def title_of(effect: str, metrics: list[str], model: str) -> str:
    """`Relax the calibration difference bound of Claims triage`."""
    verb = {"relaxation": "Relax", "tightening": "Tighten"}.get(effect, "Renew")
    what = f"the {metric_name(metrics[0])} bound" if len(metrics) == 1 else "the thresholds"
    return f"{verb} {what} of {model}"[:200]


def _alarms(today: float | None, proposed: float | None) -> str:
    if today is None or proposed is None:
        return "False alarms cannot be simulated for these bounds."
    if _rate(today) == _rate(proposed):
        return f"False alarms expected stay at {_rate(today)} a year."
    moved = "fall" if proposed < today else "rise"
    return f"False alarms expected {moved} from {_rate(today)} to {_rate(proposed)} a year."


def _delay(looked_for: Any, today: float | None, proposed: float | None, horizon: int) -> str:
    if looked_for is None:
        return ""
    metric, value = looked_for
    what = f"A true {metric_name(metric)} of {exact(value)}"
    if today is None and proposed is None:
        return f"{what} would not be seen within {horizon // 24} days, today or with the new bounds."
    if proposed is None:
        return f"{what} would no longer be seen within {horizon // 24} days; today it is after {_hours(today)}."
    if today is None:
        return f"{what} would be seen after {_hours(proposed)}; today it is not within {horizon // 24} days."
    if _hours(today) == _hours(proposed):
        return f"{what} would be seen after {_hours(today)} as today."
    return f"{what} would be seen after {_hours(proposed)} instead of {_hours(today)}."


def _severity(found: Found) -> str:
    severer, milder = found.get("severer", 0), found.get("milder", 0)
    parts = [f"{number} {word}" for number, word in ((milder, "milder"), (severer, "severer")) if number]
    return f", {' and '.join(parts)}" if parts else ""


def _others(gained: int) -> str:
    return "one other" if gained == 1 else f"{gained} others"


def _more(gained: int) -> str:
    return "one more alert" if gained == 1 else f"{gained} more alerts"


def _rate(value: float) -> str:
    return f"{value:.1f}"


def _hours(hours: float | None) -> str:
    if hours is None:
        return "–"
    return f"{hours / 24:.0f}{NBSP}days" if hours >= 96 else f"{hours:.0f}{NBSP}h"
