"""What waits for a person: every kind of task has a provider, and the Inbox shows them one below the other."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from apps.dashboards.words import Badge
from apps.registry.spec import ModelSpec

TASKS_AT_MOST = 12
COUNTED_AT_MOST = 1_000
"""Of each kind: beyond this nobody needs to know how many more."""


@dataclass(frozen=True, slots=True)
class Task:
    """One line of "waiting for you".

    kind: what to do, one word. about: the model or matter. covers: how many things it stands for; `more` words those
    beyond the first. due: when it has to be done.
    """

    kind: str
    text: str
    about: str
    url: str
    since: datetime
    status: Badge | None = None
    due: datetime | None = None
    covers: int = 1
    more: str = ""


@dataclass(frozen=True, slots=True)
class Provider:
    """What of one kind waits for a person; neither may read more rows than it answers with.

    first: at most so many tasks, most urgent first, given the models that the person sees. count: how many things
    wait in all, or up to a number.
    """

    first: Callable[[Any, Sequence[ModelSpec], int], Sequence[Task]]
    count: Callable[[Any, int | None], int]


@dataclass(frozen=True, slots=True)
class Waiting:
    """The tasks that are shown, of `total` things that wait; `hidden` things stand in none of them.

    more: some kind was counted only up to `COUNTED_AT_MOST`, so that there are more of both.
    """

    tasks: tuple[Task, ...]
    total: int
    hidden: int
    more: bool


def waiting(user: Any, specs: Sequence[ModelSpec], providers: Sequence[Provider]) -> Waiting:
    """What waits for the person. Where there is too much for one page every provider keeps its most urgent tasks."""
    counts = [provider.count(user, COUNTED_AT_MOST) for provider in providers]
    offered = [
        provider.first(user, specs, TASKS_AT_MOST) if count else ()
        for provider, count in zip(providers, counts, strict=True)
    ]
    kept = [0] * len(offered)
    for _ in range(TASKS_AT_MOST):
        room = [place for place, tasks in enumerate(offered) if kept[place] < len(tasks)]
        if not room:
            break
        kept[min(room, key=lambda place: kept[place])] += 1
    shown = tuple(task for tasks, number in zip(offered, kept, strict=True) for task in tasks[:number])
    total = sum(counts)
    hidden = max(total - sum(task.covers for task in shown), 0)
    return Waiting(shown, total, hidden, max(counts, default=0) >= COUNTED_AT_MOST)


def waiting_count(user: Any, providers: Sequence[Provider], *, most: int) -> int:
    """How many things wait for the person, counted up to `most`; at most one short query for each provider."""
    number = 0
    for provider in providers:
        if number < most:
            number += provider.count(user, most - number)
    return number
