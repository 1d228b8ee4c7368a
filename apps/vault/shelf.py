"""Blocks in the database: finding the ones that hold certain people, and putting them back.

Whoever calls holds a lock of `apps.vault.purpose` under which no block is divided, so what `shelf` says stays true.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any
from uuid import UUID

import numpy as np
import numpy.typing as npt

from apps.vault import blocks
from apps.vault.blocks import Block
from apps.vault.columns import Subjects, halves
from apps.vault.crypto import DataKey, VaultError
from apps.vault.keys import Cursor

AT_ONCE = 256
_SHELF = "SELECT string_agg(uuid_send(first) || uuid_send(last), ''::bytea ORDER BY first) FROM vault.block"
_READ = "SELECT first, last, key_version, body FROM vault.block WHERE first = ANY(%s::uuid[]) ORDER BY first"
_STORE = """
INSERT INTO vault.block (last, first, body, key_version, people)
SELECT * FROM unnest(%s::uuid[], %s::uuid[], %s::bytea[], %s::integer[], %s::integer[])
ON CONFLICT (first) DO UPDATE
SET last = excluded.last, body = excluded.body, key_version = excluded.key_version, people = excluded.people
"""
_PUT_BACK = """
UPDATE vault.block AS kept SET body = sent.body, key_version = sent.key_version, people = sent.people
FROM unnest(%s::uuid[], %s::bytea[], %s::integer[], %s::integer[]) AS sent (first, body, key_version, people)
WHERE kept.first = sent.first
"""


@dataclass(frozen=True, slots=True)
class Shelf:
    """The ranges of all blocks, in order: first and last pseudonym, shape (m, 16) each."""

    first: Subjects
    last: Subjects

    def __len__(self) -> int:
        return len(self.first)

    def sorted_out(self, high: npt.NDArray[np.uint64]) -> tuple[npt.NDArray[np.intp], list[npt.NDArray[np.intp]]]:
        """The blocks that pseudonyms with these first halves belong to, ascending, and the rows of each one's."""
        place = np.searchsorted(halves(self.first)[0], high, side="right") - 1
        # NumPy sorts numbers of 16 bits many times faster.
        order = np.argsort(place.astype(np.uint16) if len(self) < 2**16 else place, kind="stable")
        ascending = place[order]
        cuts = np.flatnonzero(ascending[1:] != ascending[:-1]) + 1
        return ascending[np.concatenate([[0], cuts])] if len(high) else ascending, np.split(order, cuts)


def shelf(cursor: Cursor) -> Shelf:
    """What blocks there are. Raises VaultError if their ranges do not cover all pseudonyms, none twice."""
    cursor.execute(_SHELF, binary=True)
    ((joined,),) = cursor.fetchall()
    ranges = np.frombuffer(joined or b"", np.uint8).reshape(-1, 2, 16)
    first, last = ranges[:, 0], ranges[:, 1]
    if len(first):
        (starts, low), (ends, high) = halves(first), halves(last)
        complete = (
            starts[0] == 0
            and ends[-1] == np.uint64(2**64 - 1)
            and not low.any()
            and (~high == 0).all()
            and (starts[1:] == ends[:-1] + np.uint64(1)).all()
        )
        if not complete:
            raise VaultError("A block of the vault is missing.")
    return Shelf(first, last)


def taken(cursor: Cursor, asked: Subjects, known: dict[int, DataKey], *, changing: bool = False) -> Iterator[Block]:
    """The blocks that begin at these pseudonyms, opened, in order; `changing` locks them until the transaction ends.

    Raises VaultError if one is damaged, is not in its own place, or its key is not here.
    """
    lock = " FOR UPDATE" if changing else ""
    for start in range(0, len(asked), AT_ONCE):
        wanted = [UUID(bytes=each.tobytes()) for each in asked[start : start + AT_ONCE]]
        cursor.execute(_READ + lock, [wanted], binary=True)
        found = cursor.fetchall()
        if len(found) != len(wanted):
            raise VaultError("A block of the vault is missing.")
        for first, last, version, body in found:
            yield opened(known, first, last, version, body)


def opened(known: dict[int, DataKey], first: UUID, last: UUID, version: int, body: bytes) -> Block:
    """A stored block, opened. Raises VaultError as `taken` does."""
    if version not in known:
        raise VaultError(f"A block is under data key {version}, which does not exist.")
    return blocks.opened(body, known[version], first=first.bytes, last=last.bytes)


def put(cursor: Cursor, changed: Sequence[Block], key: DataKey) -> None:
    """Store blocks under a data key, each in the place where its range begins."""
    cursor.execute(_STORE, [[UUID(bytes=block.last) for block in changed], *_columns(changed, key)], binary=True)


def put_back(cursor: Cursor, changed: Sequence[Block], key: DataKey) -> None:
    """Store blocks that were taken for changing, their ranges as they were, under a data key."""
    cursor.execute(_PUT_BACK, _columns(changed, key), binary=True)


def _columns(changed: Sequence[Block], key: DataKey) -> list[list[Any]]:
    return [
        [UUID(bytes=block.first) for block in changed],
        [blocks.sealed(block, key) for block in changed],
        [key.version] * len(changed),
        [len(block) for block in changed],
    ]
