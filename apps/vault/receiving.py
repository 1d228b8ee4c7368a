"""Files on their way in: read row by row, checked, and sealed some thousand people at a time.

A part is committed with the place in the file where it ends. Who is cut off sends the file again under the same id,
from there or from its beginning; what was received is then compared, by a keyed digest of each part, and passed over.
Whatever is refused or taken back leaves its number of rows and the reason, and nothing else.
"""

from __future__ import annotations

import re
from collections.abc import Collection
from datetime import timedelta
from uuid import UUID

import numpy as np
from cryptography.hazmat.primitives import hashes, hmac
from django.conf import settings
from django.db import transaction

from apps.audit import services as audit
from apps.common import clock
from apps.common.errors import Refused
from apps.vault import keys
from apps.vault.columns import Attributes, Palette, People
from apps.vault.models import VaultUpload, VaultUploadPart
from apps.vault.pseudonyms import Pseudonymiser
from apps.vault.rows import FORMS, SUBJECT, reader, row_name
from apps.vault.schemas import Levels, check_attributes, current_schema, narrowed, schema
from apps.vault.uploads import PART, part_add, upload_close

MOST_BYTES = 2**30
MOST_PEOPLE = 5_000_000
PART_BYTES = 4 * 2**20
KEPT_FOR = timedelta(days=1)
_LONGEST_SUBJECT = 200
_NO_IDENTITY = re.compile(r"[\x00-\x1f\x7f-\x9f\ud800-\udfff]")


def upload_begin(
    *, actor: str, form: str, upload_id: UUID | None = None, attributes: Collection[str] | None = None
) -> UUID:
    """Be ready to receive a file; under an id that its sender has begun already, go on with that one.

    Parameters
    ----------
    actor
        Who sends it. Nobody else can go on with it.
    form
        ``csv``, ``json`` or ``ndjson``.
    attributes
        The attributes that the sender may change. None: all.

    Raises
    ------
    Refused
        The form is unknown, or the id is another sender's (``not_found``) or of another form (``conflict``).
    """
    if form not in FORMS:
        raise Refused("form", f"must be one of {', '.join(FORMS)}.")
    if upload_id is not None and (known := VaultUpload.objects.filter(pk=upload_id).first()):
        if known.actor != actor:
            raise Refused("upload", "does not exist.", code="not_found")
        if known.form != form:
            raise Refused("upload", f"was begun as {known.form}.", code="conflict")
        return known.pk
    given = {} if upload_id is None else {"id": upload_id}
    with transaction.atomic():
        row = VaultUpload.objects.create(
            **given,
            actor=actor,
            form=form,
            attributes=None if attributes is None else sorted(attributes),
            schema_id=current_schema().version,
            sealed_to=keys.fingerprint(keys.public_key()),
        )
        audit.append(actor=actor, action="vault.upload_begun", subject=f"vault-upload:{row.pk}", detail={"form": form})
    return row.pk


def upload_withdraw(*, upload_id: UUID, actor: str) -> None:
    """Take back what has not been received to its end. Raises Refused (``not_found``, ``conflict``)."""
    if not VaultUpload.objects.filter(pk=upload_id, actor=actor).exists():
        raise Refused("upload", "does not exist.", code="not_found")
    if not _ended(upload_id, VaultUpload.State.WITHDRAWN, actor, reason="Taken back by its sender."):
        raise Refused("upload", "is not being received any more.", code="conflict")


def uploads_forget() -> int:
    """Drop what has been received in part and has not gone on for a day; answers how many uploads."""
    old = VaultUpload.objects.filter(state=VaultUpload.State.RECEIVING, touched_at__lt=clock.now() - KEPT_FOR)
    reason = "Not received to its end within a day."
    return sum(
        _ended(pk, VaultUpload.State.WITHDRAWN, "system:vault", reason=reason)
        for pk in old.values_list("pk", flat=True)[:100]
    )


