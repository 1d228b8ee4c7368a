"""Did a change of library, data or code change decisions, scores or fairness by more than is tolerated?"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np

from biasgov.fairness.frames import Rows
from biasgov.fairness.verdicts import Key, Result
from biasgov.gate.policy import GatePolicy
from biasgov.gate.rows import Matched


@dataclass(frozen=True, slots=True, eq=False)
class Side:
    """One of the two files: its rows, and the results that are compared."""

    rows: Rows
    results: Sequence[Result]


@dataclass(frozen=True, slots=True)
class Change:
    """A judged metric before and after."""

    metric: str
    attribute: str
    group: str | None
    before: float
    after: float

    @property
    def size(self) -> float:
        return abs(self.after - self.before)


@dataclass(frozen=True, slots=True)
class Comparison:
    """What changed against the baseline.

    Attributes
    ----------
    rows
        People that are in both files.
    only_now, only_before
        People that are in one file only; they are compared in `changes`, as part of their groups.
    decisions
        Share of the people whose decision changed.
    scores
        Mean absolute change of the scores; None without scores.
    fairness, fairness_metric
        The largest change of a judged metric, and which one.
    changes
        Every judged metric that has a value on both sides.
    exceeded
        What lies beyond the tolerance, in words.
    """

    rows: int
    only_now: int
    only_before: int
    decisions: float
    scores: float | None
    fairness: float
    fairness_metric: str | None
    changes: tuple[Change, ...]
    exceeded: tuple[str, ...]

    def to_dict(self) -> dict[str, Any]:
        """JSON-able."""
        return asdict(self) | {"changes": [asdict(each) for each in self.changes], "exceeded": list(self.exceeded)}


def compare(matched: Matched, now: Side, before: Side, policy: GatePolicy) -> Comparison:
    """Compare two files of outputs, person by person and metric by metric. A row counts as often as its weight says."""
    ours, theirs = now.rows.where(matched.now), before.rows.where(matched.before)
    weight = np.ones(len(ours)) if ours.weight is None else ours.weight.astype(np.float64)
    decisions = float(np.average(ours.decision != theirs.decision, weights=weight))
    scores = None
    if ours.score is not None and theirs.score is not None:
        known = np.isfinite(ours.score) & np.isfinite(theirs.score) & (weight > 0)
        if known.any():
            scores = float(np.average(np.abs(ours.score - theirs.score)[known], weights=weight[known]))
    changes = _changes(now.results, before.results)
    widest = max(changes, key=lambda change: change.size, default=None)
    fairness = widest.size if widest else 0.0
    measured = {"decisions": decisions, "scores": scores, "fairness": fairness}
    return Comparison(
        rows=len(ours),
        only_now=matched.only_now,
        only_before=matched.only_before,
        decisions=decisions,
        scores=scores,
        fairness=fairness,
        fairness_metric=_name(widest) if widest else None,
        changes=changes,
        exceeded=tuple(
            f"{kind} changed by {value:.4g}, more than the tolerated {policy.tolerance[kind]:.4g}"
            + (f" ({_name(widest)})" if kind == "fairness" and widest else "")
            for kind, value in measured.items()
            if value is not None and kind in policy.tolerance and value > policy.tolerance[kind]
        ),
    )


def untried(policy: GatePolicy, comparison: Comparison | None, *, has_folds: bool) -> list[tuple[str, str]]:
    """Tolerances that nothing could be held against, and why."""
    if comparison is None:
        missing = dict.fromkeys(("decisions", "scores", "fairness"), "there is no baseline")
    else:
        missing = {"scores": "there are no scores in both files"} if comparison.scores is None else {}
        missing |= {} if comparison.changes else {"fairness": "no judged metric has a value in both files"}
    if not has_folds:
        missing["folds"] = "there are no folds"
    return [(kind, why) for kind, why in missing.items() if kind in policy.tolerance]


def _changes(now: Sequence[Result], before: Sequence[Result]) -> tuple[Change, ...]:
    earlier: dict[Key, float | None] = {one.key: one.value for one in before}
    return tuple(
        Change(one.metric, one.attribute, one.group, was, one.value)
        for one in now
        if one.value is not None and (was := earlier.get(one.key)) is not None
    )


def _name(change: Change) -> str:
    who = f" of {change.group}" if change.group else ""
    return f"{change.metric}{who}" + (f" ({change.attribute})" if change.attribute else "")
