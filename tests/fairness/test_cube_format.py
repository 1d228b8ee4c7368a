from __future__ import annotations

import hashlib
import json
import struct
import zlib

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from biasgov.fairness.cube import CubeSchema, OutcomeCube
from tests.fairness.tables import SCHEMA, count, event_rows


@given(event_rows())
def test_bytes_give_the_cube_back(rows):
    cube = count(rows)
    content = cube.to_bytes()
    again = OutcomeCube.from_bytes(content)
    assert again == cube
    assert again.to_bytes() == content
    assert cube.digest == hashlib.sha256(content).hexdigest()


def test_layout_is_the_documented_one():
    schema = CubeSchema.of({"sex": ("Männlich",)})
    content = OutcomeCube.count(schema, [[0, 0, 1]], [1, 1, 0], [1, 1, -1], [0.5, 0.75, np.nan]).to_bytes()
    magic, version, length = struct.unpack_from("<6sHI", content)
    assert (magic, version) == (b"BGCUBE", 1)
    assert json.loads(content[12 : 12 + length]) == {"axes": [{"name": "sex", "levels": ["Männlich"]}]}
    (cells,) = struct.unpack_from("<I", content, 12 + length)
    assert cells == 3
    body = zlib.decompress(content[16 + length :])
    half, three_quarters = (0 * 2 + 1) * 3 * 21 + 21 + 10, (0 * 2 + 1) * 3 * 21 + 21 + 15
    assert struct.unpack_from("<3I", body) == (half, three_quarters, (1 * 2 + 0) * 3 * 21 + 2 * 21 + 20)
    assert struct.unpack_from("<9q", body, 12) == (1, 1, 1, 2**23, 3 * 2**22, 0, 2**22, 9 * 2**20, 0)


def _parts(content: bytes) -> tuple[bytes, bytes]:
    (length,) = struct.unpack_from("<I", content, 8)
    return content[: 16 + length], zlib.decompress(content[16 + length :])


GOOD = OutcomeCube.count(SCHEMA, [[0, 1], [0, 1]], [1, 0], [1, 0], [0.5, 0.25]).to_bytes()
HEAD, BODY = _parts(GOOD)


def _with(place: int, layout: str, value: int) -> bytes:
    body = bytearray(BODY)
    struct.pack_into(layout, body, place, value)
    return HEAD + zlib.compress(bytes(body), 6)


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"", "only 0 bytes"),
        (b"PK\x03\x04" + GOOD, "begins with"),
        (GOOD[:6] + b"\x02\x00" + GOOD[8:], "version 2"),
        (GOOD[:20], "cut off in its schema"),
        (GOOD[:8] + b"\xff\xff\xff\xff" + GOOD[12:], "cut off in its schema"),
        (GOOD[:12] + b"\xff" + GOOD[13:], "unreadable schema"),
        (GOOD[:-3], "should take"),
        (GOOD + b"\x00", "should take"),
        (HEAD + zlib.compress(BODY + b"\x00", 6), "should take"),
        (HEAD + b"not zlib", "damaged"),
        (HEAD[:-4] + struct.pack("<I", 10**6) + GOOD[len(HEAD) :], "claims 1000000"),
        (_with(4, "<I", 0), "ascending order"),
        (_with(4, "<I", SCHEMA.size), "ascending order"),
        (_with(8, "<q", 0), "without events"),
        (_with(8, "<q", 2**62), "more than"),
        (_with(24, "<q", -1), "score sums"),
        (_with(24, "<q", 2**40), "score sums"),
    ],
)
def test_bytes_that_no_cube_has_are_refused_with_the_reason(content, message):
    with pytest.raises(ValueError, match=message):
        OutcomeCube.from_bytes(content)


def test_a_schema_in_another_spelling_is_refused():
    spelled = json.dumps(SCHEMA.to_dict()).encode()
    content = GOOD[:8] + struct.pack("<I", len(spelled)) + spelled + HEAD[-4:] + GOOD[len(HEAD) :]
    with pytest.raises(ValueError, match="canonical"):
        OutcomeCube.from_bytes(content)


@given(st.binary(max_size=300))
def test_arbitrary_bytes_raise_nothing_but_value_errors(noise):
    with pytest.raises(ValueError, match="outcome cube"):
        OutcomeCube.from_bytes(b"BGCUBE\x01\x00" + noise)
