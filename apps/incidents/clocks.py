"""Regulatory clocks: how long after becoming aware somebody may have to be told, each from a citation.

Which of them apply is decided by a person. The register proposes some by the model's industry and risk, counts from
the first moment, and gives no legal advice. A day is 24 hours from the moment of becoming aware: of the ways in which
days can be counted the one that ends first.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta

from apps.thresholds.citations import CITATIONS, Citation


@dataclass(frozen=True, slots=True)
class ClockRule:
    """What has to be done, how long after the start, and the citation that says so."""

    title: str
    citation_key: str
    within: timedelta

    @property
    def citation(self) -> Citation:
        return CITATIONS[self.citation_key]

    def due(self, start: datetime) -> datetime:
        return start + self.within


RULES: Mapping[str, ClockRule] = {
    "aia-73-2": ClockRule("Report a serious incident", "aia-73-2", timedelta(days=15)),
    "aia-73-3": ClockRule("Report a widespread infringement", "aia-73-3", timedelta(days=2)),
    "aia-73-4": ClockRule("Report an incident with a death", "aia-73-4", timedelta(days=10)),
    "cps-230-33": ClockRule("Notify a material operational risk incident", "cps-230-33", timedelta(hours=72)),
    "cps-230-42": ClockRule("Notify a disruption outside tolerance", "cps-230-42", timedelta(hours=24)),
}

COMPLAINT_RULES: Mapping[str, ClockRule] = {
    "rg-271-30": ClockRule("Answer the complaint", "rg-271", timedelta(days=30)),
    "rg-271-45": ClockRule("Answer the complaint (superannuation)", "rg-271", timedelta(days=45)),
}
DEFAULT_COMPLAINT_RULE = "rg-271-30"

DUE_SOON = timedelta(days=3)
"""How long before its end a clock, or the deadline of a complaint, waits in the Inbox of those who answer for it."""

_BY_INDUSTRY: Mapping[str, tuple[str, ...]] = {"banking": ("cps-230-33",), "insurance": ("cps-230-33",)}
_BY_RISK: Mapping[str, tuple[str, ...]] = {"high": ("aia-73-2",), "critical": ("aia-73-2",)}


def proposed(industry: str, risk_level: str) -> tuple[str, ...]:
    """The clocks that a person is asked about for such a model, first due first."""
    keys = {*_BY_INDUSTRY.get(industry, ()), *_BY_RISK.get(risk_level, ())}
    return tuple(sorted(keys, key=lambda key: RULES[key].within))
