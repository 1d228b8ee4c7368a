"""The rows that every peer gets: three attributes of 2, 5 and 4 levels, decisions, outcomes and scores."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import combinations

import numpy as np

LEVELS = {
    "sex": ("Female", "Male"),
    "race": ("Asian", "Black", "Hispanic", "Other", "White"),
    "age": ("18-29", "30-44", "45-64", "65+"),
}
REFERENCES = {"sex": "Male", "race": "White", "age": "30-44"}
SHARES = {"sex": (0.48, 0.52), "race": (0.12, 0.15, 0.18, 0.05, 0.5), "age": (0.25, 0.3, 0.3, 0.15)}
GROUPINGS: tuple[tuple[str, ...], ...] = tuple(
    grouping for size in (1, 2, 3) for grouping in combinations(LEVELS, size)
)


@dataclass(frozen=True, slots=True)
class Rows:
    """Codes per attribute (int8), decision, outcome (uint8, int8) and score (float32), one entry a row."""

    codes: dict[str, np.ndarray]
    decision: np.ndarray
    outcome: np.ndarray
    score: np.ndarray


def make(rows: int, *, seed: int = 20260101) -> Rows:
    """`rows` people whose score depends a little on each attribute; the decision is score >= 0.5."""
    rng = np.random.default_rng(seed)
    codes = {
        name: rng.choice(len(levels), size=rows, p=SHARES[name]).astype(np.int8) for name, levels in LEVELS.items()
    }
    shift = 0.15 * codes["sex"] + np.array([0, -0.3, -0.2, 0, 0.1])[codes["race"]] - 0.1 * (codes["age"] == 0)
    score = (1 / (1 + np.exp(-(rng.normal(size=rows) + shift)))).astype(np.float32)
    outcome = (rng.random(rows) < score).astype(np.int8)
    return Rows(codes, (score >= 0.5).astype(np.uint8), outcome, score)


def one_pass(rows: Rows) -> np.ndarray:
    """The limit of any counting: the codes packed into one number a row, and one `numpy.bincount` over them."""
    packed = rows.codes["sex"].astype(np.int32)
    for part, width in ((rows.codes["race"], 5), (rows.codes["age"], 4), (rows.decision, 2), (rows.outcome, 2)):
        packed = packed * width + part
    return np.bincount(packed * 20 + np.minimum((rows.score * np.float32(20)).astype(np.int32), 19))


def save(rows: Rows, path: str) -> None:
    """The rows as one uncompressed NumPy archive; codes, no names."""
    np.savez(path, allow_pickle=False, decision=rows.decision, outcome=rows.outcome, score=rows.score, **rows.codes)
