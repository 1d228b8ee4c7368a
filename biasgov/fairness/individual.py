"""Individual fairness: do people with alike features get alike decisions? Needs rows, so it is measured on a sample."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from biasgov.fairness import measurement as why
from biasgov.fairness.measurement import Measurement
from biasgov.fairness.policy import check_confidence

NEIGHBOURS = 5
METRIC = "individual_fairness_distance"


@dataclass(frozen=True, slots=True)
class IndividualFairness:
    """How far decisions differ between neighbours.

    Attributes
    ----------
    distance
        1 - consistency: mean absolute difference between a person's decision and the mean decision of the nearest
        neighbours, in [0, 1]; 0 when neighbours are always treated alike.
    low, high
        Normal interval of the mean over the sampled people at the confidence asked for. Neighbourhoods overlap, so
        it is approximate.
    n
        People in the sample.
    neighbours
        k.
    """

    distance: float
    low: float
    high: float
    n: int
    neighbours: int


def individual_fairness_distance(
    features: npt.ArrayLike, decision: npt.ArrayLike, *, neighbours: int = NEIGHBOURS, confidence: float = 0.95
) -> IndividualFairness:
    """1 - k-nearest-neighbour consistency of decisions on standardised features.

    Parameters
    ----------
    features
        Shape (n, features), finite numbers; constant columns do not count. Categories are for the caller to encode.
    decision
        0 or 1, shape (n,).
    neighbours
        How many others are compared with each person; the person is not among them.

    Raises
    ------
    ValueError
        Shapes differ, values are not finite, decisions are not 0 and 1, every feature is constant, or there are not
        more people than neighbours.

    References
    ----------
    Zemel, R. et al. (2013). Learning fair representations. ICML, section 5 (yNN, "consistency"). aif360 counts the
    person among the own neighbours, which hides a part of each difference; here the person is left out.
    """
    from scipy import special
    from sklearn.neighbors import NearestNeighbors

    matrix = np.asarray(features, dtype=np.float64)
    decided = np.asarray(decision, dtype=np.float64)
    if matrix.ndim != 2 or decided.shape != (len(matrix),):
        raise ValueError(
            f"features have shape {matrix.shape} and decisions {decided.shape}: one row a person is needed"
        )
    if not np.isin(decided, (0, 1)).all():
        raise ValueError("decisions must be 0 or 1")
    if not np.isfinite(matrix).all():
        raise ValueError("features hold values that are not finite: leave those people out or fill them in")
    if len(matrix) <= neighbours:
        raise ValueError(f"{len(matrix)} people are too few to have {neighbours} neighbours each")
    check_confidence(confidence)
    matrix = matrix[:, _varies(matrix)]
    if not matrix.shape[1]:
        raise ValueError("every feature is constant: nobody is nearer to anybody than to others")
    # By a power of two, which changes no digit: of the largest numbers there are, not even the mean exists.
    matrix = np.ldexp(matrix, -np.frexp(np.abs(matrix).max(axis=0))[1])
    scaled = (matrix - matrix.mean(axis=0)) / matrix.std(axis=0)
    nearest = NearestNeighbors(n_neighbors=neighbours).fit(scaled).kneighbors(return_distance=False)
    differences = np.abs(decided - decided[nearest].mean(axis=1))
    mean = float(differences.mean())
    half = float(special.ndtri(0.5 + confidence / 2) * differences.std(ddof=1) / np.sqrt(len(differences)))
    return IndividualFairness(mean, max(0.0, mean - half), min(1.0, mean + half), len(matrix), neighbours)


def measure_individual_fairness(
    features: npt.ArrayLike, decision: npt.ArrayLike, *, confidence: float, details: Mapping[str, Any]
) -> Measurement:
    """The distance over a sample of everybody as a measurement: attribute "" (no attribute), group None.

    n is the size of the sample and the share 1: the sample stands for all events that carry the features. It is
    judged by its interval alone, no p-value belongs to it. Not estimable with fewer people than neighbours and one
    more (`no_features`), and where every feature is constant. `details` are kept, with the number of neighbours.
    Raises ValueError for shapes that differ and values that are not finite.
    """
    matrix = np.asarray(features, dtype=np.float64)
    gap, found = None, None
    if len(matrix) <= NEIGHBOURS:
        gap = why.NO_FEATURES
    elif not _varies(matrix).any():
        gap = why.CONSTANT_FEATURES
    else:
        found = individual_fairness_distance(matrix, decision, confidence=confidence)
    n = len(matrix)
    return Measurement(
        metric=METRIC,
        attribute="",
        group=None,
        reference=None,
        value=found.distance if found else None,
        low=found.low if found else None,
        high=found.high if found else None,
        n=n,
        share=1.0 if n else 0.0,
        form="estimate",
        numerator=None,
        denominator=None,
        reference_numerator=None,
        reference_denominator=None,
        p=None,
        least_n=n,
        least_cell=n,
        method="normal" if found else "none",
        known=True,
        gap=gap,
        details={**details, "neighbours": NEIGHBOURS},
    )


def _varies(matrix: npt.NDArray[np.float64]) -> npt.NDArray[np.bool_]:
    """Which columns hold more than one value; a standard deviation is seldom exactly 0, even where all are alike."""
    varies: npt.NDArray[np.bool_] = (matrix != matrix[0]).any(axis=0)
    return varies
