"""How far a distribution has moved from its baseline: representation of groups, drift of scores."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import numpy.typing as npt

from biasgov.fairness.cube import OutcomeCube
from biasgov.fairness.schema import SCORE_BINS, SEPARATOR, TAIL


def population_stability_index(baseline: npt.ArrayLike, current: npt.ArrayLike) -> float:
    """sum over categories of (q - p) ln(q / p), p and q the shares in `baseline` and `current`, shape (k,) each.

    Counts or, for the baseline, weights of any scale. An empty category would make the index infinite: half an event
    is added to every category of a side that has an empty one. The index is the symmetrised Kullback-Leibler
    divergence (Jeffreys 1946); 0.1 and 0.2 are the customary lines, not significance limits.

    Raises ValueError for different lengths, negative numbers, and a side without any events.
    """
    first, second = np.asarray(baseline, np.float64), np.asarray(current, np.float64)
    if first.ndim != 1 or first.shape != second.shape:
        raise ValueError(f"baseline and current have different categories: {first.shape} and {second.shape}")
    shares = []
    for name, counts in (("baseline", first), ("current", second)):
        if not np.isfinite(counts).all() or (counts < 0).any():
            raise ValueError(f"{name} must hold finite counts, none negative")
        if counts.sum() <= 0:
            raise ValueError(f"{name} has no events")
        filled = counts if (counts > 0).all() else counts + 0.5
        shares.append(filled / filled.sum())
    p, q = shares
    return float(((q - p) * np.log(q / p)).sum())


def group_counts(cube: OutcomeCube, attribute: str) -> dict[str, int]:
    """Events per known level (or levels joined by `*`): what `population_stability_index` compares."""
    names = tuple(attribute.split(SEPARATOR))
    counts = cube.marginal(names).n.sum(axis=(-3, -2, -1))
    axes = [cube.schema.axis(name) for name in names]
    return {
        SEPARATOR.join(axis.levels[code] for axis, code in zip(axes, codes, strict=True)): int(counts[codes])
        for codes in np.ndindex(*(len(axis.levels) for axis in axes))
    }


def score_counts(cube: OutcomeCube, attribute: str) -> Mapping[str, npt.NDArray[np.int64]]:
    """Events per score bin, shape (20,), of every group of an attribute, `unknown` included."""
    axis = cube.schema.axis(attribute)
    bins = cube.marginal((attribute,)).n.reshape(len(axis), *TAIL)[..., :SCORE_BINS].sum(axis=(1, 2))
    return dict(zip(axis.labels, bins, strict=True))
