"""Drift as measurements that can be judged: who arrives, and with which scores, against a declared baseline."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
from scipy import special

from biasgov.fairness import measurement as why
from biasgov.fairness.cube import OutcomeCube
from biasgov.fairness.intervals import noncentrality_interval, normal_quantile
from biasgov.fairness.measurement import Measurement
from biasgov.fairness.policy import Policy
from biasgov.fairness.schema import SCORE_BINS, UNKNOWN
from biasgov.fairness.stability import group_counts, population_stability_index, score_counts

REPRESENTATION = "representation_psi"
SCORES = "score_psi"
EVERYBODY = ""
"""The attribute of what is measured over all people at once: the names of no attribute, joined."""

METHOD = "noncentral_chi_squared_and_delta"

Float64 = npt.NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class Baseline:
    """What a window is compared with.

    representation: {attribute, or names joined by `*`: {level: share}}; a level left out has the share 0.
    score_bins: {attribute: {level: 20 shares}}; `EVERYBODY` has the one level "".
    counted: False: shares are declared and taken as exact. True: they are counts of a sample (not shares), whose own
    noise is allowed for.
    """

    name: str
    representation: Mapping[str, Mapping[str, float]]
    score_bins: Mapping[str, Mapping[str, Sequence[float]]]
    counted: bool = False


@dataclass(frozen=True, slots=True)
class Shift:
    """A population stability index with its interval and the p-value of "no shift at all"."""

    value: float
    low: float
    high: float
    p: float


def shift(expected: npt.ArrayLike, counts: npt.ArrayLike, *, confidence: float, counted: bool = False) -> Shift:
    """Population stability index of counts against a baseline, shape (k,) each, with its interval.

    expected: exact shares of any scale or, if `counted`, the counts of a sample of m events.

    Without a shift n times the index is asymptotically chi-squared with k - 1 degrees of freedom, near it noncentral
    chi-squared with n times the true index as noncentrality: that distribution is inverted (as for Cramér's V).
    Far from it the index is normal around the truth plus (k - 1) / n, with the variance that the delta method gives
    to sum (q - p) ln(q / p). The interval is the hull of both and of the value; its lower end is never negative, and
    a fit better than chance gives no better upper end than the expected one. The p-value is that of Pearson's
    chi-squared against the expected counts. With a counted baseline n m / (n + m) takes the place of n, the variance
    has a part of either side, and the test is Pearson's of two samples. Where a category is expected or found empty,
    half an event is added to every category of that side, as in `population_stability_index`.

    Raises ValueError as `population_stability_index` does.
    """
    found = np.asarray(counts, np.float64)
    shares = np.asarray(expected, np.float64)
    n, m = float(found.sum()), float(shares.sum())
    scaled = shares if counted or m <= 0 else shares * (n / m)
    value = population_stability_index(scaled, found)
    p, q = _filled(scaled), _filled(found)
    freedom = len(found) - 1
    size = n * m / (n + m) if counted else n
    variance = _slope_variance(q, p) / n + (_slope_variance(p, q) / m if counted else 0.0)
    reach = normal_quantile(confidence) * float(np.sqrt(variance))
    centre = max(value - freedom / size, 0.0)
    low = noncentrality_interval(size * value, max(freedom, 1), confidence)[0] / size
    high = noncentrality_interval(max(size * value, freedom), max(freedom, 1), confidence)[1] / size
    pooled = (n * q + m * p) / (n + m) if counted else p
    pearson = size * float(((q - p) ** 2 / pooled).sum())
    return Shift(
        value,
        max(min(low, centre - reach, value), 0.0),
        max(high, centre + reach, value),
        float(special.chdtrc(max(freedom, 1), pearson)),
    )


def baseline_of(cube: OutcomeCube, name: str, attributes: Sequence[str]) -> Baseline:
    """Other rows as a baseline: the counts of every group of `attributes` (names, or names joined by `*`) and of their
    score bins, where there are any."""
    representation = {attribute: group_counts(cube, attribute) for attribute in attributes}
    bins = {EVERYBODY: _binned(cube, EVERYBODY)} | {
        attribute: _binned(cube, attribute) for attribute in attributes if attribute in cube.schema.names
    }
    scored = {
        attribute: {level: shares.tolist() for level, (_, shares) in levels.items() if shares.any()}
        for attribute, levels in bins.items()
    }
    return Baseline(
        name,
        {attribute: counts for attribute, counts in representation.items() if any(counts.values())},
        {attribute: levels for attribute, levels in scored.items() if levels},
        counted=True,
    )


def measure_drift(cube: OutcomeCube, baselines: Sequence[Baseline], policy: Policy) -> tuple[Measurement, ...]:
    """Shift of representation and of scores against the declared baselines.

    Representation has one result per attribute (and per intersection that a baseline declares), over its known
    groups. With several baselines the result is the largest shift, held at once: each interval at a confidence
    raised by Bonferroni, their largest lower and largest upper end, the smallest p-value times their number.
    `details` say the shift from each. Scores have one result per known group with a declared distribution, and one
    for everybody. Where the policy bounds a metric and nothing is declared to compare with, the attribute (or
    everybody) is not estimable for want of a baseline.

    Raises ValueError for a baseline that names an attribute the cube does not have.
    """
    return (*_representation(cube, baselines, policy), *_scores(cube, baselines, policy))


def _representation(cube: OutcomeCube, baselines: Sequence[Baseline], policy: Policy) -> Iterator[Measurement]:
    declared = [name for baseline in baselines for name in baseline.representation]
    wanted = not policy.bound(REPRESENTATION).is_open
    for attribute in dict.fromkeys((*cube.schema.names, *declared)):
        against = {each.name: each.representation[attribute] for each in baselines if attribute in each.representation}
        if not against:
            if wanted:
                yield _not_estimable(cube, REPRESENTATION, attribute, None, why.NO_BASELINE)
            continue
        counts = group_counts(cube, attribute)
        n = sum(counts.values())
        # A group that is declared and stays away altogether is a shift too, whether the cube knows it or not.
        counts |= {level: 0 for shares in against.values() for level in shares if level not in counts}
        if not n:
            yield _not_estimable(cube, REPRESENTATION, attribute, None, why.NO_EVENTS)
            continue
        confidence = 1 - (1 - policy.confidence) / len(against)
        counted = {each.name for each in baselines if each.counted}
        shifts = {
            name: shift(
                [shares.get(level, 0.0) for level in counts],
                list(counts.values()),
                confidence=confidence,
                counted=name in counted,
            )
            for name, shares in against.items()
        }
        yield _measurement(cube, REPRESENTATION, attribute, None, shifts, n, n, {"expected": against})


def _scores(cube: OutcomeCube, baselines: Sequence[Baseline], policy: Policy) -> Iterator[Measurement]:
    wanted = not policy.bound(SCORES).is_open
    known = [each for each in baselines if each.score_bins]
    if not known and wanted:
        yield _not_estimable(cube, SCORES, EVERYBODY, None, why.NO_BASELINE)
    for attribute in dict.fromkeys(name for each in known for name in each.score_bins):
        for level, (n, bins) in _binned(cube, attribute).items():
            against = {
                each.name: each.score_bins[attribute][level]
                for each in known
                if level in each.score_bins.get(attribute, {})
            }
            group = None if attribute == EVERYBODY else level
            scored = int(bins.sum())
            if not against:
                if wanted:
                    yield _not_estimable(cube, SCORES, attribute, group, why.NO_BASELINE, n)
                continue
            if not scored:
                gap = why.NO_SCORES if n else why.NO_EVENTS
                yield _not_estimable(cube, SCORES, attribute, group, gap, n)
                continue
            confidence = 1 - (1 - policy.confidence) / len(against)
            counted = {each.name for each in known if each.counted}
            shifts = {
                name: shift(shares, bins, confidence=confidence, counted=name in counted)
                for name, shares in against.items()
            }
            yield _measurement(cube, SCORES, attribute, group, shifts, n, scored, {})


def _binned(cube: OutcomeCube, attribute: str) -> dict[str, tuple[int, npt.NDArray[np.int64]]]:
    """Events and events per score bin of each known group, or of everybody under the level ""."""
    if attribute == EVERYBODY:
        return {"": (cube.total, cube.marginal(()).n[..., :SCORE_BINS].sum(axis=(0, 1)))}
    counts = group_counts(cube, attribute)
    return {level: (counts[level], bins) for level, bins in score_counts(cube, attribute).items() if level != UNKNOWN}


def _measurement(
    cube: OutcomeCube,
    metric: str,
    attribute: str,
    group: str | None,
    shifts: Mapping[str, Shift],
    n: int,
    cell: int,
    details: Mapping[str, Any],
) -> Measurement:
    largest = max(shifts, key=lambda name: shifts[name].value)
    return _record(
        cube,
        metric,
        attribute,
        group,
        n,
        value=shifts[largest].value,
        low=max(each.low for each in shifts.values()),
        high=max(each.high for each in shifts.values()),
        p=min(1.0, len(shifts) * min(each.p for each in shifts.values())),
        least_cell=cell,
        method=METHOD,
        details={
            "baseline": largest,
            "against": {
                name: {"value": each.value, "interval": [each.low, each.high]} for name, each in shifts.items()
            },
            **details,
        },
    )


def _not_estimable(
    cube: OutcomeCube, metric: str, attribute: str, group: str | None, gap: str, n: int | None = None
) -> Measurement:
    if n is None:
        n = cube.total if attribute == EVERYBODY else sum(group_counts(cube, attribute).values())
    return _record(cube, metric, attribute, group, n, gap=gap)


def _record(cube: OutcomeCube, metric: str, attribute: str, group: str | None, n: int, **known: Any) -> Measurement:
    fields = {
        "reference": None,
        "value": None,
        "low": None,
        "high": None,
        "form": "estimate",
        "numerator": None,
        "denominator": None,
        "reference_numerator": None,
        "reference_denominator": None,
        "p": None,
        "least_n": n,
        "least_cell": 0,
        "method": "none",
        "known": True,
        "gap": None,
        "details": None,
    }
    share = n / cube.total if cube.total else 0.0
    return Measurement(metric=metric, attribute=attribute, group=group, n=n, share=share, **{**fields, **known})


def _slope_variance(own: Float64, other: Float64) -> float:
    """Variance of the index's derivative by `own`, under `own`: times 1 / events, what its noise does to the index."""
    slope = np.log(own / other) + 1 - other / own
    return max(float((own * slope**2).sum() - (own * slope).sum() ** 2), 0.0)


def _filled(counts: Float64) -> Float64:
    filled = counts if (counts > 0).all() else counts + 0.5
    shares: Float64 = filled / filled.sum()
    return shares
