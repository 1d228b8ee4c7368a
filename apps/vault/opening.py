"""Uploads behind the door: the compute side opens them, checks the whole, and stores it slice by slice.

A slice is one transaction and the next begins where it ended, whoever is killed in between. Nothing is stored before
everything has been opened and checked.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta

import numpy as np
from django.db import OperationalError, connection, transaction
from django.db.backends.base.base import BaseDatabaseWrapper
from psycopg.errors import LockNotAvailable

from apps.audit import services as audit
from apps.common import clock
from apps.common.errors import Refused
from apps.vault import blocks, crypto, keys, shelf
from apps.vault.blocks import Block
from apps.vault.columns import People, Subjects, first_repeated, halves, in_order
from apps.vault.models import VaultErasure, VaultUpload, VaultUploadPart
from apps.vault.purpose import entering
from apps.vault.rows import row_name
from apps.vault.schemas import check_attributes, narrowed, schema

SLICE = 50_000
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_WAITING = (VaultUpload.State.PENDING, VaultUpload.State.STORING)


@dataclass(slots=True)
class OpenedUpload:
    """An upload out of its envelope: its people by ascending pseudonym, the first `position` of them stored."""

    row: VaultUpload = field(repr=False)
    people: People
    position: int

    @property
    def upload_id(self) -> str:
        return str(self.row.pk)

    @property
    def left(self) -> int:
        """How many people are still to be stored."""
        return len(self.people) - self.position


class _Unusable(Exception):  # noqa: N818
    """Why an upload is refused; holds no value."""


@contextmanager
def opening_alone() -> Iterator[bool]:
    """True for the one process that may open uploads now; it loses that when it dies at the latest.

    What is locked is a table that only the compute side may lock; an advisory lock could be held by anybody. A table is
    locked for one transaction and an upload is stored in many, so it takes a connection of its own.
    """
    door = connection.copy()
    try:
        door.set_autocommit(False)
        yield _locked(door)
    finally:
        door.close()


def _locked(door: BaseDatabaseWrapper) -> bool:
    try:
        with door.cursor() as cursor:
            cursor.execute("LOCK TABLE vault.opening IN EXCLUSIVE MODE NOWAIT")
    except OperationalError as error:
        if not isinstance(error.__cause__, LockNotAvailable):
            raise
        return False
    return True


def upload_open_next() -> OpenedUpload | None:
    """Open and check the oldest sealed upload, or the one whose storing was cut short; None if there is none.

    One that is damaged or not complete, names somebody twice or an undeclared level, or belongs into a block that
    cannot be read, is refused, with its reason and without its content, and the next is tried. One sealed to another
    key is left alone: that is a mistake in the configuration, and the sender's attributes must not be lost to it.

    Raises
    ------
    VaultError
        The oldest upload is sealed to a key that is not the one here.
    """
    while True:
        row = VaultUpload.objects.filter(state__in=_WAITING).order_by("received_at", "pk").first()
        if row is None:
            return None
        if row.sealed_to != keys.own_fingerprint():
            raise crypto.VaultError(
                f"Upload {row.pk} is sealed to key {row.sealed_to}; "
                f"the private key here belongs to {keys.own_fingerprint()}. Give the web side the matching key."
            )
        try:
            people = _opened(row)
            _check(row, people)
            people = people.taken(in_order(people.subjects))
            _check_readable(people)
        except (_Unusable, crypto.VaultError) as reason:
            _refuse(row, str(reason))
        else:
            return OpenedUpload(row, people, row.position)


def upload_store_some(upload: OpenedUpload) -> int:
    """Store the next people of an upload, in a transaction of its own; answers how many are done.

    Nothing received before an erasure comes back, whichever of the two is worked off first.
    """
    start, row = upload.position, upload.row
    end = min(start + SLICE, len(upload.people))
    with transaction.atomic():
        _advance(row, start, end)
        with entering("upload") as cursor:
            people = upload.people.taken(slice(start, end))
            people = people.taken(~_erased(row, people.subjects))
            stored, replaced = _store(cursor, row, people)
        VaultUpload.objects.filter(pk=row.pk).update(stored=row.stored + stored, replaced=row.replaced + replaced)
    row.stored, row.replaced = row.stored + stored, row.replaced + replaced
    row.state, row.position, upload.position = VaultUpload.State.STORING, end, end
    return end - start


def upload_finish(upload: OpenedUpload) -> list[bytes]:
    """Say that all people of an upload are stored and forget its parts; answers their pseudonyms.

    In the caller's transaction, which from here on nobody reads the vault beside: what the caller does for the people
    sees all that readers of the vault have seen before.
    """
    row = upload.row
    with entering("upload"):
        _finish(row, VaultUpload.State.STORED, reason="")
    return [each.tobytes() for each in upload.people.subjects]


def microseconds(moment: datetime) -> int:
    """Since 1970, exactly."""
    return (moment - _EPOCH) // timedelta(microseconds=1)


def _opened(row: VaultUpload) -> People:
    private, identity = keys.private_key(), row.pk.bytes
    parts: list[People] = []
    sealed = VaultUploadPart.objects.filter(upload_id=row.pk).order_by("place").values_list("place", "sealed")
    for place, content in sealed.iterator(chunk_size=16):
        if place != len(parts):
            raise _Unusable(f"Part {len(parts) + 1} of the upload is missing.")
        last = place == row.parts - 1
        parts.append(crypto.open_chunk(bytes(content), private, upload=identity, index=place, last=last))
    if len(parts) != row.parts:
        raise _Unusable("The upload is cut off.")
    return People.joined(parts)


def _check(row: VaultUpload, people: People) -> None:
    if len(people) != row.subjects:
        raise _Unusable(f"The upload holds {len(people):,} people instead of {row.subjects:,}.")
    if repeated := first_repeated(people.subjects):
        again, before = (row_name(row.form, place) for place in repeated)
        raise _Unusable(f"{again}, column subject_id: names somebody whom {before.lower()} names too.")
    levels = narrowed(schema(row.schema_id), row.attributes)
    for place, each in enumerate(people.choices):
        try:
            check_attributes(each, levels, field="")
        except Refused as refused:
            first = row_name(row.form, int(np.argmax(people.choice == place)))
            raise _Unusable(f"{first}, column {refused.field.lstrip('.')}: {refused.message}") from None


def _check_readable(people: People) -> None:
    """Every block that the people belong to can be opened, so that no storing has to stop half way."""
    with entering("upload") as cursor:
        known, ranges = keys.data_keys(cursor), shelf.shelf(cursor)
        if len(ranges) and len(people):
            needed, _ = ranges.sorted_out(halves(people.subjects)[0])
            for _block in shelf.taken(cursor, ranges.first[needed], known):
                pass


def _store(cursor: keys.Cursor, row: VaultUpload, people: People) -> tuple[int, int]:
    if not len(people):
        return 0, 0
    key, known, ranges = keys.current_data_key(cursor), keys.data_keys(cursor), shelf.shelf(cursor)
    if len(ranges):
        needed, rows = ranges.sorted_out(halves(people.subjects)[0])
        found = shelf.taken(cursor, ranges.first[needed], known, changing=True)
    else:
        rows, found = [np.arange(len(people))], iter([blocks.empty()])
    changed: list[Block] = []
    stored = replaced = 0
    for block, here in zip(found, rows, strict=True):
        whole, new, old = blocks.merged(
            block,
            people.taken(here),
            received=microseconds(row.received_at),
            schema=row.schema_id,
            changeable=row.attributes,
        )
        changed += blocks.divided(whole)
        stored, replaced = stored + new, replaced + old
    keys.count_sealed(cursor, key, len(changed))
    shelf.put(cursor, changed, key)
    return stored, replaced


def _erased(row: VaultUpload, subjects: Subjects) -> np.ndarray[tuple[int], np.dtype[np.bool_]]:
    """Which of the people asked to be erased since they were sent."""
    asked = VaultErasure.objects.filter(requested_at__gte=row.received_at, subject__isnull=False)
    gone = np.frombuffer(
        b"".join(subject.bytes for subject in asked.values_list("subject", flat=True) if subject), "S16"
    )
    return np.isin(subjects.view("S16").reshape(-1), gone)


def _advance(row: VaultUpload, start: int, end: int) -> None:
    changed = VaultUpload.objects.filter(pk=row.pk, state__in=_WAITING, position=start).update(
        state=VaultUpload.State.STORING, position=end
    )
    if not changed:
        raise crypto.VaultError(f"Upload {row.pk} is being stored by somebody else.")
    if row.state == VaultUpload.State.PENDING:
        audit.append(
            actor="system:compute",
            action="vault.upload_opened",
            subject=f"vault-upload:{row.pk}",
            detail={"subjects": row.subjects, "attributes": row.attributes, "schema": row.schema_id},
        )


def _refuse(row: VaultUpload, reason: str) -> None:
    if row.position:
        reason = f"{reason} {row.stored:,} people had been stored before."
    with transaction.atomic():
        _finish(row, VaultUpload.State.REFUSED, reason=reason[:300])


def _finish(row: VaultUpload, state: VaultUpload.State, *, reason: str) -> None:
    changed = VaultUpload.objects.filter(pk=row.pk, state__in=_WAITING, position=row.position).update(
        state=state, reason=reason, opened_at=clock.now()
    )
    if not changed:
        raise crypto.VaultError(f"Upload {row.pk} is being stored by somebody else.")
    VaultUploadPart.objects.filter(upload_id=row.pk).delete()
    audit.append(
        actor="system:compute",
        action=f"vault.upload_{state.value}",
        subject=f"vault-upload:{row.pk}",
        detail={
            "subjects": row.subjects,
            "stored": row.stored,
            "replaced": row.replaced,
            "attributes": row.attributes,
            "schema": row.schema_id,
            "reason": reason,
        },
    )
