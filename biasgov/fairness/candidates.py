"""Which of many looks could be a breach at all: an exact sieve before the evaluator.

Judging a window by the evaluator takes milliseconds, and a year of hourly looks through three windows is 26,280 of
them. A breach needs, all at the same time: groups and denominators of the minimum size, an estimate that violates the
bound, an interval that lies wholly beyond it, and an adjusted p-value below alpha. `candidates` checks what follows
from these conditions with the evaluator's own interval functions on whole arrays of looks, and keeps every look that
passes. It cannot miss a breach, because each check is implied by one of the evaluator's:

- sizes, denominators and shares are the same integers and quotients;
- estimates and interval ends of single groups and of pairs come from the same functions and are compared with a slack
  of 1e-9 on the generous side, where the evaluator compares exactly;
- the raw p-value, held against alpha over the looks of a year, takes the place of Holm's, which is never smaller;
- an aggregate's interval widens with its simultaneous quantile, and that is never below the quantile for one pair,
  which is used here; where its p-value is not the chi-squared one, the smallest of all pairs' takes the place of the
  smallest of those that the evaluator tries.

So a candidate may turn out not to be a breach, and a look that is no candidate is none.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
import numpy.typing as npt
from scipy import special

from biasgov.fairness import intervals, significance
from biasgov.fairness.looks import (
    ODDS,
    PAIRED,
    SINGLE,
    SUPPORTED,
    Counts,
    looks_a_year,
    pair_value,
    rates,
    violates,
)
from biasgov.fairness.policy import Bound, Policy

Float64 = npt.NDArray[np.float64]
Int64 = npt.NDArray[np.int64]
Bools = npt.NDArray[np.bool_]

_SLACK = 1e-9


def candidates(counts: Int64, policy: Policy, *, hours: float | None = None) -> Bools:
    """Looks that may hold a breach, shape (looks,); all others hold none (see the module's reasons).

    counts: one window at many looks, shape (groups, decision, outcome, looks); group 0 is the reference. hours: of the
    window, if it is looked at every hour (see `verdicts.judge`). Bounds on
    metrics outside SUPPORTED are ignored: `Policy.bounds` must not hold them if the answer is to be complete.
    """
    found = np.zeros(counts.shape[-1], bool)
    for looks in candidates_by_metric(counts, policy, hours=hours).values():
        found |= looks
    return found


def candidates_by_metric(counts: Int64, policy: Policy, *, hours: float | None = None) -> dict[str, Bools]:
    """Looks that may hold a breach of each bounded metric, each of shape (looks,); arguments as for `candidates`."""
    sieve = _Sieve(counts, policy, hours)
    return {
        metric: sieve.looks(metric, bound)
        for metric, bound in policy.bounds.items()
        if metric in SUPPORTED and not bound.is_open
    }


def _beyond(value: Float64, low: Float64 | float, high: Float64 | float, bound: Bound) -> Bools:
    """Estimate and interval on the wrong side of the same end, give or take the slack."""
    beyond = np.zeros(value.shape, bool)
    if bound.lower is not None:
        beyond |= (value < bound.lower + _SLACK) & (high < bound.lower + _SLACK)
    if bound.upper is not None:
        beyond |= (value > bound.upper - _SLACK) & (low > bound.upper - _SLACK)
    return beyond


class _Sieve:
    """Necessary conditions of one window at many looks under one policy."""

    def __init__(self, counts: Int64, policy: Policy, hours: float | None) -> None:
        self.policy = policy
        self.rates = rates(counts)
        self.sizes = self.rates["selection_rate"].n
        self.total = self.sizes.sum(axis=0)
        self.shares = self.sizes / np.maximum(self.total, 1)
        self.z = intervals.normal_quantile(policy.confidence)
        self.alpha = policy.alpha / (1.0 if hours is None else looks_a_year(hours)) * (1 + _SLACK)
        asked = max(policy.alert_confidence, policy.confidence)
        self.wider = intervals.normal_quantile(asked) / self.z
        self.both = intervals.normal_quantile((1 + policy.confidence) / 2)
        self.both_wider = intervals.normal_quantile((1 + asked) / 2) / self.both

    def looks(self, metric: str, bound: Bound) -> Bools:
        """Those that may hold a breach of a metric out of SUPPORTED."""
        if metric in PAIRED:
            form, name = PAIRED[metric]
            return self.pairs(form, self.rates[name], bound) | self.spread(form, self.rates[name], bound)
        if metric in SINGLE:
            return self.alone(self.rates[metric], bound)
        if metric == ODDS:
            return self.odds_pairs(bound) | self.odds_spread(bound)
        return self.association(bound)

    def _beyond(
        self,
        value: Float64,
        low: Float64 | float,
        high: Float64 | float,
        bound: Bound,
        form: str = "difference",
        wider: float | None = None,
    ) -> Bools:
        """`_beyond` for the interval carried to the alert confidence, as `verdicts.at_alert_confidence` does.

        wider: ratio of the quantiles, unless it is that of a plain interval. Carrying keeps the order of ends, so that
        an end no narrower than the evaluator's stays so.
        """
        wider = self.wider if wider is None else wider
        with np.errstate(invalid="ignore", divide="ignore"):
            carried = [value + (end - value) * wider for end in (low, high)]
            if form == "ratio":
                logs = [value * (end / value) ** wider for end in (low, high)]
                carried = [
                    np.where((value > 0) & (np.asarray(end) > 0), log, linear)
                    for end, log, linear in zip((low, high), logs, carried, strict=True)
                ]
        return _beyond(value, np.nan_to_num(carried[0], nan=np.inf), np.nan_to_num(carried[1], nan=-np.inf), bound)

    def _enough(self, size: Int64, cell: Int64, share: Float64) -> Bools:
        policy = self.policy
        enough: Bools = (size >= policy.minimum_group) & (cell >= policy.minimum_cell)
        return enough & (share >= policy.minimum_share)

    def alone(self, counts: Counts, bound: Bound) -> Bools:
        low, high = intervals.wilson(counts.x, counts.n, self.z)
        enough = self._enough(self.sizes, counts.n, self.shares)
        return _any_group(enough & self._beyond(counts.rate, low, high, bound))

    def pairs(self, form: str, counts: Counts, bound: Bound) -> Bools:
        value = pair_value(form, counts)
        least = np.minimum(self.sizes[1:], self.sizes[0])
        maybe = self._enough(least, np.minimum(counts.n[1:], counts.n[0]), self.shares[1:])
        maybe &= violates(value, bound, _SLACK)
        if not maybe.any():
            return _any_group(maybe)
        interval = intervals.koopman if form == "ratio" else intervals.newcombe
        low, high = interval(*self._four(counts, maybe), z=self.z)
        maybe[maybe] = self._beyond(value[maybe], low, high, bound, form)
        maybe[maybe] = ~(significance.two_rates(*self._four(counts, maybe)) >= self.alpha)
        return _any_group(maybe)

    def odds_pairs(self, bound: Bound) -> Bools:
        both = [self.rates["tpr"], self.rates["fpr"]]
        value = np.maximum(*(np.abs(pair_value("difference", counts)) for counts in both))
        least = np.minimum(self.sizes[1:], self.sizes[0])
        cell = np.minimum.reduce([np.minimum(counts.n[1:], counts.n[0]) for counts in both])
        maybe = self._enough(least, cell, self.shares[1:]) & violates(value, bound, _SLACK)
        if not maybe.any():
            return _any_group(maybe)
        lows, highs = [], []
        for counts in both:
            low, high = intervals.newcombe(*self._four(counts, maybe), z=self.both)
            lows.append(np.maximum(np.maximum(low, -high), 0.0))
            highs.append(np.maximum(np.abs(low), np.abs(high)))
        ends = np.maximum(*lows), np.maximum(*highs)
        maybe[maybe] = self._beyond(value[maybe], *ends, bound, wider=self.both_wider)
        p = 2 * np.minimum(*(significance.two_rates(*self._four(counts, maybe)) for counts in both))
        maybe[maybe] = ~(p >= self.alpha)
        return _any_group(maybe)

    def spread(self, form: str, counts: Counts, bound: Bound) -> Bools:
        """The aggregate: smallest over largest rate, or largest minus smallest."""
        extremes = _Extremes.of(counts)
        value = extremes.value(form)
        maybe = self._enough_extremes(extremes, counts) & violates(value, bound, _SLACK)
        if not maybe.any():
            return maybe
        low, high = _pairwise_limits(form, counts.at(maybe), self.z)
        maybe[maybe] = self._beyond(value[maybe], low, high, bound, form)
        maybe[maybe] = _homogeneity_p(counts.at(maybe)) < self.alpha
        return maybe

    def odds_spread(self, bound: Bound) -> Bools:
        """The aggregate of equalised odds: the wider of the TPR's and the FPR's range decides."""
        tpr, fpr = self.rates["tpr"], self.rates["fpr"]
        ends = [_Extremes.of(counts) for counts in (tpr, fpr)]
        widths = [end.value("difference") for end in ends]
        value = np.maximum(*widths)
        enough = [self._enough_extremes(end, counts) for end, counts in zip(ends, (tpr, fpr), strict=True)]
        maybe = np.where(widths[0] >= widths[1], *enough) & violates(value, bound, _SLACK)
        if not maybe.any():
            return maybe
        limits = [_pairwise_limits("difference", counts.at(maybe), self.z) for counts in (tpr, fpr)]
        maybe[maybe] = self._beyond(value[maybe], np.maximum(limits[0][0], limits[1][0]), -np.inf, bound)
        p = 2 * np.minimum(*(_homogeneity_p(counts.at(maybe)) for counts in (tpr, fpr)))
        maybe[maybe] = p < self.alpha
        return maybe

    def association(self, bound: Bound) -> Bools:
        counts = self.rates["selection_rate"]
        selected = counts.x.sum(axis=0)
        statistic, _ = _homogeneity(counts)
        with np.errstate(invalid="ignore", divide="ignore"):
            value = np.sqrt(statistic / self.total)
        enough = self._enough(self.total, np.minimum(selected, self.total - selected), np.ones(value.shape))
        maybe = enough & violates(value, bound, _SLACK)
        if bound.upper is not None:
            # The lower end, carried to the alert confidence, exceeds the bound where it exceeded `least` before; and it
            # does exactly where the statistic is too large for that noncentrality.
            least = np.maximum(value[maybe] - (value[maybe] - bound.upper) / self.wider, 0.0)
            noncentrality = least**2 * self.total[maybe]
            level = 0.5 + self.policy.confidence / 2
            freedom = (counts.n[:, maybe] > 0).sum(axis=0) - 1
            large = statistic[maybe] > 1e4
            exact = special.chndtr(np.where(large, 1.0, statistic[maybe]), freedom, np.where(large, 1.0, noncentrality))
            root = np.sqrt(np.maximum(statistic[maybe] - (freedom - 1), 0.0))
            beyond = np.where(large, special.ndtr(root - np.sqrt(noncentrality)), exact) > level - (1 - level) * 1e-3
            maybe[maybe] = beyond | ((value[maybe] < bound.lower + _SLACK) if bound.lower is not None else False)
        maybe[maybe] = _homogeneity_p(counts.at(maybe)) < self.alpha
        return maybe

    def _four(self, counts: Counts, chosen: Bools) -> tuple[Int64, Int64, Int64, Int64]:
        shape = chosen.shape
        reference_x, reference_n = np.broadcast_to(counts.x[0], shape), np.broadcast_to(counts.n[0], shape)
        return counts.x[1:][chosen], counts.n[1:][chosen], reference_x[chosen], reference_n[chosen]

    def _enough_extremes(self, extremes: _Extremes, counts: Counts) -> Bools:
        least = [np.minimum(*extremes.of_both(part)) for part in (self.sizes, counts.n, self.shares)]
        return extremes.estimable & self._enough(*least)


def _any_group(found: Bools) -> Bools:
    anywhere: Bools = np.any(found, axis=0)
    return anywhere


class _Extremes(NamedTuple):
    """The groups with the lowest and the highest rate at every look, among those with a denominator."""

    lowest: Int64
    highest: Int64
    smallest: Float64
    largest: Float64
    estimable: Bools

    @classmethod
    def of(cls, counts: Counts) -> _Extremes:
        rate = counts.rate
        lower, upper = np.where(counts.n > 0, rate, np.inf), np.where(counts.n > 0, rate, -np.inf)
        estimable = (counts.n > 0).sum(axis=0) > 1
        return cls(lower.argmin(axis=0), upper.argmax(axis=0), lower.min(axis=0), upper.max(axis=0), estimable)

    def value(self, form: str) -> Float64:
        with np.errstate(invalid="ignore", divide="ignore"):
            value: Float64 = self.smallest / self.largest if form == "ratio" else self.largest - self.smallest
        return np.where(self.estimable, value, np.nan)

    def of_both(self, values: npt.NDArray[np.generic]) -> tuple[npt.NDArray[np.generic], npt.NDArray[np.generic]]:
        looks = np.arange(values.shape[1])
        return values[self.lowest, looks], values[self.highest, looks]


def _pairwise_limits(form: str, counts: Counts, z: float) -> tuple[Float64, Float64]:
    """The narrowest an aggregate's interval can be: the end that matters from all pairs, the other left open."""
    low, high = intervals.wilson(counts.x, counts.n, z)
    looks = counts.n.shape[1]
    if form == "ratio":
        _, limits = intervals.ratio_of_rates(counts.rate, low, high)
        return np.full(looks, np.inf), np.where(np.isnan(limits), np.inf, limits).min(axis=(0, 1))
    limits, _ = intervals.difference_of_rates(counts.rate, low, high)
    return np.where(np.isnan(limits), -np.inf, limits).max(axis=(0, 1)), np.full(looks, -np.inf)


def _homogeneity(counts: Counts) -> tuple[Float64, Float64]:
    """Pearson's statistic of equal rates and the pooled rate, shape (looks,) each; 0 where all got the same."""
    with np.errstate(invalid="ignore", divide="ignore"):
        pooled = counts.x.sum(axis=0) / counts.n.sum(axis=0)
        parts = (counts.x - counts.n * pooled) ** 2 / (counts.n * pooled * (1 - pooled))
    return np.where(np.isfinite(parts), parts, 0.0).sum(axis=0), pooled


def _homogeneity_p(counts: Counts) -> Float64:
    """p-values of equality of all groups' rates, never above the evaluator's (see `significance.homogeneity`)."""
    statistic, pooled = _homogeneity(counts)
    least = counts.n.min(axis=0) * np.minimum(pooled, 1 - pooled)
    p: Float64 = special.chdtrc(len(counts.n) - 1, statistic) - _SLACK
    few = ~(least >= significance.LEAST_EXPECTED + _SLACK)
    if few.any():
        one, two = np.triu_indices(len(counts.n), 1)
        x, n = counts.x[:, few], counts.n[:, few]
        pairs = significance.two_rates(x[one], n[one], x[two], n[two])
        groups = (n > 0).sum(axis=0)
        p[few] = np.fmin.reduce(pairs, axis=0) * (groups * (groups - 1) / 2) * (1 - _SLACK) - _SLACK
    return p
