"""The Inbox takes something of everything that waits, says how much it leaves out, and never reads all of it."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Any

from apps.dashboards.waiting import TASKS_AT_MOST, Provider, Task, waiting, waiting_count

NOON = datetime(2026, 11, 2, 12, tzinfo=UTC)


def provider(kind: str, number: int, covers: int = 1) -> Provider:
    def first(user: Any, specs: Any, limit: int) -> Sequence[Task]:
        return [Task(kind, f"{kind} {place}", "", "/", NOON, covers=covers) for place in range(min(number, limit))]

    return Provider(first, lambda user, most: number * covers)


def test_few_tasks_are_all_shown_in_the_order_of_their_providers() -> None:
    found = waiting(None, [], [provider("Sign", 2), provider("Vote", 1)])
    assert [task.text for task in found.tasks] == ["Sign 0", "Sign 1", "Vote 0"]
    assert (found.total, found.hidden) == (3, 0)


def test_no_kind_of_task_crowds_out_another() -> None:
    found = waiting(None, [], [provider("Acknowledge", 500, covers=3), provider("Sign", 2)])
    assert [task.kind for task in found.tasks].count("Sign") == 2
    assert len(found.tasks) == TASKS_AT_MOST
    assert (found.total, found.hidden) == (1502, 1502 - 3 * (TASKS_AT_MOST - 2) - 2)


def test_the_inbox_says_when_it_stopped_counting() -> None:
    def many(number: int) -> Provider:
        return Provider(lambda user, specs, limit: (), lambda user, most: min(number, most or number))

    assert waiting(None, [], [many(999), many(999)]).more is False
    found = waiting(None, [], [many(5_000), many(2)])
    assert (found.total, found.more) == (1_002, True)


def test_the_side_bar_counts_no_further_than_it_shows() -> None:
    asked: list[int | None] = []

    def many(number: int) -> Provider:
        def count(user: Any, most: int | None) -> int:
            asked.append(most)
            return number if most is None else min(number, most)

        return Provider(lambda user, specs, limit: (), count)

    assert waiting_count(None, [many(40), many(2)], most=100) == 42
    assert waiting_count(None, [many(40), many(500), many(500)], most=100) == 100
    assert asked == [100, 60, 100, 60]


def test_no_provider_is_asked_for_more_than_a_page_or_where_nothing_waits() -> None:
    asked: list[int] = []

    def first(user: Any, specs: Any, limit: int) -> Sequence[Task]:
        asked.append(limit)
        return []

    waiting(None, [], [Provider(first, lambda user, most: 10_000), Provider(first, lambda user, most: 0)])
    assert asked == [TASKS_AT_MOST]
