"""The gate itself: measure and judge the rows, look at each fold, compare with the baseline, decide."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, Literal

import numpy as np
import pandas as pd

from biasgov.fairness.aggregates import DRAWS
from biasgov.fairness.cube import OutcomeCube
from biasgov.fairness.data_quality import quality
from biasgov.fairness.drift import REPRESENTATION, SCORES, Baseline, baseline_of, measure_drift
from biasgov.fairness.frames import level_names
from biasgov.fairness.individual import METRIC as INDIVIDUAL
from biasgov.fairness.individual import measure_individual_fairness
from biasgov.fairness.metrics import measure
from biasgov.fairness.policy import Plan, Policy
from biasgov.fairness.schema import SEPARATOR
from biasgov.fairness.verdicts import Key, Result, judge
from biasgov.gate.compare import Comparison, Side, compare, untried
from biasgov.gate.policy import GatePolicy
from biasgov.gate.rows import GateInputError, GateRows, check_names, rows_of, same_people

GateVerdict = Literal["pass", "fail", "inconclusive"]
EXIT_CODES: dict[GateVerdict, int] = {"pass": 0, "fail": 1, "inconclusive": 2}
FOLD_DRAWS = 100
SAMPLE = 2_000
"""People among whom neighbours are looked for; more would change the distance by less than its interval."""


@dataclass(frozen=True, slots=True)
class GateReport:
    """The gate's answer.

    Attributes
    ----------
    results
        Every metric of every attribute and asked-for intersection.
    confidence
        Of their intervals.
    folds
        The same by fold: {(metric, attribute, group): {fold: result}}.
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
    confidence: float = 0.95
    folds: Mapping[Key, Mapping[str, Result]] = field(default_factory=dict)
    unstable: tuple[Key, ...] = ()
    skipped: frozenset[Key] = frozenset()
    comparison: Comparison | None = None

    @property
    def exit_code(self) -> int:
        return EXIT_CODES[self.verdict]

    def to_dict(self) -> dict[str, Any]:
        """JSON-able: ``{"verdict", "results": [...], ...}``; each result carries its folds where there are any."""
        return {
            "verdict": self.verdict,
            "reasons": list(self.reasons),
            "rows": self.rows,
            "results": [self._described(result) for result in self.results],
            "quality": self.quality,
            "unstable": [list(key) for key in self.unstable],
            "baseline": None if self.comparison is None else self.comparison.to_dict(),
        }

    def _described(self, result: Result) -> dict[str, Any]:
        content = result.to_dict() | {"counts": result.judged and result.key not in self.skipped}
        if result.key in self.folds:
            folds = self.folds[result.key]
            content["folds"] = {fold: one.value for fold, one in folds.items()}
            content["fold_range"] = spread(folds)
            content["fold_details"] = [
                {"fold": fold, "n": one.n, "value": one.value, "interval": list(one.interval), "verdict": one.verdict}
                for fold, one in folds.items()
            ]
        return content


def run_gate(frame: pd.DataFrame, policy: GatePolicy, *, baseline: pd.DataFrame | None = None) -> GateReport:
    """Judge the rows of `frame` by `policy`, and compare them with `baseline` if there is one.

    Returns
    -------
    GateReport
        ``fail`` if a judged result is a breach or a tolerance is exceeded; else ``inconclusive`` if a judged result
        could not be decided (a group below the policy's minimum share does not count), or a bound or a tolerance was
        put to nothing that the files hold; else ``pass``.

    Raises
    ------
    GateInputError
        The data do not fit the policy.
    """
    check_names(frame, policy)
    if baseline is not None:
        check_names(baseline, policy, "the baseline")
    policy = replace(policy, levels=_levels(frame, policy, baseline))
    rows = rows_of(frame, policy)
    before = None if baseline is None else _before(baseline, policy)
    gate = _Gate.of(policy, rows, before)
    cube = rows.rows.cube()
    results = gate.results(rows, cube)
    skipped = frozenset(one.key for one in results if one.judged and _below_share(one, gate.judgement))
    counting = [one for one in results if one.judged and one.key not in skipped]
    folds = gate.by_fold(rows)
    limit = policy.tolerance.get("folds")
    unstable = [one.key for one in counting if limit is not None and spread(folds.get(one.key, {})) > limit]
    comparison = None
    if baseline is not None and before is not None:
        earlier = gate.results(before, before.rows.cube())
        matched = same_people(frame, baseline, policy.columns)
        comparison = compare(matched, Side(rows.rows, counting), Side(before.rows, earlier), policy)
    tried_not = untried(policy, comparison, has_folds=bool(folds))
    verdict, reasons = _decide(counting, gate.judgement, unstable, comparison, tried_not)
    return GateReport(
        verdict=verdict,
        reasons=reasons,
        rows=cube.total,
        results=results,
        quality=quality(cube, gate.plan).to_dict(),
        confidence=gate.judgement.confidence,
        folds=folds,
        unstable=tuple(unstable),
        skipped=skipped,
        comparison=comparison,
    )


