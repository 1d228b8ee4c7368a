"""What counts as a breach: the governed bounds, the evidence asked for, and what is compared with what."""

from __future__ import annotations

import sys
from collections.abc import Mapping
from dataclasses import dataclass, field, fields, replace
from fractions import Fraction
from functools import lru_cache
from itertools import pairwise
from typing import Any

from biasgov.fairness.response_plan import SEVERITIES, ResponsePlan
from biasgov.fairness.schema import CubeSchema

METRICS = (
    "demographic_parity_ratio",
    "demographic_parity_difference",
    "equalized_odds_difference",
    "equal_opportunity_difference",
    "fpr_gap",
    "fnr_gap",
    "fnr_ratio",
    "predictive_parity_difference",
    "calibration_difference",
    "association",
    "individual_fairness_distance",
    "differential_fairness",
    "representation_psi",
    "score_psi",
    "selection_rate",
    "tpr",
    "fpr",
    "fnr",
    "ppv",
    "base_rate",
    "accuracy",
    "brier",
    "ece",
)

DEFAULT_SEVERITY_BANDS = {"medium": 0.05, "high": 0.10, "critical": 0.20}
"""Distance of the interval's nearer end beyond the bound from which each severity starts; below `medium`: low."""


MOST_CONFIDENT = 1 - 1e-9


@lru_cache(maxsize=1024)
def _exact(end: float) -> Fraction:
    return Fraction(repr(float(end)))


@dataclass(frozen=True, slots=True)
class Bound:
    """An allowed range, ends included; None leaves a side open.

    The ends are decimal numbers that people wrote down: 0.8 means exactly 4/5 (see `exact_lower`).
    Raises ValueError for ends that are not finite or in the wrong order.
    """

    lower: float | None = None
    upper: float | None = None

    def __post_init__(self) -> None:
        for end in (self.lower, self.upper):
            if end is not None and not abs(end) <= sys.float_info.max:
                raise ValueError(f"a bound must be a finite number, not {end}")
        if self.lower is not None and self.upper is not None and self.lower > self.upper:
            raise ValueError(f"the lower bound {self.lower} is above the upper bound {self.upper}")

    @property
    def is_open(self) -> bool:
        """Whether every value respects it."""
        return self.lower is None and self.upper is None

    @property
    def exact_lower(self) -> Fraction | None:
        return None if self.lower is None else _exact(self.lower)

    @property
    def exact_upper(self) -> Fraction | None:
        return None if self.upper is None else _exact(self.upper)

    def to_dict(self) -> dict[str, float | None]:
        return {"lower": self.lower, "upper": self.upper}

    @classmethod
    def from_dict(cls, fields: Mapping[str, Any]) -> Bound:
        """Inverse of `to_dict`; an absent side is open. Raises ValueError for other keys or values."""
        strange = set(fields) - {"lower", "upper"}
        if strange:
            raise ValueError(f"a bound has lower and upper, not {', '.join(sorted(strange))}")
        return cls(_number(fields.get("lower"), "lower"), _number(fields.get("upper"), "upper"))


NO_BOUND = Bound()


def check_confidence(confidence: float, name: str = "confidence") -> None:
    """Raises ValueError for what no interval can have: not between 0 and 1, or so near to 1 that it has no end."""
    if not 0 < confidence <= MOST_CONFIDENT:
        raise ValueError(f"{name} must lie between 0 and 1, not {confidence}")


