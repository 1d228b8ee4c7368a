"""Metrics over all estimable groups of a grouping at once (group None), after fairlearn's definition.

A group with an empty denominator is left out, never counted as zero; so is one with an unknown attribute.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Collection, Iterator
from dataclasses import dataclass, replace
from typing import Any, NamedTuple
from zlib import crc32

import numpy as np
import numpy.typing as npt

from biasgov.fairness import intervals, significance
from biasgov.fairness import measurement as why
from biasgov.fairness.aggregates import (
    Spread,
    normal_ranges,
    simultaneous_quantile,
    studentised_ranges,
    widest_normal_difference,
)
from biasgov.fairness.group_metrics import CalibrationError, Rate, normal_p, rates
from biasgov.fairness.groups import Grouping, GroupTable
from biasgov.fairness.looks import PAIRED
from biasgov.fairness.measurement import Form, Measurement

Float64 = npt.NDArray[np.float64]
Int64 = npt.NDArray[np.int64]


AGGREGATES = (
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
    "differential_fairness",
)
"""In the order of the record."""


class Gap(NamedTuple):
    """An aggregate before it is put on record; low and high of None: not available."""

    value: float
    low: float | None
    high: float | None
    p: float | None
    form: Form
    counts: tuple[int, int, int, int] | None
    rows: tuple[int, ...]
    least_cell: int
    method: str
    details: dict[str, Any]


@dataclass(frozen=True, slots=True, eq=False)
class _Compared:
    """One rate over the groups of a grouping that have it: x of n in table rows `rows`, at least two of them.

    lowest, highest: places of the extreme rates in these arrays.
    """

    table: GroupTable
    rows: Int64
    x: Int64
    n: Int64
    ranges: Float64
    spread: Spread
    statistic: float
    freedom: int
    p: float
    lowest: int
    highest: int

    @classmethod
    def of(
        cls, table: GroupTable, known: Int64, rate: Rate, confidence: float, rng: np.random.Generator, draws: int
    ) -> _Compared | None:
        rows = known[rate.n[known] > 0]
        if len(rows) < 2:
            return None
        x, n = rate.x[rows], rate.n[rows]
        ranges = studentised_ranges(x, n, rng, draws)
        spread = Spread.of(x, n, simultaneous_quantile(ranges, confidence))
        extremes = int(np.argmin(spread.rate)), int(np.argmax(spread.rate))
        return cls(table, rows, x, n, ranges, spread, *significance.homogeneity(x, n), *extremes)

    def complement(self) -> _Compared:
        """The opposite rate, from the same draws and the same test."""
        spread = self.spread.complement()
        return replace(self, x=self.n - self.x, spread=spread, lowest=self.highest, highest=self.lowest)

    @property
    def ends(self) -> dict[str, Any]:
        labels = self.table.labels
        return {"lowest": labels[self.rows[self.lowest]], "highest": labels[self.rows[self.highest]]}

    @property
    def widest(self) -> float:
        rate = self.spread.rate
        return float(rate[self.highest] - rate[self.lowest])

    def between(self, value: float, low: float, high: float, form: Form, p: float) -> Gap:
        """The gap between the extreme groups; `form` decides which of them comes first."""
        first, second = (self.lowest, self.highest) if form == "ratio" else (self.highest, self.lowest)
        return Gap(
            value=value,
            low=min(low, value),
            high=max(high, value),
            p=p,
            form=form,
            counts=(int(self.x[first]), int(self.n[first]), int(self.x[second]), int(self.n[second])),
            rows=(int(self.rows[first]), int(self.rows[second])),
            least_cell=int(min(self.n[first], self.n[second])),
            method="bootstrap_studentised_range",
            details=self.ends,
        )


def _difference(compared: _Compared | None) -> Gap | str:
    """Largest minus smallest rate."""
    if compared is None:
        return why.FEWER_THAN_TWO_GROUPS
    return compared.between(compared.widest, *compared.spread.widest_difference(), "difference", compared.p)


def _ratio(compared: _Compared | None) -> Gap | str:
    """Smallest over largest rate."""
    if compared is None:
        return why.FEWER_THAN_TWO_GROUPS
    if not compared.x.any():
        return why.REFERENCE_RATE_ZERO
    rate = compared.spread.rate
    value = float(rate[compared.lowest] / rate[compared.highest])
    return compared.between(value, *compared.spread.smallest_ratio(), "ratio", compared.p)


class _Drawn:
    """The known groups of a grouping, compared by the rates that are asked for.

    Each rate is drawn after those before it, wanted or not, so that no number depends on what else is asked for.
    """

    _ORDER = ("selection_rate", "tpr", "fpr", "ppv")

    def __init__(
        self, table: GroupTable, known: Int64, confidence: float, rng: np.random.Generator, draws: int
    ) -> None:
        self.table, self.known, self.confidence, self.draws = table, known, confidence, draws
        self._rates, self._rng = rates(table), rng
        self._done: list[_Compared | None] = []

    def rate(self, name: str) -> _Compared | None:
        place = self._ORDER.index(name)
        for earlier in self._ORDER[len(self._done) : place + 1]:
            rate = self._rates[earlier]
            self._done.append(_Compared.of(self.table, self.known, rate, self.confidence, self._rng, self.draws))
        return self._done[place]

    def after_all(self) -> np.random.Generator:
        """The generator for what is drawn after every rate."""
        self.rate(self._ORDER[-1])
        return self._rng

    def gap(self, metric: str, error: Callable[[], CalibrationError]) -> Gap | str:
        """One aggregate, or why there is none."""
        match metric:
            case "equalized_odds_difference":
                return _equalized_odds(self.rate("tpr"), self.rate("fpr"), self.confidence)
            case "calibration_difference":
                return _calibration(self.table, self.known, error(), self.confidence, self.after_all(), self.draws)
            case "association":
                return _association(self.rate("selection_rate"), self.confidence)
            case "differential_fairness":
                return _differential_fairness(self.rate("selection_rate"))
        form, name = PAIRED[metric]
        if name == "fnr":
            tpr = self.rate("tpr")
            compared = None if tpr is None else tpr.complement()
        else:
            compared = self.rate(name)
        return _ratio(compared) if form == "ratio" else _difference(compared)


def measure_aggregates(
    table: GroupTable,
    error: Callable[[], CalibrationError],
    confidence: float,
    seed: int,
    draws: int,
    only: Collection[str],
) -> Iterator[Measurement]:
    """Aggregates of every grouping. The draws of a grouping depend on the seed and its name, not on the others."""
    for grouping in table.groupings:
        rng = np.random.default_rng([seed, crc32(grouping.attribute.encode())])
        rows = np.arange(grouping.start, grouping.stop)
        known = rows[table.known[rows]]
        drawn = _Drawn(table, known, confidence, rng, draws)
        labelled, scored = int(table.labelled[known].sum()), int(table.scored[known].sum())
        for metric in AGGREGATES:
            if metric in only:
                gap = drawn.gap(metric, error)
                if isinstance(gap, str):
                    gap = _reason(metric, gap, int(table.n[known].sum()), labelled, scored)
                yield _record(table, grouping, known, metric, gap)


def _equalized_odds(tpr: _Compared | None, fpr: _Compared | None, confidence: float) -> Gap | str:
    """max(widest TPR difference, widest FPR difference); their pairwise intervals hold all together."""
    if tpr is None or fpr is None:
        return why.FEWER_THAN_TWO_GROUPS
    z = simultaneous_quantile(np.maximum(tpr.ranges, fpr.ranges), confidence)
    both = [Spread.of(part.x, part.n, z).widest_difference() for part in (tpr, fpr)]
    deciding = tpr if tpr.widest >= fpr.widest else fpr
    low, high = max(low for low, _ in both), max(high for _, high in both)
    p = min(1.0, 2 * min(tpr.p, fpr.p))
    gap = deciding.between(deciding.widest, low, high, "difference", p)
    return gap._replace(details={**gap.details, "tpr_gap": tpr.widest, "fpr_gap": fpr.widest})


def _association(selection: _Compared | None, confidence: float) -> Gap | str:
    """Cramér's V of decision by group; phi for two groups. Not defined if everybody got the same decision."""
    if selection is None:
        return why.FEWER_THAN_TWO_GROUPS
    total, selected = int(selection.n.sum()), int(selection.x.sum())
    if selected in (0, total):
        return why.ONE_DECISION
    value = math.sqrt(selection.statistic / total)
    low, high = intervals.cramers_v(selection.statistic, selection.freedom, total, confidence)
    return Gap(
        value=value,
        low=min(low, value),
        high=max(high, value),
        p=selection.p,
        form="estimate",
        counts=None,
        rows=tuple(selection.rows.tolist()),
        least_cell=min(selected, total - selected),
        method="noncentral_chi_squared",
        details={"statistic": selection.statistic, "degrees_of_freedom": selection.freedom},
    )


