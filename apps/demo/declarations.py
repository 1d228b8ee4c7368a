"""What a demo model is: what it registers, whom it decides about, and the stream it sends."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Protocol

Row = dict[str, Any]


@dataclass(frozen=True, slots=True)
class Attribute:
    """A protected attribute: its levels in display order, the reference group, and partners it is crossed with."""

    name: str
    levels: tuple[str, ...]
    reference: str
    pairs: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Release:
    """A version of a model and the environment it was built in."""

    version: str
    packages: Mapping[str, str]
    python: str = "3.11.9"
    training_data: Mapping[str, Any] = field(default_factory=dict)

    def body(self, *, released_at: datetime) -> Row:
        """What ``POST /models/<slug>/versions`` takes."""
        return {
            "released_at": released_at,
            "version": self.version,
            "environment": {"packages": dict(self.packages), "python": self.python},
            "training_data": dict(self.training_data),
        }


@dataclass(frozen=True, slots=True)
class Declaration:
    """A model as it is registered; `decision` and `outcome` are (0, 1) in the words of its people.

    public_data: its events are published elsewhere, so nothing of them is held back for what was told before.
    """

    slug: str
    name: str
    industry: str
    purpose: str
    risk_level: str
    attributes: tuple[Attribute, ...]
    decision: tuple[str, str]
    outcome: tuple[str, str]
    releases: tuple[Release, ...]
    public_data: bool = False

    def body(self, *, owner: str) -> Row:
        """What ``POST /models`` takes."""
        return {
            "slug": self.slug,
            "name": self.name,
            "industry": self.industry,
            "purpose": self.purpose,
            "risk_level": self.risk_level,
            "protected_attributes": [
                {
                    "name": attribute.name,
                    "levels": list(attribute.levels),
                    "reference": attribute.reference,
                    "pairs": list(attribute.pairs),
                }
                for attribute in self.attributes
            ],
            "favourable_decision": 1,
            "words": {"decision": list(self.decision), "outcome": list(self.outcome)},
            "owner": owner,
            "public_data": self.public_data,
        }


class Source(Protocol):
    """A demo model with its data.

    The stream is a function of time alone: the same interval gives the same rows in every process, so that feeding
    it twice changes nothing.
    """

    @property
    def declaration(self) -> Declaration: ...

    @property
    def first(self) -> datetime:
        """Start of the first hour that holds an event."""
        ...

    @property
    def last(self) -> datetime | None:
        """The moment after which nothing comes any more; None for a stream that goes on."""
        ...

    def released_at(self, version: str) -> datetime:
        """When that version began to decide."""
        ...

    def subjects(self) -> Iterator[Row]:
        """Subjects with their protected attributes, as ``PUT /attributes`` takes them."""
        ...

    def events(self, start: datetime, end: datetime) -> Iterator[Row]:
        """Events that occur in [start, end), in order, as ``POST /models/<slug>/events`` takes them."""
        ...

    def labels(self, start: datetime, end: datetime) -> Iterator[Row]:
        """Labels observed in [start, end), as ``POST /models/<slug>/labels`` takes them."""
        ...