@dataclass(frozen=True, slots=True)
class Policy:
    """Bounds per metric and the evidence a verdict needs.

    alpha: level for the adjusted p-value. confidence: of the intervals asked of `measure`. alert_confidence: of the
    interval that must lie beyond the bound for a breach; it is looked at every hour, so it asks for more than the
    interval that people read (docs/repeated-looks.md; never less than `confidence`). minimum_group: events a
    group needs. minimum_cell: what the metric's own denominator needs (the positives for a TPR, say).
    minimum_share: smallest share of the window's events. severity_bands: see DEFAULT_SEVERITY_BANDS. ladder: what
    follows from a breach; it judges nothing.

    Raises ValueError for an unknown metric and for numbers outside their range.
    """

    bounds: Mapping[str, Bound] = field(default_factory=dict)
    alpha: float = 0.05
    confidence: float = 0.95
    alert_confidence: float = 0.99
    minimum_group: int = 30
    minimum_cell: int = 5
    minimum_share: float = 0.02
    severity_bands: Mapping[str, float] = field(default_factory=lambda: dict(DEFAULT_SEVERITY_BANDS))
    ladder: ResponsePlan = field(default_factory=ResponsePlan)

    def __post_init__(self) -> None:
        object.__setattr__(self, "bounds", dict(self.bounds))
        object.__setattr__(self, "severity_bands", dict(self.severity_bands))
        for metric in self.bounds:
            if metric not in METRICS:
                raise ValueError(f"unknown metric {metric!r}; known are {', '.join(METRICS)}")
        if not 0 < self.alpha < 1:
            raise ValueError(f"alpha must lie between 0 and 1, not {self.alpha}")
        for name in ("confidence", "alert_confidence"):
            check_confidence(getattr(self, name), name)
        if not 0 <= self.minimum_share < 1:
            raise ValueError(f"minimum_share must lie in [0, 1), not {self.minimum_share}")
        if self.minimum_group < 1 or self.minimum_cell < 1:
            raise ValueError("minimum_group and minimum_cell must be at least 1")
        if set(self.severity_bands) != set(SEVERITIES[1:]):
            raise ValueError(f"severity_bands needs exactly {', '.join(SEVERITIES[1:])}")
        starts = [self.severity_bands[name] for name in SEVERITIES[1:]]
        if not (starts[0] >= 0 and all(one < two for one, two in pairwise(starts))):
            raise ValueError("severity_bands must rise from medium, at least 0, over high to critical")

    def bound(self, metric: str) -> Bound:
        """The bound of a metric, open on both sides if there is none."""
        return self.bounds.get(metric, NO_BOUND)

    @property
    def bounded(self) -> frozenset[str]:
        """The metrics that it sets a bound for."""
        return frozenset(metric for metric, bound in self.bounds.items() if not bound.is_open)

    def severity(self, distance: float) -> str:
        """Severity of an interval whose nearer end lies `distance` beyond the bound."""
        reached = [name for name in SEVERITIES[1:] if distance >= self.severity_bands[name]]
        return reached[-1] if reached else SEVERITIES[0]

    def to_dict(self) -> dict[str, Any]:
        """JSON-able; exact inverse of `from_dict`."""
        return {
            "bounds": {metric: bound.to_dict() for metric, bound in self.bounds.items()},
            "alpha": self.alpha,
            "confidence": self.confidence,
            "alert_confidence": self.alert_confidence,
            "minimum_group": self.minimum_group,
            "minimum_cell": self.minimum_cell,
            "minimum_share": self.minimum_share,
            "severity_bands": dict(self.severity_bands),
            "ladder": self.ladder.to_dict(),
        }

    @classmethod
    def from_dict(cls, content: Mapping[str, Any]) -> Policy:
        """Policy from JSON; absent keys take the defaults. Raises ValueError naming what does not fit."""
        known = dict(content)
        bounds = known.pop("bounds", {})
        bands = known.pop("severity_bands", DEFAULT_SEVERITY_BANDS)
        ladder = ResponsePlan.from_dict(known.pop("ladder", {}))
        if not isinstance(bounds, Mapping) or not isinstance(bands, Mapping):
            raise ValueError("bounds and severity_bands must be mappings")
        strange = set(known) - {item.name for item in fields(cls)}
        if strange:
            raise ValueError(f"a policy has no {', '.join(sorted(strange))}")
        numbers = {name: _number(value, name) for name, value in known.items()}
        for name in ("minimum_group", "minimum_cell"):
            value = numbers.get(name)
            if value is not None and value != int(value):
                raise ValueError(f"{name} must be a whole number, not {value}")
        given: dict[str, Any] = {
            name: int(value) if name in ("minimum_group", "minimum_cell") else value
            for name, value in numbers.items()
            if value is not None
        }
        return cls(
            bounds={metric: Bound.from_dict(bound) for metric, bound in bounds.items()},
            severity_bands={name: _given(value, name) for name, value in bands.items()},
            ladder=ladder,
            **given,
        )


def judged_otherwise(one: Policy, two: Policy) -> frozenset[str]:
    """The metrics of which the two policies can say different things; the ladder judges nothing."""
    if replace(two, bounds=one.bounds, ladder=one.ladder) != one:
        return frozenset(METRICS)
    return frozenset(metric for metric in METRICS if one.bound(metric) != two.bound(metric))