def _differential_fairness(selection: _Compared | None) -> Gap | str:
    """Largest |log ratio| of any decision's rate between two groups (Foulds, Islam, Keya & Pan 2020).

    Where a group has no event with some decision the plain value is infinite; their Dirichlet-smoothed rates
    (x + 1/2) / (n + 1) are used instead, and `details` says so.
    """
    if selection is None:
        return why.FEWER_THAN_TWO_GROUPS
    smoothed = bool(((selection.x == 0) | (selection.x == selection.n)).any())
    rate = (selection.x + 0.5) / (selection.n + 1) if smoothed else selection.spread.rate
    favourable, unfavourable = np.log(rate), np.log1p(-rate)
    value = max(float(np.ptp(favourable)), float(np.ptp(unfavourable)))
    ratios = [selection.spread.smallest_ratio(), selection.spread.complement().smallest_ratio()]
    low = max(-math.log(high) for _, high in ratios)
    highs = [-math.log(low) if low > 0 else None for low, _ in ratios]
    finite = [high for high in highs if high is not None]
    counted = np.minimum(selection.x, selection.n - selection.x)
    return Gap(
        value=value,
        low=min(low, value),
        high=max(value, *finite) if len(finite) == len(highs) else None,
        p=selection.p,
        form="estimate",
        counts=None,
        rows=(int(selection.rows[selection.lowest]), int(selection.rows[selection.highest])),
        least_cell=int(min(counted[selection.lowest], counted[selection.highest])),
        method="bootstrap_studentised_range",
        details={**selection.ends, "smoothed": smoothed},
    )


