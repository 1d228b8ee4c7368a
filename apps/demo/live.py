"""While the demo runs, the simulated world goes on: a thread that sends what has happened since the last minute."""

from __future__ import annotations

import logging
import threading
from typing import Final

from apps.demo.errors import ApiError
from apps.demo.feed import Feeder, present

EVERY: Final = 60.0
logger = logging.getLogger(__name__)


class LiveFeed:
    """Feeds through the public API once a minute until it is stopped."""

    def __init__(self, feeder: Feeder) -> None:
        self._feeder = feeder
        self._stopped = threading.Event()
        self._thread = threading.Thread(target=self._go_on, name="live feed", daemon=True)

    def start(self) -> None:
        self._thread.start()

    def stop(self) -> None:
        """Ask the thread to end; it may still finish the request that it is in."""
        self._stopped.set()
        if self._thread.is_alive():
            self._thread.join(timeout=5)

    def _go_on(self) -> None:
        while not self._stopped.wait(EVERY):
            try:
                self._feeder.catch_up(present())
            except ApiError as error:
                # Nothing is lost: the next round starts where this one failed.
                logger.warning("The live feed will try again in a minute: %s", error)
