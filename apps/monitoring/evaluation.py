"""From cubes to a run's content: everything here is computed from its arguments alone."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Protocol

from apps.inference.selectors import FeatureSample
from apps.monitoring import documents
from apps.monitoring.baselines import Declared, baselines_of
from apps.monitoring.changes import changes_described
from apps.monitoring.code_version import code_version
from apps.monitoring.cubes import Hours, WindowCube
from apps.monitoring.disclosure import Hidden, disclosed, disclosed_result, hidden_groups
from apps.monitoring.documents import Document
from apps.monitoring.families import LONGEST, Pooled, Relatives, decide_by_family, family_described, pool
from apps.monitoring.holding import Holding, nothing_held
from apps.monitoring.samples import measured_on, sample_described
from apps.monitoring.windows import EARLY, LENGTHS, SHORTEST
from biasgov.fairness import looks
from biasgov.fairness.cube import CubeSchema
from biasgov.fairness.drift import measure_drift
from biasgov.fairness.early import early_breaches
from biasgov.fairness.evaluation import (
    Plan,
    Policy,
    Result,
    decide_by_window,
    judge,
    measure,
    quality,
    reliability_curve,
)
from biasgov.fairness.response_plan import SEVERITIES


class PolicyInForce(Protocol):
    """The threshold policy that judges, as the governance wing describes it."""

    @property
    def id(self) -> int: ...
    @property
    def version(self) -> int: ...
    @property
    def digest(self) -> str: ...
    @property
    def assessment_reference(self) -> str: ...
    @property
    def policy(self) -> Policy: ...


@dataclass(frozen=True, slots=True)
class Inputs:
    """What a run is computed from besides its cubes; all of it stands in the document.

    Of `samples` (by window) and `relatives`, which are read from the database, the digests stand there; `hours` are
    those of the longest window. What `holding` hides stands in the document as well.
    """

    model: str
    as_of: datetime
    state: str
    policy: Mapping[str, Any]
    schema: CubeSchema
    plan: Plan
    version_names: Mapping[int, str]
    declared: Declared
    samples: Mapping[str, FeatureSample]
    relatives: Relatives
    hours: Hours
    holding: Holding = nothing_held


@dataclass(frozen=True, slots=True)
class EvaluatedWindow:
    """One window's results, what must not be told of them, and the document without that, ready to be stored."""

    cube: WindowCube
    results: tuple[Result, ...]
    hidden: Hidden
    document: Document
    seed: int


def policy_described(policy: PolicyInForce) -> dict[str, Any]:
    """What a run says of the policy that judged it; its body too, so that the run can be recomputed alone."""
    return {
        "id": policy.id,
        "version": policy.version,
        "digest": policy.digest,
        "assessment": policy.assessment_reference,
        "body": policy.policy.to_dict(),
    }


def evaluate_windows(cubes: Mapping[str, WindowCube], inputs: Inputs) -> list[EvaluatedWindow]:
    """Measure and judge the windows of a day and more, widest evidence last, and write their documents.

    Of the early windows in `cubes` only a breach is told that says more than the day does, by the day's run. Raises
    ValueError if plan and schema do not fit each other.
    """
    policy = Policy.from_dict(inputs.policy["body"])
    # The random draws follow from the counts, so that recomputing repeats them.
    seeds = {window: int(cube.digest[:12], 16) for window, cube in cubes.items()}
    shown = {window: cubes[window] for window in LENGTHS}
    decided = decide_by_window({window: _judged(cube, inputs, policy, seeds[window]) for window, cube in shown.items()})
    pooled = pool(shown[LONGEST], decided[LONGEST], inputs.plan, policy, inputs.relatives)
    decided = decide_by_family(decided, pooled)
    parts = {window: cubes[window].cube for window in EARLY if window in cubes}
    early = _saying_more(early_breaches(parts, inputs.plan, policy, seeds=seeds), decided[SHORTEST])
    evaluated: list[EvaluatedWindow] = []
    hidden_in = hidden_groups({window: cubes[window] for window in (*early, *shown)}, inputs.plan, inputs.holding)
    withheld = {window: hidden.withheld for window, hidden in hidden_in.items() if hidden.withheld}
    for window, cube in shown.items():
        results, seed, hidden = decided[window], seeds[window], hidden_in[window]
        # Small groups are hidden here and not where they are shown: the web side reads whatever is stored.
        told = disclosed(_content(cube, results, inputs, seed, _leans_on(window, shown, decided), pooled), hidden)
        if withheld:
            told["withheld"] = withheld
        if window == SHORTEST and early:
            told["early"] = [_early(cubes[name], early[name], hidden_in[name]) for name in early]
        document = documents.close({**told, "results": documents.columns(told["results"])})
        evaluated.append(EvaluatedWindow(cube, results, hidden, document, seed))
    return evaluated


