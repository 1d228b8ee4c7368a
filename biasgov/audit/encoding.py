"""The bytes of an audit entry that its leaf hash covers.

The leaf's data is one JSON object, version 1, in UTF-8::

    {"action":A,"actor":P,"at":"2026-11-22T21:40:31.123456Z","detail":D,"subject":S,"v":1}

- keys of every object in ascending order of their code points; no white space between tokens;
- `at` in UTC with exactly six decimals and the letter Z;
- strings as JSON strings where only ``"``, ``\\`` and the control characters below U+0020 are escaped (``\\b \\t \\n
  \\f \\r``, others ``\\u00xx`` in lower case); NUL and lone surrogates do not occur;
- integers in decimal; a number with a whole value is written as that integer (1.0 is ``1``, -0.0 is ``0``); other
  numbers are written as the shortest decimal that reads back to the same 64-bit float, as Python's ``repr`` does;
- ``true``, ``false``, ``null``.

The leaf hash is SHA-256 of the byte 0x00 followed by that data (RFC 9162, section 2.1.1). The serial number is not
part of it: an entry's place in the tree is its number there.
"""

from __future__ import annotations

import json
import math
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

from biasgov.audit.merkle import leaf_hash

VERSION = 1


def plain(content: Any) -> Any:
    """`content` as JSON values that PostgreSQL's jsonb gives back unchanged.

    Raises
    ------
    ValueError
        A value that is not JSON, not finite, or text that PostgreSQL cannot store.
    """
    if content is None or isinstance(content, bool):
        return content
    if isinstance(content, str):
        return _text(str(content))
    if isinstance(content, int):
        return int(content)
    if isinstance(content, float):
        if not math.isfinite(content):
            raise ValueError(f"an audit entry cannot hold {content!r}")
        return int(content) if content.is_integer() else float(content)
    if isinstance(content, Mapping):
        if not all(isinstance(key, str) for key in content):
            raise ValueError("the keys of an audit entry's detail must be text")
        return {_text(key): plain(value) for key, value in content.items()}
    if isinstance(content, list | tuple):
        return [plain(value) for value in content]
    raise ValueError(f"an audit entry cannot hold a {type(content).__name__}: give text or a number")


def leaf_data(*, at: datetime, actor: str, action: str, subject: str, detail: Any) -> bytes:
    """The canonical bytes of one entry; `at` must be aware."""
    moment = at.astimezone(UTC).replace(tzinfo=None).isoformat(timespec="microseconds") + "Z"
    entry = {"v": VERSION, "at": moment, "actor": actor, "action": action, "subject": subject, "detail": plain(detail)}
    return json.dumps(entry, ensure_ascii=False, sort_keys=True, separators=(",", ":"), allow_nan=False).encode()


def entry_hash(*, at: datetime, actor: str, action: str, subject: str, detail: Any) -> bytes:
    """The 32-byte leaf hash of one entry."""
    return leaf_hash(leaf_data(at=at, actor=actor, action=action, subject=subject, detail=detail))


def _text(content: str) -> str:
    if "\0" in content or any("\ud800" <= character <= "\udfff" for character in content):
        raise ValueError(f"an audit entry cannot hold the text {content!r}: it has a NUL or a lone surrogate")
    return content
