"""Deadlines in business hours."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

import numpy as np
import pytest

from apps.common.business_hours import BusinessHours, check_calendar
from apps.common.errors import Refused

FRIDAY = datetime(2026, 5, 8, 15, 30, tzinfo=UTC)


def test_a_weekend_and_the_night_do_not_count():
    assert BusinessHours().deadline(FRIDAY, 4) == datetime(2026, 5, 11, 11, 30, tzinfo=UTC)
    assert BusinessHours().deadline(FRIDAY + timedelta(days=1), 1) == datetime(2026, 5, 11, 10, tzinfo=UTC)


@pytest.mark.parametrize("days", [1, 4, 5, 6, 37, 260])
def test_whole_days_agree_with_numpys_business_days(days: int):
    opening = datetime(2026, 5, 6, 9, tzinfo=UTC)
    last = np.busday_offset("2026-05-06", days - 1).astype(object)
    assert BusinessHours().deadline(opening, 8 * days) == datetime(last.year, last.month, last.day, 17, tzinfo=UTC)


def test_public_holidays_of_a_state_are_left_out():
    before_australia_day = datetime(2026, 1, 23, 16, tzinfo=ZoneInfo("Australia/Sydney"))
    hours = BusinessHours("AU-NSW", "Australia/Sydney")
    assert hours.deadline(before_australia_day, 2) == datetime(
        2026, 1, 27, 10, tzinfo=ZoneInfo("Australia/Sydney")
    ).astimezone(UTC)


def test_a_change_of_the_clocks_neither_gives_nor_takes_an_hour():
    zone = ZoneInfo("Australia/Sydney")
    round_the_clock = BusinessHours("", "Australia/Sydney", opens=0, closes=24)
    friday = datetime(2026, 10, 2, 12, tzinfo=zone)
    assert round_the_clock.deadline(friday, 24) == datetime(2026, 10, 5, 12, tzinfo=zone).astimezone(UTC)


@pytest.mark.parametrize("day", [(2026, 4, 23), (2026, 10, 29)])
def test_the_clocks_may_change_on_a_working_day(day: tuple[int, int, int]):
    """Egypt's change on the night to a Friday: the hours that pass are counted, and business opens by the clock."""
    zone = ZoneInfo("Africa/Cairo")
    thursday = datetime(*day, 12, tzinfo=zone)
    friday = thursday + timedelta(days=1)
    assert thursday.utcoffset() != friday.utcoffset()
    round_the_clock = BusinessHours("", "Africa/Cairo", opens=0, closes=24)
    assert round_the_clock.deadline(thursday, 24) - thursday.astimezone(UTC) == timedelta(hours=24)
    by_day = BusinessHours("", "Africa/Cairo").deadline(thursday.replace(hour=17), 0.5).astimezone(zone)
    assert (by_day.date(), f"{by_day - timedelta(minutes=30):%H:%M}") == (friday.date(), "09:00")


def test_a_deadline_starts_when_business_does():
    early = datetime(2026, 5, 6, 3, tzinfo=UTC)
    assert BusinessHours().deadline(early, 8) == datetime(2026, 5, 6, 17, tzinfo=UTC)


@pytest.mark.parametrize("calendar", ["XX", "AU-XXX"])
def test_an_unknown_calendar_is_refused(calendar: str):
    with pytest.raises(Refused) as refused:
        check_calendar(calendar, field="ladder.calendar")
    assert refused.value.code == "unknown_calendar"


@pytest.mark.parametrize("calendar", ["", "AU", "AU-NSW", "DE-BY", "US"])
def test_countries_and_their_parts_are_known(calendar: str):
    check_calendar(calendar, field="ladder.calendar")
