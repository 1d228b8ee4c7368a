"""What a change of policy does to alerts: term by term, exactly, so that nothing is relaxed unseen.

A term is one number of a policy (`bounds.fpr_gap.upper`, `alpha`, `severity_bands.high`). For each it is known in which
direction alerts become rarer or milder, whatever the data: that is a relaxation. The other direction is a tightening.
A breach under the new policy that none was under the old one exists only if a term was tightened, and one that was
lost only if a term was relaxed. The terms of the ladder (`response_changes`) judge nothing; loosening what follows from
a breach is a relaxation all the same.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal

from biasgov.fairness.policy import METRICS, Policy
from biasgov.fairness.response_changes import LADDER, LADDER_TERMS, Setting, ladder_terms, loosens

Effect = Literal["unchanged", "tightening", "relaxation"]

UNCHANGED: Effect = "unchanged"
TIGHTENING: Effect = "tightening"
RELAXATION: Effect = "relaxation"

BOUNDS = "bounds"
LOWER, UPPER = "lower", "upper"

RARER_WHEN_LARGER: Mapping[str, bool] = {
    "alpha": False,
    "confidence": True,
    "alert_confidence": True,
    "minimum_group": True,
    "minimum_cell": True,
    "minimum_share": True,
    "severity_bands.medium": True,
    "severity_bands.high": True,
    "severity_bands.critical": True,
}
"""Every number beside the bounds that judges: whether a larger one makes alerts rarer or milder.

`confidence` widens the interval whose nearer end gives the severity. A bound's lower end makes alerts rarer when it is
smaller or absent, its upper end when it is larger or absent.
"""

Limits = Mapping[str, float]
"""Judging term -> the loosest number that compliance alone may sign; a term that is not there has no such room."""


@dataclass(frozen=True, slots=True)
class TermChange:
    """One term before and after. None: a bound is open on that side."""

    term: str
    old: Setting
    new: Setting
    effect: Effect

    @property
    def metric(self) -> str | None:
        """Whose bound it is, if it is one's."""
        return self.term.split(".")[1] if self.term.startswith(f"{BOUNDS}.") else None


def terms_of(policy: Policy) -> dict[str, Setting]:
    """All of a policy by its terms, in the order of `known_terms`.

    A metric appears with both ends as soon as one of them is set.
    """
    found: dict[str, Setting] = {}
    for metric in METRICS:
        bound = policy.bound(metric)
        if not bound.is_open:
            found[f"{BOUNDS}.{metric}.{LOWER}"], found[f"{BOUNDS}.{metric}.{UPPER}"] = bound.lower, bound.upper
    judging = {name: value for name, value in policy.to_dict().items() if name not in (BOUNDS, LADDER)}
    flat: dict[str, Setting] = {**_flattened(judging), **ladder_terms(policy.ladder)}
    return found | {term: flat[term] for term in sorted(flat, key=_place)}


def compare(olds: Sequence[Policy], new: Policy) -> tuple[TermChange, ...]:
    """What `new` changes, every term once, the unchanged ones too.

    olds
        The policy that it replaces first. Further ones are policies that it would keep from taking effect: a term is
        relaxed if it is looser than any of them has it, and tightened only if it is looser than none.

    Raises KeyError for a number of a policy whose direction nobody has declared: it must not pass as harmless.
    """
    after = terms_of(new)
    before = [terms_of(old) for old in olds]
    known = dict.fromkeys(term for terms in (*before, after) for term in terms)
    return tuple(
        TermChange(term, before[0].get(term), after.get(term), _worst(_effects(term, before, after)))
        for term in sorted(known, key=_place)
    )


def effect_of(changes: Iterable[TermChange]) -> Effect:
    """What the whole change is: a relaxation as soon as one term is."""
    return _worst(change.effect for change in changes)


def beyond(changes: Iterable[TermChange], limits: Limits) -> tuple[TermChange, ...]:
    """The relaxations that go further than `limits` let compliance sign alone; opening a bound always does."""
    return tuple(
        change
        for change in changes
        if change.effect == RELAXATION
        and (change.term not in limits or direction(change.term, limits[change.term], change.new) == RELAXATION)
    )


def loosened(old: Limits, new: Limits) -> tuple[str, ...]:
    """The terms for which `new` leaves compliance more room than `old` did."""
    return tuple(term for term in new if term not in old or direction(term, old[term], new[term]) == RELAXATION)


def direction(term: str, old: Setting, new: Setting) -> Effect:
    """What moving one term from `old` to `new` does to alerts and to what follows from them."""
    if term in LADDER_TERMS:
        return UNCHANGED if old == new else RELAXATION if loosens(term, old, new) else TIGHTENING
    before, after = _looseness(term, old), _looseness(term, new)
    return UNCHANGED if before == after else RELAXATION if after > before else TIGHTENING


def judging_terms() -> tuple[str, ...]:
    """Every number that a verdict or its severity can depend on: those for which compliance may be given room."""
    ends = (f"{BOUNDS}.{metric}.{end}" for metric in METRICS for end in (LOWER, UPPER))
    return (*ends, *RARER_WHEN_LARGER)


def known_terms() -> tuple[str, ...]:
    """Every term that a policy can have."""
    return (*judging_terms(), *LADDER_TERMS)


def _effects(term: str, before: Sequence[Mapping[str, Setting]], after: Mapping[str, Setting]) -> Iterable[Effect]:
    return (direction(term, terms.get(term), after.get(term)) for terms in before)


def _worst(effects: Iterable[Effect]) -> Effect:
    found = set(effects)
    return next((effect for effect in (RELAXATION, TIGHTENING) if effect in found), UNCHANGED)


def _looseness(term: str, value: Setting) -> float:
    """A number that rises as alerts become rarer; an open end is as loose as can be."""
    if value is None and term.startswith(f"{BOUNDS}."):
        return math.inf
    if value is None or isinstance(value, str):
        raise ValueError(f"{term} is a number, not {value!r}")
    if term.startswith(f"{BOUNDS}."):
        return value if term.endswith(UPPER) else -value
    return value if RARER_WHEN_LARGER[term] else -value


def _flattened(content: Mapping[str, Any], prefix: str = "") -> dict[str, float]:
    flat: dict[str, float] = {}
    for name, value in content.items():
        flat |= _flattened(value, f"{prefix}{name}.") if isinstance(value, Mapping) else {f"{prefix}{name}": value}
    return flat


def _place(term: str) -> int:
    return _PLACES[term]


_PLACES = {term: place for place, term in enumerate(known_terms())}
