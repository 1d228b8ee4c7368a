"""Protected attributes on their way into the vault, and out of it."""

from __future__ import annotations

from typing import Annotated, Literal

from msgspec import Meta, Struct

from apps.inference.shapes import Identifier


class SubjectBody(Struct, frozen=True, forbid_unknown_fields=True):
    """The protected attributes of one person, as declared by the models that use them."""

    subject_id: Identifier
    attributes: Annotated[dict[str, str], Meta(min_length=1, max_length=64)]


class AttributesBody(Struct, frozen=True, forbid_unknown_fields=True):
    """Attributes to seal. All of them are refused if one of them is not as declared."""

    subjects: Annotated[list[SubjectBody], Meta(min_length=1, max_length=100_000)]


class SealedAnswer(Struct, frozen=True):
    """The upload is sealed: from here on the web side cannot read it any more."""

    upload_id: str
    sealed: int


class UploadAnswer(Struct, frozen=True):
    """How far an upload is.

    `offset` is the byte of the file from which its sender goes on after a break; `subjects` are received so far, `done`
    of them worked off by the compute side. `reason` names the row of a file that was refused.
    """

    upload_id: str
    state: Literal["receiving", "pending", "storing", "stored", "refused", "withdrawn"]
    offset: int
    subjects: int
    done: int
    stored: int
    replaced: int
    reason: str


class ErasureAnswer(Struct, frozen=True):
    """The erasure is on record and will be executed by the compute side."""

    erasure_id: str
