"""When a block cannot be opened: which they are, and how the vault goes on without the people in them."""

from __future__ import annotations

from dataclasses import dataclass, replace

from apps.audit import services as audit
from apps.vault import blocks, keys, shelf
from apps.vault.blocks import HIGHEST, Block
from apps.vault.crypto import VaultError
from apps.vault.purpose import entering

_BLOCKS = "SELECT first, last, key_version, body, people FROM vault.block ORDER BY first"


@dataclass(frozen=True, slots=True)
class VaultState:
    """What opening every block has shown: how many are sound, the faults of the others, how many people those held.

    `gaps` counts ranges of pseudonyms that no sound block covers.
    """

    sound: int
    faults: tuple[str, ...]
    people: int
    gaps: int


def vault_check() -> VaultState:
    """Open every block of the vault, one after the other, and say what is wrong. Compute side."""
    with entering("keys") as cursor:
        ranges, faults, people = _sound(cursor)
        return VaultState(len(ranges), faults, people, len(_gaps(ranges)) if ranges or faults else 0)


def damaged_empty() -> VaultState:
    """Put empty blocks where none can be opened: their people are unknown until they are uploaded again.

    Answers what was wrong before. Compute side.
    """
    with entering("upload") as cursor:
        ranges, faults, people = _sound(cursor)
        gaps = _gaps(ranges) if ranges or faults else []
        if not gaps:
            return VaultState(len(ranges), faults, people, 0)
        cursor.execute("DELETE FROM vault.block WHERE first <> ALL(%s::uuid[])", [[first.hex() for first, _ in ranges]])
        key = keys.current_data_key(cursor)
        keys.count_sealed(cursor, key, len(gaps))
        shelf.put(cursor, [_empty(first, last) for first, last in gaps], key)
        audit.append(
            actor="system:compute",
            action="vault.damage_emptied",
            subject="vault",
            detail={"blocks": len(faults), "people": people, "gaps": len(gaps)},
        )
    return VaultState(len(ranges), faults, people, len(gaps))


def _sound(cursor: keys.Cursor) -> tuple[list[tuple[bytes, bytes]], tuple[str, ...], int]:
    """The ranges of the blocks that open and do not overlap the next one, the others' faults and their people."""
    known = keys.data_keys(cursor)
    ranges: list[tuple[bytes, bytes]] = []
    faults: list[str] = []
    lost = 0
    cursor.execute(_BLOCKS, binary=True)
    counted: dict[bytes, int] = {}
    for first, last, version, body, people in cursor:
        try:
            shelf.opened(known, first, last, version, body)
        except VaultError as error:
            faults.append(str(error))
            lost += people
            continue
        if ranges and ranges[-1][1] >= first.bytes:
            faults.append("A block of an earlier time lies over the next one.")
            lost += counted[ranges.pop()[0]]
        ranges.append((first.bytes, last.bytes))
        counted[first.bytes] = people
    return ranges, tuple(faults), lost


def _gaps(ranges: list[tuple[bytes, bytes]]) -> list[tuple[bytes, bytes]]:
    """The ranges of pseudonyms between and around those given."""
    ends = [-1, *(int.from_bytes(last) for _, last in ranges)]
    starts = [*(int.from_bytes(first) for first, _ in ranges), int.from_bytes(HIGHEST) + 1]
    return [
        ((end + 1).to_bytes(16), (start - 1).to_bytes(16))
        for end, start in zip(ends, starts, strict=True)
        if end + 1 < start
    ]


def _empty(first: bytes, last: bytes) -> Block:
    return replace(blocks.empty(), first=first, last=last)
