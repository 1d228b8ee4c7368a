"""What must be said next to every result: whose attributes, labels and scores are missing, and what that allows."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from biasgov.fairness.cube import OutcomeCube
from biasgov.fairness.groups import group_table
from biasgov.fairness.policy import Plan
from biasgov.fairness.schema import DECISIONS, TAIL

COVERAGE_ALERT = 0.80
COVERAGE_OBJECTIVE = 0.90

_SELECTIVE = 0.5


@dataclass(frozen=True, slots=True)
class SharpBounds:
    """A demographic parity ratio and the range it could have, were the unknown attributes known.

    value: over the known. low, high: the ends that some assignment of the unknown to groups reaches; None where
    nobody is in a group, or where the reference could have no favourable decision at all (unbounded).
    """

    value: float | None
    low: float | None
    high: float | None

    def to_dict(self) -> dict[str, float | None]:
        return {"value": self.value, "low": self.low, "high": self.high}


@dataclass(frozen=True, slots=True)
class DataQuality:
    """Coverage of one window; shares are None where there are no events to take a share of.

    coverage: {attribute, or names joined by `*`: share of events whose attributes are all known}.
    label_coverage_by_group: {attribute: {level: share with a label}}, `unknown` included.
    label_coverage_by_decision: {unfavourable, favourable: share with a label}. selective_labels: one decision's
    share is less than half of the other's, so that label-based metrics describe the decided few.
    parity_bounds: {attribute: {level: bounds of its ratio to the reference}}.
    """

    n: int
    coverage: Mapping[str, float | None]
    label_coverage: float | None
    label_coverage_by_group: Mapping[str, Mapping[str, float | None]]
    label_coverage_by_decision: Mapping[str, float | None]
    selective_labels: bool
    score_coverage: float | None
    parity_bounds: Mapping[str, Mapping[str, SharpBounds]]

    @property
    def low_coverage(self) -> tuple[str, ...]:
        """Single attributes known for less than 80 % of the events."""
        return tuple(
            name
            for name, share in self.coverage.items()
            if name in self.parity_bounds and share is not None and share < COVERAGE_ALERT
        )

    def to_dict(self) -> dict[str, Any]:
        """JSON-able; exact inverse of `from_dict`."""
        return {
            "n": self.n,
            "coverage": dict(self.coverage),
            "low_coverage": list(self.low_coverage),
            "label_coverage": self.label_coverage,
            "label_coverage_by_group": {name: dict(one) for name, one in self.label_coverage_by_group.items()},
            "label_coverage_by_decision": dict(self.label_coverage_by_decision),
            "selective_labels": self.selective_labels,
            "score_coverage": self.score_coverage,
            "parity_bounds": {
                name: {level: bounds.to_dict() for level, bounds in one.items()}
                for name, one in self.parity_bounds.items()
            },
        }

    @classmethod
    def from_dict(cls, content: Mapping[str, Any]) -> DataQuality:
        """Inverse of `to_dict`. Raises ValueError if something is missing."""
        try:
            return cls(
                n=content["n"],
                coverage=dict(content["coverage"]),
                label_coverage=content["label_coverage"],
                label_coverage_by_group={k: dict(v) for k, v in content["label_coverage_by_group"].items()},
                label_coverage_by_decision=dict(content["label_coverage_by_decision"]),
                selective_labels=content["selective_labels"],
                score_coverage=content["score_coverage"],
                parity_bounds={
                    name: {level: SharpBounds(**bounds) for level, bounds in one.items()}
                    for name, one in content["parity_bounds"].items()
                },
            )
        except (KeyError, TypeError) as error:
            raise ValueError(f"not a data quality record: {error}") from error


def quality(cube: OutcomeCube, plan: Plan) -> DataQuality:
    """Data quality of a window. Raises ValueError if the plan does not fit the cube's schema."""
    table = group_table(cube, plan.groupings(cube.schema), plan)
    everybody = cube.marginal(()).n.reshape(TAIL).sum(axis=2)
    by_decision = everybody.sum(axis=1)
    decided = {
        name: _share(int(labelled), int(n))
        for name, labelled, n in zip(DECISIONS, everybody[:, :2].sum(axis=1), by_decision, strict=True)
    }
    coverage: dict[str, float | None] = {}
    by_group: dict[str, dict[str, float | None]] = {}
    bounds: dict[str, dict[str, SharpBounds]] = {}
    for grouping in table.groupings:
        rows = range(grouping.start, grouping.stop)
        known = sum(int(table.n[row]) for row in rows if table.known[row])
        coverage[grouping.attribute] = _share(known, cube.total)
        if grouping.attribute not in cube.schema.names:
            continue
        by_group[grouping.attribute] = {
            table.labels[row]: _share(int(table.labelled[row]), int(table.n[row])) for row in rows
        }
        reference, unknown = int(table.reference[grouping.start]), grouping.stop - 1
        missing = int(table.selected[unknown]), int(table.n[unknown])
        bounds[grouping.attribute] = {
            table.labels[row]: parity_ratio_bounds(
                (int(table.selected[row]), int(table.n[row])),
                (int(table.selected[reference]), int(table.n[reference])),
                missing,
            )
            for row in rows
            if row not in (reference, unknown)
        }
    scored = int(cube.marginal(()).n[..., :-1].sum())
    return DataQuality(
        n=cube.total,
        coverage=coverage,
        label_coverage=_share(int(everybody[:, :2].sum()), cube.total),
        label_coverage_by_group=by_group,
        label_coverage_by_decision=decided,
        selective_labels=_selective(list(decided.values())),
        score_coverage=_share(scored, cube.total),
        parity_bounds=bounds,
    )


def parity_ratio_bounds(group: tuple[int, int], reference: tuple[int, int], unknown: tuple[int, int]) -> SharpBounds:
    """Sharp bounds on (selected/n of the group) / (selected/n of the reference); each argument is (selected, n).

    The ratio is least if the unknown who were rejected belong to the group and those selected to the reference, and
    greatest the other way round (Horowitz & Manski 1995; Kallus, Mao & Zhou 2022). With more than two groups the
    rest of the unknown may belong to a third one, which never widens the range.
    """
    selected, n = unknown
    rejected = n - selected
    return SharpBounds(
        value=_ratio(group, reference),
        low=_ratio((group[0], group[1] + rejected), (reference[0] + selected, reference[1] + selected)),
        high=_ratio((group[0] + selected, group[1] + selected), (reference[0], reference[1] + rejected)),
    )


def _ratio(top: tuple[int, int], bottom: tuple[int, int]) -> float | None:
    if not top[1] or not bottom[0]:
        return None
    return (top[0] * bottom[1]) / (top[1] * bottom[0])


def _share(part: int, whole: int) -> float | None:
    return part / whole if whole else None


def _selective(shares: list[float | None]) -> bool:
    known = np.array([share for share in shares if share is not None])
    return len(known) == len(DECISIONS) and bool(known.min() < _SELECTIVE * known.max())
