"""Business hours: the working days of a calendar, between two hours of a time zone."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from zoneinfo import ZoneInfo

import holidays

from apps.common.errors import Refused

_SATURDAY = 5
_DAY = timedelta(days=1)
_LONGEST = 366 * 10
"""Days that a deadline may lie ahead; a calendar in which that does not suffice has hardly a working day."""


@dataclass(frozen=True, slots=True)
class BusinessHours:
    """Monday to Friday from `opens` to `closes` o'clock in `time_zone`, without the public holidays of `calendar`.

    calendar: a country or a part of one, as ISO 3166 names it ("AU", "AU-NSW"); "" knows no holidays. closes may be 24.
    """

    calendar: str = ""
    time_zone: str = "UTC"
    opens: int = 9
    closes: int = 17

    def deadline(self, start: datetime, hours: float) -> datetime:
        """The moment, in UTC, at which `hours` of business time have passed since `start`."""
        left = timedelta(hours=hours)
        zone = ZoneInfo(self.time_zone)
        local = start.astimezone(zone)
        free = _holidays(self.calendar)
        for step in range(_LONGEST):
            day = local.date() + step * _DAY
            if day.weekday() >= _SATURDAY or day in free:
                continue
            opening, closing = self._day(day, zone)
            begins = max(opening, start)
            if closing - begins >= left:
                return (begins + left).astimezone(UTC)
            left -= max(closing - begins, timedelta())
        raise ValueError(f"{hours} business hours after {start.isoformat()} lie more than {_LONGEST} days ahead")

    def _day(self, day: date, zone: ZoneInfo) -> tuple[datetime, datetime]:
        """Opening and closing of a day in UTC, so that a change of the clocks lengthens nothing."""
        midnight = datetime.combine(day, time(), zone)
        closing = (
            datetime.combine(day + _DAY, time(), zone) if self.closes == 24 else midnight.replace(hour=self.closes)
        )
        return midnight.replace(hour=self.opens).astimezone(UTC), closing.astimezone(UTC)


def check_calendar(calendar: str, *, field: str) -> None:
    """Raises Refused for a calendar that is not known here."""
    try:
        _holidays(calendar)
    except NotImplementedError as error:
        raise Refused(field, f"{calendar!r} is no known calendar: {error}", code="unknown_calendar") from None


def _holidays(calendar: str) -> holidays.HolidayBase | frozenset[date]:
    if not calendar:
        return frozenset()
    country, _, part = calendar.partition("-")
    return holidays.country_holidays(country, subdiv=part or None)
