"""How many people, not events, stand behind a count: enough of them are remembered to tell ten from nine.

For every group of an hour the marks of at most thirty-two people are kept: the smallest 32 bits that their pseudonyms
begin with (a bottom-k sketch: Bar-Yossef et al. 2002, "Counting distinct elements in a data stream", RANDOM 2002).
Marks of hours are joined, in any order, by taking the distinct ones, so one person with forty events stays one
person. Up to thirty-two the count is exact but for two people sharing 32 bits (once in 36 million for ten people),
which counts them as one: never too many.

A mark names no level; what it stands under does. They are kept beside the cubes, where the web side may not read.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from biasgov.fairness.cube import CubeSchema, destinations
from biasgov.fairness.schema import TAIL

MOST = 32

Int64 = npt.NDArray[np.int64]
Marks = npt.NDArray[np.uint64]


@dataclass(frozen=True, slots=True, eq=False)
class People:
    """Marks of people by group; `marks` ascends: the group's row-major place among all groups, then 32 bits."""

    schema: CubeSchema
    marks: Marks

    @classmethod
    def nobody(cls, schema: CubeSchema) -> People:
        return cls(schema, np.zeros(0, np.uint64))

    @classmethod
    def count(
        cls, schema: CubeSchema, codes: Sequence[npt.NDArray[np.int16]], subjects: npt.NDArray[np.uint8]
    ) -> People:
        """The people of events. codes: one array per axis, shape (n,); subjects: pseudonyms, shape (n, 16)."""
        place = np.zeros(len(subjects), np.uint64)
        for axis, code in zip(schema.axes, codes, strict=True):
            place = place * np.uint64(len(axis)) + code.astype(np.uint64)
        first = np.ascontiguousarray(subjects[:, :4]).view("<u4").ravel().astype(np.uint64)
        return cls(schema, _fewest(place << np.uint64(32) | first))

    @classmethod
    def join(cls, parts: Iterable[People], schema: CubeSchema) -> People:
        """The people of all parts. Parts of an older schema are aligned as `OutcomeCube.sum` aligns cubes."""
        moved = [part.marks if part.schema == schema else _moved(part, schema) for part in parts]
        return cls(schema, _fewest(np.concatenate([np.zeros(0, np.uint64), *moved])))

    def least(self, names: Sequence[str]) -> Int64:
        """At least so many people are in each group of the named attributes, in the schema's order of them.

        Returns
        -------
        array of shape (len(axis) per name...,)
            Exact below `MOST`; a group that has more says at least so many.
        """
        widths = tuple(len(axis) for axis in self.schema.axes)
        chosen = [i for i, axis in enumerate(self.schema.axes) if axis.name in names]
        shape = tuple(widths[i] for i in chosen)
        coordinates = np.unravel_index(_places(self.marks), widths) if widths else ()
        group = np.ravel_multi_index([coordinates[i] for i in chosen], shape) if chosen else np.zeros(0, np.int64)
        people = np.unique(group.astype(np.uint64) << np.uint64(32) | self.marks & np.uint64(0xFFFFFFFF))
        return np.bincount(_places(people), minlength=math.prod(shape)).reshape(shape)

    def to_bytes(self) -> bytes:
        """The marks, 8 bytes each, little endian."""
        return self.marks.astype("<u8").tobytes()

    @classmethod
    def from_bytes(cls, content: bytes, schema: CubeSchema) -> People:
        """Inverse of `to_bytes`. Raises ValueError for a length that is no multiple of 8."""
        return cls(schema, np.frombuffer(content, "<u8").astype(np.uint64))


def _places(marks: Marks) -> Int64:
    return (marks >> np.uint64(32)).astype(np.int64)


def _fewest(marks: Marks) -> Marks:
    """Distinct marks, ascending, the smallest `MOST` of every group."""
    distinct = np.unique(marks)
    place = _places(distinct)
    starts = np.flatnonzero(np.diff(place, prepend=-1))
    rank = np.arange(len(place)) - np.repeat(starts, np.diff(starts, append=len(place)))
    return distinct[rank < MOST]


def _moved(part: People, schema: CubeSchema) -> Marks:
    tail = math.prod(TAIL)
    there = destinations(part.schema, schema)[_places(part.marks) * tail] // tail
    return there.astype(np.uint64) << np.uint64(32) | part.marks & np.uint64(0xFFFFFFFF)
