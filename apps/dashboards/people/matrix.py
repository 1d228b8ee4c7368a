"""The permission matrix as its page shows it."""

from __future__ import annotations

from dataclasses import dataclass

from apps.accounts.permission_table import CELLS, headed
from apps.accounts.roles import ROLES


@dataclass(frozen=True, slots=True)
class Column:
    """A role in the head of the matrix; `yours` where the reader holds it."""

    title: str
    yours: bool


@dataclass(frozen=True, slots=True)
class MatrixRow:
    """What may be done, in words; one cell a role: the reach, and its word."""

    words: str
    cells: tuple[tuple[str, str], ...]


def columns(held: frozenset[str]) -> tuple[Column, ...]:
    return tuple(Column(title, role in held) for role, title in ROLES.items())


def matrix() -> tuple[tuple[str, tuple[MatrixRow, ...]], ...]:
    """(heading, rows), in the order of the columns."""
    return tuple(
        (heading, tuple(MatrixRow(each.words, tuple(map(_cell, _reaches(each.cells)))) for each in rows))
        for heading, rows in headed()
    )


def _reaches(cells: dict[str, str]) -> list[str]:
    return [cells.get(role, "") for role in ROLES]


def _cell(reach: str) -> tuple[str, str]:
    return reach, CELLS[reach]
