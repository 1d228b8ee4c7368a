"""Sealed uploads: a web process closes the envelope, the compute side opens it.

Bytes of an upload, big endian: number of parts (4), then for each part its length (4) and its sealed bytes.
"""

from __future__ import annotations

import struct
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from uuid import UUID, uuid4

from django.db import transaction

from apps.audit import services as audit
from apps.common import clock
from apps.common.errors import Refused
from apps.registry import selectors as registry
from apps.vault import crypto, keys
from apps.vault.models import VaultUpload
from apps.vault.pseudonyms import Pseudonymiser
from apps.vault.purpose import entering

PART = 5000
Row = tuple[bytes, Mapping[str, str]]
_NUMBER = struct.Struct(">I")

# Nothing received before an erasure may come back, whichever of the two is worked off first.
_STORE = """
INSERT INTO vault.record AS kept (subject, body, key_version, received_at)
SELECT sent.subject, sent.body, %s, %s FROM unnest(%s::uuid[], %s::bytea[]) AS sent (subject, body)
WHERE NOT EXISTS (
    SELECT FROM vault_erasure e WHERE e.subject = sent.subject AND e.requested_at >= %s
)
ON CONFLICT (subject) DO UPDATE
SET body = excluded.body, key_version = excluded.key_version, received_at = excluded.received_at
WHERE kept.received_at <= excluded.received_at
"""


@dataclass(frozen=True, slots=True)
class UploadReceipt:
    """What the sender gets: the upload's id and how many subjects were sealed."""

    upload_id: str
    sealed: int


@dataclass(frozen=True, slots=True)
class OpenedUpload:
    """An upload that was taken out of its envelope: whose attributes may have changed, as pseudonyms."""

    upload_id: str
    state: str
    subjects: tuple[bytes, ...]


class UnreadableRecord(crypto.VaultError):
    """What a subject has already cannot be kept, because it cannot be read."""


def attributes_upload(
    *,
    actor: str,
    subjects: Sequence[tuple[str, Mapping[str, str]]],
    attributes: Collection[str] | None = None,
) -> UploadReceipt:
    """Seal the attributes of subjects to the compute side, where they replace what the subjects had.

    Parameters
    ----------
    actor
        Who sends them, e.g. ``token:hr-export``.
    subjects
        (subject id, {attribute: level}) pairs.
    attributes
        The attributes that the sender may change: only these are replaced, and go where none is given. None: all.

    Raises
    ------
    Refused
        Nothing was sent, a subject comes twice, or an attribute or level is declared by no model or not the sender's
        to change. Nothing is stored.
    """
    _check(subjects, attributes)
    pseudonyms = Pseudonymiser().many([subject for subject, _ in subjects])
    rows = list(zip(pseudonyms, (attributes for _, attributes in subjects), strict=True))
    public, identity = keys.public_key(), uuid4()
    with transaction.atomic():
        VaultUpload.objects.create(
            id=identity,
            actor=actor,
            subjects=len(rows),
            attributes=None if attributes is None else sorted(attributes),
            sealed_to=keys.fingerprint(public),
            sealed=_sealed(rows, public, identity),
        )
        audit.append(
            actor=actor,
            action="vault.upload_sealed",
            subject=f"vault-upload:{identity}",
            detail={"subjects": len(rows)},
        )
    return UploadReceipt(str(identity), len(rows))


def upload_open_next() -> OpenedUpload | None:
    """Open the oldest sealed upload and store its records, in the caller's transaction; None if there is none.

    An upload that is damaged, or that would have to be joined to a damaged record, is marked refused, with its reason
    and without its content. One sealed to another key
    is left alone: that is a mistake in the configuration, and the sender's attributes must not be lost to it.

    Raises
    ------
    VaultError
        An upload is sealed to a public key whose private key this process does not hold.
    """
    with transaction.atomic():
        upload = (
            VaultUpload.objects.select_for_update(skip_locked=True)
            .filter(state=VaultUpload.State.PENDING)
            .order_by("received_at", "id")
            .first()
        )
        if upload is None:
            return None
        if upload.sealed_to != keys.own_fingerprint():
            raise crypto.VaultError(
                f"Upload {upload.pk} is sealed to public key {upload.sealed_to}; "
                f"the private key here belongs to {keys.own_fingerprint()}. Give the web side the matching key."
            )
        try:
            rows = _opened(bytes(upload.sealed or b""), upload.pk)
        except crypto.VaultError as error:
            return _finish(upload, VaultUpload.State.REFUSED, (), stored=0, reason=str(error))
        try:
            stored = _store(rows, upload)
        except UnreadableRecord as error:
            return _finish(upload, VaultUpload.State.REFUSED, (), stored=0, reason=str(error))
        return _finish(upload, VaultUpload.State.STORED, tuple(subject for subject, _ in rows), stored=stored)


