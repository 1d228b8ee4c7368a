"""The door to the statistical core: measure a window, judge it, judge it again, and say how good its data is."""

from __future__ import annotations

from collections.abc import Collection

from biasgov.fairness.aggregates import DRAWS
from biasgov.fairness.calibration import calibration_summary, reliability_curve
from biasgov.fairness.cube import OutcomeCube
from biasgov.fairness.data_quality import DataQuality, quality
from biasgov.fairness.measurement import Measurement
from biasgov.fairness.metrics import measure
from biasgov.fairness.policy import DEFAULT_POLICY, METRICS, PRESETS, Bound, Plan, Policy
from biasgov.fairness.verdicts import Result, decide_by_window, judge, judge_again

__all__ = [
    "DEFAULT_POLICY",
    "PRESETS",
    "Bound",
    "DataQuality",
    "Measurement",
    "Plan",
    "Policy",
    "Result",
    "calibration_summary",
    "decide_by_window",
    "evaluate",
    "judge",
    "judge_again",
    "measure",
    "quality",
    "reliability_curve",
]


def evaluate(
    cube: OutcomeCube,
    plan: Plan,
    policy: Policy,
    *,
    seed: int,
    draws: int = DRAWS,
    hours: float | None = None,
    only: Collection[str] = METRICS,
) -> tuple[Result, ...]:
    """Measure a window at the policy's confidence and judge it. Raises ValueError as `measure` does.

    hours: length of a window that is looked at every hour; None: it is looked at once (see `judge`).
    only: metrics that are wanted (see `measure`).
    """
    measured = measure(cube, plan, confidence=policy.confidence, seed=seed, draws=draws, only=only)
    return judge(measured, policy, hours=hours)