@dataclass(frozen=True, slots=True)
class Plan:
    """What is compared: the governed reference level of every attribute and the declared pairs of attributes.

    segment: the attribute by which a change of a disparity is split into mix and rates, if one is declared.
    """

    references: Mapping[str, str]
    pairs: tuple[tuple[str, str], ...] = ()
    segment: str | None = None

    def __post_init__(self) -> None:
        object.__setattr__(self, "references", dict(self.references))
        object.__setattr__(self, "pairs", tuple((first, second) for first, second in self.pairs))

    def groupings(self, schema: CubeSchema) -> tuple[tuple[str, ...], ...]:
        """Every attribute, then the declared pairs, then the full intersection (never the same set twice).

        Raises ValueError if an attribute of the cube has no reference, the reference is not one of its declared
        levels, or a pair names an attribute that the cube does not have.
        """
        for axis in schema.axes:
            if axis.name not in self.references:
                raise ValueError(f"attribute {axis.name!r} has no reference level")
            if self.references[axis.name] not in axis.levels:
                raise ValueError(f"reference {self.references[axis.name]!r} is not a declared level of {axis.name!r}")
        for first, second in self.pairs:
            schema.axis(first), schema.axis(second)
            if first == second:
                raise ValueError(f"attribute {first!r} is paired with itself")
        chosen: dict[frozenset[str], tuple[str, ...]] = {}
        for names in (*((name,) for name in schema.names), *self.pairs, schema.names):
            if names:
                chosen.setdefault(frozenset(names), names)
        return tuple(chosen.values())

    def to_dict(self) -> dict[str, Any]:
        described = {"references": dict(self.references), "pairs": [list(pair) for pair in self.pairs]}
        return described | ({"segment": self.segment} if self.segment is not None else {})

    @classmethod
    def from_dict(cls, fields: Mapping[str, Any]) -> Plan:
        """Inverse of `to_dict`. Raises ValueError for anything else."""
        try:
            pairs = tuple((str(first), str(second)) for first, second in fields.get("pairs", ()))
            references = {str(name): str(level) for name, level in fields["references"].items()}
            segment = fields.get("segment")
            return cls(references, pairs, None if segment is None else str(segment))
        except (KeyError, TypeError, AttributeError) as error:
            raise ValueError(f"not a plan: {fields!r}") from error


def _number(value: Any, name: str) -> float | None:
    if value is None:
        return None
    if isinstance(value, bool) or not isinstance(value, int | float):
        raise ValueError(f"{name} must be a number, not {value!r}")
    if not abs(value) <= sys.float_info.max:
        raise ValueError(f"{name} must be a finite number, not {value}")
    return value


def _given(value: Any, name: str) -> float:
    number = _number(value, name)
    if number is None:
        raise ValueError(f"{name} must be a number, not nothing")
    return number


_FOUR_FIFTHS = Bound(0.80, 1.25)
_ODDS = Bound(None, 0.05)
_CALIBRATION = Bound(-0.03, 0.03)

DEFAULT_POLICY = Policy(
    bounds={
        "demographic_parity_ratio": _FOUR_FIFTHS,
        "equalized_odds_difference": _ODDS,
        "fpr_gap": Bound(-0.05, 0.05),
        "calibration_difference": _CALIBRATION,
        "association": Bound(None, 0.10),
        "representation_psi": Bound(None, 0.20),
        "score_psi": Bound(None, 0.20),
    }
)

PRESETS: Mapping[str, Policy] = {
    "banking": Policy(bounds={"demographic_parity_ratio": _FOUR_FIFTHS}),
    "insurance": Policy(bounds={"equalized_odds_difference": _ODDS}),
    "healthcare": Policy(bounds={"calibration_difference": _CALIBRATION}),
    "employment": Policy(
        bounds={
            "demographic_parity_ratio": _FOUR_FIFTHS,
            "individual_fairness_distance": Bound(None, 0.10),
        }
    ),
    "government": Policy(bounds={"demographic_parity_ratio": _FOUR_FIFTHS}),
}
"""Bounds an industry starts from; the bound on the individual fairness distance is meant to be set per model."""
