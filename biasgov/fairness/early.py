"""What a few hours show already: breaches in the windows that are shorter than a day and only raise alerts."""

from __future__ import annotations

import math
from collections.abc import Mapping

import numpy as np
import numpy.typing as npt

from biasgov.fairness.candidates import candidates
from biasgov.fairness.cube import OutcomeCube
from biasgov.fairness.evaluation import evaluate
from biasgov.fairness.looks import EARLY, SUPPORTED
from biasgov.fairness.policy import Plan, Policy
from biasgov.fairness.verdicts import Result

Int64 = npt.NDArray[np.int64]


def early_breaches(
    cubes: Mapping[str, OutcomeCube], plan: Plan, policy: Policy, *, seeds: Mapping[str, int]
) -> dict[str, tuple[Result, ...]]:
    """Breaches of the bounds on decisions and outcomes in early windows, narrowest first; those without are left out.

    What `evaluate` would call a breach, at a fraction of its cost: nearly always there is none, and then nothing is
    measured. Scores, declared baselines and features are left to the windows of a day and more.
    cubes: by names of `looks.EARLY`, all of one schema. seeds: for `evaluate`, by window.
    Raises ValueError as `evaluate` does.
    """
    asked = {metric for metric, bound in policy.bounds.items() if metric in SUPPORTED and not bound.is_open}
    windows = [window for window in EARLY if window in cubes]
    if not asked or not windows:
        return {}
    found = {}
    for window, worth_it in zip(windows, _may_breach([cubes[window] for window in windows], plan, policy), strict=True):
        if worth_it:
            results = evaluate(cubes[window], plan, policy, seed=seeds[window], hours=EARLY[window], only=asked)
            found[window] = tuple(each for each in results if each.verdict == "breach")
    return {window: breaches for window, breaches in found.items() if breaches}


def _may_breach(cubes: list[OutcomeCube], plan: Plan, policy: Policy) -> list[bool]:
    """Which cubes may hold a breach. All are sieved at once, as the longest of the windows: it asks for least."""
    longest = max(EARLY.values())
    groupings = plan.groupings(cubes[0].schema)
    tables = (np.concatenate([_known_counts(cube, plan, names) for cube in cubes], axis=-1) for names in groupings)
    sieved = [candidates(table, policy, hours=longest) for table in tables]
    return np.any(sieved, axis=0).tolist() if sieved else [False] * len(cubes)


def _known_counts(cube: OutcomeCube, plan: Plan, names: tuple[str, ...]) -> Int64:
    """Events of the known groups by decision and outcome, shape (groups, 2, 3, 1), the reference group first."""
    axes = [cube.schema.axis(name) for name in names]
    levels = [len(axis.levels) for axis in axes]
    by_outcome = cube.marginal(names).n.sum(axis=-1)[tuple(slice(count) for count in levels)]
    reference = int(np.ravel_multi_index([axis.code(plan.references[axis.name]) for axis in axes], levels))
    counts: Int64 = by_outcome.reshape(math.prod(levels), *by_outcome.shape[-2:], 1)
    return np.concatenate([counts[[reference]], np.delete(counts, reference, axis=0)])