def _check(subjects: Sequence[tuple[str, Mapping[str, str]]], changeable: Collection[str] | None) -> None:
    if not subjects:
        raise Refused("subjects", "names nobody; send at least one subject.", code="empty")
    declared: dict[str, set[str]] = {}
    for spec in registry.all_specs():
        for attribute in spec.attributes:
            if changeable is not None and attribute.name not in changeable:
                continue
            declared.setdefault(attribute.name, set()).update(attribute.levels)
    seen: set[str] = set()
    for index, (subject, attributes) in enumerate(subjects):
        if subject in seen:
            raise Refused(f"subjects[{index}].subject_id", "was named before in this upload.", code="duplicate")
        seen.add(subject)
        for name, level in attributes.items():
            field = f"subjects[{index}].attributes.{name}"
            if name not in declared:
                yours = ", ".join(sorted(declared)) or "none"
                raise Refused(
                    field,
                    f"is declared by no model, or is not yours to change; yours are {yours}.",
                    code="unknown_attribute",
                )
            if level not in declared[name]:
                # The level itself stays out of the message: it would travel into logs with the subject beside it.
                raise Refused(
                    field,
                    f"has a level that no model declares; declared are {', '.join(sorted(declared[name]))}.",
                    code="unknown_level",
                )


def _parts(rows: Sequence[Row]) -> list[Sequence[Row]]:
    return [rows[start : start + PART] for start in range(0, len(rows), PART)]


def _sealed(rows: Sequence[Row], public: bytes, identity: UUID) -> bytes:
    parts = _parts(rows)
    packed = [_NUMBER.pack(len(parts))]
    for index, part in enumerate(parts):
        sealed = crypto.seal_chunk(part, public, upload=identity.bytes, index=index, count=len(parts))
        packed += [_NUMBER.pack(len(sealed)), sealed]
    return b"".join(packed)


def _opened(content: bytes, identity: UUID) -> list[Row]:
    private, place = keys.private_key(), _NUMBER.size
    rows: list[Row] = []
    try:
        (count,) = _NUMBER.unpack_from(content)
        for index in range(count):
            (length,) = _NUMBER.unpack_from(content, place)
            place += _NUMBER.size
            sealed = content[place : place + length]
            rows += crypto.open_chunk(sealed, private, upload=identity.bytes, index=index, count=count)
            place += length
    except struct.error:
        raise crypto.VaultError("The upload is cut off.") from None
    if place != len(content):
        raise crypto.VaultError("The upload has bytes behind its end.")
    return rows


def _store(rows: Sequence[Row], upload: VaultUpload) -> int:
    stored, received_at = 0, upload.received_at
    with entering("upload") as cursor:
        key = keys.current_data_key(cursor)
        for part in _parts(rows):
            if upload.attributes is not None:
                part = _completed(cursor, part, frozenset(upload.attributes))
            subjects = [UUID(bytes=subject) for subject, _ in part]
            keys.count_sealed(cursor, key, len(part))
            bodies = [key.seal(subject, attributes, schema=1) for subject, attributes in part]
            cursor.execute(_STORE, [key.version, received_at, subjects, bodies, received_at], binary=True)
            stored += cursor.rowcount
    return stored


def _completed(cursor: keys.Cursor, rows: Sequence[Row], changeable: Collection[str]) -> list[Row]:
    """The rows with what their subjects have besides the changeable attributes.

    Raises UnreadableRecord if one of their records is damaged or its key is gone.
    """
    known = keys.data_keys(cursor)
    cursor.execute(
        "SELECT subject, key_version, body FROM vault.record WHERE subject = ANY(%s::uuid[])",
        [[UUID(bytes=subject) for subject, _ in rows]],
    )
    others: dict[bytes, dict[str, str]] = {}
    for subject, version, body in cursor.fetchall():
        try:
            held = known[version].open(subject.bytes, bytes(body))
        except (KeyError, crypto.VaultError):
            raise UnreadableRecord("A record that this was to be joined to cannot be read.") from None
        others[subject.bytes] = {name: level for name, level in held.items() if name not in changeable}
    return [(subject, {**others.get(subject, {}), **attributes}) for subject, attributes in rows]


def _finish(
    upload: VaultUpload, state: VaultUpload.State, subjects: tuple[bytes, ...], *, stored: int, reason: str = ""
) -> OpenedUpload:
    VaultUpload.objects.filter(pk=upload.pk, state=VaultUpload.State.PENDING).update(
        state=state, sealed=None, stored=stored, reason=reason, opened_at=clock.now()
    )
    audit.append(
        actor="system:compute",
        action=f"vault.upload_{state.value}",
        subject=f"vault-upload:{upload.pk}",
        detail={"subjects": upload.subjects, "stored": stored, "reason": reason},
    )
    return OpenedUpload(str(upload.pk), state.value, subjects)
