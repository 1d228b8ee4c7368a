"""The Vault in words: coverage, uploads, requests for access, reads and keys. Never a value."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any

from django.urls import reverse

from apps.accounts.permissions import may, models_within
from apps.accounts.selectors import names_of
from apps.approvals import selectors as approvals
from apps.approvals.selectors import ApprovalView
from apps.audit import selectors as audit
from apps.common import clock
from apps.dashboards.approvals.reading import PAGES, ApprovalLine, line_of
from apps.dashboards.health import covered_badge
from apps.dashboards.waiting import Provider, Task
from apps.dashboards.words import Badge, attribute_name, count, percent
from apps.monitoring import selectors as monitoring
from apps.registry import selectors as registry
from apps.registry.spec import ModelSpec
from apps.vault import selectors as vault
from apps.vault.selectors import AccessRow, KeyReport, UploadRow

ACCESS, REQUEST = "access_request", "access.request"
PAGES[ACCESS] = "vault-access"
SHOWN = 8
AT_ONCE = 50

_UPLOADS = {
    "receiving": Badge("inconclusive", "being received"),
    "pending": Badge("inconclusive", "sealed, waits for the compute side"),
    "storing": Badge("inconclusive", "being stored"),
    "stored": Badge("within", "stored"),
    "refused": Badge("breach", "refused"),
    "withdrawn": Badge("plain", "taken back"),
}
_ACCESSES = {
    "granted": Badge("within", "may be looked at"),
    "asked": Badge("inconclusive", "being opened"),
    "sealed": Badge("within", "opened, waits for the look"),
    "shown": Badge("plain", "looked at"),
    "ended": Badge("plain", "ended"),
    "expired": Badge("stale", "time over"),
}
_READS = {
    "vault.attributes_read": "read",
    "vault.access_sealed": "opened and sealed",
    "vault.access_shown": "shown",
}


@dataclass(frozen=True, slots=True)
class CoverageLine:
    """An attribute of a model: the share of decisions for which it is known, by window."""

    slug: str
    model: str
    attribute: str
    day: str
    week: str
    month: str
    status: Badge
    first: bool
    rows: int


@dataclass(frozen=True, slots=True)
class UploadLine:
    """An upload: `done` of `total` say how far its present stage is; `moving` while something still happens to it."""

    id: str
    actor: str
    form: str
    at: datetime
    people: str
    status: Badge
    said: str
    done: int
    total: int
    moving: bool


@dataclass(frozen=True, slots=True)
class ReadLine:
    """Who read attributes of how many people, for what, and why; `url` leads to the request where there was one."""

    at: datetime
    who: str
    what: str
    why: str
    people: str
    url: str
    id: int


@dataclass(frozen=True, slots=True)
class VaultPage:
    summary: str
    coverage: tuple[CoverageLine, ...]
    uploads: tuple[UploadLine, ...]
    accesses: tuple[ApprovalLine, ...]
    reads: tuple[ReadLine, ...]
    keys: KeyReport | None
    may_upload: bool
    may_ask: bool

    @property
    def moving(self) -> bool:
        return any(line.moving for line in self.uploads)


def page_of(user: Any) -> VaultPage:
    """What the Vault page shows; a bounded number of queries."""
    keys, coverage = vault.key_report(), coverage_lines(_specs(user))
    return VaultPage(
        summary=_summary(keys, coverage),
        coverage=coverage,
        uploads=upload_lines(SHOWN),
        accesses=access_lines(user, SHOWN),
        reads=read_lines(SHOWN),
        keys=keys,
        may_upload=may(user, "vault.upload"),
        may_ask=may(user, REQUEST),
    )


def coverage_lines(specs: Sequence[ModelSpec]) -> tuple[CoverageLine, ...]:
    """Coverage of each model's attributes by its newest runs; the week decides the status."""
    runs = monitoring.latest_runs_of([spec.id for spec in specs])
    lines = []
    for spec in specs:
        shares = {window: run.coverage for window, run in runs.get(spec.id, {}).items()}
        for place, attribute in enumerate(spec.attributes):
            name = attribute.name
            lines.append(
                CoverageLine(
                    slug=spec.slug,
                    model=spec.name,
                    attribute=attribute_name(name),
                    day=percent(shares.get("24h", {}).get(name), 1),
                    week=percent(shares.get("7d", {}).get(name), 1),
                    month=percent(shares.get("30d", {}).get(name), 1),
                    status=covered_badge(shares.get("7d", {}).get(name)),
                    first=place == 0,
                    rows=len(spec.attributes),
                )
            )
    return tuple(lines)


def upload_lines(limit: int, *, before: datetime | None = None) -> tuple[UploadLine, ...]:
    """The newest uploads first."""
    return tuple(map(upload_line, vault.uploads_recent(limit, before=before)))


