"""What an outcome cube is made of: the protected attributes' axes and the three fixed ones."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

UNKNOWN = "unknown"
SCORE_BINS = 20
MAXIMUM_LEVELS = 32
MAXIMUM_CELLS = 2_000_000
SEPARATOR = "*"

DECISIONS = ("unfavourable", "favourable")
OUTCOMES = ("unfavourable", "favourable", UNKNOWN)
TAIL = (len(DECISIONS), len(OUTCOMES), SCORE_BINS + 1)
"""Shape of one group's table: decision x outcome x score bin (the last bin: no score)."""


@dataclass(frozen=True, slots=True)
class Axis:
    """One protected attribute and its declared levels; `unknown` always exists and is never declared.

    Codes are 0..len(levels)-1 in declared order; len(levels) stands for unknown.

    Raises ValueError for an empty or ambiguous name, no or too many levels, duplicates, and 'unknown' as a
    level.
    """

    name: str
    levels: tuple[str, ...]

    def __post_init__(self) -> None:
        object.__setattr__(self, "levels", tuple(self.levels))
        if not self.name or SEPARATOR in self.name:
            raise ValueError(f"attribute name {self.name!r} must be non-empty and without {SEPARATOR!r}")
        if not 1 <= len(self.levels) <= MAXIMUM_LEVELS:
            raise ValueError(f"attribute {self.name!r} declares {len(self.levels)} levels, not 1 to {MAXIMUM_LEVELS}")
        for level in self.levels:
            if not isinstance(level, str) or not level or SEPARATOR in level:
                raise ValueError(
                    f"attribute {self.name!r}: level {level!r} must be non-empty text without {SEPARATOR!r}"
                )
        if UNKNOWN in self.levels:
            raise ValueError(f"attribute {self.name!r}: {UNKNOWN!r} always exists and must not be declared")
        if len(set(self.levels)) != len(self.levels):
            raise ValueError(f"attribute {self.name!r} declares a level twice: {', '.join(self.levels)}")

    def __len__(self) -> int:
        """Number of codes, unknown included."""
        return len(self.levels) + 1

    @property
    def labels(self) -> tuple[str, ...]:
        """The declared levels followed by `unknown`, indexed by code."""
        return (*self.levels, UNKNOWN)

    def code(self, level: str | None) -> int:
        """Code of a level; None and undeclared levels are unknown."""
        return self.levels.index(level) if level in self.levels else len(self.levels)


@dataclass(frozen=True, slots=True)
class CubeSchema:
    """The axes of a cube. Raises ValueError for duplicate attributes and for more than two million cells."""

    axes: tuple[Axis, ...]

    def __post_init__(self) -> None:
        object.__setattr__(self, "axes", tuple(self.axes))
        if len(set(self.names)) != len(self.axes):
            raise ValueError(f"an attribute is declared twice: {', '.join(self.names)}")
        if self.size > MAXIMUM_CELLS:
            levels = " x ".join(f"{len(axis)} {axis.name}" for axis in self.axes)
            raise ValueError(
                f"the outcome cube would have {self.size:,} cells ({levels} x {math.prod(TAIL)}), "
                f"more than the limit of {MAXIMUM_CELLS:,}: declare fewer attributes or fewer levels"
            )

    @classmethod
    def of(cls, levels: Mapping[str, Iterable[str]]) -> CubeSchema:
        """Schema from {attribute: levels}, in the mapping's order."""
        return cls(tuple(Axis(name, tuple(names)) for name, names in levels.items()))

    @property
    def names(self) -> tuple[str, ...]:
        return tuple(axis.name for axis in self.axes)

    @property
    def shape(self) -> tuple[int, ...]:
        return (*(len(axis) for axis in self.axes), *TAIL)

    @property
    def size(self) -> int:
        return math.prod(self.shape)

    def axis(self, name: str) -> Axis:
        """The axis of that name; KeyError-free: raises ValueError naming what exists."""
        for axis in self.axes:
            if axis.name == name:
                return axis
        raise ValueError(f"no attribute {name!r}; the cube has {', '.join(self.names) or 'none'}")

    def to_dict(self) -> dict[str, Any]:
        return {"axes": [{"name": axis.name, "levels": list(axis.levels)} for axis in self.axes]}

    @classmethod
    def from_dict(cls, fields: Mapping[str, Any]) -> CubeSchema:
        """Inverse of `to_dict`. Raises ValueError for anything else."""
        try:
            return cls(tuple(Axis(str(axis["name"]), tuple(axis["levels"])) for axis in fields["axes"]))
        except (KeyError, TypeError) as error:
            raise ValueError(f"not a cube schema: {fields!r}") from error

    @classmethod
    def union(cls, schemas: Sequence[CubeSchema]) -> CubeSchema:
        """The smallest schema that holds every given one, whatever their order.

        A schema that covers all the others is taken as it is. Otherwise the widest one is extended with the
        missing levels and attributes in alphabetical order, so that summing cubes in another order gives the
        same bytes.
        """
        distinct = sorted(set(schemas), key=lambda schema: (-schema.size, str(schema.to_dict())))
        if not distinct:
            return cls(())
        levels = {axis.name: list(axis.levels) for axis in distinct[0].axes}
        found: dict[str, set[str]] = {}
        for schema in distinct[1:]:
            for axis in schema.axes:
                found.setdefault(axis.name, set()).update(axis.levels)
        for name in sorted(found):
            known = levels.setdefault(name, [])
            known.extend(sorted(found[name].difference(known)))
        return cls.of(levels)
