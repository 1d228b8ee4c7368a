"""Conditions of the board's decisions about requests: actions that belong to no incident, only to their case."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from django.http import Http404
from django.urls import reverse

from apps.accounts.permissions import may
from apps.dashboards.actors import Names, names_among
from apps.dashboards.words import Badge
from apps.incidents import selectors
from apps.incidents.selectors import ActionRow

STATUS = {
    "open": Badge("inconclusive", "to be done"),
    "done": Badge("within", "done"),
    "dropped": Badge("plain", "dropped"),
}


@dataclass(frozen=True, slots=True)
class ConditionPage:
    """A condition with what this person may do about it; `case_url` is "" for who may not see the board's cases."""

    row: ActionRow
    status: Badge
    names: Names
    case_url: str
    may_finish: bool
    may_drop: bool


def page_of(user: Any, action_id: int) -> ConditionPage:
    """The page of a condition, for its owner, for who plans the model's remediation and for who sees the board.

    Raises Http404 for everybody else.
    """
    row = selectors.action(action_id)
    if row is None or row.case_id is None or row.incident_id is not None:
        raise Http404("There is no such condition.")
    plans, sees = may(user, "remediation.plan", row.model_id), may(user, "board.view")
    owns = row.owner_id == user.pk
    if not (owns or plans or sees):
        raise Http404("There is no such condition.")
    still = row.state == "open"
    return ConditionPage(
        row=row,
        status=STATUS[row.state],
        names=names_among([row.ended_by]),
        case_url=reverse("case", args=[row.case_id]) if sees else "",
        may_finish=still and (owns or plans),
        may_drop=still and plans,
    )
