"""A block: the attributes of about a thousand people whose pseudonyms lie in one range.

The ranges cover all pseudonyms without gaps, and each block is bound to its own: a block that is missing, or in
another's place, is noticed. Ranges begin and end between first halves of pseudonyms, so half of one finds its block.

Plaintext, little endian::

    bytes  field
    4      number of people, n
    4      length of the choices, m
    16 n   pseudonyms, ascending
    8 n    when each one's attributes were received, microseconds since 1970
    2 n    attribute schema version that each one's attributes were checked against
    2 n    place of each one's attributes among the choices
    m      the choices: a MessagePack array of maps from name to level, sorted
    rest   zeros up to a multiple of 1,024 bytes

Levels stand there by name and not by number: no table that could be altered decides what a block means.
"""

from __future__ import annotations

import struct
from collections.abc import Collection, Iterator
from dataclasses import dataclass, replace

import msgspec
import numpy as np
import numpy.typing as npt

from apps.vault.columns import Attributes, Palette, People, Subjects, halves
from apps.vault.crypto import DataKey, VaultError

WANTED = 1024
"""People a block is made for."""
MOST = 2048
"""People a block may grow to before it is divided."""
LOWEST, HIGHEST = bytes(16), b"\xff" * 16
PADDED_TO = 1024
_HEAD = struct.Struct("<II")
_choices = msgspec.msgpack.Decoder(list[dict[str, str]])


@dataclass(frozen=True, slots=True)
class Block:
    """An open block: its range of pseudonyms, both ends included, and its people in ascending order.

    `choices` is as it is stored, since nearly all blocks have the same.
    """

    first: bytes
    last: bytes
    subjects: Subjects
    received: npt.NDArray[np.int64]
    schema: npt.NDArray[np.uint16]
    choice: npt.NDArray[np.uint16]
    choices: bytes

    def __len__(self) -> int:
        return len(self.subjects)

    def __repr__(self) -> str:
        return f"Block(of {len(self)})"

    def attributes(self) -> list[dict[str, str]]:
        """What `choice` counts in."""
        return choices_in(self.choices)

    def rows(self, subjects: Subjects) -> tuple[npt.NDArray[np.intp], npt.NDArray[np.bool_]]:
        """For each pseudonym its row here, and whether it is here at all; where not, the row means nothing."""
        high, low = halves(subjects)
        return self.rows_of_halves(high, low)

    def rows_of_halves(
        self, high: npt.NDArray[np.uint64], low: npt.NDArray[np.uint64]
    ) -> tuple[npt.NDArray[np.intp], npt.NDArray[np.bool_]]:
        """`rows` for pseudonyms given as `halves`."""
        if not len(self):
            return np.zeros(len(high), np.intp), np.zeros(len(high), np.bool_)
        ours_high, ours_low = halves(self.subjects)
        row = np.minimum(np.searchsorted(ours_high, high), len(self) - 1)
        found = ours_high[row] == high
        here = found & (ours_low[row] == low)
        for each in np.flatnonzero(found & ~here):
            # Two people share half a pseudonym.
            same = np.flatnonzero((ours_high == high[each]) & (ours_low == low[each]))
            if len(same):
                row[each], here[each] = same[0], True
        return row, here


def empty() -> Block:
    """The block of a vault that holds nobody."""
    return Block(
        LOWEST,
        HIGHEST,
        np.empty((0, 16), np.uint8),
        np.empty(0, np.int64),
        np.empty(0, np.uint16),
        np.empty(0, np.uint16),
        msgspec.msgpack.encode([]),
    )


