"""Metrics of each group by itself, and of each group against the governed reference group."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Iterator
from functools import cached_property
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt
from scipy import special

from biasgov.fairness import calibration, intervals, significance
from biasgov.fairness import measurement as why
from biasgov.fairness.groups import GroupTable
from biasgov.fairness.measurement import Form, Measurement
from biasgov.fairness.schema import SEPARATOR

Float64 = npt.NDArray[np.float64]
Int64 = npt.NDArray[np.int64]


_PAIRWISE: tuple[tuple[str, Form, str], ...] = (
    ("demographic_parity_ratio", "ratio", "selection_rate"),
    ("demographic_parity_difference", "difference", "selection_rate"),
    ("equal_opportunity_difference", "difference", "tpr"),
    ("fpr_gap", "difference", "fpr"),
    ("fnr_gap", "difference", "fnr"),
    ("fnr_ratio", "ratio", "fnr"),
    ("predictive_parity_difference", "difference", "ppv"),
)


class Rate(NamedTuple):
    """Counts x of n per group, and whether n counts labelled events only."""

    x: Int64
    n: Int64
    needs_labels: bool


class CalibrationError(NamedTuple):
    """Expected calibration error per group with its two corrections for bias.

    resampled: moments under the observed rates (the bootstrap of the counts). calibrated: moments if every score were
    right. Both corrections are used: the first is right where the error is large, the second where it is small.
    """

    value: Float64
    n: Int64
    resampled: calibration.ErrorMoments
    calibrated: calibration.ErrorMoments

    @property
    def centres(self) -> tuple[Float64, Float64]:
        return 2 * self.value - self.resampled.mean, self.value - self.calibrated.mean


def rates(table: GroupTable) -> dict[str, Rate]:
    """Numerators and denominators of the rates of section 2 of the specification."""
    positives, negatives = table.positives, table.negatives
    return {
        "selection_rate": Rate(table.selected, table.n, False),
        "tpr": Rate(table.tp, positives, True),
        "fpr": Rate(table.fp, negatives, True),
        "fnr": Rate(table.fn, positives, True),
        "ppv": Rate(table.tp, table.labelled_selected, True),
        "base_rate": Rate(positives, table.labelled, True),
        "accuracy": Rate(table.tp + table.tn, table.labelled, True),
    }


def calibration_error(table: GroupTable) -> CalibrationError:
    """Expected calibration error of every group and its moments."""
    n, scores = table.bin_n, table.bin_scores
    size = np.maximum(n, 1)
    return CalibrationError(
        value=calibration.expected_calibration_error(n, table.bin_positives, scores),
        n=n.sum(axis=1),
        resampled=calibration.error_moments(n, table.bin_positives / size, scores),
        calibrated=calibration.error_moments(n, scores / size, scores),
    )


def measure_groups(
    table: GroupTable, error: Callable[[], CalibrationError], confidence: float, only: Collection[str]
) -> Iterator[Measurement]:
    """Rates of every known group, and of the `unknown` of each attribute where there are such events.

    Intersections that are unknown in part are on record with their selection rate alone: it carries their n, and
    their other rates would make up a third of all numbers without anybody asking for them.
    """
    z = intervals.normal_quantile(confidence)
    known = table.known.tolist()
    everybody = [row for row, n in enumerate(table.n.tolist()) if known[row] or n]
    single = [row for row in everybody if known[row] or SEPARATOR not in table.attributes[row]]
    for metric, rate in rates(table).items():
        if metric not in only:
            continue
        rows = everybody if metric == "selection_rate" else single
        with np.errstate(invalid="ignore"):
            value = rate.x / rate.n
        low, high = intervals.wilson(rate.x, rate.n, z)
        gaps = _gaps(table, rate.n, rate.needs_labels)
        yield from _alone(table, rows, metric, value, low, high, rate.n, gaps, "rate", "wilson", rate.x, None)
    both = table.bin_n.sum(axis=1)
    gaps = _gaps(table, both, True, table.scored)
    if "brier" in only:
        value, low, high = _brier(table, z)
        yield from _alone(table, single, "brier", value, low, high, both, gaps, "estimate", "normal", None, None)
    if "ece" in only:
        value, low, high = _ece(error(), z)
        details = _calibration_details(table)
        method = "bootstrap_moments"
        yield from _alone(table, single, "ece", value, low, high, both, gaps, "estimate", method, None, details)


def measure_pairs(
    table: GroupTable, error: Callable[[], CalibrationError], confidence: float, only: Collection[str]
) -> Iterator[Measurement]:
    """Every known group against its reference group."""
    rows = np.flatnonzero(table.known & (table.reference >= 0) & (table.reference != np.arange(len(table.n))))
    if not len(rows):
        return
    z = intervals.normal_quantile(confidence)
    tests = _Tests(table, rows, z)
    for metric, form, name in _PAIRWISE:
        if metric in only:
            yield from tests.compare(metric, form, name)
    if "equalized_odds_difference" in only:
        yield from tests.equalized_odds(intervals.normal_quantile((1 + confidence) / 2))
    if "calibration_difference" in only:
        yield from _compare_calibration(table, rows, error(), z)


class _Tests:
    """Rates of groups `rows` beside those of their references, tested once and used by several metrics."""

    def __init__(self, table: GroupTable, rows: Int64, z: float) -> None:
        self.table, self.rows, self.z = table, rows, z
        self.references = table.reference[rows]
        self.rates = rates(table)
        self.gaps = {name: _gaps(table, rate.n, rate.needs_labels) for name, rate in self.rates.items()}
        tested = ("selection_rate", "tpr", "fpr", "ppv")
        stacked = [np.concatenate(parts) for parts in zip(*(self.counts(name) for name in tested), strict=True)]
        p = significance.two_rates(*stacked).reshape(len(tested), len(rows))
        self.p = dict(zip(tested, p, strict=True))
        self.p["fnr"] = self.p["tpr"]
        self.ratios = ("selection_rate", "fnr")

    @cached_property
    def ratio_limits(self) -> tuple[Float64, Float64]:
        pairs = [np.stack(parts) for parts in zip(*(self.counts(name) for name in self.ratios), strict=True)]
        return intervals.koopman(pairs[0], pairs[1], pairs[2], pairs[3], self.z)

    def counts(self, name: str) -> tuple[Int64, Int64, Int64, Int64]:
        rate = self.rates[name]
        return rate.x[self.rows], rate.n[self.rows], rate.x[self.references], rate.n[self.references]

    def missing(self, name: str) -> list[str | None]:
        gaps = self.gaps[name]
        return [
            gaps[row] or (why.REFERENCE_NOT_ESTIMABLE if gaps[reference] else None)
            for row, reference in zip(self.rows.tolist(), self.references.tolist(), strict=True)
        ]

    def compare(self, metric: str, form: Form, name: str) -> Iterator[Measurement]:
        x, n, reference_x, reference_n = counts = self.counts(name)
        gaps = self.missing(name)
        with np.errstate(invalid="ignore", divide="ignore"):
            if form == "ratio":
                value = (x / n) / (reference_x / reference_n)
                low, high = (limit[self.ratios.index(name)] for limit in self.ratio_limits)
                gaps = [
                    gap or (why.REFERENCE_RATE_ZERO if not base else None)
                    for gap, base in zip(gaps, reference_x.tolist(), strict=True)
                ]
            else:
                value = x / n - reference_x / reference_n
                low, high = intervals.newcombe(*counts, self.z)
        method = "koopman" if form == "ratio" else "newcombe"
        least = np.minimum(n, reference_n)
        yield from _against(
            self.table, self.rows, metric, value, low, high, self.p[name], counts, least, gaps, form, method
        )

    def equalized_odds(self, z: float) -> Iterator[Measurement]:
        """max(|TPR gap|, |FPR gap|); z is that of two simultaneous intervals (Bonferroni)."""
        tpr, fpr = self.counts("tpr"), self.counts("fpr")
        values, lows, highs = [], [], []
        for x, n, reference_x, reference_n in (tpr, fpr):
            with np.errstate(invalid="ignore", divide="ignore"):
                values.append(x / n - reference_x / reference_n)
            low, high = intervals.newcombe(x, n, reference_x, reference_n, z)
            lows.append(np.maximum(np.maximum(low, -high), 0.0))
            highs.append(np.maximum(np.abs(low), np.abs(high)))
        gap_tpr, gap_fpr = values
        deciding = np.abs(gap_tpr) >= np.abs(gap_fpr)
        counts = tuple(np.where(deciding, one, two) for one, two in zip(tpr, fpr, strict=True))
        p = np.minimum(2 * np.minimum(self.p["tpr"], self.p["fpr"]), 1.0)
        least = np.minimum.reduce([tpr[1], tpr[3], fpr[1], fpr[3]])
        gaps = [one or two for one, two in zip(self.missing("tpr"), self.missing("fpr"), strict=True)]
        details = [
            None if gap else {"tpr_gap": one, "fpr_gap": two}
            for gap, one, two in zip(gaps, gap_tpr.tolist(), gap_fpr.tolist(), strict=True)
        ]
        yield from _against(
            self.table,
            self.rows,
            "equalized_odds_difference",
            np.maximum(np.abs(gap_tpr), np.abs(gap_fpr)),
            np.maximum(*lows),
            np.maximum(*highs),
            p,
            counts,
            least,
            gaps,
            "absolute_difference",
            why.TWO_AT_ONCE,
            details,
        )


def _compare_calibration(table: GroupTable, rows: Int64, error: CalibrationError, z: float) -> Iterator[Measurement]:
    references = table.reference[rows]
    value = error.value[rows] - error.value[references]
    centres = tuple(centre[rows] - centre[references] for centre in error.centres)
    deviations = [
        np.hypot(moments.deviation[rows], moments.deviation[references])
        for moments in (error.resampled, error.calibrated)
    ]
    low, high = _corrected(value, centres, z * deviations[0], z * deviations[1])
    p = normal_p(centres, deviations)
    gaps = _gaps(table, error.n, True, table.scored)
    missing = [
        gaps[row] or (why.REFERENCE_NOT_ESTIMABLE if gaps[reference] else None)
        for row, reference in zip(rows.tolist(), references.tolist(), strict=True)
    ]
    least = np.minimum(error.n[rows], error.n[references])
    yield from _against(
        table,
        rows,
        "calibration_difference",
        value,
        np.clip(low, -1.0, 1.0),
        np.clip(high, -1.0, 1.0),
        p,
        None,
        least,
        missing,
        "estimate",
        "bootstrap_moments",
    )


def normal_p(centres: Iterable[Float64], deviations: Iterable[Float64]) -> Float64:
    """The larger of the two-sided normal p-values of several bias corrections of the same difference."""
    with np.errstate(invalid="ignore", divide="ignore"):
        each = [
            2 * special.ndtr(-np.abs(np.where(centre == 0, 0.0, centre / deviation)))
            for centre, deviation in zip(centres, deviations, strict=True)
        ]
    largest: Float64 = np.maximum.reduce(each)
    return largest


def _corrected(value: Float64, centres: tuple[Float64, ...], *reaches: Float64) -> tuple[Float64, Float64]:
    """Hull of the bias-corrected intervals and the value itself, which no correction may leave outside."""
    low = np.minimum.reduce([value, *(centre - reach for centre, reach in zip(centres, reaches, strict=True))])
    high = np.maximum.reduce([value, *(centre + reach for centre, reach in zip(centres, reaches, strict=True))])
    return low, high


def _ece(error: CalibrationError, z: float) -> tuple[Float64, Float64, Float64]:
    low, high = _corrected(error.value, error.centres, z * error.resampled.deviation, z * error.calibrated.deviation)
    return error.value, np.clip(low, 0.0, 1.0), np.clip(high, 0.0, 1.0)


def _brier(table: GroupTable, z: float) -> tuple[Float64, Float64, Float64]:
    """Mean squared error of the score with a normal interval.

    The variance is that between (bin, outcome) cells plus what a uniform spread of the squared error within a bin
    adds: the cube does not hold fourth powers.
    """
    n = table.bin_n.sum(axis=1)
    width = 1 / table.bin_n.shape[1]
    with np.errstate(invalid="ignore", divide="ignore"):
        value = table.squared_error / n
        negatives = table.bin_n - table.bin_positives
        for_positives = table.bin_positive_squares - 2 * table.bin_positive_scores + table.bin_positives
        for_negatives = table.bin_squares - table.bin_positive_squares
        between = np.zeros_like(value)
        for size, total in ((table.bin_positives, for_positives), (negatives, for_negatives)):
            mean = np.where(size > 0, total / np.maximum(size, 1), 0.0)
            within = (2 * width) ** 2 * mean / 12
            between += (size * ((mean - value[:, np.newaxis]) ** 2 + within)).sum(axis=1)
        reach = z * np.sqrt(between) / n
        return value, np.clip(value - reach, 0.0, 1.0), np.clip(value + reach, 0.0, 1.0)


def _gaps(table: GroupTable, n: Int64, needs_labels: bool, scored: Int64 | None = None) -> list[str | None]:
    """Per group, why a number with denominator n does not exist, or None."""
    reasons = np.where(n > 0, 0, 4)
    if scored is not None:
        reasons[(n == 0) & (scored == 0)] = 3
    if needs_labels:
        reasons[table.labelled == 0] = 2
    reasons[table.n == 0] = 1
    names = (None, why.NO_EVENTS, why.NO_LABELS, why.NO_SCORES, why.EMPTY_DENOMINATOR)
    return [names[reason] for reason in reasons.tolist()]


def _calibration_details(table: GroupTable) -> list[dict[str, Any] | None]:
    n, positives, scores = table.bin_n, table.bin_positives, table.bin_scores
    debiased = _finite(calibration.debiased_squared_error(n, positives, scores))
    large = _finite(calibration.calibration_in_the_large(n, positives, scores))
    return [
        None if one is None and two is None else {"debiased": one, "in_the_large": two}
        for one, two in zip(debiased, large, strict=True)
    ]


def _finite(values: Float64) -> list[float | None]:
    return [value if ok else None for value, ok in zip(values.tolist(), np.isfinite(values).tolist(), strict=True)]


def _alone(
    table: GroupTable,
    rows: list[int],
    metric: str,
    value: Float64,
    low: Float64,
    high: Float64,
    denominator: Int64,
    gaps: list[str | None],
    form: Form,
    method: str,
    numerator: Int64 | None,
    details: list[dict[str, Any] | None] | None,
) -> Iterator[Measurement]:
    values, lows, highs = _finite(value), _finite(low), _finite(high)
    sizes, below, known = table.n.tolist(), denominator.tolist(), table.known.tolist()
    above = None if numerator is None else numerator.tolist()
    total = table.total or 1
    for row in rows:
        gap = gaps[row]
        yield Measurement(
            metric=metric,
            attribute=table.attributes[row],
            group=table.labels[row],
            reference=None,
            value=None if gap else values[row],
            low=None if gap else lows[row],
            high=None if gap else highs[row],
            n=sizes[row],
            share=sizes[row] / total,
            form=form,
            numerator=None if above is None else above[row],
            denominator=below[row],
            reference_numerator=None,
            reference_denominator=None,
            p=None,
            least_n=sizes[row],
            least_cell=below[row],
            method=method,
            known=known[row],
            gap=gap,
            details=None if details is None else details[row],
        )


def _against(
    table: GroupTable,
    rows: Int64,
    metric: str,
    value: Float64,
    low: Float64,
    high: Float64,
    p: Float64,
    counts: tuple[Int64, ...] | None,
    least: Int64,
    gaps: list[str | None],
    form: Form,
    method: str,
    details: list[dict[str, Any] | None] | None = None,
) -> Iterator[Measurement]:
    values, lows, highs, ps = _finite(value), _finite(low), _finite(high), _finite(p)
    sizes, cells, references = table.n.tolist(), least.tolist(), table.reference.tolist()
    four = [[None] * len(rows)] * 4 if counts is None else [count.tolist() for count in counts]
    total = table.total or 1
    for i, row in enumerate(rows.tolist()):
        gap, reference = gaps[i], references[row]
        yield Measurement(
            metric=metric,
            attribute=table.attributes[row],
            group=table.labels[row],
            reference=table.labels[reference],
            value=None if gap else values[i],
            low=None if gap else lows[i],
            high=None if gap else highs[i],
            n=sizes[row],
            share=sizes[row] / total,
            form=form,
            numerator=four[0][i],
            denominator=four[1][i],
            reference_numerator=four[2][i],
            reference_denominator=four[3][i],
            p=None if gap else ps[i],
            least_n=min(sizes[row], sizes[reference]),
            least_cell=cells[i],
            method=method,
            known=True,
            gap=gap,
            details=None if details is None else details[i],
        )
