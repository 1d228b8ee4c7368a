"""At which moments a window that was told began or ended, and which windows were hidden there: group by group.

Whoever knows two windows knows their difference. So all that is told of a group over time is how many of it were
decided about between any two of its *told* edges, and what is hidden lies between *hidden* edges. `holding` keeps the
two apart; this is what it remembers.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Self

import numpy as np
import numpy.typing as npt
from django.db import connection

from apps.monitoring.tables import Flags, Names
from biasgov.fairness.cube import CubeSchema

KEPT = timedelta(days=70)
"""No window that is evaluated in the ordinary course reaches further back: 30 days before a moment 30 days ago."""


@dataclass(frozen=True, slots=True)
class Shape:
    """The order in which the groups of all tables stand in one row of flags."""

    digest: str
    slices: Mapping[Names, slice]
    shapes: Mapping[Names, tuple[int, ...]]
    size: int

    @classmethod
    def of(cls, schema: CubeSchema, tables: Iterable[Names]) -> Self:
        slices: dict[Names, slice] = {}
        shapes: dict[Names, tuple[int, ...]] = {}
        start = 0
        for names in tables:
            shapes[names] = tuple(len(schema.axis(name)) for name in names)
            slices[names] = slice(start, start := start + int(np.prod(shapes[names])))
        described = f"{schema.to_dict()} {list(slices)}"
        return cls(hashlib.sha256(described.encode()).hexdigest()[:16], slices, shapes, start)


@dataclass(slots=True)
class Ledger:
    """Moments ascending; for each the groups of which a told window, or a hidden one, began or ended there.

    told, hidden: shape (moments, groups).
    """

    shape: Shape
    at: list[datetime]
    told: npt.NDArray[np.bool_]
    hidden: npt.NDArray[np.bool_]

    @classmethod
    def empty(cls, shape: Shape) -> Self:
        return cls(shape, [], np.zeros((0, shape.size), bool), np.zeros((0, shape.size), bool))

    def opened(self, moments: Iterable[datetime]) -> Ledger:
        """A copy with empty rows for moments that have none."""
        at = sorted({*self.at, *moments})
        told, hidden = (np.zeros((len(at), self.shape.size), bool) for _ in range(2))
        here = [at.index(moment) for moment in self.at]
        told[here], hidden[here] = self.told, self.hidden
        return Ledger(self.shape, at, told, hidden)


def ledger_of(model_id: int, shape: Shape, *, around: datetime) -> Ledger:
    """What is remembered of a model; rows written under other attributes count as told of everybody."""
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT at, shape, told, hidden FROM cube.told_edge WHERE model_id = %s AND at BETWEEN %s AND %s"
            " ORDER BY at",
            [model_id, around - KEPT, around + KEPT],
        )
        rows = cursor.fetchall()
    told = np.ones((len(rows), shape.size), bool)
    hidden = np.zeros((len(rows), shape.size), bool)
    for place, (_, digest, told_cells, hidden_cells) in enumerate(rows):
        if digest == shape.digest:
            told[place], hidden[place] = _unpacked(told_cells, shape.size), _unpacked(hidden_cells, shape.size)
    return Ledger(shape, [row[0] for row in rows], told, hidden)


def ledger_store(model_id: int, ledger: Ledger, moments: Sequence[datetime]) -> None:
    """Keep the rows of `moments` in the caller's transaction, and drop those that no window reaches any more."""
    rows = [
        (
            model_id,
            moment,
            ledger.shape.digest,
            np.packbits(ledger.told[place]).tobytes(),
            np.packbits(ledger.hidden[place]).tobytes(),
        )
        for moment in moments
        for place in [ledger.at.index(moment)]
    ]
    with connection.cursor() as cursor:
        cursor.executemany(
            "INSERT INTO cube.told_edge (model_id, at, shape, told, hidden) VALUES (%s, %s, %s, %s, %s)"
            " ON CONFLICT (model_id, at) DO UPDATE SET shape = excluded.shape, told = excluded.told,"
            " hidden = excluded.hidden",
            rows,
        )
        cursor.execute(
            "DELETE FROM cube.told_edge WHERE model_id = %s AND at < %s", [model_id, max(moments) - 2 * KEPT]
        )


def _unpacked(packed: bytes, size: int) -> Flags:
    return np.unpackbits(np.frombuffer(bytes(packed), np.uint8), count=size).astype(bool)
