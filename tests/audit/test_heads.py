"""Signed heads: what the signature covers, what is refused, and a file that only grows."""

from __future__ import annotations

import hashlib
import json
import os
import struct
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from biasgov.audit.heads import HeadError, HeadFile, SignedHead, check_signature, read_line, sign
from biasgov.audit.merkle import TreeHead, leaf_hash

KEY = Ed25519PrivateKey.from_private_bytes(bytes(range(32)))
OTHER = Ed25519PrivateKey.from_private_bytes(bytes(32))
NOON = datetime(2026, 5, 4, 12, tzinfo=UTC)


def signed(size: int, *, minutes: int = 0, key: Ed25519PrivateKey = KEY) -> SignedHead:
    return sign(key, TreeHead(size, leaf_hash(str(size).encode())), NOON + timedelta(minutes=minutes))


def test_the_signature_covers_the_bytes_of_rfc_9162() -> None:
    made = signed(7)
    by_hand = struct.pack(">Q", 1777896000000) + struct.pack(">Q", 7) + b"\x20" + leaf_hash(b"7") + b"\x00\x00"
    KEY.public_key().verify(made.signature, by_hand)
    assert made.signed_at == NOON


def test_the_id_of_the_log_is_the_hash_of_its_key() -> None:
    # An Ed25519 key in DER is these twelve bytes and the key (RFC 8410).
    der = bytes.fromhex("302a300506032b6570032100") + KEY.public_key().public_bytes_raw()
    assert signed(7).log_id == hashlib.sha256(der).digest()


@pytest.mark.parametrize(
    "lie",
    [
        lambda head: replace(head, head=replace(head.head, size=8)),
        lambda head: replace(head, head=replace(head.head, root=leaf_hash(b"other"))),
        lambda head: replace(head, timestamp=head.timestamp + 1),
        lambda head: replace(head, signature=head.signature[:-1] + bytes([head.signature[-1] ^ 1])),
        lambda head: replace(head, signature=b""),
        lambda head: replace(signed(7, key=OTHER), log_id=head.log_id),
        lambda head: signed(7, key=OTHER),
    ],
)
def test_a_forged_head_is_refused(lie: Any) -> None:
    check_signature(signed(7), KEY.public_key())
    with pytest.raises(HeadError):
        check_signature(lie(signed(7)), KEY.public_key())


def test_a_head_survives_its_line() -> None:
    made = replace(signed(7), time_stamp=b"\x30\x00")
    assert read_line(json.dumps(made.to_dict()).encode()) == made


@pytest.mark.parametrize(
    "change",
    [
        {"tree_size": -1},
        {"tree_size": "7"},
        {"tree_size": True},
        {"tree_size": 2**63},
        {"timestamp": 1.5},
        {"root_hash": "AAAA"},
        {"root_hash": None},
        {"signature": "not base64!"},
        {"log_id": 3},
        {"time_stamp": None},
    ],
)
def test_a_malformed_head_is_refused(change: dict[str, Any]) -> None:
    with pytest.raises(HeadError):
        SignedHead.from_dict(signed(7).to_dict() | change)


@pytest.mark.parametrize("line", [b"", b"[]", b"{}", b"null", b"\xff", b'{"tree_size":', b"[" * 100_000])
def test_what_is_no_head_at_all_is_refused(line: bytes) -> None:
    with pytest.raises(HeadError):
        read_line(line)


@pytest.fixture
def file(tmp_path: Path) -> HeadFile:
    return HeadFile(tmp_path / "heads" / "tree-heads.jsonl")


def kept(file: HeadFile, *heads: SignedHead) -> None:
    with file.locked() as ours:
        assert ours
        for head in heads:
            file.append(head)


def test_a_file_that_does_not_exist_holds_nothing(file: HeadFile) -> None:
    assert file.last() is None
    assert list(file) == []
    assert file.covering(1) is None


def test_heads_are_found_by_size_and_time(file: HeadFile) -> None:
    heads = [signed(size, minutes=size) for size in (1, 5, 5, 9, 40, 41, 1000)]
    kept(file, *heads)
    assert list(file) == heads
    assert file.last() == heads[-1]
    for wanted in range(1, 1001):
        assert file.covering(wanted) == next(head for head in heads if head.size >= wanted)
    assert file.covering(1001) is None
    assert list(file.beyond(9)) == heads[3:]
    assert list(file.since(heads[4].timestamp)) == heads[4:]


def test_what_was_written_is_never_touched_again(file: HeadFile) -> None:
    kept(file, signed(1))
    before = file.path.read_bytes()
    inode = file.path.stat().st_ino
    kept(file, signed(2))
    assert file.path.read_bytes().startswith(before)
    assert file.path.stat().st_ino == inode
    assert file.path.stat().st_mode & 0o137 == 0


def test_a_line_cut_off_by_a_crash_does_not_swallow_the_next(file: HeadFile) -> None:
    kept(file, signed(1), signed(2))
    with file.path.open("ab") as torn:
        torn.write(b'{"tree_size":3,"time')
    assert file.last() == signed(2)
    kept(file, signed(3))
    assert list(file) == [signed(1), signed(2), signed(3)]
    assert file.last() == signed(3)


def test_an_end_that_is_no_head_is_said_aloud(file: HeadFile) -> None:
    kept(file, signed(1))
    with file.path.open("ab") as tampered:
        tampered.write(b"nothing happened here\n")
    with pytest.raises(HeadError):
        file.last()


def test_a_very_long_time_stamp_does_not_hide_the_last_head(file: HeadFile) -> None:
    stamped = replace(signed(2), time_stamp=os.urandom(20_000))
    kept(file, signed(1), stamped)
    assert file.last() == stamped


def test_only_one_signs_at_a_time(file: HeadFile) -> None:
    with file.locked() as ours, HeadFile(file.path).locked() as second:
        assert ours
        assert not second
    with file.locked() as ours:
        assert ours
