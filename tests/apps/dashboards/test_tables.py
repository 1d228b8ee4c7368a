"""A table below a chart stays readable; its file holds all of it."""

from __future__ import annotations

from apps.dashboards.tables import SHOWN, table


def test_a_page_shows_the_beginning_of_a_long_table_and_its_file_all_of_it() -> None:
    long = table("trend", "Selection rate", ("hour", "value"), [(hour, 0.5) for hour in range(2_160)])
    assert long.brief.rows == long.rows[:SHOWN]
    assert long.brief.caption == "Selection rate, the first 200 of 2,160 rows"
    assert len(long.csv().splitlines()) == 2_161


def test_a_short_table_is_shown_as_it_is() -> None:
    short = table("trend", "Selection rate", ("hour", "value"), [(hour, 0.5) for hour in range(SHOWN)])
    assert short.brief is short
