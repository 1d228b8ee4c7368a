"""Signed tree heads and the file that they are kept in.

A head is signed as RFC 9162 has it (sections 4.9 and 4.10): Ed25519 over the bytes of `TreeHeadDataV2`::

    uint64 timestamp; uint64 tree_size; opaque root_hash<32..255>; Extension sth_extensions<0..65535>

with the time in milliseconds since 1970 and no extensions. The log's id is SHA-256 of the public key in DER
(RFC 6962, section 3.2). A file of heads has one JSON object a line, hashes and signatures in base64::

    {"tree_size": 7, "timestamp": 1763845231123, "root_hash": "...", "log_id": "...", "signature": "..."}

and `time_stamp`, an RFC 3161 answer, where an authority was asked (see `stamps`).
"""

from __future__ import annotations

import fcntl
import hashlib
import json
import os
import struct
from base64 import b64decode, b64encode
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, BinaryIO

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from biasgov.audit.merkle import HASH_SIZE, TreeHead

_LARGEST = 2**63 - 1
_LATEST = 253_402_300_799_999
"""The last millisecond of the year 9999."""
_LONGEST_LINE = 64 * 1024


class HeadError(Exception):
    """A tree head is not what it claims to be."""


@dataclass(frozen=True, slots=True)
class SignedHead:
    """A tree head and its signature. timestamp: milliseconds since 1970. time_stamp: an RFC 3161 answer, or empty."""

    head: TreeHead
    timestamp: int
    log_id: bytes
    signature: bytes
    time_stamp: bytes = b""

    @property
    def size(self) -> int:
        return self.head.size

    @property
    def signed_at(self) -> datetime:
        """When the log says that it signed."""
        return datetime.fromtimestamp(self.timestamp / 1000, UTC)

    @property
    def stamped_bytes(self) -> bytes:
        """What a time stamp covers: `SignedTreeHeadDataV2`, so the signature too is as old as the stamp."""
        return b"".join(
            (
                bytes([len(self.log_id)]) + self.log_id,
                tree_head_data(self.head, self.timestamp),
                struct.pack(">H", len(self.signature)) + self.signature,
            )
        )

    def to_dict(self) -> dict[str, Any]:
        """The JSON object of one line."""
        return {
            "tree_size": self.head.size,
            "timestamp": self.timestamp,
            "root_hash": b64encode(self.head.root).decode(),
            "log_id": b64encode(self.log_id).decode(),
            "signature": b64encode(self.signature).decode(),
            **({"time_stamp": b64encode(self.time_stamp).decode()} if self.time_stamp else {}),
        }

    @classmethod
    def from_dict(cls, content: Any) -> SignedHead:
        """Read one line's object. Raises HeadError for anything but a well-formed one; the signature is not checked."""
        if not isinstance(content, Mapping):
            raise HeadError("a tree head must be a JSON object")
        root = _decoded(content, "root_hash")
        if len(root) != HASH_SIZE:
            raise HeadError(f"root_hash has {len(root)} bytes instead of {HASH_SIZE}")
        if _whole(content, "timestamp") > _LATEST:
            raise HeadError("timestamp lies behind the year 9999")
        return cls(
            TreeHead(_whole(content, "tree_size"), root),
            _whole(content, "timestamp"),
            _decoded(content, "log_id"),
            _decoded(content, "signature"),
            _decoded(content, "time_stamp") if "time_stamp" in content else b"",
        )


def tree_head_data(head: TreeHead, timestamp: int) -> bytes:
    """The signed bytes: RFC 9162's `TreeHeadDataV2` without extensions."""
    return struct.pack(">QQB", timestamp, head.size, len(head.root)) + head.root + struct.pack(">H", 0)


def log_id(key: Ed25519PublicKey) -> bytes:
    """SHA-256 of the public key in DER."""
    return hashlib.sha256(key.public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)).digest()


def sign(key: Ed25519PrivateKey, head: TreeHead, at: datetime) -> SignedHead:
    """Sign `head` as of `at` (aware)."""
    timestamp = int(at.timestamp() * 1000)
    return SignedHead(head, timestamp, log_id(key.public_key()), key.sign(tree_head_data(head, timestamp)))


def check_signature(signed: SignedHead, key: Ed25519PublicKey) -> None:
    """Raises HeadError unless `key` signed this head."""
    if signed.log_id != log_id(key):
        raise HeadError(f"the head of size {signed.size:,} names another key")
    try:
        key.verify(signed.signature, tree_head_data(signed.head, signed.timestamp))
    except InvalidSignature:
        raise HeadError(f"the signature of the head of size {signed.size:,} does not fit it") from None


