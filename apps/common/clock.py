"""The one clock. Services ask it for the time, so that tests and the demo can set it."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from datetime import UTC, datetime, timedelta

_frozen: ContextVar[datetime | None] = ContextVar("frozen_clock", default=None)


def now() -> datetime:
    """The present moment in UTC, or the one set by `frozen`."""
    return _frozen.get() or datetime.now(UTC)


@contextmanager
def frozen(at: datetime) -> Iterator[None]:
    """Hold the clock at `at` (an aware datetime) inside the block."""
    if at.tzinfo is None:
        raise ValueError(f"{at!r} has no time zone.")
    token = _frozen.set(at.astimezone(UTC))
    try:
        yield
    finally:
        _frozen.reset(token)


def hour_floor(at: datetime) -> datetime:
    """The start of the UTC hour that contains `at`."""
    return at.astimezone(UTC).replace(minute=0, second=0, microsecond=0)


def hour_ceiling(at: datetime) -> datetime:
    """The first start of a UTC hour that is not before `at`."""
    floor = hour_floor(at)
    return floor if floor == at else floor + timedelta(hours=1)
