"""From cubes to a run's content: everything here is computed from its arguments alone."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Protocol

from apps.monitoring import documents
from apps.monitoring.changes import changes_described
from apps.monitoring.code_version import code_version
from apps.monitoring.cubes import WindowCube
from apps.monitoring.documents import Document
from apps.monitoring.suppression import suppressed
from biasgov.fairness.cube import CubeSchema
from biasgov.fairness.evaluation import Plan, Policy, Result, decide_by_window, evaluate, quality, reliability_curve


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
    """What a run is computed from besides its cubes; all of it stands in the document."""

    model: str
    as_of: datetime
    state: str
    policy: Mapping[str, Any]
    schema: CubeSchema
    plan: Plan
    version_names: Mapping[int, str]


@dataclass(frozen=True, slots=True)
class EvaluatedWindow:
    """One window's results, and what may be told of them: the document, ready to be stored."""

    cube: WindowCube
    results: tuple[Result, ...]
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
    decided = decide_by_window(
        {window: evaluate(cube.cube, inputs.plan, policy, seed=seeds[window]) for window, cube in cubes.items()}
    )
    return [
        EvaluatedWindow(
            cube,
            decided[window],
            documents.close(_content(cube, decided[window], inputs, seeds[window], _leans_on(window, cubes, decided))),
            seeds[window],
        )
        for window, cube in cubes.items()
    ]


def _leans_on(
    window: str, cubes: Mapping[str, WindowCube], decided: Mapping[str, tuple[Result, ...]]
) -> dict[str, str]:
    """The wider windows, by digest of their cubes, that were asked where this one was inconclusive."""
    if not any(result.verdict == "inconclusive" and result.measurement.known for result in decided[window]):
        return {}
    return {name: cube.digest for name, cube in cubes.items() if cube.from_at < cubes[window].from_at}


def _content(
    window: WindowCube, results: tuple[Result, ...], inputs: Inputs, seed: int, leans_on: Mapping[str, str]
) -> dict[str, Any]:
    found = quality(window.cube, inputs.plan)
    singles = window.cube.schema.names
    whole = {
        "model": inputs.model,
        "window": window.window,
        "as_of": inputs.as_of.isoformat(),
        "from": window.from_at.isoformat(),
        "to": window.to_at.isoformat(),
        "state": inputs.state,
        "n": window.cube.total,
        "versions": {inputs.version_names.get(key, str(key)): n for key, n in sorted(window.versions.items())},
        "policy": dict(inputs.policy),
        "cubes": {"count": window.cubes, "digest": window.digest},
        "decided_from": dict(leans_on),
        "schema": window.cube.schema.to_dict(),
        "plan": inputs.plan.to_dict(),
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
        **changes_described(window, inputs.plan),
    }
    # Small groups are hidden here and not where they are shown: the web side reads whatever is stored.
    shown = suppressed(whole)
    return {**shown, "results": documents.columns(shown["results"])}
