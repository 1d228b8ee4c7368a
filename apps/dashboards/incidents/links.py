"""What an incident has to do with, as its page shows it: by kind, and long lists cut short."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from django.urls import reverse

from apps.incidents.selectors import IncidentDetail
from apps.registry.spec import ModelSpec
from apps.thresholds import selectors as thresholds

SHOWN = 3
_KINDS: Mapping[str, tuple[str, str]] = {
    "complaint": ("complaint", "complaints"),
    "incident": ("incident", "incidents"),
    "version": ("version of the model", "versions of the model"),
    "threshold": ("version of the thresholds", "versions of the thresholds"),
    "run": ("run", "runs"),
}
"""In the order of the page: one, several. Findings and cases of the board have their own parts of the page."""


@dataclass(frozen=True, slots=True)
class LinkLine:
    """Something that is linked; url: its page, "" where there is none."""

    kind: str
    target: str
    text: str
    url: str


@dataclass(frozen=True, slots=True)
class LinkGroup:
    """What is linked of one kind: how many there are, those shown at once, and the others."""

    title: str
    number: int
    shown: tuple[LinkLine, ...]
    others: tuple[LinkLine, ...]


def links_of(detail: IncidentDetail, spec: ModelSpec) -> tuple[LinkGroup, ...]:
    """All that is linked; at most one query."""
    lines: dict[str, list[LinkLine]] = {kind: [] for kind in _KINDS}
    for each in _lines(detail, spec):
        lines[each.kind].append(each)
    return tuple(
        LinkGroup(_KINDS[kind][len(found) != 1], len(found), tuple(found[:SHOWN]), tuple(found[SHOWN:]))
        for kind, found in lines.items()
        if found
    )


def _lines(detail: IncidentDetail, spec: ModelSpec) -> list[LinkLine]:
    judged = any(each.kind == "threshold" for each in detail.links)
    policies = {str(each.version): each.id for each in thresholds.policy_versions(spec.id)} if judged else {}
    lines = []
    for each in detail.links:
        url = ""
        if each.kind not in _KINDS:
            continue
        if each.kind in ("run", "incident", "complaint") and each.target.isdecimal():
            url = reverse(each.kind, args=[int(each.target)])
        elif each.kind == "threshold" and each.target in policies:
            url = reverse("threshold-version", args=[policies[each.target]])
        elif each.kind == "version":
            url = reverse("model", args=[spec.slug])
        lines.append(LinkLine(each.kind, each.target, each.label, url))
    return lines
