"""Tasks as doors, and calling one again at once; without a broker the schedule does it a little later."""

from __future__ import annotations

import logging
from collections.abc import Callable
from typing import Any

from celery import shared_task
from kombu.exceptions import OperationalError

logger = logging.getLogger(__name__)

EXPIRES = 30


def door(name: str) -> Callable[[Callable[[], None]], Any]:
    """Make a function without arguments and answer the Celery task called `name`."""
    made: Callable[[Callable[[], None]], Any] = shared_task(name=name)
    return made


def again(task: Any) -> None:
    """Queue `task` once more. It expires soon, so that calls do not pile up behind a long queue."""
    try:
        task.apply_async(expires=EXPIRES, retry=False)
    except OperationalError as error:
        logger.warning("%s was not queued again (%s); the schedule will.", task.name, type(error).__name__)
