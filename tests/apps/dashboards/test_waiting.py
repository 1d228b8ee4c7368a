"""The Inbox takes something of everything that waits, and says how much it leaves out."""

from __future__ import annotations

from datetime import UTC, datetime

from apps.dashboards.waiting import TASKS_AT_MOST, Provider, Task, covering, waiting, waiting_count

NOON = datetime(2026, 11, 2, 12, tzinfo=UTC)


def provider(kind: str, number: int, covers: int = 1) -> Provider:
    tasks = [Task(kind, f"{kind} {place}", "", "/", NOON, covers=covers) for place in range(number)]
    return Provider(lambda user, specs: tasks, lambda user: number * covers)


def test_few_tasks_are_all_shown_in_the_order_of_their_providers() -> None:
    found = waiting(None, [], [provider("Sign", 2), provider("Vote", 1)])
    assert [task.text for task in found.tasks] == ["Sign 0", "Sign 1", "Vote 0"]
    assert (found.total, found.hidden) == (3, 0)


def test_no_kind_of_task_crowds_out_another() -> None:
    found = waiting(None, [], [provider("Acknowledge", 500, covers=3), provider("Sign", 2)])
    assert sum(task.kind == "Sign" for task in found.tasks) == 2
    assert len(found.tasks) == TASKS_AT_MOST
    assert (found.total, found.hidden) == (1502, 502 - TASKS_AT_MOST)


def test_the_count_is_that_of_everything() -> None:
    assert waiting_count(None, [provider("Acknowledge", 500, covers=3), provider("Sign", 2)]) == 1502


def test_what_is_beyond_the_listed_tasks_is_counted_with_the_last_of_them() -> None:
    tasks = provider("Report", 3).tasks(None, [])
    assert [task.covers for task in covering(tasks, 10)] == [1, 1, 8]
    assert covering(tasks, 10)[-1].more == "and 7 more like it"
    assert covering(tasks, 3) == list(tasks)
    assert covering([], 3) == []
