"""Attributes of many people, column by column: a million people share a few dozen combinations of levels."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

Attributes = Mapping[str, str]
Subjects = npt.NDArray[np.uint8]
Places = npt.NDArray[np.uint32]


@dataclass(frozen=True, slots=True)
class People:
    """Pseudonyms, shape (n, 16), and for each the place of its attributes in `choices`, shape (n,)."""

    subjects: Subjects
    choice: Places
    choices: tuple[Attributes, ...]

    def __len__(self) -> int:
        return len(self.subjects)

    def __repr__(self) -> str:
        return f"People(of {len(self)})"

    @classmethod
    def of(cls, rows: Iterable[tuple[bytes, Attributes]]) -> People:
        """People from (pseudonym, attributes) pairs."""
        palette = Palette()
        given = [(subject, palette.place(attributes)) for subject, attributes in rows]
        subjects = np.frombuffer(b"".join(subject for subject, _ in given), np.uint8).reshape(-1, 16)
        return cls(subjects, np.array([place for _, place in given], np.uint32), palette.choices)

    @classmethod
    def joined(cls, parts: Sequence[People]) -> People:
        """All people of the parts, in order."""
        palette = Palette()
        translated = [
            np.array([palette.place(each) for each in part.choices], np.uint32)[part.choice] for part in parts
        ]
        subjects = np.concatenate([np.empty((0, 16), np.uint8), *(part.subjects for part in parts)])
        return cls(subjects, np.concatenate([np.empty(0, np.uint32), *translated]), palette.choices)

    def taken(self, rows: npt.NDArray[np.intp] | npt.NDArray[np.bool_] | slice) -> People:
        """The people in these rows."""
        return People(self.subjects[rows], self.choice[rows], self.choices)


class Palette:
    """Collects different combinations of levels and numbers them."""

    __slots__ = ("_places", "_seen")

    def __init__(self) -> None:
        self._seen: list[Attributes] = []
        self._places: dict[tuple[tuple[str, str], ...], int] = {}

    @property
    def choices(self) -> tuple[Attributes, ...]:
        return tuple(self._seen)

    def place(self, attributes: Attributes) -> int:
        """The number of this combination."""
        items = tuple(sorted(attributes.items()))
        place = self._places.setdefault(items, len(self._seen))
        if place == len(self._seen):
            self._seen.append(dict(items))
        return place


def halves(subjects: Subjects) -> tuple[npt.NDArray[np.uint64], npt.NDArray[np.uint64]]:
    """The first and the second eight bytes of pseudonyms as numbers, which sort as the bytes do."""
    both = np.ascontiguousarray(subjects).view(">u8").reshape(-1, 2)
    return both[:, 0].astype(np.uint64), both[:, 1].astype(np.uint64)


def in_order(subjects: Subjects) -> npt.NDArray[np.intp]:
    """The rows by ascending pseudonym, equal ones in the order given. Half a pseudonym nearly always decides."""
    high, low = halves(subjects)
    order = np.argsort(high, kind="stable")
    ascending = high[order]
    if (ascending[1:] == ascending[:-1]).any():
        order = np.lexsort((low, high))
    return order


def how_many(high: npt.NDArray[np.uint64]) -> int:
    """How many people these are, each counted once; told apart by the first halves of their pseudonyms."""
    ascending = np.sort(high)
    return int(np.count_nonzero(ascending[1:] != ascending[:-1])) + bool(len(ascending))


def first_repeated(subjects: Subjects) -> tuple[int, int] | None:
    """The first row that names somebody again, and the row that named them before; None if nobody comes twice."""
    order = in_order(subjects)
    ascending = subjects[order]
    (again,) = np.nonzero((ascending[1:] == ascending[:-1]).all(axis=1))
    if not len(again):
        return None
    place = again[np.argmin(order[again + 1])]
    earliest = place
    while earliest and (ascending[earliest - 1] == ascending[place]).all():
        earliest -= 1
    return int(order[place + 1]), int(order[earliest])