def check_by_one_of(signed: SignedHead, keys: Mapping[bytes, Ed25519PublicKey]) -> None:
    """Raises HeadError unless one of `keys` (by log id) signed this head."""
    key = keys.get(signed.log_id)
    if key is None:
        raise HeadError(f"the head of size {signed.size:,} names another key")
    check_signature(signed, key)


class HeadFile:
    """The heads that were signed, oldest first, in a file that only ever grows. It need not exist yet."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def last(self) -> SignedHead | None:
        """The newest head; None if there is none yet. Raises HeadError if the last line cannot be read as one."""
        try:
            with self.path.open("rb") as file:
                end = file.seek(0, os.SEEK_END)
                file.seek(max(0, end - _LONGEST_LINE))
                lines = file.read().split(b"\n")
        except FileNotFoundError:
            return None
        # What follows the last line feed was cut off while it was written.
        whole = [line for line in lines[:-1] if line]
        return read_line(whole[-1]) if whole else None

    def __iter__(self) -> Iterator[SignedHead]:
        """All readable heads, oldest first; what cannot be read is passed over."""
        return self.beyond(0)

    def covering(self, size: int) -> SignedHead | None:
        """The first head over at least `size` leaves; None if there is none yet."""
        return next(self._from(lambda signed: signed.size >= size), None)

    def beyond(self, size: int) -> Iterator[SignedHead]:
        """The heads over at least `size` leaves, oldest first."""
        return self._from(lambda signed: signed.size >= size)

    def since(self, timestamp: int) -> Iterator[SignedHead]:
        """The heads signed at `timestamp` (milliseconds) or later, oldest first."""
        return self._from(lambda signed: signed.timestamp >= timestamp)

    def _from(self, is_late: Callable[[SignedHead], bool]) -> Iterator[SignedHead]:
        """All heads from the first that `is_late`, found by bisection: sizes and times never fall along the file."""
        if not self.path.exists():
            return
        with self.path.open("rb") as file:
            low, high = 0, file.seek(0, os.SEEK_END)
            while low < high:
                middle = (low + high) // 2
                found = next(_heads_from(file, middle), None)
                if found is None or is_late(found):
                    high = middle
                else:
                    low = middle + 1
            yield from _heads_from(file, low)

    def append(self, signed: SignedHead) -> None:
        """Add one line and wait until it is on disk. Call it while holding `locked`."""
        is_new = not self.path.exists()
        descriptor = os.open(self.path, os.O_RDWR | os.O_APPEND | os.O_CREAT | os.O_CLOEXEC, 0o640)
        try:
            end = os.lseek(descriptor, 0, os.SEEK_END)
            torn = end > 0 and os.pread(descriptor, 1, end - 1) != b"\n"
            line = json.dumps(signed.to_dict(), separators=(",", ":")).encode() + b"\n"
            content = (b"\n" if torn else b"") + line
            if os.write(descriptor, content) != len(content):
                raise OSError(f"{self.path} took only a part of a tree head")
            os.fsync(descriptor)
        finally:
            os.close(descriptor)
        if is_new:
            _sync_folder(self.path.parent)

    @contextmanager
    def locked(self) -> Iterator[bool]:
        """Keep other signers out while inside; False if one is at work already."""
        self.path.parent.mkdir(mode=0o750, parents=True, exist_ok=True)
        descriptor = os.open(self.path.with_suffix(".lock"), os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o640)
        try:
            try:
                fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                yield False
            else:
                yield True
        finally:
            os.close(descriptor)


def read_line(line: bytes) -> SignedHead:
    """One line of a file of heads. Raises HeadError."""
    try:
        content = json.loads(line)
    except (ValueError, RecursionError):
        raise HeadError("a tree head must be a line of JSON") from None
    return SignedHead.from_dict(content)


def _heads_from(file: BinaryIO, offset: int) -> Iterator[SignedHead]:
    """The readable heads whose lines start at `offset` or later."""
    file.seek(max(0, offset - 1))
    if offset:
        file.readline()
    for line in file:
        with suppress(HeadError):
            yield read_line(line)


def _whole(content: Mapping[str, Any], name: str) -> int:
    given = content.get(name)
    if not isinstance(given, int) or isinstance(given, bool) or not 0 <= given <= _LARGEST:
        raise HeadError(f"{name} must be a whole number, not {given!r:.40}")
    return given


def _decoded(content: Mapping[str, Any], name: str) -> bytes:
    given = content.get(name)
    if not isinstance(given, str):
        raise HeadError(f"{name} must be base64, not {given!r:.40}")
    try:
        return b64decode(given, validate=True)
    except ValueError:
        raise HeadError(f"{name} must be base64, not {given!r:.40}") from None


def _sync_folder(folder: Path) -> None:
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
