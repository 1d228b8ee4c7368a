"""The findings of an incident: by what each belongs to its cause, and which of them could be taken out."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Any

from apps.accounts.permissions import may
from apps.dashboards.responses.reading import TITLES
from apps.dashboards.tasks import finding_text, finding_url
from apps.dashboards.words import Badge, badge
from apps.incidents.selectors import IncidentDetail
from apps.registry.spec import ModelSpec
from apps.responses import selectors as responses
from apps.responses.selectors import TIERS, FindingRow

SHOWN = 6


@dataclass(frozen=True, slots=True)
class FindingOfIncident:
    """A finding in its incident. rung: where it stands; why: by what it belongs here; now: another incident that took
    it up."""

    id: int
    text: str
    url: str
    status: Badge
    rung: str
    since: datetime
    why: str
    now: int | None
    may_separate: bool


@dataclass(frozen=True, slots=True)
class FindingsOfIncident:
    """The first of them, the rest, and whether this person may take some out into an incident of their own."""

    first: tuple[FindingOfIncident, ...]
    rest: tuple[FindingOfIncident, ...]
    separable: bool


def findings_of(user: Any, detail: IncidentDetail, spec: ModelSpec) -> FindingsOfIncident:
    """What the page shows of them, those of the cause first, the highest on the ladder first; three queries."""
    wanted = [int(each.target) for each in detail.links if each.kind == "finding"]
    rows = responses.findings_by_id(wanted) if wanted else ()
    causes, why = responses.causes(rows), responses.joined_by(wanted) if wanted else {}

    def now(row: FindingRow) -> int | None:
        incident = causes[row.cause_id].incident if row.cause_id else None
        return incident if incident != detail.row.id else None

    here = [row for row in rows if row.state == "open" and now(row) is None]
    opens = len(here) > 1 and may(user, "incident.open", spec)
    lines = [
        FindingOfIncident(
            id=row.id,
            text=finding_text(row, spec.words),
            url=f"{finding_url(spec.slug, row)}#findings",
            status=badge("breach", row.severity) if row.state == "open" else Badge("within", "closed"),
            rung=TITLES[row.tier].lower() if row.state == "open" else "",
            since=row.opened_as_of,
            why=why.get(row.id, ""),
            now=now(row),
            may_separate=opens and row in here,
        )
        for row in sorted(rows, key=lambda each: (each.state != "open", now(each) is not None, -TIERS.index(each.tier)))
    ]
    return FindingsOfIncident(tuple(lines[:SHOWN]), tuple(lines[SHOWN:]), opens)
