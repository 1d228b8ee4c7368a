"""Waiting for others no longer than said."""

from __future__ import annotations

import threading

import pytest

from apps.common.patience import answers_within


def test_who_is_in_time_is_heard_and_who_is_late_is_not() -> None:
    over = threading.Event()
    asked = [lambda: "first", over.wait, lambda: "last"]
    assert answers_within(0.2, asked) == ["first", None, "last"]
    over.set()


def test_they_are_asked_all_at_once() -> None:
    """Each waits for all the others; one after the other none of them would ever answer."""
    together = threading.Barrier(5)
    assert sorted(answers_within(60, [together.wait] * 5)) == [0, 1, 2, 3, 4]


def test_what_one_of_them_raises_is_raised() -> None:
    def broken() -> None:
        raise LookupError("nobody is there")

    with pytest.raises(LookupError, match="nobody is there"):
        answers_within(60, [lambda: None, broken])


def test_nobody_is_waited_for_in_vain() -> None:
    assert answers_within(60, []) == []