def _judged(cube: WindowCube, inputs: Inputs, policy: Policy, seed: int) -> tuple[Result, ...]:
    measured = (
        *measure(cube.cube, inputs.plan, confidence=policy.confidence, seed=seed),
        *measure_drift(cube.cube, baselines_of(inputs.declared, _versions(cube, inputs)), policy),
        *measured_on(inputs.samples.get(cube.window), inputs.declared, policy),
    )
    return judge(measured, policy, hours=looks.WINDOWS[cube.window])


def _saying_more(breaches: Mapping[str, tuple[Result, ...]], day: tuple[Result, ...]) -> dict[str, tuple[Result, ...]]:
    """The early breaches of what the day itself is not in breach of, or less severely; windows without are absent."""
    known = {each.key: each.severity for each in day if each.verdict == "breach"}

    def says_more(early: Result) -> bool:
        severity = known.get(early.key)
        return severity is None or SEVERITIES.index(early.severity or "") > SEVERITIES.index(severity)

    kept = {window: tuple(filter(says_more, results)) for window, results in breaches.items()}
    return {window: results for window, results in kept.items() if results}


def _early(window: WindowCube, breaches: tuple[Result, ...], hidden: Hidden) -> dict[str, Any]:
    """What the run of the shortest window says of a part of it that is in breach by itself."""
    return {
        "window": window.window,
        "from": window.from_at.isoformat(),
        "n": window.cube.total,
        "cubes": {"count": window.cubes, "digest": window.digest},
        "results": [disclosed_result(each.to_dict(), hidden) for each in breaches],
    }


def _versions(cube: WindowCube, inputs: Inputs) -> dict[str, int]:
    """Events by version label."""
    return {inputs.version_names.get(key, str(key)): n for key, n in sorted(cube.versions.items())}


def _leans_on(
    window: str, cubes: Mapping[str, WindowCube], decided: Mapping[str, tuple[Result, ...]]
) -> dict[str, str]:
    """The wider windows, by digest of their cubes, that were asked where this one was inconclusive."""
    if not any(result.verdict == "inconclusive" and result.measurement.known for result in decided[window]):
        return {}
    return {name: cube.digest for name, cube in cubes.items() if cube.from_at < cubes[window].from_at}


def _content(
    window: WindowCube,
    results: tuple[Result, ...],
    inputs: Inputs,
    seed: int,
    leans_on: Mapping[str, str],
    pooled: Pooled,
) -> dict[str, Any]:
    found = quality(window.cube, inputs.plan)
    singles = window.cube.schema.names
    return {
        "model": inputs.model,
        "window": window.window,
        "as_of": inputs.as_of.isoformat(),
        "from": window.from_at.isoformat(),
        "to": window.to_at.isoformat(),
        "state": inputs.state,
        "n": window.cube.total,
        "versions": _versions(window, inputs),
        "policy": dict(inputs.policy),
        "cubes": {"count": window.cubes, "digest": window.digest},
        "decided_from": dict(leans_on),
        "schema": window.cube.schema.to_dict(),
        "plan": inputs.plan.to_dict(),
        "declared": inputs.declared.to_dict(),
        **sample_described(inputs.samples.get(window.window), inputs.declared),
        **family_described(inputs.declared.family, results, pooled),
        "code_version": code_version(),
        "seed": seed,
        "coverage": {name: found.coverage[name] for name in singles},
        "unknown_by_decision": _unknown_by_decision(window),
        "label_coverage": found.label_coverage,
        "quality": found.to_dict(),
        "results": [result.to_dict() for result in results],
        "reliability": {
            name: {
                group: [point.to_dict() for point in points]
                for group, points in reliability_curve(window.cube, name).items()
            }
            for name in singles
        },
        **changes_described(window, inputs.plan, inputs.hours),
    }


def _unknown_by_decision(window: WindowCube) -> dict[str, dict[str, float | None]]:
    """For each attribute the share of the events of each decision where it is unknown; None without such events."""
    shares: dict[str, dict[str, float | None]] = {}
    for name in window.cube.schema.names:
        by_decision = window.cube.marginal((name,)).n.sum(axis=(-2, -1))
        totals = by_decision.sum(axis=0)
        shares[name] = {
            label: float(by_decision[-1, place] / totals[place]) if totals[place] else None
            for place, label in enumerate(("unfavourable", "favourable"))
        }
    return shares
