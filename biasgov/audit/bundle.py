"""What the log is exported as: one JSON object a line, so that it is written and read without being held in memory.

The first line is the header, and `format` in it says what follows:

``biasgov-audit-log``
    the whole log up to a signed head. A line for each entry, in the order of the tree, and each signed head behind the
    last entry that it covers::

        {"leaf_index":0,"leaf_hash":"<hex>","entry":{...}}
        {"head":{...}}

``biasgov-audit-part``
    some entries and the proof that each stands under the one head, which comes first; what was left out is not shown::

        {"head":{...}}
        {"leaf_index":7,"leaf_hash":"<hex>","path":["<hex>",...],"entry":{...}}

``biasgov-audit-consistency``
    two heads, and the proof that the later tree only added to the earlier::

        {"head":{...}}
        {"head":{...}}
        {"consistency":["<hex>",...]}

The bytes behind ``"entry":`` are those that the leaf hash covers (see `encoding`); a head is as in the file of heads.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any, BinaryIO, TypeAlias

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat, load_pem_public_key

from biasgov.audit.heads import HeadError, SignedHead

LOG = "biasgov-audit-log"
PART = "biasgov-audit-part"
CONSISTENCY = "biasgov-audit-consistency"
VERSION = 1
LONGEST_LINE = 16 * 1024 * 1024

_ENTRY = re.compile(
    rb'\{"leaf_index":(0|[1-9][0-9]{0,17}),"leaf_hash":"([0-9a-f]{64})",'
    rb'(?:"path":\[((?:"[0-9a-f]{64}"(?:,"[0-9a-f]{64}")*)?)\],)?"entry":(\{.*\})\}\n',
    re.DOTALL,
)
_HASH = re.compile(r"[0-9a-f]{64}")


class BundleError(Exception):
    """A file is not an export of the log, or breaks off being one."""


@dataclass(frozen=True, slots=True)
class Header:
    """What an export says of itself; nothing of it is signed. `public_key` is PEM."""

    format: str
    public_key: str
    exported_at: str
    entries: int

    def to_dict(self) -> dict[str, Any]:
        return {
            "format": self.format,
            "v": VERSION,
            "exported_at": self.exported_at,
            "entries": self.entries,
            "public_key": self.public_key,
        }


@dataclass(frozen=True, slots=True)
class EntryLine:
    """An entry's canonical bytes, the place and hash that are stated for it, and its path where that is given."""

    leaf_index: int
    leaf_hash: bytes
    data: bytes
    path: tuple[bytes, ...] | None = None


@dataclass(frozen=True, slots=True)
class ConsistencyLine:
    path: tuple[bytes, ...]


Line: TypeAlias = EntryLine | SignedHead | ConsistencyLine


def header_line(header: Header) -> bytes:
    return _encoded(header.to_dict())


def entry_line(line: EntryLine) -> bytes:
    path = "" if line.path is None else f'"path":{_hexes(line.path)},'
    start = f'{{"leaf_index":{line.leaf_index},"leaf_hash":"{line.leaf_hash.hex()}",{path}"entry":'
    return start.encode() + line.data + b"}\n"


def head_line(signed: SignedHead) -> bytes:
    return _encoded({"head": signed.to_dict()})


def consistency_line(path: tuple[bytes, ...]) -> bytes:
    return f'{{"consistency":{_hexes(path)}}}\n'.encode()


def read_header(file: BinaryIO) -> Header:
    """The first line. Raises BundleError if it does not open an export of this version."""
    content = _object(_line(file, 1))
    kind, entries = content.get("format"), content.get("entries")
    if not (kind in (LOG, PART, CONSISTENCY) and content.get("v") == VERSION):
        raise BundleError("This is no export of an audit log that this version knows: its first line is no header.")
    if not isinstance(entries, int) or isinstance(entries, bool) or entries < 0:
        raise BundleError("The header does not say how many entries follow.")
    return Header(str(kind), str(content.get("public_key", "")), str(content.get("exported_at", "")), entries)


def read_lines(file: BinaryIO) -> Iterator[tuple[int, Line]]:
    """(number, content) of the lines behind the header. Raises BundleError at the first that cannot be read."""
    number = 2
    while line := _line(file, number):
        yield number, _read(line, number)
        number += 1


def pem_of(key: Ed25519PublicKey) -> str:
    return key.public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo).decode()


def read_key(text: str) -> Ed25519PublicKey:
    """A public key from PEM, or from the 64 hexadecimal characters of a key file. Raises BundleError."""
    try:
        if text.lstrip().startswith("-----"):
            key = load_pem_public_key(text.encode())
            if isinstance(key, Ed25519PublicKey):
                return key
        elif _HASH.fullmatch(text.strip().lower()):
            return Ed25519PublicKey.from_public_bytes(bytes.fromhex(text.strip()))
    except ValueError:
        pass
    raise BundleError("The key is no Ed25519 public key in PEM or hexadecimal.")


def _line(file: BinaryIO, number: int) -> bytes:
    line = file.readline(LONGEST_LINE + 1)
    if len(line) > LONGEST_LINE:
        raise BundleError(f"Line {number:,} is longer than {LONGEST_LINE // 1024**2} MiB.")
    return line


def _read(line: bytes, number: int) -> Line:
    if not line.endswith(b"\n"):
        raise BundleError(f"Line {number:,} breaks off: the file was cut short.")
    if found := _ENTRY.fullmatch(line):
        index, digest, hashes, data = found.groups()
        return EntryLine(
            int(index),
            bytes.fromhex(digest.decode()),
            data,
            None if hashes is None else tuple(bytes.fromhex(each) for each in _HASH.findall(hashes.decode())),
        )
    content = _object(line)
    path = content.get("consistency")
    try:
        if "head" in content:
            signed = SignedHead.from_dict(content["head"])
            if head_line(signed) == line:
                return signed
        elif isinstance(path, list) and all(map(_is_hash, path)):
            proof = ConsistencyLine(tuple(map(bytes.fromhex, path)))
            if consistency_line(proof.path) == line:
                return proof
    except HeadError as error:
        raise BundleError(f"Line {number:,} holds no signed head: {error}.") from None
    raise BundleError(f"Line {number:,} is neither an entry nor a signed head as an export writes them.")


def _is_hash(text: Any) -> bool:
    return isinstance(text, str) and _HASH.fullmatch(text) is not None


def _object(line: bytes) -> Mapping[str, Any]:
    try:
        content = json.loads(line)
    except (ValueError, RecursionError):
        return {}
    return content if isinstance(content, dict) else {}


def _hexes(path: tuple[bytes, ...]) -> str:
    return json.dumps([each.hex() for each in path], separators=(",", ":"))


def _encoded(content: Mapping[str, Any]) -> bytes:
    return json.dumps(content, separators=(",", ":")).encode() + b"\n"
