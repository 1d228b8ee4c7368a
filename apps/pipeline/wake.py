"""Calling a task again at once; without a broker the schedule does it a little later."""

from __future__ import annotations

import logging
from typing import Any

from kombu.exceptions import OperationalError

logger = logging.getLogger(__name__)

EXPIRES = 30


def again(task: Any) -> None:
    """Queue `task` once more. It expires soon, so that calls do not pile up behind a long queue."""
    try:
        task.apply_async(expires=EXPIRES, retry=False)
    except OperationalError as error:
        logger.warning("%s was not queued again (%s); the schedule will.", task.name, type(error).__name__)
