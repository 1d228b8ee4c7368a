"""A run's document: canonical JSON, so that equal inputs give equal bytes. No wall-clock time is in it.

Results are kept as columns (``{"fields": [...], "rows": [[...]]}``): a third of the size of one object each.
"""

from __future__ import annotations

import hashlib
import re
import zlib
from bisect import bisect_right
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from itertools import accumulate
from typing import Any

import msgspec

FORMAT = 2
_encoder = msgspec.json.Encoder(order="deterministic")


class _Rows(msgspec.Struct):
    fields: list[str]
    rows: list[msgspec.Raw]


class _Outline(msgspec.Struct):
    """A document of which nothing is decoded but what tells its results apart."""

    format: int
    window: str
    results: _Rows


_outline = msgspec.json.Decoder(_Outline)


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
    _demand_format(content["format"])
    fields = content["results"]["fields"]
    content["results"] = [dict(zip(fields, row, strict=True)) for row in content["results"]["rows"]]
    return content


def read_results(compressed: bytes, metrics: Collection[str]) -> tuple[str, list[str], list[list[Any]]]:
    """The window of a stored document, the fields of its results, and the rows of those of these metrics alone.

    Rows of other metrics are passed over undecoded, which is most of them where a policy bounds a few metrics. Raises
    ValueError for another format.
    """
    outline = _outline.decode(zlib.decompress(compressed))
    _demand_format(outline.format)
    fields, rows = outline.results.fields, outline.results.rows
    if not metrics or not rows:
        return outline.window, fields, []
    # All rows are searched in one go; a row ends before the place where the next one begins.
    named = re.compile(b"|".join(re.escape(msgspec.json.encode(each)) for each in sorted(metrics)))
    begin = list(accumulate((len(row) + 1 for row in rows), initial=0))
    places = dict.fromkeys(bisect_right(begin, found.start()) - 1 for found in named.finditer(b",".join(rows)))
    some: list[list[Any]] = msgspec.json.decode(b"[%s]" % b",".join([rows[place] for place in places]))
    metric = fields.index("metric")
    return outline.window, fields, [row for row in some if row[metric] in metrics]


def columns(results: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
    """Results, all with the same keys, as columns."""
    fields = sorted(results[0]) if results else []
    return {"fields": fields, "rows": [[result[field] for field in fields] for result in results]}


def _demand_format(found: Any) -> None:
    if found != FORMAT:
        raise ValueError(f"The run's document has format {found}; this version reads format {FORMAT}.")
