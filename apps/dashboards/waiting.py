"""What waits for a person: every kind of task has a provider, and the Inbox shows them one below the other."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any

from apps.dashboards.words import Badge
from apps.registry.spec import ModelSpec

TASKS_AT_MOST = 12


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
    """tasks: those of a person, most urgent first, given the models they see. count: how many things they stand for."""

    tasks: Callable[[Any, Sequence[ModelSpec]], Sequence[Task]]
    count: Callable[[Any], int]


@dataclass(frozen=True, slots=True)
class Waiting:
    """The tasks that are shown, of `total` things that wait; `hidden` tasks are not shown."""

    tasks: tuple[Task, ...]
    total: int
    hidden: int


def waiting(user: Any, specs: Sequence[ModelSpec], providers: Sequence[Provider]) -> Waiting:
    """What waits for the person. Where there is too much for one page every provider keeps its most urgent tasks."""
    offered = [list(provider.tasks(user, specs)) for provider in providers]
    total = sum(task.covers for tasks in offered for task in tasks)
    kept = [0] * len(offered)
    for _ in range(TASKS_AT_MOST):
        room = [place for place, tasks in enumerate(offered) if kept[place] < len(tasks)]
        if not room or sum(kept) >= TASKS_AT_MOST:
            break
        kept[min(room, key=lambda place: kept[place])] += 1
    shown = tuple(task for tasks, number in zip(offered, kept, strict=True) for task in tasks[:number])
    return Waiting(shown, total, sum(map(len, offered)) - len(shown))


def covering(tasks: Sequence[Task], total: int) -> list[Task]:
    """The tasks, of which the last stands for those beyond them too where there are more, `total` in all."""
    beyond = total - len(tasks)
    if not tasks or beyond <= 0:
        return list(tasks)
    last = replace(tasks[-1], covers=1 + beyond, more=f"and {beyond} more like it")
    return [*tasks[:-1], last]


def waiting_count(user: Any, providers: Sequence[Provider]) -> int:
    """How many things wait for the person."""
    return sum(provider.count(user) for provider in providers)
