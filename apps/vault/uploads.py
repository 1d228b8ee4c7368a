"""Uploads at the door: a web process closes the envelope, and cannot open it again.

An upload is sealed in parts of some thousand people. One of no people closes it, so that none can be missing unseen.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass

from django.db import transaction

from apps.audit import services as audit
from apps.common.errors import Refused
from apps.vault import crypto, keys
from apps.vault.columns import People
from apps.vault.models import VaultUpload, VaultUploadPart
from apps.vault.pseudonyms import Pseudonymiser
from apps.vault.schemas import check_attributes, current_schema, narrowed

PART = 10_000


@dataclass(frozen=True, slots=True)
class UploadReceipt:
    """What the sender gets: the upload's id and how many subjects were sealed."""

    upload_id: str
    sealed: int


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
    schema = current_schema()
    _check(subjects, narrowed(schema, attributes))
    pseudonyms = Pseudonymiser().many([subject for subject, _ in subjects])
    people = People.of(zip(pseudonyms, (attributes for _, attributes in subjects), strict=True))
    public = keys.public_key()
    with transaction.atomic():
        upload = VaultUpload.objects.create(
            actor=actor,
            subjects=len(people),
            attributes=None if attributes is None else sorted(attributes),
            schema_id=schema.version,
            sealed_to=keys.fingerprint(public),
        )
        for start in range(0, len(people), PART):
            part_add(upload, people.taken(slice(start, start + PART)), public)
        upload_close(upload, public)
    return UploadReceipt(str(upload.pk), len(people))


def part_add(
    upload: VaultUpload, people: People, public: bytes, *, last: bool = False, ends_at: int = 0, digest: bytes = b""
) -> None:
    """Seal people as the next part of an upload that is being received.

    For a file, `ends_at` and `digest` say of which bytes the part was made.
    """
    VaultUploadPart.objects.create(
        upload_id=upload.pk,
        place=upload.parts,
        sealed=crypto.seal_chunk(people, public, upload=upload.pk.bytes, index=upload.parts, last=last),
        ends_at=ends_at,
        digest=digest,
    )
    upload.parts += 1


def upload_close(upload: VaultUpload, public: bytes) -> None:
    """Say that the upload is complete: from now on the compute side opens it."""
    part_add(upload, People.of([]), public, last=True)
    changed = VaultUpload.objects.filter(pk=upload.pk, state=VaultUpload.State.RECEIVING).update(
        state=VaultUpload.State.PENDING, parts=upload.parts, subjects=upload.subjects
    )
    if not changed:
        raise Refused("upload", "is not being received any more.", code="conflict")
    audit.append(
        actor=upload.actor,
        action="vault.upload_sealed",
        subject=f"vault-upload:{upload.pk}",
        detail={"subjects": upload.subjects, "schema": upload.schema_id},
    )


def _check(subjects: Sequence[tuple[str, Mapping[str, str]]], levels: Mapping[str, frozenset[str]]) -> None:
    if not subjects:
        raise Refused("subjects", "names nobody; send at least one subject.", code="empty")
    seen: set[str] = set()
    for index, (subject, attributes) in enumerate(subjects):
        if subject in seen:
            raise Refused(f"subjects[{index}].subject_id", "was named before in this upload.", code="duplicate")
        seen.add(subject)
        check_attributes(attributes, levels, field=f"subjects[{index}].attributes")
