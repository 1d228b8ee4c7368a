"""Hour cubes in ``cube.hour_cube``, with the people behind them: replaced hour by hour, summed into windows.

A window is summed from day blocks. Finished days do not change from one evaluation to the next, so the decoded sums
of blocks are kept in memory under the digests of their cubes: what the database holds decides, never the memory.
"""

from __future__ import annotations

import hashlib
import hmac
from collections import OrderedDict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime
from itertools import groupby
from threading import Lock

from django.db import connection

from apps.common import clock
from apps.monitoring.people import People
from apps.monitoring.windows import EARLY, HOUR, LENGTHS, LONGEST
from biasgov.fairness.cube import CubeSchema, OutcomeCube

CACHED_CELLS = 1_500_000
_ATTEMPTS = 5

Key = tuple[datetime, int]


@dataclass(frozen=True, slots=True)
class Counted:
    """Events as counts, and the people behind them."""

    cube: OutcomeCube
    people: People

    @classmethod
    def sum(cls, parts: Sequence[Counted], schema: CubeSchema) -> Counted:
        """The sum of parts, aligned to `schema`. Raises ValueError as `OutcomeCube.sum` does."""
        return cls(
            OutcomeCube.sum([part.cube for part in parts], schema),
            People.join([part.people for part in parts], schema),
        )

    @classmethod
    def from_bytes(cls, body: bytes, people: bytes) -> Counted:
        """Raises ValueError for bytes that are no cube."""
        cube = OutcomeCube.from_bytes(body)
        return cls(cube, People.from_bytes(people, cube.schema))


@dataclass(frozen=True, slots=True)
class CountedHour:
    """What an hour holds now, per version id. No version means that the hour has no events."""

    hour: datetime
    cubes: Mapping[int, Counted]


@dataclass(frozen=True, slots=True)
class WindowCube:
    """The sum of a window's hour cubes, the people in it, how many cubes, their digest, and events by version id.

    `digest` is keyed: runs tell it, and who knows whose events there were must not be able to try which attributes
    give it. `days` holds the same events by UTC day, in order of time; a day may come in several parts.
    """

    window: str
    from_at: datetime
    to_at: datetime
    cube: OutcomeCube
    people: People
    cubes: int
    digest: str
    versions: Mapping[int, int]
    days: tuple[tuple[date, OutcomeCube], ...] = ()


class CubeChanged(Exception):  # noqa: N818 - not a fault: the reader tries again
    """A cube was replaced between listing and reading it."""


@dataclass(frozen=True, slots=True)
class _Listed:
    hour: datetime
    version_id: int
    n: int
    digest: bytes


def replace_hours(model_id: int, counted: Sequence[CountedHour]) -> None:
    """Put the cubes of hours in place of whatever these hours had, in the caller's transaction."""
    rows = [
        (model_id, each.hour, version, part.cube.total, body, people, _digest_of(body, people), clock.now())
        for each in counted
        for version, part in sorted(each.cubes.items())
        if part.cube.total
        for body, people in [(part.cube.to_bytes(), part.people.to_bytes())]
    ]
    with connection.cursor() as cursor:
        cursor.execute(
            "DELETE FROM cube.hour_cube WHERE model_id = %s AND hour = ANY(%s)",
            [model_id, [each.hour for each in counted]],
        )
        if rows:
            cursor.executemany(
                "INSERT INTO cube.hour_cube (model_id, hour, version_id, n, body, people, digest, computed_at)"
                " VALUES (%s, %s, %s, %s, %s, %s, %s, %s)",
                rows,
            )


def window_cubes(model_id: int, as_of: datetime, schema: CubeSchema) -> dict[str, WindowCube]:
    """The sums of the early windows and of all three that end at `as_of`, by window, shortest first.

    Raises ValueError if a cube has a level that `schema` no longer has, or is damaged.
    """
    for _ in range(_ATTEMPTS):
        try:
            return _sums(model_id, as_of, schema)
        except CubeChanged:
            continue
    raise CubeChanged(f"The cubes of model {model_id} before {as_of} kept changing while they were read.")


class Hours:
    """The hour cubes of one model, read when they are asked for: mostly nobody needs them one by one."""

    def __init__(self, model_id: int, schema: CubeSchema) -> None:
        self._model_id, self._schema = model_id, schema

    def between(self, start: datetime, end: datetime) -> list[tuple[datetime, OutcomeCube]]:
        """Hours from `start` up to `end` with their cubes, in order of time; an hour comes once per version."""
        read = _read(self._model_id, _list(self._model_id, start, end))
        return [
            (hour, OutcomeCube.sum([part.cube], self._schema)) for (hour, _), part in sorted(read.items(), key=_key)
        ]

    def counted(self, start: datetime, end: datetime) -> Counted:
        """The sum of the hours from `start` up to `end`; of whole days it is remembered."""
        blocks = _blocks(self._model_id, _list(self._model_id, start, end), self._schema)
        return Counted.sum([part for _, part in blocks], self._schema)


def _key(item: tuple[Key, Counted]) -> Key:
    return item[0]


