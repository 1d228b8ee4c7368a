"""numpy columns to PostgreSQL's binary format and back, without a Python object per value.

A packed array is what PostgreSQL sends for a one-dimensional array without nulls: dimensions, null flag, element
type, length, lower bound, then size and value of each element, all big-endian (``array_send`` in
``src/backend/utils/adt/arrayfuncs.c``). A copied table is a header of 19 bytes, then for each row the number of
fields and size and value of each field, then -1 (documentation of COPY, "Binary Format").
"""

from __future__ import annotations

import struct
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np
import numpy.typing as npt
import psycopg
from psycopg.adapt import Dumper
from psycopg.pq import Format

POSTGRES_EPOCH_MICROSECONDS = 946_684_800_000_000
_COPY_HEADER = b"PGCOPY\n\xff\r\n\0" + b"\0" * 8


@dataclass(frozen=True, slots=True)
class PackedArray:
    """An array parameter in binary format."""

    content: bytes
    element: ClassVar[int]
    wire: ClassVar[str]

    @classmethod
    def of(cls, values: npt.NDArray[Any]) -> PackedArray:
        if not len(values):
            return cls(struct.pack(">iiI", 0, 0, cls.element))
        cells = np.empty(len(values), dtype=[("size", ">i4"), ("value", cls.wire)])
        cells["size"] = cells.dtype["value"].itemsize
        cells["value"] = values
        return cls(struct.pack(">iiIii", 1, 0, cls.element, len(values), 1) + cells.tobytes())


class Uuids(PackedArray):
    """From void values of 16 bytes."""

    element, wire = 2950, "V16"


class Times(PackedArray):
    """From int64 microseconds since 2000-01-01 UTC."""

    element, wire = 1184, ">i8"


class Days(PackedArray):
    """From int32 days since 2000-01-01."""

    element, wire = 1082, ">i4"


class Smallints(PackedArray):
    """From integers."""

    element, wire = 21, ">i2"


class Integers(PackedArray):
    """From integers."""

    element, wire = 23, ">i4"


class Reals(PackedArray):
    """From floats; NaN stands for no value."""

    element, wire = 700, ">f4"


class _ArrayDumper(Dumper):
    format = Format.BINARY

    def dump(self, obj: PackedArray) -> bytes:
        return obj.content


def _dumper(array_oid: int) -> type[Dumper]:
    return type("_Dumper", (_ArrayDumper,), {"oid": array_oid})


_DUMPERS = {
    packed: _dumper(array_oid)
    for packed, array_oid in (
        (Uuids, 2951),
        (Times, 1185),
        (Days, 1182),
        (Smallints, 1005),
        (Integers, 1007),
        (Reals, 1021),
    )
}


def cursor(connection: Any) -> psycopg.Cursor[tuple[Any, ...]]:
    """A server-side-binding cursor of Django's connection that takes packed arrays as parameters."""
    connection.ensure_connection()
    opened: psycopg.Cursor[tuple[Any, ...]] = psycopg.Cursor(connection.connection)
    for packed, dumper in _DUMPERS.items():
        opened.adapters.register_dumper(packed, dumper)
    return opened


def microseconds(times: Iterable[float], count: int) -> npt.NDArray[np.int64]:
    """POSIX seconds to microseconds since 2000-01-01; a float's error stays below half a microsecond until 2100."""
    seconds = np.fromiter(times, np.float64, count)
    return np.rint(seconds * 1e6).astype(np.int64) - POSTGRES_EPOCH_MICROSECONDS


def copied_rows(content: bytes, columns: Sequence[tuple[str, str]]) -> npt.NDArray[Any]:
    """The rows of a binary COPY whose fields all have fixed width and are never null.

    `columns` are names and big-endian numpy types. Raises ValueError if `content` is anything else.
    """
    fields: list[tuple[str, str]] = [("fields", ">i2")]
    for name, wire in columns:
        fields += [(f"{name}_size", ">i4"), (name, wire)]
    row = np.dtype(fields)
    body = len(content) - len(_COPY_HEADER) - 2
    if content[: len(_COPY_HEADER)] != _COPY_HEADER or body % row.itemsize:
        raise ValueError("the copied rows do not have the declared columns")
    rows = np.frombuffer(content, row, body // row.itemsize, len(_COPY_HEADER))
    if len(rows) and (rows["fields"] != len(columns)).any():
        raise ValueError("the copied rows have another number of columns")
    return rows
