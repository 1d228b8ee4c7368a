"""The terms of a policy in words, with every decimal that was written: two bounds that differ never read alike."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from apps.dashboards.words import Badge, metric_name
from biasgov.fairness.policy import Bound, Policy
from biasgov.fairness.policy_changes import BOUNDS, RELAXATION, TIGHTENING, UNCHANGED, TermChange, effect_of
from biasgov.fairness.response_changes import Setting

EFFECTS: Mapping[str, Badge] = {
    RELAXATION: Badge("inconclusive", "relaxation"),
    TIGHTENING: Badge("within", "tightening"),
    UNCHANGED: Badge("plain", "bounds unchanged"),
}

TERMS: Mapping[str, str] = {
    "alpha": "level of the significance test",
    "confidence": "confidence of the intervals shown",
    "alert_confidence": "confidence that an alert needs",
    "minimum_group": "decisions that a group needs",
    "minimum_cell": "cases that a rate needs",
    "minimum_share": "share of all decisions that a group needs",
    "severity_bands.medium": "distance beyond the bound that is medium",
    "severity_bands.high": "distance beyond the bound that is high",
    "severity_bands.critical": "distance beyond the bound that is critical",
    "ladder.persist_after": "breaching evaluations in a row before enhanced monitoring",
    "ladder.persist_window": "window whose breach leads to enhanced monitoring at once",
    "ladder.sustain_severity": "severity that leads to a restriction if it lasts",
    "ladder.sustain_hours": "hours that it has to last",
    "ladder.sustain_window": "window whose breach leads to a restriction at once",
    "ladder.escalate_severity": "severity that goes straight to the board",
    "ladder.step_down_after": "evaluations within bounds before a step down",
    "ladder.enhanced_minutes": "minutes between evaluations under enhanced monitoring",
    "ladder.deadlines.low": "business hours to remediate a low finding",
    "ladder.deadlines.medium": "business hours to remediate a medium finding",
    "ladder.deadlines.high": "business hours to remediate a high finding",
    "ladder.deadlines.critical": "business hours to remediate a critical finding",
    "ladder.calendar": "public holidays",
    "ladder.time_zone": "time zone of the business hours",
    "ladder.opens": "hour at which a working day begins",
    "ladder.closes": "hour at which a working day ends",
    "ladder.restriction": "a restriction is in force",
    "ladder.blocked_decision_types": "decisions that a restriction blocks",
    "ladder.acknowledge_minutes": "minutes that a gateway has to acknowledge a restriction",
}

VALUES: Mapping[str, Mapping[str, str]] = {
    "ladder.restriction": {"confirm": "when a person confirms it", "automatic": "at once"},
    "ladder.persist_window": {"": "none"},
    "ladder.sustain_window": {"": "none"},
    "ladder.calendar": {"": "none"},
    "ladder.blocked_decision_types": {"*": "every decision"},
}


@dataclass(frozen=True, slots=True)
class ChangeLine:
    """A bound or another term before and after. effect: None where it stays. board: beyond compliance's limit."""

    label: str
    before: str
    after: str
    effect: Badge | None
    board: bool


def term_name(term: str) -> str:
    """`bounds.fpr_gap.upper` -> `false positive rate gap, upper bound`."""
    if term.startswith(f"{BOUNDS}."):
        _, metric, end = term.split(".")
        return f"{metric_name(metric)}, {end} bound"
    return TERMS[term]


def setting(term: str, value: Setting) -> str:
    """A term's value as a person reads it."""
    if isinstance(value, str) or value is None:
        return VALUES.get(term, {}).get(value or "", value or "–")
    return exact(value)


def exact(value: float | None) -> str:
    """A number with every decimal that it has, and a true minus sign."""
    if value is None:
        return "–"
    text = repr(round(value, 12)).removesuffix(".0")
    return text.replace("-", "−") if "e" not in text else f"{value:.12f}".rstrip("0").replace("-", "−")


def bound_words(bound: Bound) -> str:
    """`0.8 to 1.25`, `at most 0.05`, `at least 0.8`, or `no bound`."""
    if bound.lower is not None and bound.upper is not None:
        return f"{exact(bound.lower)} to {exact(bound.upper)}"
    if bound.upper is not None:
        return f"at most {exact(bound.upper)}"
    return f"at least {exact(bound.lower)}" if bound.lower is not None else "no bound"


def change_lines(
    before: Policy, after: Policy, changes: Sequence[TermChange], beyond: Iterable[TermChange] = ()
) -> list[ChangeLine]:
    """One line for each bound and each other term, in the order of the terms. beyond: what needs the board."""
    further = {each.term for each in beyond}
    by_line: dict[str, list[TermChange]] = {}
    for each in changes:
        by_line.setdefault(each.metric or each.term, []).append(each)
    return [
        ChangeLine(
            label=metric_name(name) if each[0].metric else term_name(name),
            before=bound_words(before.bound(name)) if each[0].metric else setting(name, each[0].old),
            after=bound_words(after.bound(name)) if each[0].metric else setting(name, each[0].new),
            effect=None if effect_of(each) == UNCHANGED else EFFECTS[effect_of(each)],
            board=any(one.term in further for one in each),
        )
        for name, each in by_line.items()
    ]
