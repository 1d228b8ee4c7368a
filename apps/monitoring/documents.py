"""A run's document: canonical JSON, so that equal inputs give equal bytes. No wall-clock time is in it.

Results are kept as columns (``{"fields": [...], "rows": [[...]]}``): a third of the size of one object each.
"""

from __future__ import annotations

import hashlib
import zlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import msgspec

FORMAT = 2
_encoder = msgspec.json.Encoder(order="deterministic")


@dataclass(frozen=True, slots=True)
class Document:
    """A run's content, its canonical JSON compressed, and the SHA-256 of the JSON itself."""

    content: Mapping[str, Any]
    compressed: bytes
    digest: str


def close(content: Mapping[str, Any]) -> Document:
    """The document with that content."""
    canonical = _encoder.encode({"format": FORMAT, **content})
    return Document(content, zlib.compress(canonical, 6), hashlib.sha256(canonical).hexdigest())


def read(compressed: bytes) -> dict[str, Any]:
    """The content of a stored document, its results as one mapping each. Raises ValueError for another format."""
    content: dict[str, Any] = msgspec.json.decode(zlib.decompress(compressed))
    if content["format"] != FORMAT:
        raise ValueError(f"The run's document has format {content['format']}; this version reads format {FORMAT}.")
    fields = content["results"]["fields"]
    content["results"] = [dict(zip(fields, row, strict=True)) for row in content["results"]["rows"]]
    return content


def columns(results: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
    """Results, all with the same keys, as columns."""
    fields = sorted(results[0]) if results else []
    return {"fields": fields, "rows": [[result[field] for field in fields] for result in results]}
