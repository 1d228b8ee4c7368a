"""What can go wrong in the demo, each with a message for the person who started it."""

from __future__ import annotations


class DemoError(Exception):
    """The demo cannot go on; the message says why and what to do."""


class MissingDataError(DemoError):
    """The wheel with the demo's files is not installed, or is not the one we know."""


class MemoryDamagedError(DemoError):
    """``demo.json`` cannot be read."""


class ChildError(DemoError):
    """A child process cannot be kept running, or a command failed; the message ends with its last words."""


class StuckError(DemoError):
    """The pipeline makes no progress; the message says what is left."""


class ApiError(DemoError):
    """The API refused a call, or could not be reached; the message carries its own words."""

    def __init__(self, message: str, *, status: int = 0) -> None:
        super().__init__(message)
        self.status = status