def _calibration(
    table: GroupTable, known: Int64, error: CalibrationError, confidence: float, rng: np.random.Generator, draws: int
) -> Gap | str:
    """Largest difference of the expected calibration error; hull over both corrections of its bias."""
    rows = known[error.n[known] > 0]
    if len(rows) < 2:
        return why.FEWER_THAN_TWO_GROUPS
    value = error.value[rows]
    z = simultaneous_quantile(normal_ranges(len(rows), rng, draws), confidence)
    deviations = (error.resampled.deviation[rows], error.calibrated.deviation[rows])
    ends = [
        widest_normal_difference(centre[rows], deviation, z)
        for centre, deviation in zip(error.centres, deviations, strict=True)
    ]
    lowest, highest = int(np.argmin(value)), int(np.argmax(value))
    pair = [centre[rows][[highest]] - centre[rows][[lowest]] for centre in error.centres]
    spread = [np.hypot(deviation[[highest]], deviation[[lowest]]) for deviation in deviations]
    p = float(normal_p(pair, spread)[0]) * len(rows) * (len(rows) - 1) / 2
    widest = float(value[highest] - value[lowest])
    n = error.n[rows]
    return Gap(
        value=widest,
        low=min(widest, *(low for low, _ in ends)),
        high=min(max(widest, *(high for _, high in ends)), 1.0),
        p=None if math.isnan(p) else min(p, 1.0),
        form="estimate",
        counts=None,
        rows=(int(rows[highest]), int(rows[lowest])),
        least_cell=int(min(n[highest], n[lowest])),
        method="bootstrap_moments",
        details={"lowest": table.labels[rows[lowest]], "highest": table.labels[rows[highest]]},
    )


_LABEL_FREE = {
    "demographic_parity_ratio",
    "demographic_parity_difference",
    "association",
    "differential_fairness",
}


def _reason(metric: str, reason: str, events: int, labelled: int, scored: int) -> str:
    """The most telling reason why an aggregate does not exist."""
    if not events:
        return why.NO_EVENTS
    if metric not in _LABEL_FREE and not labelled:
        return why.NO_LABELS
    if metric == "calibration_difference" and not scored:
        return why.NO_SCORES
    return reason


def _record(table: GroupTable, grouping: Grouping, known: Int64, metric: str, gap: Gap | str) -> Measurement:
    n = int(table.n[known].sum())
    total = table.total or 1
    if isinstance(gap, str):
        return Measurement(
            metric=metric,
            attribute=grouping.attribute,
            group=None,
            reference=None,
            value=None,
            low=None,
            high=None,
            n=n,
            share=n / total,
            form="estimate",
            numerator=None,
            denominator=None,
            reference_numerator=None,
            reference_denominator=None,
            p=None,
            least_n=0,
            least_cell=0,
            method="none",
            known=True,
            gap=gap,
            details=None,
        )
    counts = gap.counts or (None, None, None, None)
    sizes = table.n[list(gap.rows)]
    everybody = metric == "association"
    least = n if everybody else int(sizes.min())
    return Measurement(
        metric=metric,
        attribute=grouping.attribute,
        group=None,
        reference=None,
        value=gap.value,
        low=gap.low,
        high=gap.high,
        n=n,
        share=least / total,
        form=gap.form,
        numerator=counts[0],
        denominator=counts[1],
        reference_numerator=counts[2],
        reference_denominator=counts[3],
        p=gap.p,
        least_n=least,
        least_cell=gap.least_cell,
        method=gap.method,
        known=True,
        gap=None,
        details=gap.details,
    )
