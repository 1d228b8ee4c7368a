"""Counts of consecutive periods side by side, read out of their cubes without making one of them dense."""

from __future__ import annotations

import math
from collections.abc import Iterable
from dataclasses import dataclass, field

import numpy as np
import numpy.typing as npt

from biasgov.fairness.cube import OutcomeCube
from biasgov.fairness.schema import TAIL, CubeSchema

Int64 = npt.NDArray[np.int64]

_DECISIONS, _OUTCOMES, _BINS = TAIL


@dataclass(frozen=True, slots=True, eq=False)
class PeriodCounts:
    """The cells of all periods in one list: `period`, `cells` (row-major in `schema.shape`) and `n` are aligned."""

    schema: CubeSchema
    periods: int
    period: Int64
    cells: Int64
    n: Int64
    _tables: dict[tuple[str, ...], Int64] = field(default_factory=dict, repr=False)

    @classmethod
    def of(cls, schema: CubeSchema, parts: Iterable[tuple[int, OutcomeCube]], *, periods: int) -> PeriodCounts:
        """Cubes with the number of their period, 0 to periods - 1; several cubes of a period add up.

        Raises ValueError for a cube of another schema and for a period that does not exist.
        """
        known = list(parts)
        for number, cube in known:
            if cube.schema != schema:
                raise ValueError("A cube has another schema than the periods; sum it into this one first.")
            if not 0 <= number < periods:
                raise ValueError(f"There is no period {number} of {periods}.")
        if not known:
            nothing = np.zeros(0, np.int64)
            return cls(schema, periods, nothing, nothing, nothing)
        return cls(
            schema,
            periods,
            np.concatenate([np.full(cube.cells.size, number, np.int64) for number, cube in known]),
            np.concatenate([cube.cells for _, cube in known]),
            np.concatenate([cube.n for _, cube in known]),
        )

    def table(self, *names: str) -> Int64:
        """Events by period, level of the named attributes (unknown last), decision and outcome.

        Shape (periods, len(axis) per name..., 2, 3). Raises ValueError for an attribute that does not exist.
        """
        if names not in self._tables:
            self._tables[names] = self._count(names)
        return self._tables[names]

    def _count(self, names: tuple[str, ...]) -> Int64:
        shape = (self.periods, *(len(self.schema.axis(name)) for name in names), _DECISIONS, _OUTCOMES)
        place = self.period
        for name in names:
            at = self.schema.names.index(name)
            stride = math.prod(self.schema.shape[at + 1 :])
            place = place * self.schema.shape[at] + self.cells // stride % self.schema.shape[at]
        place = place * (_DECISIONS * _OUTCOMES) + self.cells // _BINS % (_DECISIONS * _OUTCOMES)
        # Weights are added as floats: exact below 2**53 events.
        counted = np.bincount(place, weights=self.n, minlength=math.prod(shape))
        return counted.astype(np.int64).reshape(shape)
