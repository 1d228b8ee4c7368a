"""Where the labels of training data come from, and what of it must not be learned without a human look.

A model that learns from its own decisions turns them into the truth of its successor. Rows labelled by decisions,
rows of which nobody knows who labelled them, and decisions that are given out as outcomes are therefore held.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from apps.common.errors import Refused
from apps.inference.selectors import Lineage

OBSERVED, REVIEWED, EXTERNAL, DECIDED, UNKNOWN = (
    "observed_outcome",
    "human_review",
    "external",
    "model_decision",
    "unknown",
)
SOURCES = (OBSERVED, REVIEWED, EXTERNAL, DECIDED, UNKNOWN)
MOST_NAMED = 100_000
ONE_SIDED = 0.95
"""Share of the named events with one and the same decision from which their outcomes are known for that one only."""
FEW = 30
"""Named events below which nothing is said about their decisions."""


@dataclass(frozen=True, slots=True)
class Manifest:
    """What a training set consists of: rows by the source of their label, and events of this model among them."""

    name: str
    rows: int
    sources: Mapping[str, int]
    named: int

    def to_dict(self) -> dict[str, Any]:
        return {"name": self.name, "rows": self.rows, "sources": dict(self.sources), "named": self.named}


@dataclass(frozen=True, slots=True)
class Reason:
    """Why a training set is held: a word for programs, a sentence, and how many rows or events it is about."""

    code: str
    message: str
    rows: int


def manifest_of(*, name: str, rows: int, sources: Mapping[str, int], named: int) -> Manifest:
    """A manifest whose numbers fit together. Raises Refused naming the field."""
    if not name.strip() or len(name) > 200:
        raise Refused("name", "Name the training set in 1 to 200 characters.")
    for source, number in sources.items():
        if source not in SOURCES:
            raise Refused(f"sources.{source}", f"A label's source is one of {', '.join(SOURCES)}.")
        if number < 0:
            raise Refused(f"sources.{source}", "There are no negative numbers of rows.")
    if rows < 1:
        raise Refused("rows", "A training set has at least one row.")
    if sum(sources.values()) != rows:
        raise Refused("sources", f"They add up to {sum(sources.values()):,} rows and not to {rows:,}.")
    if named > MOST_NAMED:
        raise Refused("event_ids", f"{named:,} events are named; at most {MOST_NAMED:,} fit. Name a random sample.")
    if named > rows:
        raise Refused("event_ids", f"{named:,} events are named of {rows:,} rows.")
    return Manifest(name.strip(), rows, {source: number for source, number in sources.items() if number}, named)


def reasons(manifest: Manifest, lineage: Lineage) -> tuple[Reason, ...]:
    """Why a human has to look at the training set first; none if it may be used. lineage: of the named events."""
    found: list[Reason] = []
    decided, unknown = manifest.sources.get(DECIDED, 0), manifest.sources.get(UNKNOWN, 0)
    observed = manifest.sources.get(OBSERVED, 0)
    if decided:
        found.append(
            Reason("model_decision", f"{_of(decided, manifest.rows)} are labelled by a model's own decision.", decided)
        )
    if unknown:
        found.append(
            Reason("unknown_source", f"Of {_of(unknown, manifest.rows)} nobody knows who labelled them.", unknown)
        )
    if observed and not manifest.named:
        found.append(
            Reason(
                "not_proven",
                f"{_of(observed, manifest.rows)} are said to have observed outcomes, and no event is named by which "
                "this could be checked.",
                observed,
            )
        )
    if missing := manifest.named - lineage.found:
        found.append(
            Reason("unknown_events", f"{missing:,} of {manifest.named:,} named events were never seen here.", missing)
        )
    if bare := lineage.found - lineage.labelled:
        found.append(
            Reason(
                "no_outcome",
                f"Of {bare:,} of {lineage.found:,} named events no outcome was ever observed here: their label can "
                "only come from the decision.",
                bare,
            )
        )
    largest = max(lineage.favourable, lineage.found - lineage.favourable)
    if lineage.found >= FEW and largest >= ONE_SIDED * lineage.found:
        found.append(
            Reason(
                "one_sided",
                f"{largest:,} of {lineage.found:,} named events had the same decision: outcomes are known for that "
                "decision alone, and what the others would have become is not learned.",
                largest,
            )
        )
    return tuple(found)


def sources_added(rows: Sequence[tuple[str, int]]) -> dict[str, int]:
    """Rows by source, those of the same source added."""
    added: dict[str, int] = {}
    for source, number in rows:
        added[source] = added.get(source, 0) + number
    return added


def _of(part: int, whole: int) -> str:
    return f"{part:,} of {whole:,} rows"
