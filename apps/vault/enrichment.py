"""The one door through which attributes of individuals leave the vault; for `apps.monitoring` alone.

What comes out is integer codes in memory, never names or levels. A read is written to the audit log, and that entry
is committed, before anything is decrypted; where it cannot be written there is no read.
"""

from __future__ import annotations

import struct
from collections.abc import Sequence
from datetime import datetime
from typing import Any

import numpy as np
import numpy.typing as npt
import psycopg
from django.db import transaction
from psycopg.adapt import Dumper
from psycopg.pq import Format

from apps.audit import services as audit
from apps.vault import keys
from apps.vault.crypto import DataKey, VaultError, attributes_in
from apps.vault.purpose import entering
from biasgov.fairness.cube import Axis

AT_ONCE = 50_000

Codes = npt.NDArray[np.int16]
Subjects = npt.NDArray[np.uint8]

# One row per length of record: a few long byte strings instead of as many Python objects as there are subjects.
_READ = """
SELECT octet_length(r.body), string_agg(int4send(asked.place::integer) || r.body, ''::bytea)
FROM unnest(%s) WITH ORDINALITY AS asked (subject, place) JOIN vault.record r ON r.subject = asked.subject
GROUP BY 1
"""


def attribute_codes(
    *,
    subjects: Subjects,
    axes: Sequence[Axis],
    model: str,
    hours: tuple[datetime, datetime],
    purpose: str = "monitoring",
) -> list[Codes]:
    """Codes of subjects on a model's attribute axes; who is not in the vault is unknown on every axis.

    Parameters
    ----------
    subjects
        Pseudonyms, shape (n, 16); the same one may come many times and is decrypted once.
    axes
        The model's protected attributes.
    model, hours
        Whose events, and of which range of time, they are needed for; written to the audit log with `purpose`.

    Returns
    -------
    list of arrays
        For each axis the codes, shape (n,): 0 to len(levels) - 1, and len(levels) for unknown.

    Raises
    ------
    VaultError
        A record is damaged, is not its subject's, or its key is not here. No code is returned then.
    RuntimeError
        The caller has a transaction open: the audit entry could still be undone.
    """
    distinct, inverse = _distinct(subjects)
    with transaction.atomic(durable=True):
        audit.append(
            actor="system:compute",
            action="vault.attributes_read",
            subject=f"model:{model}",
            detail={
                "purpose": purpose,
                "from": hours[0].isoformat(),
                "to": hours[1].isoformat(),
                "subjects": len(distinct),
            },
        )
    codes = np.empty((len(axes), len(distinct)), np.int16)
    codes[:] = np.array([len(axis.levels) for axis in axes], np.int16)[:, None]
    decode = _Decoder(axes)
    with entering("monitoring") as cursor:
        cursor.adapters.register_dumper(_UuidArray, _UuidArrayDumper)
        known = keys.data_keys(cursor)
        for start in range(0, len(distinct), AT_ONCE):
            asked = distinct[start : start + AT_ONCE]
            for place, body in _records(cursor, asked):
                codes[:, start + place] = decode(_opened(asked[place], body, known))
    return [row[inverse] for row in codes]


class _Decoder:
    """Turns plaintexts into codes. People share few combinations, so each is parsed once and then looked up."""

    def __init__(self, axes: Sequence[Axis]) -> None:
        self._axes = axes
        self._places: dict[bytes, int] = {}
        self._codes: list[list[int]] = []

    def __call__(self, plaintexts: list[bytes]) -> Codes:
        places = list(map(self._places.get, plaintexts))
        if None in places:
            self._learn(set(plaintexts).difference(self._places))
            places = list(map(self._places.get, plaintexts))
        return np.array(self._codes, np.int16)[np.array(places, np.intp)].T

    def _learn(self, plaintexts: set[bytes]) -> None:
        for plaintext in plaintexts:
            attributes = attributes_in(plaintext)
            self._places[plaintext] = len(self._codes)
            self._codes.append([axis.code(attributes.get(axis.name)) for axis in self._axes])


def _distinct(subjects: Subjects) -> tuple[Subjects, npt.NDArray[np.intp]]:
    """Distinct rows, and for every row its place among them. Half a pseudonym nearly always tells them apart."""
    halves = np.ascontiguousarray(subjects).view("<u8").reshape(-1, 2)
    _, first, inverse = np.unique(halves[:, 0], return_index=True, return_inverse=True)
    if not np.array_equal(halves[first[inverse], 1], halves[:, 1]):
        _, first, inverse = np.unique(halves, axis=0, return_index=True, return_inverse=True)
    return subjects[first], inverse.reshape(-1)


def _records(cursor: psycopg.Cursor[tuple[Any, ...]], asked: Subjects) -> list[tuple[npt.NDArray[np.intp], Subjects]]:
    """Stored records by length: their places in `asked`, and their bytes, shape (m, length)."""
    cursor.execute(_READ, [_UuidArray(asked)], binary=True)
    found = []
    for length, joined in cursor.fetchall():
        rows = np.frombuffer(joined, np.uint8).reshape(-1, 4 + length)
        place = np.ascontiguousarray(rows[:, :4]).view(">i4").reshape(-1).astype(np.intp) - 1
        found.append((place, rows[:, 4:]))
    return found


def _opened(subjects: Subjects, records: Subjects, known: dict[int, DataKey]) -> list[bytes]:
    versions = np.ascontiguousarray(records[:, 1:5]).view(">u4").reshape(-1)
    plaintexts: list[bytes] = [b""] * len(records)
    for version in np.unique(versions).tolist():
        if version not in known:
            raise VaultError(f"Records name data key {version}, which does not exist.")
        (chosen,) = np.nonzero(versions == version)
        opened = known[version].open_many(subjects[chosen], records[chosen])
        if len(chosen) == len(records):
            return opened
        for place, plaintext in zip(chosen.tolist(), opened, strict=True):
            plaintexts[place] = plaintext
    return plaintexts


class _UuidArray:
    """Pseudonyms, shape (n, 16), as a PostgreSQL uuid[] without a Python object for each."""

    __slots__ = ("subjects",)

    def __init__(self, subjects: Subjects) -> None:
        self.subjects = subjects


class _UuidArrayDumper(Dumper):
    """The binary form of a one-dimensional array: dimensions, nulls?, element type, length, first index, elements."""

    format = Format.BINARY
    oid = psycopg.adapters.types["uuid"].array_oid

    def dump(self, obj: _UuidArray) -> bytes:
        elements = np.empty(len(obj.subjects), dtype=[("length", ">i4"), ("value", np.uint8, 16)])
        elements["length"], elements["value"] = 16, obj.subjects
        head = struct.pack(">iiIii", 1, 0, psycopg.adapters.types["uuid"].oid, len(elements), 1)
        return head + elements.tobytes()