def _sums(model_id: int, as_of: datetime, schema: CubeSchema) -> dict[str, WindowCube]:
    listed, key = _list(model_id, as_of - LONGEST, as_of), _digest_key()
    found: dict[str, WindowCube] = {}
    inner, inner_start = Counted(OutcomeCube.empty(schema), People.nobody(schema)), as_of
    days: list[tuple[date, OutcomeCube]] = []
    for window, length in (EARLY | LENGTHS).items():
        start = as_of - length
        ring = [each for each in listed if start <= each.hour < inner_start]
        blocks = _blocks(model_id, ring, schema)
        days = [(day, part.cube) for day, part in blocks] + days
        inner = Counted.sum([inner, *(part for _, part in blocks)], schema)
        inside = [each for each in listed if each.hour >= start]
        versions: dict[int, int] = {}
        for each in inside:
            versions[each.version_id] = versions.get(each.version_id, 0) + each.n
        found[window] = WindowCube(
            window, start, as_of, inner.cube, inner.people, len(inside), _told(key, inside), versions, tuple(days)
        )
        inner_start = start
    return found


def _list(model_id: int, start: datetime, end: datetime) -> list[_Listed]:
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT hour, version_id, n, digest FROM cube.hour_cube"
            " WHERE model_id = %s AND hour >= %s AND hour < %s ORDER BY hour, version_id",
            [model_id, start, end],
        )
        return [_Listed(hour, version, n, bytes(digest)) for hour, version, n, digest in cursor.fetchall()]


def _blocks(model_id: int, ring: Sequence[_Listed], schema: CubeSchema) -> list[tuple[date, Counted]]:
    """The ring's cubes summed by UTC day, in order of time."""
    blocks = [tuple(day) for _, day in groupby(ring, key=lambda each: each.hour.astimezone(UTC).date())]
    missing = [block for block in blocks if (_name(block), schema) not in _cache]
    read = _read(model_id, [each for block in missing for each in block]) if missing else {}
    summed: list[tuple[date, Counted]] = []
    for block in blocks:
        whole = _cache.get((_name(block), schema))
        if whole is None:
            # Evicted between the question and the answer at worst: then it is read alone.
            parts = read or _read(model_id, block)
            whole = Counted.sum([parts[each.hour, each.version_id] for each in block], schema)
            _cache.put((_name(block), schema), whole)
        summed.append((block[0].hour.astimezone(UTC).date(), whole))
    return summed


def _read(model_id: int, wanted: Iterable[_Listed]) -> dict[Key, Counted]:
    expected = {(each.hour, each.version_id): each.digest for each in wanted}
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT hour, version_id, body, people FROM cube.hour_cube WHERE model_id = %s AND hour = ANY(%s)",
            [model_id, sorted({hour for hour, _ in expected})],
        )
        stored = {(hour, version): (bytes(body), bytes(people)) for hour, version, body, people in cursor.fetchall()}
    for key, digest in expected.items():
        if key not in stored or _digest_of(*stored[key]) != digest:
            raise CubeChanged(f"cube of {key[0]}")
    return {key: Counted.from_bytes(*stored[key]) for key in expected}


def _digest_of(body: bytes, people: bytes) -> bytes:
    return hashlib.sha256(body + people).digest()


def _name(block: Sequence[_Listed]) -> str:
    return hashlib.sha256(_content(block)).hexdigest()


def _told(key: bytes, listed: Sequence[_Listed]) -> str:
    return hmac.digest(key, _content(listed), "sha256").hex()


def _content(listed: Sequence[_Listed]) -> bytes:
    """Hour as Unix seconds / 3600, version id and digest of every cube, in order of hour and version."""
    return b"".join(
        b"%d/%d/" % (each.hour.timestamp() // HOUR.total_seconds(), each.version_id) + each.digest for each in listed
    )


def _digest_key() -> bytes:
    with connection.cursor() as cursor:
        cursor.execute("SELECT content FROM cube.digest_key")
        return bytes(cursor.fetchone()[0])


class _Cache:
    """Recently used sums, at most `CACHED_CELLS` cells of them."""

    def __init__(self) -> None:
        self._held: OrderedDict[tuple[str, CubeSchema], Counted] = OrderedDict()
        self._cells = 0
        self._lock = Lock()

    def __contains__(self, key: tuple[str, CubeSchema]) -> bool:
        return key in self._held

    def get(self, key: tuple[str, CubeSchema]) -> Counted | None:
        with self._lock:
            if key in self._held:
                self._held.move_to_end(key)
            return self._held.get(key)

    def put(self, key: tuple[str, CubeSchema], whole: Counted) -> None:
        with self._lock:
            if key not in self._held:
                self._held[key] = whole
                self._cells += _size(whole)
            while self._cells > CACHED_CELLS and len(self._held) > 1:
                _, dropped = self._held.popitem(last=False)
                self._cells -= _size(dropped)


def _size(held: Counted) -> int:
    return len(held.cube.cells) + len(held.people.marks)


_cache = _Cache()
