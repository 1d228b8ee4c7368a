"""All metrics of one window, from its outcome cube alone."""

from __future__ import annotations

from collections.abc import Collection
from functools import cache, partial

from biasgov.fairness.aggregate_metrics import measure_aggregates
from biasgov.fairness.aggregates import DRAWS
from biasgov.fairness.cube import OutcomeCube
from biasgov.fairness.group_metrics import calibration_error, measure_groups, measure_pairs
from biasgov.fairness.groups import group_table
from biasgov.fairness.measurement import Measurement
from biasgov.fairness.policy import METRICS, Plan, check_confidence


def measure(
    cube: OutcomeCube,
    plan: Plan,
    *,
    confidence: float = 0.95,
    seed: int,
    draws: int = DRAWS,
    only: Collection[str] = METRICS,
) -> tuple[Measurement, ...]:
    """Every metric of every group, every group against its reference, and every aggregate, with intervals.

    The same cube, plan, confidence, seed and draws give the same numbers to the last bit. Nothing is judged here.
    only: metrics that are wanted; they come out as they do among all.
    Raises ValueError if the plan does not fit the cube's schema, and for a confidence outside (0, 1) or no draws.
    """
    check_confidence(confidence)
    if draws < 1:
        raise ValueError(f"draws must be at least 1, not {draws}")
    table = group_table(cube, plan.groupings(cube.schema), plan)
    error = cache(partial(calibration_error, table))
    return (
        *measure_groups(table, error, confidence, only),
        *measure_pairs(table, error, confidence, only),
        *measure_aggregates(table, error, confidence, seed, draws, only),
    )
