"""Findings as tasks and on their models' pages, and the table of models under a filter."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Self
from urllib.parse import urlencode

from django.urls import reverse

from apps.accounts.permissions import may, may_somewhere
from apps.common import clock
from apps.common.wording import breach_phrase, capitalised
from apps.dashboards.portfolio import PortfolioEntry, filtered
from apps.dashboards.topics import topic_of
from apps.dashboards.waiting import Provider, Task
from apps.dashboards.words import SEVERITY_ORDER, Badge, badge
from apps.incidents import selectors as incidents
from apps.registry.sentences import headline
from apps.registry.spec import ModelSpec, Words
from apps.responses import selectors as responses
from apps.responses.selectors import CauseRow, FindingRow, WaitingFindings

FINDINGS_LISTED = 40
CAUSES_SHOWN = 4
FINDINGS_SHOWN = 2
"""Of each cause, before the others are asked for."""


@dataclass(frozen=True, slots=True)
class Filter:
    key: str
    title: str
    count: int
    url: str
    current: bool


@dataclass(frozen=True, slots=True)
class Portfolio:
    """The table of models under a filter."""

    entries: tuple[PortfolioEntry, ...]
    total: int
    filters: tuple[Filter, ...]
    owner_view: bool

    @classmethod
    def of(cls, entries: Sequence[PortfolioEntry], chosen: str, page: str, user: Any) -> Self:
        """`page` is the name of the page that the table stands on."""
        titles = {"all": "All", "breach": "Breach", "unjudged": "Cannot judge"}
        filters = tuple(
            Filter(key, title, len(filtered(entries, key)), f"{reverse(page)}?show={key}", key == chosen)
            for key, title in titles.items()
        )
        return cls(tuple(filtered(entries, chosen)), len(entries), filters, not may(user, "model.view"))


@dataclass(frozen=True, slots=True)
class FindingLine:
    """An open finding as the model page shows it.

    why: by what it belongs to its cause. incident: the one that it belongs to. opens: where one is opened for it, ""
    where there is one or for who may not.
    """

    id: int
    text: str
    status: Badge
    standing: str
    since: datetime
    url: str
    acknowledged_by: str
    acknowledged_at: datetime | None
    may_acknowledge: bool
    why: str
    incident: int | None
    opens: str


@dataclass(frozen=True, slots=True)
class CauseLines:
    """The open findings of one cause. title: what they have in common, "" where there is one finding alone.

    waiting: those that this person may acknowledge together.
    """

    id: int
    title: str
    incident: int | None
    first: tuple[FindingLine, ...]
    rest: tuple[FindingLine, ...]
    waiting: tuple[int, ...]

    @property
    def number(self) -> int:
        return len(self.first) + len(self.rest)


def greeting(user: Any) -> str:
    """By the server's UTC clock the hour would be wrong for many readers, so it names no time of day."""
    return f"Hello, {user.first_name or user.display_name}"


def to_acknowledge(user: Any, specs: Sequence[ModelSpec], limit: int) -> list[Task]:
    """One task a cause, in the words of its severest finding. `specs` are the models that the person sees."""
    words = {spec.id: spec.words for spec in specs}
    return [_acknowledge(each, words.get(each.worst.model_id)) for each in responses.waiting_for(user, limit=limit)]


TO_ACKNOWLEDGE = Provider(to_acknowledge, responses.waiting_count)


def _acknowledge(waiting: WaitingFindings, words: Words | None) -> Task:
    worst, others = waiting.worst, waiting.number - 1
    place = f"cause-{worst.cause_id}" if others else f"finding-{worst.id}"
    return Task(
        kind="Acknowledge",
        text=finding_text(worst, words),
        about=worst.model_name + (f", incident {waiting.incident}" if waiting.incident else ""),
        url=f"{finding_url(worst.model_slug, worst)}#{place}",
        since=waiting.since,
        status=badge("breach", worst.severity),
        more=f"and {others} more finding{'s' if others != 1 else ''} of the same cause" if others else "",
    )


