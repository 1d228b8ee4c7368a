"""Cubes and rows for the tests of the statistical core."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
from hypothesis import strategies as st

from biasgov.fairness.cube import CubeSchema, OutcomeCube
from biasgov.fairness.policy import Plan
from biasgov.fairness.verdicts import Result

SCHEMA = CubeSchema.of({"sex": ("Male", "Female"), "race": ("White", "Black", "Asian")})
PLAN = Plan({"sex": "Male", "race": "White"})


def selection_cube(counts: Mapping[str, tuple[int, int]], attribute: str = "group") -> OutcomeCube:
    """Cube of one attribute from {level: (selected, total)}, without labels and scores; 'unknown' may be a key."""
    levels = [level for level in counts if level != "unknown"]
    schema = CubeSchema.of({attribute: levels})
    codes, decisions = [], []
    for level, (selected, total) in counts.items():
        codes.append(np.full(total, schema.axes[0].code(level)))
        decisions.append(np.arange(total) < selected)
    decision = np.concatenate(decisions)
    return OutcomeCube.count(schema, [np.concatenate(codes)], decision, np.full(len(decision), -1))


def confusion_cube(counts: Mapping[str, tuple[int, int, int, int]], attribute: str = "group") -> OutcomeCube:
    """Cube of one attribute from {level: (tp, fp, fn, tn)}."""
    schema = CubeSchema.of({attribute: list(counts)})
    codes = np.repeat(np.arange(len(counts)), [sum(four) for four in counts.values()])
    decision = np.concatenate([np.repeat([1, 1, 0, 0], four) for four in counts.values()])
    outcome = np.concatenate([np.repeat([1, 0, 1, 0], four) for four in counts.values()])
    return OutcomeCube.count(schema, [codes], decision, outcome)


def only(results: Sequence[Result], metric: str, group: str | None = None, attribute: str | None = None) -> Result:
    """The one result of a metric and group."""
    found = [
        result
        for result in results
        if result.metric == metric and result.group == group and (attribute is None or result.attribute == attribute)
    ]
    assert len(found) == 1, f"{len(found)} results for {metric} of {group}"
    return found[0]


@st.composite
def event_rows(draw: st.DrawFn, unknown: bool = True, least: int = 0, most: int = 60) -> dict[str, np.ndarray]:
    """Columns of random events that fit SCHEMA: codes, decision, outcome (-1: none), score (NaN: none)."""
    n = draw(st.integers(least, most))
    seed = draw(st.integers(0, 2**32 - 1))
    rng = np.random.default_rng(seed)
    score = np.where(rng.random(n) < 0.2, np.nan, rng.choice([0.0, 0.25, 0.5, 1.0, rng.random()], n))
    extra = 1 if unknown else 0
    return {
        "sex": rng.integers(0, 2 + extra, n),
        "race": rng.integers(0, 3 + extra, n),
        "decision": rng.integers(0, 2, n),
        "outcome": rng.integers(-1, 2, n),
        "score": score,
    }


def count(rows: Mapping[str, np.ndarray], part: slice | np.ndarray = slice(None)) -> OutcomeCube:
    """The cube of (part of) such rows."""
    return OutcomeCube.count(
        SCHEMA,
        [rows["sex"][part], rows["race"][part]],
        rows["decision"][part],
        rows["outcome"][part],
        rows["score"][part],
    )
