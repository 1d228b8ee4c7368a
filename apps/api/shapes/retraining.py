"""Checks of retraining data."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated, Literal

from msgspec import Meta, Struct

from apps.inference.shapes import Identifier
from apps.retraining.provenance import SOURCES


class LabelSourceBody(Struct, frozen=True, forbid_unknown_fields=True):
    """Rows of a training set whose labels come from one source."""

    source: Literal[SOURCES]  # type: ignore[valid-type]
    rows: Annotated[int, Meta(ge=0, le=10**12)]


class RetrainingBody(Struct, frozen=True, forbid_unknown_fields=True):
    """A training set before it is learned from: rows by label source, and events of this model among them."""

    name: Annotated[str, Meta(min_length=1, max_length=200)]
    rows: Annotated[int, Meta(ge=1, le=10**12)]
    sources: Annotated[list[LabelSourceBody], Meta(min_length=1, max_length=20)]
    event_ids: Annotated[list[Identifier], Meta(max_length=100_000)] = []
    event_hashes: Annotated[
        list[Annotated[str, Meta(pattern="^[0-9a-fA-F]{64}$")]],
        Meta(max_length=100_000, description="SHA-256 of event ids in hexadecimal, in the place of the ids."),
    ] = []


class ReasonAnswer(Struct, frozen=True):
    """Why a training set is held, and how many rows or events that is about."""

    code: str
    message: str
    rows: int


class RetrainingAnswer(Struct, frozen=True):
    """allowed: learn from it. held: not before compliance has released it. released: compliance has."""

    id: int
    model: str
    name: str
    verdict: Literal["allowed", "held", "released"]
    reasons: list[ReasonAnswer]
    checked_at: datetime
    released_at: datetime | None
