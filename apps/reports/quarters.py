"""Quarters of the year, in UTC, and the weeks that end in them."""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Self

from apps.common.errors import Refused

_NAME = re.compile(r"(20\d\d)-Q([1-4])")
WEEK = timedelta(days=7)


@dataclass(frozen=True, slots=True, order=True)
class Quarter:
    """`number` is 1 to 4."""

    year: int
    number: int

    @classmethod
    def of(cls, moment: datetime) -> Self:
        """The quarter that a moment lies in."""
        at = moment.astimezone(UTC)
        return cls(at.year, (at.month - 1) // 3 + 1)

    @classmethod
    def named(cls, name: str) -> Self:
        """The quarter of a name like ``2026-Q4``. Raises Refused for another text."""
        found = _NAME.fullmatch(name)
        if not found:
            raise Refused("quarter", "This is no quarter: write it like 2026-Q4.", code="invalid_quarter")
        return cls(int(found[1]), int(found[2]))

    @property
    def name(self) -> str:
        return f"{self.year}-Q{self.number}"

    @property
    def before(self) -> Quarter:
        return Quarter(self.year, self.number - 1) if self.number > 1 else Quarter(self.year - 1, 4)

    @property
    def after(self) -> Quarter:
        return Quarter(self.year, self.number + 1) if self.number < 4 else Quarter(self.year + 1, 1)

    @property
    def start(self) -> datetime:
        return datetime(self.year, 3 * self.number - 2, 1, tzinfo=UTC)

    @property
    def end(self) -> datetime:
        return self.after.start

    def weeks(self, *, until: datetime) -> list[datetime]:
        """The midnights between Sunday and Monday in the quarter, up to `until`: where its weeks end."""
        first = self.start + timedelta(days=7 - self.start.weekday())
        return [first + WEEK * step for step in range(14) if first + WEEK * step <= min(until, self.end)]