def name_of(key: Key) -> str:
    """A result's name for people: metric, attribute, group."""
    metric, attribute, group = key
    if not attribute:
        return f"{metric} of everybody"
    return f"{metric} by {attribute}" if group is None else f"{metric} of {group} ({attribute})"


def spread(folds: Mapping[str, Result]) -> float:
    """Largest minus smallest value over the folds that have one; 0 with fewer than two."""
    measured = [one.value for one in folds.values() if one.value is not None]
    return max(measured) - min(measured) if len(measured) > 1 else 0.0


@dataclass(frozen=True, slots=True, eq=False)
class _Gate:
    """What every part of the rows is measured against and judged by."""

    plan: Plan
    asked: frozenset[frozenset[str]]
    judgement: Policy
    baselines: tuple[Baseline, ...]
    seed: int

    @classmethod
    def of(cls, policy: GatePolicy, rows: GateRows, before: GateRows | None) -> _Gate:
        plan = _plan(policy, rows)
        baselines = _baselines(policy, plan, before)
        return cls(
            plan,
            frozenset(map(frozenset, ((name,) for name in policy.references)))
            | set(map(frozenset, policy.intersections)),
            _judgement(policy, baselines),
            baselines,
            int(hashlib.sha256(rows.rows.cube().to_bytes()).hexdigest()[:12], 16),
        )

    def results(self, rows: GateRows, cube: OutcomeCube, draws: int = DRAWS) -> tuple[Result, ...]:
        """All metrics, without the full intersection, which the core always measures, unless the policy asks for it."""
        confidence = self.judgement.confidence
        measured = (
            *measure(cube, self.plan, confidence=confidence, seed=self.seed, draws=draws),
            *measure_drift(cube, self.baselines, self.judgement),
        )
        kept = [one for one in measured if not one.attribute or frozenset(one.attribute.split(SEPARATOR)) in self.asked]
        if rows.features is not None or not self.judgement.bound(INDIVIDUAL).is_open:
            features, decision, details = self._sample(rows)
            kept.append(measure_individual_fairness(features, decision, confidence=confidence, details=details))
        return judge(kept, self.judgement)

    def by_fold(self, rows: GateRows) -> dict[Key, dict[str, Result]]:
        found: dict[Key, dict[str, Result]] = {}
        for fold in [] if rows.fold is None else sorted(set(rows.fold)):
            part = rows.where(rows.fold == fold)
            for result in self.results(part, part.rows.cube(), draws=FOLD_DRAWS):
                found.setdefault(result.key, {})[str(fold)] = result
        return found

    def _sample(self, rows: GateRows) -> tuple[Any, Any, dict[str, Any]]:
        """People with every feature, drawn by the seed where they are too many to compare each with each."""
        if rows.features is None:
            return np.zeros((0, 0)), np.zeros(0), {}
        whole = np.flatnonzero(np.isfinite(rows.features).all(axis=1))
        chosen = np.sort(np.random.default_rng(self.seed).permutation(whole)[:SAMPLE])
        details = {"rule": "random", "seed": self.seed, "size": SAMPLE, "n": len(chosen), "of": len(whole)}
        return rows.features[chosen], rows.rows.decision[chosen], details


