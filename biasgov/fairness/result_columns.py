"""Many stored results at once, as columns, and their verdicts under another policy: `verdicts.judge_again` in arrays.

Nearly every comparison of a judgement is far from a tie, and there floating point says what exact arithmetic would. The
few results that come near one are put to `judge_again` itself, so that both always agree to the last verdict.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, fields
from itertools import chain
from typing import Any, NamedTuple, Self

import numpy as np
import numpy.typing as npt

from biasgov.fairness.intervals import normal_quantile
from biasgov.fairness.measurement import TWO_AT_ONCE, Measurement
from biasgov.fairness.policy import NO_BOUND, Policy
from biasgov.fairness.response_plan import SEVERITIES
from biasgov.fairness.verdicts import Key, Result, judge_again

Float64 = npt.NDArray[np.float64]
Bools = npt.NDArray[np.bool_]
Codes = npt.NDArray[np.int8]

VERDICTS = ("within", "breach", "inconclusive", "not_estimable")
WITHIN, BREACH, INCONCLUSIVE, NOT_ESTIMABLE = range(4)
NO_SEVERITY = -1

_TIE = 1e-9
"""Relative distance below which a comparison counts as near a tie; floating point errs by less than 1e-12 here."""


class Judged(NamedTuple):
    """Places in VERDICTS and in SEVERITIES, NO_SEVERITY for all but breaches."""

    verdict: Codes
    severity: Codes


@dataclass(frozen=True, slots=True)
class ResultColumns:
    """Results as columns of equal length, with what a judgement needs; names and meanings as in `Result`."""

    metric: Sequence[str]
    attribute: Sequence[str]
    group: Sequence[str | None]
    value: Sequence[float | None]
    interval: Sequence[Sequence[float | None]]
    share: Sequence[float]
    form: Sequence[str]
    numerator: Sequence[int | None]
    denominator: Sequence[int | None]
    reference_numerator: Sequence[int | None]
    reference_denominator: Sequence[int | None]
    least_n: Sequence[int]
    least_cell: Sequence[int]
    method: Sequence[str]
    known: Sequence[bool]
    gap: Sequence[str | None]
    p_adjusted: Sequence[float | None]
    verdict: Sequence[str]
    severity: Sequence[str | None]

    def __len__(self) -> int:
        return len(self.metric)

    @classmethod
    def of(cls, results: Iterable[Result]) -> Self:
        """The columns of some results."""
        told = [result.to_dict() for result in results]
        return cls.of_rows(FIELDS, [[each[name] for name in FIELDS] for each in told])

    @classmethod
    def of_rows(cls, names: Sequence[str], rows: Sequence[Sequence[Any]]) -> Self:
        """The columns of results that are rows with those names."""
        if not rows:
            return cls(**dict.fromkeys(FIELDS, ()))
        columns = dict(zip(names, zip(*rows, strict=True), strict=True))
        return cls(**{name: columns[name] for name in FIELDS})

    @classmethod
    def joined(cls, parts: Sequence[ResultColumns]) -> Self:
        """One after the other."""
        return cls(**{name: list(chain.from_iterable(getattr(part, name) for part in parts)) for name in FIELDS})

    def key(self, place: int) -> Key:
        return self.metric[place], self.attribute[place], self.group[place]

    def stored(self) -> Judged:
        """The verdicts that they came with."""
        verdicts, severities = {name: code for code, name in enumerate(VERDICTS)}, _SEVERITY
        return Judged(
            np.array([verdicts[each] for each in self.verdict], np.int8),
            np.array([severities[each] for each in self.severity], np.int8),
        )

    def result(self, place: int) -> Result:
        """One of them, with nothing but what a judgement needs."""
        low, high = self.interval[place]
        measurement = Measurement(
            metric=self.metric[place],
            attribute=self.attribute[place],
            group=self.group[place],
            reference=None,
            value=self.value[place],
            low=low,
            high=high,
            n=self.least_n[place],
            share=self.share[place],
            form=self.form[place],  # type: ignore[arg-type]
            numerator=self.numerator[place],
            denominator=self.denominator[place],
            reference_numerator=self.reference_numerator[place],
            reference_denominator=self.reference_denominator[place],
            p=None,
            least_n=self.least_n[place],
            least_cell=self.least_cell[place],
            method=self.method[place],
            known=self.known[place],
            gap=self.gap[place],
            details=None,
        )
        return Result(measurement, self.p_adjusted[place], NO_BOUND, "inconclusive", None, None)


FIELDS = tuple(each.name for each in fields(ResultColumns))
_SEVERITY = {None: NO_SEVERITY} | {name: code for code, name in enumerate(SEVERITIES)}


class Judge:
    """Judges the same results by several policies.

    confidence: of the stored intervals.
    """

    def __init__(self, columns: ResultColumns, confidence: float) -> None:
        self._columns, self._confidence = columns, confidence
        self.value = _floats(columns.value)
        ends = _floats(chain.from_iterable(columns.interval)).reshape(-1, 2)
        self._low, self._high = ends[:, 0], ends[:, 1]
        self._share = _floats(columns.share)
        self._p = _floats(columns.p_adjusted)
        self._least_n = np.array(columns.least_n, np.int64)
        self._least_cell = np.array(columns.least_cell, np.int64)
        self._ratio = _are(columns.form, "ratio")
        self._two = _are(columns.method, TWO_AT_ONCE)
        self._known = np.array(columns.known, bool)
        self._missing = np.array([gap is not None for gap in columns.gap], bool)
        self._exact = self._values()

    def by(self, policy: Policy) -> Judged:
        """What `judge_again` says of every result."""
        lower, upper = _bounds(self._columns.metric, policy)
        low, high = self._carried(self._low, self._high, self._confidence, policy.confidence)
        wider = max(policy.alert_confidence, policy.confidence)
        alert_low, alert_high = self._carried(low, high, policy.confidence, wider)
        with np.errstate(invalid="ignore", divide="ignore", over="ignore"):
            enough = (
                ~self._missing
                & self._known
                & (self._least_n >= policy.minimum_group)
                & (self._least_cell >= policy.minimum_cell)
                & (self._share >= policy.minimum_share)
            )
            below, above = self._exact < lower, self._exact > upper
            outside = enough & (below | above)
            near = enough & (_near(self._exact, lower) | _near(self._exact, upper))
            distance, doubt = self._distance(below, low, high, lower, upper)
            evidence, more = self._distance(below, alert_low, alert_high, lower, upper)
            breach = outside & (distance == distance) & (evidence > 0) & ~(self._p >= policy.alpha)
            near |= outside & (np.abs(evidence) <= more)
            severity = np.zeros(len(lower), np.int8)
            for name in SEVERITIES[1:]:
                severity += distance >= policy.severity_bands[name]
                near |= breach & (np.abs(distance - policy.severity_bands[name]) <= doubt)
        verdict = np.full(len(lower), INCONCLUSIVE, np.int8)
        verdict[self._missing] = NOT_ESTIMABLE
        verdict[enough & ~outside] = WITHIN
        verdict[breach] = BREACH
        found = Judged(verdict, np.where(breach, severity, NO_SEVERITY).astype(np.int8))
        for place in np.flatnonzero(near).tolist():
            again = judge_again(self._columns.result(place), policy, confidence=self._confidence)
            found.verdict[place] = VERDICTS.index(again.verdict)
            found.severity[place] = _SEVERITY[again.severity]
        return found

    def _values(self) -> Float64:
        """As `verdicts.exact_value`, in floating point; NaN where there is no value."""
        columns = self._columns
        a, b = _floats(columns.numerator), _floats(columns.denominator)
        c, d = _floats(columns.reference_numerator), _floats(columns.reference_denominator)
        with np.errstate(invalid="ignore", divide="ignore"):
            quotient, pair = a / b, (b != 0) & (d != 0) & ~np.isnan(a + b + c + d)
            gap = (a * d - c * b) / (b * d)
            counted = np.select(
                [
                    _are(columns.form, "rate") & (b != 0) & ~np.isnan(a + b),
                    self._ratio & pair & (c != 0),
                    _are(columns.form, "difference") & pair,
                    _are(columns.form, "absolute_difference") & pair,
                ],
                [quotient, (a * d) / (b * c), gap, np.abs(gap)],
                self.value,
            )
        return np.where(np.isnan(self.value), np.nan, counted)

    def _carried(self, low: Float64, high: Float64, confidence: float, wanted: float) -> tuple[Float64, Float64]:
        """As `verdicts.carried`."""
        if wanted == confidence:
            return low, high
        plain, both = (_wider(confidence, wanted, at_once) for at_once in (False, True))
        wider = np.where(self._two, both, plain)
        with np.errstate(invalid="ignore", divide="ignore", over="ignore"):
            moved = []
            for end in (low, high):
                logarithmic = self._ratio & (self.value > 0) & (end > 0)
                power = np.power(np.where(logarithmic, end / self.value, 1.0), wider)
                there = np.where(logarithmic, self.value * power, self.value + (end - self.value) * wider)
                moved.append(np.where(np.isnan(self.value), end, there))
        return moved[0], moved[1]

    def _distance(
        self, below: Bools, low: Float64, high: Float64, lower: Float64, upper: Float64
    ) -> tuple[Float64, Float64]:
        """As `verdicts._distance`, NaN for None, and below which difference two distances cannot be told apart."""
        turned = np.where(low > 0, 1 / upper - 1 / low, -1.0)
        above = np.where(self._ratio & (upper > 0), np.where(np.isnan(low), np.nan, turned), low - upper)
        end = np.where(below, high, low)
        scale = 1 + np.abs(self.value) + np.abs(end) + np.where(self._ratio & (end > 0), 1 / np.abs(end), 0.0)
        return np.where(below, lower - high, above), _TIE * scale


def _bounds(metrics: Sequence[str], policy: Policy) -> tuple[Float64, Float64]:
    ends = {metric: policy.bound(metric) for metric in set(metrics)}
    lower = {metric: np.nan if bound.lower is None else bound.lower for metric, bound in ends.items()}
    upper = {metric: np.nan if bound.upper is None else bound.upper for metric, bound in ends.items()}
    return np.array([lower[each] for each in metrics]), np.array([upper[each] for each in metrics])


def _wider(confidence: float, wanted: float, at_once: bool) -> float:
    one, two = ((1 + each) / 2 if at_once else each for each in (wanted, confidence))
    return normal_quantile(one) / normal_quantile(two)


def _near(value: Float64, end: Float64) -> Bools:
    near: Bools = np.abs(value - end) <= _TIE * (1 + np.abs(end))
    return near


def _floats(values: Iterable[float | None]) -> Float64:
    return np.array(list(values), np.float64)


def _are(names: Sequence[str], wanted: str) -> Bools:
    return np.array([name == wanted for name in names], bool)
