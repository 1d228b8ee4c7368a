"""The bytes of an outcome cube.

Layout, little endian: magic `BGCUBE`, uint16 version, uint32 length of the schema, the schema as canonical
JSON (UTF-8, sorted keys, no spaces), uint32 number of cells, then one zlib stream (level 6) of four columns:
cell indices as uint32, events, score sums and sums of squares as int64. Columns rather than rows, because
their high bytes are mostly zero.
"""

from __future__ import annotations

import json
import struct
import zlib

import numpy as np
import numpy.typing as npt

from biasgov.fairness.counting import SCALE
from biasgov.fairness.schema import SCORE_BINS, TAIL, CubeSchema

MAGIC = b"BGCUBE"
VERSION = 1
_LEVEL = 6
_HEAD = struct.Struct("<6sHI")
_COUNT = struct.Struct("<I")
_CELL_BYTES = 4 + 3 * 8
_LONGEST_SCHEMA = 1 << 20
_MOST_EVENTS = 1 << 38  # beyond it the fixed-point sums would leave int64

Int64 = npt.NDArray[np.int64]
Columns = tuple[Int64, Int64, Int64, Int64]


def encode(schema: CubeSchema, columns: Columns) -> bytes:
    """Canonical bytes of a cube's schema and columns (cells, n, score_sum, score_sq)."""
    described = _schema_bytes(schema)
    cells, *measures = columns
    body = cells.astype("<u4").tobytes() + b"".join(measure.astype("<i8").tobytes() for measure in measures)
    head = _HEAD.pack(MAGIC, VERSION, len(described)) + described + _COUNT.pack(len(cells))
    return head + zlib.compress(body, _LEVEL)


def decode(content: bytes) -> tuple[CubeSchema, Columns]:
    """Schema and columns. Raises ValueError, saying what is wrong, for bytes that no cube has."""
    if len(content) < _HEAD.size:
        raise ValueError(f"not an outcome cube: only {len(content)} bytes")
    magic, version, length = _HEAD.unpack_from(content)
    if magic != MAGIC:
        raise ValueError(f"not an outcome cube: begins with {magic!r}")
    if version != VERSION:
        raise ValueError(f"outcome cube of version {version}; this program reads version {VERSION}")
    end = _HEAD.size + length
    if length > _LONGEST_SCHEMA or len(content) < end + _COUNT.size:
        raise ValueError("outcome cube is cut off in its schema")
    schema = _read_schema(content[_HEAD.size : end])
    (cells_expected,) = _COUNT.unpack_from(content, end)
    if cells_expected > schema.size:
        raise ValueError(f"outcome cube claims {cells_expected} of {schema.size} cells")
    body = _inflate(content[end + _COUNT.size :], cells_expected * _CELL_BYTES)
    cells = np.frombuffer(body, "<u4", cells_expected).astype(np.int64)
    measures = np.frombuffer(body, "<i8", 3 * cells_expected, 4 * cells_expected).astype(np.int64)
    n, score_sum, score_sq = measures.reshape(3, cells_expected).copy()
    _check(schema, cells, n, score_sum, score_sq)
    return schema, (cells, n, score_sum, score_sq)


def _schema_bytes(schema: CubeSchema) -> bytes:
    return json.dumps(schema.to_dict(), sort_keys=True, separators=(",", ":"), ensure_ascii=False).encode()


def _read_schema(described: bytes) -> CubeSchema:
    try:
        fields = json.loads(described)
    except (UnicodeDecodeError, json.JSONDecodeError) as error:
        raise ValueError("outcome cube has an unreadable schema") from error
    if not isinstance(fields, dict):
        raise ValueError("outcome cube has an unreadable schema")
    schema = CubeSchema.from_dict(fields)
    if _schema_bytes(schema) != described:
        raise ValueError("outcome cube's schema is not in canonical form")
    return schema


def _inflate(compressed: bytes, expected: int) -> bytes:
    stream = zlib.decompressobj()
    try:
        # One byte more than expected, so that neither a short nor an endless stream passes.
        body = stream.decompress(compressed, expected + 1)
    except zlib.error as error:
        raise ValueError(f"outcome cube is damaged: {error}") from error
    if len(body) != expected or not stream.eof or stream.unused_data:
        raise ValueError(f"outcome cube is damaged: its cells should take {expected} bytes")
    return body


def _check(schema: CubeSchema, cells: Int64, n: Int64, score_sum: Int64, score_sq: Int64) -> None:
    if not len(cells):
        return
    if cells[-1] >= schema.size or (np.diff(cells) <= 0).any():
        raise ValueError("outcome cube's cells are not in ascending order within the schema")
    if (n <= 0).any() or (n > _MOST_EVENTS).any():
        raise ValueError("outcome cube has a cell without events, or with more than 2**38")
    highest = np.where(cells % TAIL[2] == SCORE_BINS, 0, n * SCALE)
    for sums in (score_sum, score_sq):
        if ((sums < 0) | (sums > highest)).any():
            raise ValueError("outcome cube has score sums that its events cannot have")
