"""What a change of the response plan does: whether what follows from a breach comes later, milder or not at all.

That is a relaxation. A change that cannot be ordered, of one time zone for another say, is one too: nobody can tell
what it loosens, so nobody may pass it as harmless.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from biasgov.fairness.response_plan import EVERY_DECISION, RESTRICTIONS, SEVERITIES, ResponsePlan

LADDER = "ladder"
Setting = float | str | None
"""The value of a term: a number, a word, or nothing."""

Order = Callable[[Any, Any], bool]
"""Whether going from the first value to the second surely loosens nothing."""


def _at_most(old: float, new: float) -> bool:
    return new <= old


def _at_least(old: float, new: float) -> bool:
    return new >= old


def _no_severer(old: str, new: str) -> bool:
    return SEVERITIES.index(new) <= SEVERITIES.index(old)


def _from_nothing(old: str, new: str) -> bool:
    """A window that counts by itself where none did."""
    return old == ""


def _to_nothing(old: str, new: str) -> bool:
    """No public holidays any more, so that business hours pass sooner."""
    return new == ""


def _at_once(old: str, new: str) -> bool:
    return RESTRICTIONS.index(new) >= RESTRICTIONS.index(old)


def _all_of(old: str, new: str) -> bool:
    return EVERY_DECISION in new.split(_BETWEEN) or set(old.split(_BETWEEN)) <= set(new.split(_BETWEEN))


def _never(old: str, new: str) -> bool:
    return False


_BETWEEN = ", "

_ORDERS: Mapping[str, Order] = {
    "persist_after": _at_most,
    "persist_window": _from_nothing,
    "sustain_severity": _no_severer,
    "sustain_hours": _at_most,
    "sustain_window": _from_nothing,
    "escalate_severity": _no_severer,
    "step_down_after": _at_least,
    "enhanced_minutes": _at_most,
    **{f"deadlines.{severity}": _at_most for severity in SEVERITIES},
    "calendar": _to_nothing,
    "time_zone": _never,
    "opens": _at_most,
    "closes": _at_least,
    "restriction": _at_once,
    "blocked_decision_types": _all_of,
    "acknowledge_minutes": _at_most,
}

LADDER_TERMS = tuple(f"{LADDER}.{name}" for name in _ORDERS)
"""Every term of a response plan, in the order in which the ladder is climbed."""


def ladder_terms(plan: ResponsePlan) -> dict[str, Setting]:
    """A response plan by its terms. Blocked types of decisions are one term, sorted and joined by commas."""
    content = plan.to_dict()
    content["blocked_decision_types"] = _BETWEEN.join(sorted(set(plan.blocked_decision_types)))
    flat: dict[str, Setting] = {}
    for name, value in content.items():
        flat |= {f"{name}.{key}": each for key, each in value.items()} if isinstance(value, Mapping) else {name: value}
    return {f"{LADDER}.{name}": value for name, value in flat.items()}


def loosens(term: str, old: Setting, new: Setting) -> bool:
    """Whether moving a term of the ladder from `old` to another value counts as a relaxation.

    Raises KeyError for a term whose order nobody has declared.
    """
    return not _ORDERS[term.removeprefix(f"{LADDER}.")](old, new)
