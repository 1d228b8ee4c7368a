"""What the rest of the house needs to know about a registered model, as plain frozen values."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from types import MappingProxyType

from biasgov.fairness.policy import Plan
from biasgov.fairness.schema import Axis, CubeSchema


@dataclass(frozen=True, slots=True)
class AttributeSpec:
    """A protected attribute: its declared levels in order, and the reference group."""

    name: str
    levels: tuple[str, ...]
    reference: str


@dataclass(frozen=True, slots=True)
class Words:
    """How people speak of the model: (unfavourable, favourable) decision, (negative, positive) outcome."""

    decision: tuple[str, str]
    outcome: tuple[str, str]


@dataclass(frozen=True, slots=True)
class ModelSpec:
    """A registered model: everything that ingest, counting and pages ask about it."""

    id: int
    slug: str
    name: str
    industry: str
    purpose: str
    risk_level: str
    favourable_decision: int
    words: Words
    owner: str
    attributes: tuple[AttributeSpec, ...]
    pairs: tuple[tuple[str, str], ...]
    versions: Mapping[str, int]
    segment: str = ""
    """The attribute by which changes of a disparity are split into mix and rates; "" where none is declared."""
    family: str = ""
    """Models of one family are pooled where none of the windows can judge a group; "" for a model by itself."""
    features: tuple[str, ...] = ()
    """Names of the events' features by which people are alike or not."""
    public_data: bool = False
    """Its events are published anyway, so that windows may be compared over time; small groups stay hidden."""
    population: Mapping[str, Mapping[str, float]] = field(default_factory=dict)
    """Declared shares of the groups the model serves, by attribute and level."""

    @property
    def attribute_names(self) -> tuple[str, ...]:
        return tuple(attribute.name for attribute in self.attributes)

    @property
    def version_names(self) -> Mapping[int, str]:
        """Version labels by id."""
        return MappingProxyType({identity: name for name, identity in self.versions.items()})

    def schema(self) -> CubeSchema:
        """The axes of this model's outcome cubes."""
        return cube_schema(self.attributes)

    def plan(self) -> Plan:
        """What is measured: every attribute against its reference, the declared pairs, the full intersection."""
        references = {attribute.name: attribute.reference for attribute in self.attributes}
        return Plan(references=references, pairs=self.pairs, segment=self.segment or None)


def cube_schema(attributes: tuple[AttributeSpec, ...]) -> CubeSchema:
    """The outcome cube's axes for `attributes`; raises ValueError where the cube would be too large."""
    return CubeSchema(tuple(Axis(attribute.name, attribute.levels) for attribute in attributes))
