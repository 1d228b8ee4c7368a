"""Exports made by hand, and the ways in which somebody forges them."""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from biasgov.audit import bundle
from biasgov.audit.bundle import EntryLine, Header
from biasgov.audit.encoding import leaf_data
from biasgov.audit.heads import SignedHead, sign
from biasgov.audit.merkle import Frontier, leaf_hash

KEY = Ed25519PrivateKey.from_private_bytes(bytes(range(32)))
FOREIGN = Ed25519PrivateKey.from_private_bytes(bytes(32))
NOON = datetime(2026, 5, 4, 12, tzinfo=UTC)
EVERY = 5
"""How many entries lie between two heads."""


def data(number: int, *, actor: str = "user:ines") -> bytes:
    """The canonical bytes of entry `number`, written a minute after the one before."""
    return leaf_data(
        at=NOON + timedelta(minutes=number),
        actor=actor,
        action="finding.acknowledged",
        subject=f"finding:{number}",
        detail={"é": [1, 0.5]},
    )


@dataclass
class Export:
    """The lines of an export, which tests change before they write it."""

    lines: list[bytes] = field(default_factory=list)

    @classmethod
    def of(
        cls,
        entries: Sequence[bytes],
        *,
        key: Ed25519PrivateKey = KEY,
        stamped: Callable[[SignedHead], SignedHead] = lambda head: head,
    ) -> Export:
        """An honest export of `entries` with a head behind each five and behind the last."""
        made = cls([header(len(entries), key=key)])
        tree = Frontier()
        for place, content in enumerate(entries):
            digest = leaf_hash(content)
            tree.append(digest)
            made.lines.append(bundle.entry_line(EntryLine(place, digest, content)))
            if tree.size % EVERY == 0 or tree.size == len(entries):
                made.lines.append(bundle.head_line(stamped(sign(key, tree.head, NOON + timedelta(minutes=place + 1)))))
        return made

    def place_of(self, entry: int) -> int:
        """The index of the line that holds `entry`."""
        return next(i for i, line in enumerate(self.lines) if line.startswith(b'{"leaf_index":%d,' % entry))

    def heads(self) -> list[SignedHead]:
        return [SignedHead.from_dict(json.loads(line)["head"]) for line in self.lines if line.startswith(b'{"head"')]

    def written(self, folder: Path, name: str = "export.jsonl") -> Path:
        path = folder / name
        path.write_bytes(b"".join(self.lines))
        return path


def header(entries: int, *, key: Ed25519PrivateKey = KEY, kind: str = bundle.LOG) -> bytes:
    exported_at = (NOON + timedelta(days=1)).isoformat()
    return bundle.header_line(Header(kind, bundle.pem_of(key.public_key()), exported_at, entries))


def honest(size: int = 23) -> Export:
    return Export.of([data(number) for number in range(size)])


def restated(export: Export, entry: int, content: bytes) -> None:
    """Change an entry, and the hash that is stated for it."""
    export.lines[export.place_of(entry)] = bundle.entry_line(EntryLine(entry, leaf_hash(content), content))


def renumbered(export: Export) -> None:
    """Give all entries the places in which their lines stand now."""
    place = 0
    for i, line in enumerate(export.lines):
        if line.startswith(b'{"leaf_index"'):
            export.lines[i] = b'{"leaf_index":%d,' % place + line.split(b",", 1)[1]
            place += 1