def sealed(block: Block, key: DataKey) -> bytes:
    """The block under a data key, bound to its range."""
    content = b"".join(
        (
            _HEAD.pack(len(block), len(block.choices)),
            block.subjects.tobytes(),
            block.received.astype("<i8").tobytes(),
            block.schema.astype("<u2").tobytes(),
            block.choice.astype("<u2").tobytes(),
            block.choices,
        )
    )
    return key.seal(content.ljust(-(-len(content) // PADDED_TO) * PADDED_TO, b"\0"), bound_to=block.first + block.last)


def opened(body: bytes, key: DataKey, *, first: bytes, last: bytes) -> Block:
    """Inverse of `sealed`. Raises VaultError if any bit, the key or the range is not the block's own."""
    content = key.open(body, bound_to=first + last)
    n, length = _HEAD.unpack_from(content)
    at = _HEAD.size
    subjects = np.frombuffer(content, np.uint8, 16 * n, at).reshape(n, 16)
    received = np.frombuffer(content, "<i8", n, at + 16 * n)
    schema = np.frombuffer(content, "<u2", n, at + 24 * n)
    choice = np.frombuffer(content, "<u2", n, at + 26 * n)
    choices = content[at + 28 * n : at + 28 * n + length]
    return Block(first, last, subjects, received, schema, choice, choices)


def choices_in(stored: bytes) -> list[dict[str, str]]:
    """The choices of a block as {name: level}."""
    try:
        return _choices.decode(stored)
    except msgspec.DecodeError:
        raise VaultError("A block holds no attributes in the known form.") from None


def without(block: Block, subjects: Subjects, received: npt.NDArray[np.int64]) -> Block:
    """The block without those people, each unless received after the moment given for them."""
    row, here = block.rows(subjects)
    gone = row[here & (block.received[row] <= received)] if len(block) else row[:0]
    return _chosen(block, np.setdiff1d(np.arange(len(block)), gone))


def merged(
    block: Block, people: People, *, received: int, schema: int, changeable: Collection[str] | None
) -> tuple[Block, int, int]:
    """The block with people of its range, in ascending order, who replace those received before them or with them.

    Of the names in `changeable` they replace what somebody had (None: everything), and leave the rest.

    Returns
    -------
    block, stored, replaced
        How many people were stored, and how many of them were in the block before.
    """
    row, known = block.rows(people.subjects)
    newest = ~known
    if len(block):
        newest |= block.received[row] <= received
    people, row, known = people.taken(newest), row[newest], known[newest]
    palette, before = Palette(), block.attributes()
    choice = np.concatenate(
        [
            np.array([palette.place(each) for each in before], np.uint32)[block.choice],
            _combined(palette, before, block.choice[row] if len(block) else row, known, people, changeable),
        ]
    )
    stays = np.ones(len(block), np.bool_)
    stays[row[known]] = False
    stays = np.concatenate([stays, np.ones(len(people), np.bool_)])
    everybody = np.concatenate([block.subjects, people.subjects])[stays]
    order = np.argsort(everybody.view("S16").reshape(-1), kind="stable")
    columns = (
        np.concatenate([block.received, np.full(len(people), received, np.int64)]),
        np.concatenate([block.schema, np.full(len(people), schema, np.uint16)]),
        choice,
    )
    received_at, schemas, places = (column[stays][order] for column in columns)
    places, choices = _packed(places, palette.choices)
    return (
        Block(block.first, block.last, everybody[order], received_at, schemas, places, choices),
        len(people),
        int(known.sum()),
    )


def divided(block: Block) -> Iterator[Block]:
    """The block as it is, or as blocks of about a thousand people whose ranges together are its own."""
    if len(block) <= MOST:
        yield block
        return
    high, _ = halves(block.subjects)
    cuts = np.unique(np.searchsorted(high, high[WANTED::WANTED]))
    cuts = cuts[(cuts > 0) & (len(block) - cuts >= WANTED // 2)]
    starts, ends = [0, *cuts.tolist()], [*cuts.tolist(), len(block)]
    firsts = [block.first, *(block.subjects[cut].tobytes()[:8] + bytes(8) for cut in cuts)]
    lasts = [*((int.from_bytes(first) - 1).to_bytes(16) for first in firsts[1:]), block.last]
    for start, end, first, last in zip(starts, ends, firsts, lasts, strict=True):
        yield replace(_chosen(block, np.arange(start, end)), first=first, last=last)


def _combined(
    palette: Palette,
    before: list[dict[str, str]],
    held: npt.NDArray[np.generic],
    known: npt.NDArray[np.bool_],
    people: People,
    changeable: Collection[str] | None,
) -> npt.NDArray[np.uint32]:
    """Where the attributes that people have from now on stand in the palette."""
    if changeable is None:
        return np.array([palette.place(each) for each in people.choices], np.uint32)[people.choice]
    kept = [{name: level for name, level in each.items() if name not in changeable} for each in before]
    places = np.empty(len(people), np.uint32)
    found: dict[tuple[int, int], int] = {}
    former = np.where(known, held.astype(np.int64), -1)
    for at, (old, new) in enumerate(zip(former.tolist(), people.choice.tolist(), strict=True)):
        if (old, new) not in found:
            rest: Attributes = kept[old] if old >= 0 else {}
            found[old, new] = palette.place({**rest, **people.choices[new]})
        places[at] = found[old, new]
    return places


def _chosen(block: Block, rows: npt.NDArray[np.intp]) -> Block:
    places, choices = _packed(block.choice[rows], tuple(block.attributes()))
    return replace(
        block,
        subjects=block.subjects[rows],
        received=block.received[rows],
        schema=block.schema[rows],
        choice=places,
        choices=choices,
    )


def _packed(
    places: npt.NDArray[np.unsignedinteger], choices: tuple[Attributes, ...]
) -> tuple[npt.NDArray[np.uint16], bytes]:
    """Only the choices that somebody has, in one order however they came, and the places among them."""
    used, inverse = np.unique(places, return_inverse=True)
    packed = [msgspec.msgpack.encode(dict(sorted(choices[place].items()))) for place in used.tolist()]
    order = sorted(range(len(packed)), key=packed.__getitem__)
    rank = np.empty(len(order), np.uint16)
    rank[order] = np.arange(len(order), dtype=np.uint16)
    return rank[inverse.reshape(-1)], msgspec.msgpack.encode([msgspec.Raw(packed[place]) for place in order])
