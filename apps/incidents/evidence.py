"""Evidence as it is given by those who may read runs, and how it is frozen.

This app cannot read a run: the pipeline hands over the documents (small groups already hidden in them) and the lines of
the charts. They are stored as canonical JSON, byte for byte, under the SHA-256 of these bytes.
"""

from __future__ import annotations

import hashlib
import json
import zlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

from apps.common import clock
from apps.incidents.models import Evidence, Incident


@dataclass(frozen=True, slots=True)
class ChartLine:
    """One line of a chart, oldest first; group None is the aggregate. Moments are RFC 3339 text."""

    group: str | None
    as_of: Sequence[str]
    value: Sequence[float | None]
    low: Sequence[float | None]
    high: Sequence[float | None]
    verdict: Sequence[str]
    run_id: Sequence[int]


@dataclass(frozen=True, slots=True)
class Chart:
    """A trend as it stood: what it shows, its bounds and its lines, the one in question first."""

    title: str
    metric: str
    attribute: str
    window: str
    bounds: Sequence[float]
    lines: Sequence[ChartLine]


@dataclass(frozen=True, slots=True)
class Given:
    """What is handed over: run documents by id, and charts."""

    runs: Mapping[int, Mapping[str, Any]] = field(default_factory=dict)
    charts: Sequence[Chart] = ()


NONE = Given()


def run_label(window: str, as_of: datetime | str) -> str:
    """A run's window in words: 24 h until 25 Nov 2026, 15:00 UTC. as_of: a moment, or one in ISO 8601."""
    until = (datetime.fromisoformat(as_of) if isinstance(as_of, str) else as_of).astimezone(UTC)
    return f"{window[:-1]} {window[-1]} until {until.day} {until:%b %Y, %H:%M} UTC"


def threshold_label(version: int, assessment: str) -> str:
    """A version of a model's thresholds in words."""
    return f"Threshold policy version {version}, assessment {assessment}"


def freeze(incident: Incident, given: Given, *, actor: str) -> list[Evidence]:
    """Store what is not stored yet; returns what was added, in the caller's transaction."""
    wanted: list[tuple[Evidence.Kind, str, int | None, Mapping[str, Any]]] = [
        (Evidence.Kind.RUN, f"Run {run_id}, {run_label(document['window'], document['as_of'])}", run_id, document)
        for run_id, document in sorted(given.runs.items())
    ]
    wanted += [(Evidence.Kind.CHART, chart.title[:300], None, _plain(chart)) for chart in given.charts]
    known = set(Evidence.objects.filter(incident=incident).values_list("digest", flat=True))
    fresh = []
    for kind, title, run_id, content in wanted:
        body = canonical(content)
        digest = hashlib.sha256(body).hexdigest()
        if digest in known:
            continue
        known.add(digest)
        fresh.append(
            Evidence(
                incident=incident,
                kind=kind,
                title=title,
                run_id=run_id,
                content=zlib.compress(body, 6),
                digest=digest,
                added_by=actor,
                added_at=clock.now(),
            )
        )
    return Evidence.objects.bulk_create(fresh)


def canonical(content: Any) -> bytes:
    """The bytes that the digest covers. Raises ValueError for what is not JSON."""
    return json.dumps(content, sort_keys=True, separators=(",", ":"), ensure_ascii=False, allow_nan=False).encode()


def thawed(stored: Evidence) -> bytes:
    """The canonical JSON of stored evidence. Raises ValueError if it is not what the digest says."""
    body = zlib.decompress(bytes(stored.content))
    if hashlib.sha256(body).hexdigest() != stored.digest:
        raise ValueError(f"Evidence {stored.pk} of incident {stored.incident_id} does not match its digest.")
    return body


def _plain(chart: Chart) -> dict[str, Any]:
    return {
        "title": chart.title,
        "metric": chart.metric,
        "attribute": chart.attribute,
        "window": chart.window,
        "bounds": list(chart.bounds),
        "lines": [
            {
                "group": line.group,
                "as_of": list(line.as_of),
                "value": list(line.value),
                "low": list(line.low),
                "high": list(line.high),
                "verdict": list(line.verdict),
                "run_id": list(line.run_id),
            }
            for line in chart.lines
        ],
    }
