"""Errors that a person or a client can act on."""

from __future__ import annotations


class Refused(Exception):  # noqa: N818 - a refusal is an answer, not a fault
    """A service does not accept what it was given.

    Parameters
    ----------
    field
        The name of the offending field as the caller wrote it, e.g. ``protected_attributes[0].levels``.
    message
        What is wrong, with the value, and what to do.
    code
        A short stable word for programs, e.g. ``unknown_level``.
    """

    def __init__(self, field: str, message: str, *, code: str = "invalid") -> None:
        super().__init__(f"{field}: {message}")
        self.field = field
        self.message = message
        self.code = code
