"""Words that several bodies and answers share, and how a batch is refused."""

from __future__ import annotations

from typing import Annotated, Any, Literal, TypeAlias

from msgspec import Meta, Struct

from apps.inference.shapes import Rejection
from apps.overrides.categories import CATEGORIES as OVERRIDE_CATEGORIES
from apps.registry.declarations import INDUSTRIES, RISK_LEVELS

CATEGORIES = tuple(OVERRIDE_CATEGORIES)


Word = Annotated[str, Meta(min_length=1, max_length=80)]


Slug = Annotated[str, Meta(min_length=1, max_length=64, pattern="^[a-z0-9](?:[a-z0-9-]{0,62}[a-z0-9])?$")]


VersionName = Annotated[str, Meta(min_length=1, max_length=100, pattern="^[A-Za-z0-9][A-Za-z0-9._+-]{0,99}$")]


Industry: TypeAlias = Literal[INDUSTRIES]  # type: ignore[valid-type]


RiskLevel: TypeAlias = Literal[RISK_LEVELS]  # type: ignore[valid-type]


class BatchRefusal(Struct, frozen=True):
    """Nothing of the batch could be stored: a problem document with the reason for every row."""

    type: str
    title: str
    status: int
    detail: str
    errors: list[Any]
    accepted: int
    duplicates: int
    rejected: list[Rejection]
