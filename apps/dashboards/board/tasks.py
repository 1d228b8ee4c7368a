"""Votes that wait for a member of the ethics board."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from django.urls import reverse

from apps.board import selectors
from apps.dashboards.waiting import Provider, Task
from apps.registry.spec import ModelSpec


def to_vote(user: Any, specs: Sequence[ModelSpec], limit: int) -> list[Task]:
    """Open cases in which the person has a vote, those that end first before the others."""
    return [
        Task(
            kind="Vote",
            text=row.title,
            about=f"{row.model_name or 'the whole house'}, before the ethics board",
            url=reverse("case", args=[row.id]),
            since=row.convened_at,
            due=row.vote_until,
        )
        for row in selectors.votes_waiting_for(user, limit=limit)
    ]


TO_VOTE = Provider(to_vote, selectors.votes_waiting_count)
