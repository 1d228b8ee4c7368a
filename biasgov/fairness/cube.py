"""The outcome cube: a contingency table of events that adds up exactly, in any order, to the same bytes.

Three measures per cell: the number of events, the sum of their scores and the sum of their squared scores.
Scores are kept in fixed point (multiples of 2**-24), so that the sums are integers: exact, independent of
order and of chunking. Storage is sparse and canonical: cells in ascending order of their row-major index,
only cells that hold events.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from biasgov.fairness import cube_format
from biasgov.fairness.counting import SCALE, count_cells
from biasgov.fairness.schema import SCORE_BINS, TAIL, UNKNOWN, Axis, CubeSchema

__all__ = ["SCORE_BINS", "UNKNOWN", "Axis", "CubeSchema", "Marginal", "OutcomeCube", "destinations"]

Int64 = npt.NDArray[np.int64]
Float64 = npt.NDArray[np.float64]


@dataclass(frozen=True, slots=True, eq=False)
class Marginal:
    """Dense counts of some attributes: every array has shape (len(axis) per name..., 2, 3, 21).

    `score_sum` and `score_sq` are in units of 2**-24; `scores` and `squares` are the same in units of the
    score.
    """

    names: tuple[str, ...]
    n: Int64
    score_sum: Int64
    score_sq: Int64

    @property
    def scores(self) -> Float64:
        return self.score_sum / SCALE

    @property
    def squares(self) -> Float64:
        return self.score_sq / SCALE


@dataclass(frozen=True, slots=True, eq=False)
class OutcomeCube:
    """Counts of events by protected attributes, decision, outcome and score bin.

    `cells` holds ascending row-major indices into `schema.shape`; `n`, `score_sum`, `score_sq` are aligned
    with it.
    """

    schema: CubeSchema
    cells: Int64
    n: Int64
    score_sum: Int64
    score_sq: Int64

    def __post_init__(self) -> None:
        for array in (self.cells, self.n, self.score_sum, self.score_sq):
            array.setflags(write=False)

    @classmethod
    def empty(cls, schema: CubeSchema) -> OutcomeCube:
        return cls._from_dense(schema, np.zeros((3, schema.size), np.int64))

    @classmethod
    def count(
        cls,
        schema: CubeSchema,
        codes: Sequence[npt.ArrayLike],
        decision: npt.ArrayLike,
        outcome: npt.ArrayLike,
        score: npt.ArrayLike | None = None,
        *,
        weight: npt.ArrayLike | None = None,
    ) -> OutcomeCube:
        """Count events, one per row, or `weight` (whole numbers) per row.

        codes: one integer array per axis, in the schema's order (len(levels) = unknown). decision: 0 or 1.
        outcome: 0, 1, or -1 where there is no label yet. score: in [0, 1], NaN where there is none; None = no
        scores. Bins are `min(int(float32(score) * 20), 19)` in float32, the definition other engines can
        repeat.

        Raises ValueError naming the array and the value that does not fit.
        """
        return cls._from_dense(schema, count_cells(schema, codes, decision, outcome, score, weight))

    @classmethod
    def sum(cls, cubes: Iterable[OutcomeCube], schema: CubeSchema | None = None) -> OutcomeCube:
        """Sum of cubes, exact and independent of their order.

        Cubes of an older schema are aligned by name: the events of a cube that lacks an attribute are
        `unknown` there. Without `schema` the smallest one holding all cubes is used. An attribute that
        `schema` no longer has is summed out; a level that it no longer has raises ValueError, because nobody
        may silently turn unknown.
        """
        parts = list(cubes)
        target = CubeSchema.union([part.schema for part in parts]) if schema is None else schema
        total = np.zeros((3, target.size), np.int64)
        moved: dict[CubeSchema, Int64 | None] = {target: None}
        for part in parts:
            if part.schema not in moved:
                moved[part.schema] = destinations(part.schema, target)
            destination = moved[part.schema]
            if destination is None:
                # Cells of one cube are distinct, so plain fancy addition is complete here.
                total[0][part.cells] += part.n
                total[1][part.cells] += part.score_sum
                total[2][part.cells] += part.score_sq
            else:
                there = destination[part.cells]
                np.add.at(total[0], there, part.n)
                np.add.at(total[1], there, part.score_sum)
                np.add.at(total[2], there, part.score_sq)
        return cls._from_dense(target, total)

    def __add__(self, other: OutcomeCube) -> OutcomeCube:
        return OutcomeCube.sum((self, other))

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, OutcomeCube):
            return NotImplemented
        return self.schema == other.schema and all(
            np.array_equal(mine, theirs) for mine, theirs in zip(self._arrays(), other._arrays(), strict=True)
        )

    def __hash__(self) -> int:
        return hash(self.digest)

    def __repr__(self) -> str:
        return f"OutcomeCube({'*'.join(self.schema.names)}: {self.total} events in {len(self.cells)} cells)"

    @property
    def total(self) -> int:
        """Number of events."""
        return int(self.n.sum())

    def marginal(self, names: Sequence[str]) -> Marginal:
        """Dense counts over the named attributes, in the order given; `()` is the whole population.

        Raises ValueError for an attribute the cube does not have, or one named twice.
        """
        wanted = tuple(names)
        if len(set(wanted)) != len(wanted):
            raise ValueError(f"an attribute is named twice: {', '.join(wanted)}")
        for name in wanted:
            self.schema.axis(name)
        dense = np.zeros((3, self.schema.size), np.int64)
        for measure, values in zip(dense, (self.n, self.score_sum, self.score_sq), strict=True):
            measure[self.cells] = values
        dense = dense.reshape(3, *self.schema.shape)
        kept = [name for name in self.schema.names if name in wanted]
        summed = tuple(1 + i for i, name in enumerate(self.schema.names) if name not in wanted)
        dense = dense.sum(axis=summed)
        order = [1 + kept.index(name) for name in wanted]
        first = 1 + len(wanted)
        n, score_sum, score_sq = dense.transpose(0, *order, *range(first, first + len(TAIL)))
        return Marginal(wanted, n, score_sum, score_sq)

    def to_bytes(self) -> bytes:
        """Canonical bytes: equal cubes give equal bytes."""
        return cube_format.encode(self.schema, self._arrays())

    @classmethod
    def from_bytes(cls, content: bytes) -> OutcomeCube:
        """Inverse of `to_bytes`. Raises ValueError for anything that `to_bytes` could not have written."""
        schema, (cells, n, score_sum, score_sq) = cube_format.decode(content)
        return cls(schema, cells, n, score_sum, score_sq)

    @property
    def digest(self) -> str:
        """SHA-256 of `to_bytes()`, in hex."""
        return hashlib.sha256(self.to_bytes()).hexdigest()

    def _arrays(self) -> tuple[Int64, Int64, Int64, Int64]:
        return self.cells, self.n, self.score_sum, self.score_sq

    @classmethod
    def _from_dense(cls, schema: CubeSchema, dense: Int64) -> OutcomeCube:
        cells = np.flatnonzero(dense[0])
        return cls(schema, cells, dense[0][cells], dense[1][cells], dense[2][cells])


def destinations(source: CubeSchema, target: CubeSchema) -> Int64:
    """For every cell of `source`, its cell in `target`, by name; shape (source.size,).

    Raises ValueError for a level that `target` lacks.
    """
    coordinates = np.indices(source.shape, dtype=np.int64, sparse=True)
    by_name = dict(zip(source.names, coordinates, strict=False))
    parts: list[Int64] = []
    for axis in target.axes:
        if axis.name not in by_name:
            parts.append(np.array(len(axis.levels), np.int64))
            continue
        old = source.axis(axis.name)
        lost = [level for level in old.levels if level not in axis.levels]
        if lost:
            raise ValueError(f"attribute {axis.name!r}: the schema summed into lacks the counted level {lost[0]!r}")
        translation = np.array([axis.code(level) for level in old.labels], np.int64)
        parts.append(translation[by_name[axis.name]])
    parts.extend(coordinates[len(source.axes) :])
    place = np.zeros(source.shape, np.int64)
    for part, length in zip(parts, target.shape, strict=True):
        place = place * length + part
    return place.ravel()