def finding_rows(user: Any, spec: ModelSpec, findings: Sequence[FindingRow]) -> Mapping[str, Any]:
    """The open findings of a model for its page by cause, severest first; a constant number of queries."""
    ordered = sorted(findings, key=_urgency)[:FINDINGS_LISTED]
    allowed = may_somewhere(user, "finding.acknowledge") and may(user, "finding.acknowledge", spec)
    sees = bool(ordered) and may_somewhere(user, "incident.view") and may(user, "incident.view", spec)
    known = incidents.incidents_of_findings([finding.id for finding in ordered]) if sees else {}
    opens = sees and may_somewhere(user, "incident.open") and may(user, "incident.open", spec)
    why = responses.joined_by([finding.id for finding in ordered]) if ordered else {}
    lines = {
        finding.id: FindingLine(
            id=finding.id,
            text=finding_text(finding, spec.words),
            status=badge("breach", finding.severity),
            standing=finding.standing,
            since=finding.opened_as_of,
            url=finding_url(spec.slug, finding),
            acknowledged_by=finding.acknowledged_by,
            acknowledged_at=finding.acknowledged_at,
            may_acknowledge=allowed and finding.acknowledged_at is None,
            why=why.get(finding.id, ""),
            incident=known.get(finding.id),
            opens=_opens(spec, finding) if opens and finding.id not in known else "",
        )
        for finding in ordered
    }
    rows = responses.causes(ordered)
    by_cause: dict[int, list[FindingRow]] = {}
    for finding in ordered:
        by_cause.setdefault(finding.cause_id or -finding.id, []).append(finding)
    grouped = [
        _cause(spec, found, [lines[each.id] for each in found], rows.get(cause_id))
        for cause_id, found in by_cause.items()
    ]
    return {
        "findings": ordered,
        "findings_open": len(findings),
        "causes": grouped[:CAUSES_SHOWN],
        "further_causes": grouped[CAUSES_SHOWN:],
    }


def _cause(
    spec: ModelSpec, findings: Sequence[FindingRow], lines: Sequence[FindingLine], row: CauseRow | None
) -> CauseLines:
    about = {name for finding in findings for name in finding.attribute.split("*")}
    said = breach_phrase(findings[0].metric, [name for name in spec.attribute_names if name in about])
    since = f" since version {row.release}" if row and row.release else ""
    return CauseLines(
        id=row.id if row else 0,
        title=f"{capitalised(said)}{since}" if len(lines) > 1 else "",
        incident=next((each.incident for each in lines if each.incident), None),
        first=tuple(lines[:FINDINGS_SHOWN]),
        rest=tuple(lines[FINDINGS_SHOWN:]),
        waiting=tuple(each.id for each in lines if each.may_acknowledge),
    )


def finding_text(finding: FindingRow, words: Words | None) -> str:
    """The finding as the model page says it; as it was recorded where the model's words are not at hand."""
    if words is None or finding.value is None:
        return finding.sentence
    result = {
        "metric": finding.metric,
        "attribute": finding.attribute,
        "group": finding.group,
        "reference": finding.reference,
        "value": finding.value,
        "verdict": "breach",
    }
    return headline(result, words)


def finding_url(slug: str, finding: FindingRow) -> str:
    """The model page, turned to what the finding is about."""
    topic = topic_of(finding.metric)
    query = {"window": finding.window, "attribute": finding.attribute}
    return f"{reverse('model', args=[slug])}?{urlencode(query | ({'metric': topic.key} if topic else {}))}"


def _opens(spec: ModelSpec, finding: FindingRow) -> str:
    return f"{reverse('incident-new')}?{urlencode({'model': spec.slug, 'finding': finding.id})}"


def _urgency(finding: FindingRow) -> tuple[bool, int, float]:
    age = (clock.now() - finding.opened_as_of).total_seconds()
    return finding.acknowledged_at is not None, SEVERITY_ORDER.get(finding.severity, 4), -age
