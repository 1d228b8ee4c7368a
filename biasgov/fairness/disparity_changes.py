"""Since when, and why: change points of every group's disparity against the model's own baseline."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from statistics import NormalDist

import numpy as np

from biasgov.fairness.change_dating import Dating, date_change
from biasgov.fairness.change_parts import Parts, Side, parts
from biasgov.fairness.disparity_series import RATES, Float64, Int64, Rate, Steps, compared_periods, tallies
from biasgov.fairness.period_counts import PeriodCounts
from biasgov.fairness.policy import Plan
from biasgov.fairness.sequential import change_point

LONGEST_BASELINE = 14
"""Periods at the front that describe the state before: half of those with events, at most so many."""
SHORTEST_BASELINE = 5
"""Steps without which a baseline says nothing."""
ALPHA = 0.05
"""Probability that a run names any change where there was none (Bonferroni over series and moments), at most."""
REVERSAL = 0.1
"""Share of the change that the rates must move the other way to be called a reversal rather than noise."""


@dataclass(frozen=True, slots=True)
class DisparityChange:
    """A lasting shift of one group's disparity.

    Attributes
    ----------
    at, noticed
        The period in which it began, and the one after which the evidence sufficed.
    before, after
        The metric over all periods from the change before (or the first one) until `at`, and from `at` until the next.
    n_before, n_after
        Events of the group that the metric counts on either side.
    rates
        Of the group and of its reference: the rate before and after.
    mix, rate
        Parts of `after - before` that are due to who was decided on and to how: they add up to it. None if the model
        has no other attribute.
    segment, declared
        The attribute they were compared by, and whether the model declares it; otherwise it explains most.
    reverses
        Inside the segments the disparity moved the other way than the whole (Simpson's paradox).
    """

    attribute: str
    group: str
    reference: str
    metric: str
    at: int
    noticed: int
    before: float
    after: float
    n_before: int
    n_after: int
    rates: tuple[tuple[float, float], tuple[float, float]]
    mix: float | None
    rate: float | None
    segment: str | None
    declared: bool
    reverses: bool


@dataclass(frozen=True, slots=True, eq=False)
class _Watched:
    """One series: a metric of one group, with the periods that count."""

    attribute: str
    group: str
    level: int
    reference: int
    compared: Int64
    steps: Steps


def disparity_changes(counts: PeriodCounts, plan: Plan) -> tuple[DisparityChange, ...]:
    """The change points of selection ratio, TPR gap and FPR gap of every group of every single attribute.

    A change is named when a CUSUM against the baseline signals and the means before and after differ by more than
    chance explains in any of the run's series at any of its moments (`ALPHA`).
    """
    baseline = baseline_periods(counts)
    watched = [each for each in _series(counts, plan, baseline) if len(each.steps) > SHORTEST_BASELINE]
    if not watched:
        return ()
    # A shift is a pair of moments, when it began and when it is noticed; each pair is a test of both directions.
    moments = counts.periods * (counts.periods - 1) // 2
    critical = NormalDist().inv_cdf(1 - ALPHA / (2 * len(watched) * max(moments, 1)))
    return tuple(change for each in watched for change in _changes(counts, plan, each, baseline, critical))


def date_finely(change: DisparityChange, counts: PeriodCounts) -> Dating:
    """When a change began, by finer periods around the one that it was found in. Counts: of these periods alone."""
    axis = counts.schema.axis(change.attribute)
    rate = next(each for each in RATES if each.metric == change.metric)
    x, n = tallies(counts.table(change.attribute), rate)
    sides = tuple((x[:, code], n[:, code]) for code in (axis.code(change.group), axis.code(change.reference)))
    return date_change(sides, change.rates)


def baseline_periods(counts: PeriodCounts) -> int:
    """How many periods at the front describe the state before, those without events before the first one included."""
    held = np.unique(counts.period)
    if not held.size:
        return 0
    return int(held[min(LONGEST_BASELINE, (held.size + 1) // 2) - 1]) + 1


def _series(counts: PeriodCounts, plan: Plan, baseline: int) -> Iterator[_Watched]:
    for axis in counts.schema.axes:
        table = counts.table(axis.name)
        reference = axis.code(plan.references[axis.name])
        for rate in RATES:
            compared = compared_periods(table, rate, baseline=baseline).astype(np.int64)
            x, n = (tally * compared[:, None] for tally in tallies(table, rate))
            for level, group in enumerate(axis.levels):
                if level != reference:
                    steps = Steps.join(rate, x[:, level], n[:, level], x[:, reference], n[:, reference])
                    yield _Watched(axis.name, group, level, reference, compared, steps)


def _changes(
    counts: PeriodCounts, plan: Plan, watched: _Watched, baseline: int, critical: float
) -> Iterator[DisparityChange]:
    moves = _moves(watched.steps, baseline, critical)
    turns = [move for place, move in enumerate(moves) if not place or move.rises != moves[place - 1].rises]
    for move in turns:
        # A slope is several moves in one direction: it is told once, up to where the direction turns.
        earlier = [each.at for each in moves if each.at < move.at]
        later = [each.at for each in turns if each.at > move.at]
        change = _described(
            counts,
            plan,
            watched,
            slice(max(earlier, default=0), move.at),
            slice(move.at, min(later, default=None)),
            move,
        )
        if change is not None:
            yield change


@dataclass(frozen=True, slots=True)
class _Move:
    at: int
    noticed: int
    rises: bool


def _moves(steps: Steps, baseline: int, critical: float) -> list[_Move]:
    """Shifts one after the other, each against the steps since the one before, in periods."""
    found: list[_Move] = []
    start, width = 0, int((steps.last < baseline).sum())
    while width >= SHORTEST_BASELINE:
        value, error = (part[start:] for part in steps.series(slice(start, start + width)))
        shift = _first_shift(value, error, width, critical)
        if shift is None:
            break
        index, noticed, rises = shift
        found.append(_Move(int(steps.first[start + index]), int(steps.last[start + noticed]), rises))
        start, width = start + index, SHORTEST_BASELINE
    return found


def _first_shift(value: Float64, error: Float64, width: int, critical: float) -> tuple[int, int, bool] | None:
    """Where the first shift begins, the step after which it is certain, and whether it is a rise."""
    shift = change_point(value, error, baseline=width)
    if shift is None:
        return None
    weight = 1 / error**2
    for last in range(shift.noticed, value.size):
        # Where the CUSUM began to accumulate is often a chance step or two before the shift; this is not.
        index = _likeliest_split(value[: last + 1], weight[: last + 1])
        if index < width:
            # The baseline itself holds the shift: what lies before it is the baseline.
            return _first_shift(value, error, index, critical) if index >= SHORTEST_BASELINE else None
        z = _contrast(value[: last + 1], weight[: last + 1], index)
        if abs(z) >= critical:
            return index, last, z > 0
    return None


def _likeliest_split(value: Float64, weight: Float64) -> int:
    """The number of steps before the split that explains a series best (Hinkley 1970, Biometrika 57, 1-17)."""
    w, s = weight.cumsum()[:-1], (weight * value).cumsum()[:-1]
    total, whole = weight.sum(), (weight * value).sum()
    return int(np.argmax((s / w - (whole - s) / (total - w)) ** 2 * w * (total - w))) + 1


def _contrast(value: Float64, weight: Float64, index: int) -> float:
    """The mean from `index` on minus the mean before, in standard errors."""
    w, later = weight[:index].sum(), weight[index:].sum()
    difference = (value[index:] * weight[index:]).sum() / later - (value[:index] * weight[:index]).sum() / w
    return float(difference / np.sqrt(1 / w + 1 / later))


def _described(
    counts: PeriodCounts, plan: Plan, watched: _Watched, old: slice, new: slice, move: _Move
) -> DisparityChange | None:
    rate = watched.steps.rate
    before, after = _sides(counts.table(watched.attribute)[:, :, None], watched, old, new)
    one, two = before.disparity(is_ratio=rate.is_ratio), after.disparity(is_ratio=rate.is_ratio)
    if one is None or two is None:
        return None
    declared = plan.segment is not None and plan.segment != watched.attribute
    names = (plan.segment,) if declared else tuple(n for n in counts.schema.names if n != watched.attribute)
    splits: dict[str, Parts] = {}
    for name in names:
        if name is not None:
            sides = _sides(counts.table(watched.attribute, name), watched, old, new)
            splits[name] = parts(*sides, is_ratio=rate.is_ratio)
    segment = max(splits, key=lambda name: abs(splits[name].mix), default=None)
    split = splits[segment] if segment is not None else None
    return DisparityChange(
        attribute=watched.attribute,
        group=watched.group,
        reference=plan.references[watched.attribute],
        metric=rate.metric,
        at=move.at,
        noticed=move.noticed,
        before=one,
        after=two,
        n_before=int(before.n.sum()),
        n_after=int(after.n.sum()),
        rates=(
            (before.x.sum() / before.n.sum(), after.x.sum() / after.n.sum()),
            (before.x0.sum() / before.n0.sum(), after.x0.sum() / after.n0.sum()),
        ),
        mix=split.mix if split else None,
        rate=split.rate if split else None,
        segment=segment,
        declared=declared,
        reverses=split is not None and _reverses(split.rate, two - one),
    )


def _sides(table: Int64, watched: _Watched, old: slice, new: slice) -> tuple[Side, Side]:
    """The group and its reference before and after; `table` has shape (periods, levels, segments, 2, 3)."""
    return _side(table, watched, old), _side(table, watched, new)


def _side(table: Int64, watched: _Watched, periods: slice) -> Side:
    rate: Rate = watched.steps.rate
    x, n = tallies(table[periods][watched.compared[periods] > 0].sum(axis=0), rate)
    return Side(x[watched.level], n[watched.level], x[watched.reference], n[watched.reference])


def _reverses(rate: float, change: float) -> bool:
    return rate * change < 0 and abs(rate) >= REVERSAL * abs(change)