def upload_line(row: UploadRow) -> UploadLine:
    """An upload in words."""
    moving = row.state in ("receiving", "pending", "storing")
    return UploadLine(
        id=row.upload_id,
        actor=row.actor.partition(":")[2] or row.actor,
        form="batch" if row.form == "batch" else row.form.upper(),
        at=row.received_at,
        people=count(row.subjects),
        status=_UPLOADS[row.state],
        said=_said(row),
        done=row.done,
        total=row.subjects,
        moving=moving,
    )


def access_lines(user: Any, limit: int, *, before_id: int | None = None) -> tuple[ApprovalLine, ...]:
    """Requests for access that the person may read, newest first, with what became of them."""
    found = approvals.approvals_visible_to(user, among=[ACCESS], before_id=before_id, limit=limit)
    rows = vault.accesses([view.id for view in found])
    return tuple(replace(line_of(view), status=access_status(view, rows.get(view.id))) for view in found)


def access_status(view: ApprovalView, row: AccessRow | None) -> Badge:
    """The state of a request, and of the access that it brought once it is signed."""
    if row is None:
        return line_of(view).status
    over = row.is_open and row.until <= clock.now()
    return _ACCESSES["expired" if over else row.state]


def read_lines(limit: int, *, before_id: int | None = None) -> tuple[ReadLine, ...]:
    """Who read attributes, newest first, from the audit log."""
    entries = sorted(
        (entry for action in _READS for entry in _newest(action, limit, before_id)),
        key=lambda entry: entry.pk,
        reverse=True,
    )[:limit]
    people = names_of([entry.detail["person"] for entry in entries if "person" in entry.detail])
    return tuple(
        ReadLine(
            at=entry.at,
            who=_who(entry.actor),
            what=_READS[entry.action],
            why=_why(entry, people),
            people=count(entry.detail.get("subjects")),
            url=reverse("vault-access", args=[entry.subject.partition(":")[2]])
            if entry.subject.startswith("approval:")
            else "",
            id=entry.pk,
        )
        for entry in entries
    )


def _specs(user: Any) -> list[ModelSpec]:
    within = models_within(user, "coverage.view")
    return [spec for spec in registry.all_specs() if within is None or spec.id in within]


def _summary(keys: KeyReport | None, coverage: Sequence[CoverageLine]) -> str:
    people = sum(key.people for key in keys.keys) if keys else 0
    known = (
        f"The vault holds protected attributes of {count(people)} people" if people else "The vault holds nobody yet"
    )
    low = sum(line.status.kind in ("breach", "inconclusive") for line in coverage)
    measured = sum(line.status.kind != "plain" for line in coverage)
    if not measured:
        return f"{known}."
    if low:
        return f"{known}; {low} of {len(coverage)} attributes are known for less than 90 % of a week's decisions."
    return f"{known}; every measured attribute is known for more than 90 % of a week's decisions."


def _said(row: UploadRow) -> str:
    if row.state == "receiving":
        return f"{row.subjects:,} rows have arrived."
    if row.state == "storing":
        return f"{row.done:,} of {row.subjects:,} people are stored."
    if row.state == "stored":
        return f"{row.stored:,} stored, {row.replaced:,} of them in the place of earlier ones."
    return row.reason


def _newest(action: str, limit: int, before_id: int | None) -> list[Any]:
    """Action by action, since the log is indexed by each one's newest."""
    entries = audit.entries().filter(action=action)
    return list((entries.filter(pk__lt=before_id) if before_id is not None else entries)[:limit])


def _who(actor: str) -> str:
    return "compute side" if actor == "system:compute" else actor.partition(":")[2] or actor


def _why(entry: Any, people: dict[int, str]) -> str:
    if entry.subject.startswith("model:"):
        purpose = entry.detail.get("purpose", "")
        return f"{purpose} of {entry.subject.partition(':')[2]}"
    if "for" in entry.detail:
        return f"access of {people.get(entry.detail['person'], 'somebody')}: {entry.detail['for']}"
    return f"request {entry.subject.partition(':')[2]}"


def _to_look(user: Any, specs: Sequence[ModelSpec], limit: int) -> list[Task]:
    rows = vault.accesses_open_of(user.pk, limit=limit) if may(user, REQUEST) else []
    return [
        Task(
            kind="Look",
            text="You may look at the values that you asked for, once",
            about="Vault",
            url=reverse("vault-access", args=[row.approval_id]),
            since=row.asked_at or clock.now(),
            due=row.until,
        )
        for row in rows
    ]


def _to_look_count(user: Any, most: int | None) -> int:
    return vault.accesses_open_count(user.pk, most) if may(user, REQUEST) else 0


TO_LOOK = Provider(_to_look, _to_look_count)
