"""A table behind a chart: the same rows for the page, for screen readers and for the CSV file."""

from __future__ import annotations

import csv
import io
from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime

Cell = str | int | float | datetime | None
SHOWN = 200
"""Rows of a table below a chart."""


@dataclass(frozen=True, slots=True)
class Table:
    """Column headings and rows; `key` names its CSV download."""

    key: str
    caption: str
    columns: tuple[str, ...]
    rows: tuple[tuple[Cell, ...], ...]

    @property
    def brief(self) -> Table:
        """As much of it as a page shows: a table of every hour of a quarter is for the file."""
        if len(self.rows) <= SHOWN:
            return self
        caption = f"{self.caption}, the first {SHOWN} of {len(self.rows):,} rows"
        return replace(self, caption=caption, rows=self.rows[:SHOWN])

    def csv(self, *, headed: bool = True) -> str:
        """RFC 4180 text. A text that a spreadsheet would run as a formula is preceded by an apostrophe."""
        out = io.StringIO()
        writer = csv.writer(out)
        if headed:
            writer.writerow(self.columns)
        writer.writerows([_plain(cell) for cell in row] for row in self.rows)
        return out.getvalue()


def table(key: str, caption: str, columns: Sequence[str], rows: Sequence[Sequence[Cell]]) -> Table:
    return Table(key, caption, tuple(columns), tuple(tuple(row) for row in rows))


def _plain(cell: Cell) -> str | int | float:
    if cell is None:
        return ""
    if isinstance(cell, datetime):
        return cell.isoformat()
    if isinstance(cell, str) and cell.startswith(("=", "+", "-", "@", "\t", "\r")):
        return f"'{cell}"
    return cell