class Receiving:
    """The receipt of a file, or of what is left of it: `feed` its bytes, then `end`.

    Raises
    ------
    Refused
        From each of its verbs. ``not_found``: not the sender's; ``conflict``: it is not being received any more, is
        received twice at once, or is not the file of which the beginning is here already, and what is here stays. Any
        other code: the file cannot be used; nothing of it is left.
    """

    def __init__(self, *, upload_id: UUID, actor: str, start: int = 0) -> None:
        row = VaultUpload.objects.filter(pk=upload_id, actor=actor).first()
        if row is None:
            raise Refused("upload", "does not exist.", code="not_found")
        if row.state != VaultUpload.State.RECEIVING:
            raise Refused("upload", f"is {row.state}; a new file needs a new upload.", code="conflict")
        if start not in (0, row.taken):
            raise Refused("upload", f"goes on at byte {row.taken}, or begins again at 0.", code="conflict")
        self._row = row
        self._public = keys.public_key()
        if keys.fingerprint(self._public) != row.sealed_to:
            raise self._refused(Refused("upload", "was begun under another key; begin a new one."))
        self._levels: Levels = narrowed(schema(row.schema_id), row.attributes)
        self._reader = reader(row.form, position=row.taken, rows=row.subjects, heading=row.heading)
        self._heading_checked = bool(row.heading)
        self._known = [] if start else self._parts_here()
        self._since, self._fed = bytearray(), 0
        self._pseudonyms = Pseudonymiser()
        self._part_begin()

    def feed(self, data: bytes) -> None:
        """Take the next bytes of the file."""
        self._since += data
        self._pass_over()
        if self._known:
            return
        fresh = bytes(self._since[self._fed :])
        self._fed = len(self._since)
        self._read(fresh, last=False)

    def end(self) -> None:
        """The file is complete: hand it to the compute side."""
        if self._known:
            raise Refused("File", "is shorter than what was received of it before.", code="conflict")
        self._read(b"", last=True)
        if not (self._row.subjects or self._subjects):
            raise self._refused(Refused("File", "names nobody."))
        with transaction.atomic():
            self._part_end()
            upload_close(self._row, self._public)

    def _pass_over(self) -> None:
        """Compare what was received before, part by part, and let go of it."""
        while self._known and len(self._since) >= self._known[0][0]:
            length, digest = self._known.pop(0)
            if _digest(self._since[:length]) != digest:
                raise Refused("File", "does not begin with what was received under this id before.", code="conflict")
            del self._since[:length]

    def _parts_here(self) -> list[tuple[int, bytes]]:
        """Length and digest of the parts that are here."""
        found, before = [], 0
        parts = VaultUploadPart.objects.filter(upload_id=self._row.pk).order_by("place")
        for ends_at, digest in parts.values_list("ends_at", "digest"):
            found.append((ends_at - before, bytes(digest)))
            before = ends_at
        return found

    def _read(self, data: bytes, *, last: bool) -> None:
        try:
            if self._row.taken + len(self._since) > MOST_BYTES:
                raise Refused("File", f"is larger than {MOST_BYTES >> 20:,} MiB; split it.", code="too_many")
            for subject, attributes in self._reader.rows(data, last=last):
                self._take(subject, attributes)
                if len(self._subjects) >= PART or self._reader.position - self._row.taken >= PART_BYTES:
                    self._part_end()
            self._check_heading()
        except Refused as refused:
            raise self._refused(refused) from None

    def _take(self, subject: str, attributes: Attributes) -> None:
        if not 1 <= len(subject) <= _LONGEST_SUBJECT or _NO_IDENTITY.search(subject):
            raise Refused(self._here(SUBJECT), "must be 1 to 200 characters without control characters.")
        key = tuple(attributes.items())
        place = self._places.get(key)
        if place is None:
            self._check(attributes)
            place = self._places[key] = self._palette.place(attributes)
        self._subjects.append(subject)
        self._choice.append(place)

    def _check(self, attributes: Attributes) -> None:
        self._check_heading()
        try:
            check_attributes(attributes, self._levels, field="")
        except Refused as refused:
            raise Refused(self._here(refused.field.lstrip(".")), refused.message, code=refused.code) from None

    def _check_heading(self) -> None:
        """Also for a file that is all heading, or a column in which nobody has anything."""
        if self._heading_checked or not self._reader.heading:
            return
        self._heading_checked = True
        for place, name in enumerate(self._reader.heading[1:], 1):
            if name != SUBJECT and name not in self._levels:
                raise Refused(
                    "Heading",
                    f"names in column {place} an attribute that no model declares, or that is not yours to change;"
                    f" yours are {', '.join(sorted(self._levels)) or 'none'}.",
                    code="unknown_attribute",
                )

    def _part_begin(self) -> None:
        self._subjects: list[str] = []
        self._choice: list[int] = []
        self._palette = Palette()
        self._places: dict[tuple[tuple[str, str], ...], int] = {}

    def _part_end(self) -> None:
        if not self._subjects:
            return
        row, length = self._row, self._reader.position - self._row.taken
        if row.subjects + len(self._subjects) > MOST_PEOPLE:
            raise Refused("File", f"names more than {MOST_PEOPLE:,} people; split it.", code="too_many")
        subjects = np.frombuffer(b"".join(self._pseudonyms.many(self._subjects)), np.uint8).reshape(-1, 16)
        people = People(subjects, np.array(self._choice, np.uint32), self._palette.choices)
        row.subjects, row.taken = row.subjects + len(people), row.taken + length
        row.heading = list(self._reader.heading)
        with transaction.atomic():
            held = VaultUpload.objects.filter(pk=row.pk, state=VaultUpload.State.RECEIVING, parts=row.parts)
            if not held.update(
                parts=row.parts + 1,
                subjects=row.subjects,
                taken=row.taken,
                heading=row.heading,
                touched_at=clock.now(),
            ):
                raise Refused("upload", "is being received twice, or was taken back.", code="conflict")
            part_add(row, people, self._public, ends_at=row.taken, digest=_digest(self._since[:length]))
        del self._since[:length]
        self._fed -= length
        self._part_begin()

    def _here(self, column: str) -> str:
        return f"{row_name(self._row.form, self._row.subjects + len(self._subjects))}, column {column}"

    def _refused(self, refused: Refused) -> Refused:
        """Nothing of the file remains. What only contradicts another receipt takes nothing away from it."""
        if refused.code != "conflict":
            _ended(self._row.pk, VaultUpload.State.REFUSED, self._row.actor, reason=str(refused))
        return refused


def _digest(content: bytes | bytearray) -> bytes:
    """Keyed, so that it says nothing to who has the database."""
    code = hmac.HMAC(settings.KEYRING.read("pseudonym"), hashes.SHA256())
    code.update(b"biasgov upload part\0")
    code.update(content)
    return code.finalize()


@transaction.atomic
def _ended(upload_id: UUID, state: VaultUpload.State, actor: str, *, reason: str) -> bool:
    changed = VaultUpload.objects.filter(pk=upload_id, state=VaultUpload.State.RECEIVING).update(
        state=state, reason=reason[:300]
    )
    if not changed:
        return False
    VaultUploadPart.objects.filter(upload_id=upload_id).delete()
    audit.append(
        actor=actor,
        action=f"vault.upload_{state.value}",
        subject=f"vault-upload:{upload_id}",
        detail={"reason": reason[:300]},
    )
    return True
