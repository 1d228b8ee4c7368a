"""Waiting for others, and never longer than said.

A time-out of a socket is one of silence: who sends a byte now and then is waited for without end. What is waited for
here runs in threads of its own, which are left to themselves when the time is over and end with the process.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Sequence
from typing import TypeVar

Answer = TypeVar("Answer")


def answers_within(seconds: float, asked: Sequence[Callable[[], Answer]]) -> list[Answer | None]:
    """What each of `asked`, all run at once, answers; None for those that have not come back after `seconds`.

    Raises what one of them raised. None of them may rely on the caller's transaction or context.
    """
    answers: list[Answer | None] = [None] * len(asked)
    raised: list[BaseException] = []

    def run(place: int) -> None:
        try:
            answers[place] = asked[place]()
        except BaseException as error:  # raised again where it is waited for
            raised.append(error)

    threads = [threading.Thread(target=run, args=(place,), daemon=True) for place in range(len(asked))]
    for thread in threads:
        thread.start()
    until = time.monotonic() + seconds
    for thread in threads:
        thread.join(max(0.0, until - time.monotonic()))
    if raised:
        raise raised.pop()
    return list(answers)
