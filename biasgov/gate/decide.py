"""The gate itself: measure and judge the rows, look at each fold, compare with the baseline, decide."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any, Literal

import numpy as np
import pandas as pd

from biasgov.fairness.cube import OutcomeCube
from biasgov.fairness.data_quality import quality
from biasgov.fairness.evaluation import evaluate
from biasgov.fairness.policy import Plan, Policy
from biasgov.fairness.verdicts import Key, Result
from biasgov.gate.policy import GatePolicy
from biasgov.gate.rows import GateInputError, Rows, rows_of, same_people

GateVerdict = Literal["pass", "fail", "inconclusive"]
EXIT_CODES: dict[GateVerdict, int] = {"pass": 0, "fail": 1, "inconclusive": 2}
BAD_INPUT = 3
FOLD_DRAWS = 100


@dataclass(frozen=True, slots=True)
class Comparison:
    """What changed against the baseline: rows compared, share of changed decisions, mean absolute change of scores,
    and the largest change of a judged metric with its name. `exceeded` lists what is beyond the tolerance."""

    rows: int
    decisions: float
    scores: float | None
    fairness: float
    fairness_metric: str | None
    exceeded: tuple[str, ...]

    def to_dict(self) -> dict[str, Any]:
        return {name: getattr(self, name) for name in self.__slots__} | {"exceeded": list(self.exceeded)}


@dataclass(frozen=True, slots=True)
class GateReport:
    """The gate's answer.

    Attributes
    ----------
    results
        Every metric of every attribute and asked-for intersection.
    folds
        Values by fold, for each judged result: {(metric, attribute, group): {fold: value or None}}.
    unstable
        Judged results whose range over the folds exceeds ``tolerance.folds``.
    skipped
        Keys of judged results that do not count: a group they rest on is below the policy's minimum share.
    """

    verdict: GateVerdict
    reasons: tuple[str, ...]
    rows: int
    results: tuple[Result, ...]
    quality: dict[str, Any]
    folds: dict[Key, dict[str, float | None]] = field(default_factory=dict)
    unstable: tuple[Key, ...] = ()
    skipped: frozenset[Key] = frozenset()
    comparison: Comparison | None = None

    @property
    def exit_code(self) -> int:
        return EXIT_CODES[self.verdict]

    def to_dict(self) -> dict[str, Any]:
        """JSON-able: ``{"verdict", "results": [...], ...}``; each result carries its folds where there are any."""
        results = []
        for result in self.results:
            content = result.to_dict() | {"counts": result.judged and result.key not in self.skipped}
            if result.key in self.folds:
                content["folds"] = self.folds[result.key]
            results.append(content)
        return {
            "verdict": self.verdict,
            "reasons": list(self.reasons),
            "rows": self.rows,
            "results": results,
            "quality": self.quality,
            "unstable": [list(key) for key in self.unstable],
            "baseline": None if self.comparison is None else self.comparison.to_dict(),
        }


def run_gate(frame: pd.DataFrame, policy: GatePolicy, *, baseline: pd.DataFrame | None = None) -> GateReport:
    """Judge the rows of `frame` by `policy`, and compare them with `baseline` if there is one.

    Returns
    -------
    GateReport
        ``fail`` if a judged result is a breach or a tolerance is exceeded; else ``inconclusive`` if a judged result
        could not be decided (a group below the policy's minimum share does not count); else ``pass``.

    Raises
    ------
    GateInputError
        The data do not fit the policy.
    """
    rows = rows_of(frame, policy)
    plan = _plan(policy, rows)
    cube = _cube(rows)
    seed = int(hashlib.sha256(cube.to_bytes()).hexdigest()[:12], 16)
    results = _asked(evaluate(cube, plan, policy.judgement, seed=seed), policy)
    skipped = frozenset(one.key for one in results if one.judged and _below_share(one, policy.judgement))
    counting = [one for one in results if one.judged and one.key not in skipped]
    folds = _folds(rows, plan, policy, seed, {one.key for one in counting})
    limit = policy.tolerance.get("folds")
    unstable = () if limit is None else tuple(key for key, values in folds.items() if _range(values) > limit)
    comparison = None if baseline is None else _compare(frame, baseline, policy, plan, counting, seed)
    verdict, reasons = _decide(counting, unstable, comparison)
    return GateReport(
        verdict=verdict,
        reasons=reasons,
        rows=cube.total,
        results=results,
        quality=quality(cube, plan).to_dict(),
        folds=folds,
        unstable=unstable,
        skipped=skipped,
        comparison=comparison,
    )


def name_of(key: Key) -> str:
    """A result's name for people: metric, attribute, group."""
    metric, attribute, group = key
    return f"{metric} by {attribute}" if group is None else f"{metric} of {group} ({attribute})"


def _plan(policy: GatePolicy, rows: Rows) -> Plan:
    everything = frozenset(policy.references)
    for names in policy.intersections:
        if len(set(names)) != 2 and set(names) != everything:
            raise GateInputError(f"the intersection {', '.join(names)} is neither a pair nor all attributes together")
    pairs = tuple((names[0], names[1]) for names in policy.intersections if len(set(names)) == 2)
    plan = Plan(policy.references, pairs)
    plan.groupings(rows.schema)
    return plan


def _cube(rows: Rows) -> OutcomeCube:
    return OutcomeCube.count(rows.schema, rows.codes, rows.decision, rows.outcome, rows.score)


def _asked(results: Sequence[Result], policy: GatePolicy) -> tuple[Result, ...]:
    """Without the full intersection, which the core always measures, unless the policy asks for it."""
    asked = {frozenset([name]) for name in policy.references} | {frozenset(names) for names in policy.intersections}
    return tuple(result for result in results if frozenset(result.attribute.split("*")) in asked)


def _below_share(result: Result, judgement: Policy) -> bool:
    return result.measurement.share < judgement.minimum_share


def _folds(
    rows: Rows, plan: Plan, policy: GatePolicy, seed: int, wanted: set[Key]
) -> dict[Key, dict[str, float | None]]:
    if rows.fold is None:
        return {}
    found: dict[Key, dict[str, float | None]] = {}
    for fold in sorted(set(rows.fold)):
        part = _cube(rows.where(rows.fold == fold))
        for result in evaluate(part, plan, policy.judgement, seed=seed, draws=FOLD_DRAWS):
            if result.key in wanted:
                found.setdefault(result.key, {})[str(fold)] = result.value
    return found


def _range(values: dict[str, float | None]) -> float:
    measured = [value for value in values.values() if value is not None]
    return max(measured) - min(measured) if len(measured) > 1 else 0.0


def _compare(
    frame: pd.DataFrame,
    baseline: pd.DataFrame,
    policy: GatePolicy,
    plan: Plan,
    counting: Sequence[Result],
    seed: int,
) -> Comparison:
    ours, theirs = same_people(frame, baseline, policy.columns)
    now, before = rows_of(ours, policy), rows_of(theirs, policy)
    decisions = float((now.decision != before.decision).mean()) if "weight" not in policy.columns else 0.0
    scores = None
    if now.score is not None and before.score is not None and len(now.score) == len(before.score):
        both = ~(np.isnan(now.score) | np.isnan(before.score))
        scores = float(np.abs(now.score[both] - before.score[both]).mean()) if both.any() else None
    earlier = {
        one.key: one.value for one in evaluate(_cube(before), plan, policy.judgement, seed=seed, draws=FOLD_DRAWS)
    }
    changes = {
        one.key: abs(one.value - was)
        for one in counting
        if one.value is not None and (was := earlier.get(one.key)) is not None
    }
    worst = max(changes, key=lambda key: changes[key], default=None)
    measured = {"decisions": decisions, "scores": scores, "fairness": changes[worst] if worst else 0.0}
    exceeded = tuple(
        f"{kind} changed by {value:.4g}, more than the tolerated {policy.tolerance[kind]:.4g}"
        for kind, value in measured.items()
        if value is not None and kind in policy.tolerance and value > policy.tolerance[kind]
    )
    return Comparison(
        rows=len(ours),
        decisions=decisions,
        scores=scores,
        fairness=measured["fairness"] or 0.0,
        fairness_metric=name_of(worst) if worst else None,
        exceeded=exceeded,
    )


def _decide(
    counting: Sequence[Result], unstable: Sequence[Key], comparison: Comparison | None
) -> tuple[GateVerdict, tuple[str, ...]]:
    failures = [f"{name_of(one.key)} is a breach ({one.severity})" for one in counting if one.verdict == "breach"]
    failures += [f"{name_of(key)} varies more over the folds than tolerated" for key in unstable]
    failures += list(comparison.exceeded) if comparison is not None else []
    if failures:
        return "fail", tuple(failures)
    open_questions = [f"{name_of(one.key)}: {one.reason}" for one in counting if one.verdict != "within"]
    if not counting:
        open_questions.append("the policy puts no bound on anything that the data allow to measure")
    return ("inconclusive", tuple(open_questions)) if open_questions else ("pass", ())
