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
from apps.monitoring.disclosure import Hidden, disclosed, hidden_groups
from apps.monitoring.documents import Document
from apps.monitoring.families import LONGEST, Pooled, Relatives, decide_by_family, family_described, pool
from apps.monitoring.samples import measured_on, sample_described
from biasgov.fairness.cube import CubeSchema
from biasgov.fairness.drift import measure_drift
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
    those of the longest window.
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
    """Measure and judge the windows, widest evidence last, and write their documents.

    Raises ValueError if plan and schema do not fit each other.
    """
    policy = Policy.from_dict(inputs.policy["body"])
    # The random draws follow from the counts, so that recomputing repeats them.
    seeds = {window: int(cube.digest[:12], 16) for window, cube in cubes.items()}
    decided = decide_by_window({window: _judged(cube, inputs, policy, seeds[window]) for window, cube in cubes.items()})
    pooled = pool(cubes[LONGEST], decided[LONGEST], inputs.plan, policy, inputs.relatives)
    decided = decide_by_family(decided, pooled)
    evaluated: list[EvaluatedWindow] = []
    hidden_in = hidden_groups(cubes, inputs.plan)
    for window, cube in cubes.items():
        results, seed, hidden = decided[window], seeds[window], hidden_in[window]
        # Small groups are hidden here and not where they are shown: the web side reads whatever is stored.
        told = disclosed(_content(cube, results, inputs, seed, _leans_on(window, cubes, decided), pooled), hidden)
        document = documents.close({**told, "results": documents.columns(told["results"])})
        evaluated.append(EvaluatedWindow(cube, results, hidden, document, seed))
    return evaluated


def _judged(cube: WindowCube, inputs: Inputs, policy: Policy, seed: int) -> tuple[Result, ...]:
    measured = (
        *measure(cube.cube, inputs.plan, confidence=policy.confidence, seed=seed),
        *measure_drift(cube.cube, baselines_of(inputs.declared, _versions(cube, inputs)), policy),
        *measured_on(inputs.samples.get(cube.window), inputs.declared, policy),
    )
    return judge(measured, policy)


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
