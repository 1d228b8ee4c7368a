"""Events and labels as they arrive, and what is answered: the one definition of parsing, checking and OpenAPI."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated, Literal, TypeAlias

from msgspec import UNSET, Meta, Struct, UnsetType

MAXIMUM_ROWS = 10_000
MAXIMUM_BYTES = 8 * 1024 * 1024
MAXIMUM_FEATURE_BYTES = 8 * 1024

Identifier: TypeAlias = Annotated[
    str, Meta(min_length=1, max_length=200, description="1 to 200 characters, no control characters.")
]
Moment: TypeAlias = Annotated[datetime, Meta(tz=True, description="RFC 3339 with an offset.")]
Binary: TypeAlias = Literal[0, 1]
Share: TypeAlias = Annotated[float, Meta(ge=0, le=1)]
Scalar: TypeAlias = str | int | float | bool | None
Features: TypeAlias = Annotated[
    dict[str, Scalar | list[Scalar]],
    Meta(description="Finite scalars or flat lists, at most 8 KiB as JSON; never a protected attribute."),
]


class Override(Struct, frozen=True, forbid_unknown_fields=True):
    """A person decided otherwise than the model."""

    by: Identifier
    decision: Binary
    reason: Annotated[str, Meta(min_length=1, max_length=1000)]


class Event(Struct, frozen=True, forbid_unknown_fields=True, gc=False):
    """One decision about one person, without any protected attribute."""

    event_id: Identifier
    subject_id: Identifier
    occurred_at: Annotated[
        datetime, Meta(tz=True, description="RFC 3339 with an offset; not in the future, not older than ten years.")
    ]
    version: Annotated[str, Meta(min_length=1, max_length=100, description="A registered version of the model.")]
    decision: Annotated[Binary, Meta(description="What the model decided, as registered.")]
    score: Annotated[Share, Meta(description="Probability of outcome 1.")] | UnsetType | None = UNSET
    label: Annotated[Binary, Meta(description="The outcome, where it is already known.")] | UnsetType | None = UNSET
    features: Features | UnsetType | None = UNSET
    override: Override | UnsetType | None = UNSET


class Label(Struct, frozen=True, forbid_unknown_fields=True, gc=False):
    """The outcome of one event as somebody observed it; the newest observation counts."""

    event_id: Identifier
    label: Binary
    observed_at: Moment


class Rejection(Struct, frozen=True):
    """Why one row of a batch was not stored."""

    index: int
    code: str
    message: str
    field: str = ""


class Receipt(Struct, frozen=True):
    """What became of a batch: newly stored, already stored before, refused."""

    accepted: int
    duplicates: int
    rejected: list[Rejection]