def _levels(frame: pd.DataFrame, policy: GatePolicy, baseline: pd.DataFrame | None) -> dict[str, tuple[str, ...]]:
    """The declared levels and, where none are declared, those of data, baseline and declared population together.

    A group that stays away altogether is one of them: nobody else would miss it.
    """
    levels = dict(policy.levels)
    frames = [frame] if baseline is None else [frame, baseline]
    for name in policy.references:
        if name not in levels and (name in policy.population or baseline is not None):
            found = [level_names(each[name]).dropna().unique() for each in frames]
            named = {*policy.population.get(name, ()), *(str(level) for part in found for level in part)}
            levels[name] = tuple(sorted(named))
    return levels


def _before(baseline: pd.DataFrame, policy: GatePolicy) -> GateRows:
    try:
        return rows_of(baseline, policy)
    except GateInputError as error:
        raise GateInputError(f"the baseline: {error}") from error


def _plan(policy: GatePolicy, rows: GateRows) -> Plan:
    everything = frozenset(policy.references)
    for names in policy.intersections:
        if len(set(names)) != 2 and set(names) != everything:
            raise GateInputError(f"the intersection {', '.join(names)} is neither a pair nor all attributes together")
    pairs = tuple((names[0], names[1]) for names in policy.intersections if len(set(names)) == 2)
    plan = Plan(policy.references, pairs)
    plan.groupings(rows.rows.schema)
    return plan


def _baselines(policy: GatePolicy, plan: Plan, before: GateRows | None) -> tuple[Baseline, ...]:
    found = [Baseline("population", policy.population, {})] if policy.population else []
    if before is not None:
        names = [SEPARATOR.join(names) for names in plan.groupings(before.rows.schema)]
        found.append(baseline_of(before.rows.cube(), "baseline", names))
    return tuple(found)


def _judgement(policy: GatePolicy, baselines: Sequence[Baseline]) -> Policy:
    """The policy's bounds; of the default ones only those that there is a baseline for."""
    if policy.own_bounds:
        return policy.judgement
    missing = {
        metric
        for metric, declared in (
            (REPRESENTATION, any(each.representation for each in baselines)),
            (SCORES, any(each.score_bins for each in baselines)),
        )
        if not declared
    }
    bounds = {metric: bound for metric, bound in policy.judgement.bounds.items() if metric not in missing}
    return replace(policy.judgement, bounds=bounds)


def _below_share(result: Result, judgement: Policy) -> bool:
    """Whether the result rests on a group that is too small to count; what is missing for everybody always counts."""
    missing = result.group is None and result.measurement.gap is not None
    return result.measurement.share < judgement.minimum_share and not missing


def _decide(
    counting: Sequence[Result],
    judgement: Policy,
    unstable: Sequence[Key],
    comparison: Comparison | None,
    tried_not: Sequence[tuple[str, str]],
) -> tuple[GateVerdict, tuple[str, ...]]:
    failures = [f"{name_of(one.key)} is a breach ({one.severity})" for one in counting if one.verdict == "breach"]
    failures += [f"{name_of(key)} varies more over the folds than tolerated" for key in unstable]
    failures += list(comparison.exceeded) if comparison is not None else []
    if failures:
        return "fail", tuple(failures)
    open_questions = [f"{name_of(one.key)}: {one.reason}" for one in counting if one.verdict != "within"]
    judged = {one.metric for one in counting}
    bounded = [metric for metric, bound in judgement.bounds.items() if not bound.is_open]
    open_questions += [
        f"{metric} has a bound, and nothing in the data to put it to" for metric in bounded if metric not in judged
    ]
    if not bounded:
        open_questions.append("the policy puts no bound on anything")
    open_questions += [f"tolerance.{kind} is set, and {why}" for kind, why in tried_not]
    return ("inconclusive", tuple(open_questions)) if open_questions else ("pass", ())
