"""What a form has sent, read part by part; a part that cannot be read is refused by its name."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, date, datetime
from decimal import Decimal, InvalidOperation

from django.http import QueryDict

from apps.common.errors import Refused


@dataclass(frozen=True, slots=True)
class Given:
    """The parts of a form. Moments are in UTC, as the pages ask for them."""

    parts: QueryDict

    def text(self, name: str) -> str:
        """The text as it was written, line ends as PostgreSQL keeps them; "" where there is none."""
        return self.parts.get(name, "").replace("\r\n", "\n")

    def several(self, name: str) -> list[str]:
        return self.parts.getlist(name)

    def number(self, name: str) -> int | None:
        """A whole number of at most eighteen digits, None where the part is empty."""
        text = self.text(name).strip()
        if not text:
            return None
        if not (text.isascii() and text.isdecimal() and len(text) <= 18):
            raise Refused(name, f"{text[:40]!r} is no whole number.")
        return int(text)

    def numbers(self, name: str) -> list[int]:
        """Whole numbers, written with commas or spaces between them or sent one by one."""
        found = []
        for text in " ".join(self.several(name)).replace(",", " ").split():
            if not (text.isascii() and text.isdecimal() and len(text) <= 18):
                raise Refused(name, f"{text[:40]!r} is no whole number.")
            found.append(int(text))
        return found

    def moment(self, name: str) -> datetime | None:
        """A moment in UTC, None where the part is empty."""
        text = self.text(name).strip()
        if not text:
            return None
        try:
            at = datetime.fromisoformat(text)
            return at.replace(tzinfo=UTC) if at.tzinfo is None else at.astimezone(UTC)
        except (ValueError, OverflowError):
            raise Refused(name, f"{text[:40]!r} is no date and time.") from None

    def needed_moment(self, name: str, missing: str) -> datetime:
        """The same; raises Refused with `missing` where the part is empty."""
        at = self.moment(name)
        if at is None:
            raise Refused(name, missing)
        return at

    def day(self, name: str) -> date:
        """A date; raises Refused where there is none."""
        text = self.text(name).strip()
        try:
            return date.fromisoformat(text)
        except ValueError:
            raise Refused(name, "Give the date." if not text else f"{text[:40]!r} is no date.") from None

    def money(self, name: str) -> Decimal:
        """An amount; raises Refused where there is none."""
        text = self.text(name).strip()
        try:
            return Decimal(text)
        except InvalidOperation:
            raise Refused(name, "Give an amount, such as 1250.50.") from None


@dataclass(frozen=True, slots=True)
class Failed:
    """A form that was refused: which one, why, and what it had sent, so that nobody has to write it again."""

    form: str
    refusal: Refused
    parts: QueryDict

    def __getitem__(self, name: str) -> QueryDict:
        """For templates: what the form `name` had sent. Raises KeyError where it was another one."""
        if name != self.form:
            raise KeyError(name)
        return self.parts
