"""What incidents ask of people: clocks to decide on or to report by, and actions that are theirs."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Any

from django.urls import reverse

from apps.accounts.permissions import may_somewhere, models_within
from apps.common import clock
from apps.dashboards.incidents.words import severity_badge
from apps.dashboards.waiting import Provider, Task
from apps.dashboards.words import Badge
from apps.incidents import selectors
from apps.incidents.clocks import DUE_SOON
from apps.incidents.selectors import ActionRow
from apps.registry.spec import ModelSpec

MANAGE = "incident.manage"
_OVERDUE = Badge("breach", "overdue")


def to_report(user: Any, specs: Sequence[ModelSpec], limit: int) -> list[Task]:
    """Incidents with a regulatory clock that ends soon and is neither reported nor set aside, one task each."""
    if not may_somewhere(user, MANAGE):
        return []
    now = clock.now()
    waiting = selectors.clocks_waiting(visible=models_within(user, MANAGE), until=now + DUE_SOON, limit=limit)
    return [
        Task(
            kind="Report",
            text=row.title,
            about=f"{row.model_name}, incident {row.id}: a regulatory clock",
            url=f"{reverse('incident', args=[row.id])}#clocks",
            since=row.aware_at,
            status=_OVERDUE if due.at < now else severity_badge(row.severity),
            due=due.at,
        )
        for row, due in waiting
    ]


def to_do(user: Any, specs: Sequence[ModelSpec], limit: int) -> list[Task]:
    """The person's own open actions, of incidents and as conditions of the board's decisions; first due first."""
    return [_action(each, clock.now()) for each in selectors.actions_due(user.pk, limit=limit)]


def _to_report_count(user: Any, most: int | None) -> int:
    if not may_somewhere(user, MANAGE):
        return 0
    until = clock.now() + DUE_SOON
    return selectors.clocks_waiting_count(visible=models_within(user, MANAGE), until=until, most=most)


def _action(row: ActionRow, now: datetime) -> Task:
    if row.incident_id is not None:
        about, url = f"incident {row.incident_id}", f"{reverse('incident', args=[row.incident_id])}#actions"
    else:
        about = f"a condition of the ethics board, case {row.case_id}"
        url = reverse("board-condition", args=[row.id])
    return Task(
        kind="Do",
        text=row.title,
        about=about,
        url=url,
        since=row.added_at,
        status=_OVERDUE if row.due_at < now else None,
        due=row.due_at,
    )


TO_REPORT = Provider(to_report, _to_report_count)
TO_DO = Provider(to_do, lambda user, most: selectors.actions_due_count(user.pk, most))
