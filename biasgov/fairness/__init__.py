"""Fairness of decisions from counts: measurements with honest uncertainty, and verdicts that can be defended.

The core needs no framework, no database and no clock. A table of decisions becomes an outcome cube, the cube becomes
measurements, a policy makes verdicts of them::

    from biasgov.fairness import DEFAULT_POLICY, Plan, count_frame, evaluate

    cube = count_frame(frame, attributes={"sex": None, "race": None}, decision="approved", outcome="repaid", score="p")
    plan = Plan(references={"sex": "Male", "race": "White"}, pairs=(("sex", "race"),))
    for result in evaluate(cube, plan, DEFAULT_POLICY, seed=1):
        print(result.metric, result.attribute, result.group, result.value, result.interval, result.verdict)

`docs/methods.md` gives the formulas, their sources, and what was rejected. Everything else that a name does not say
stands in its docstring: shapes, units, errors, reference.
"""

from biasgov.fairness.calibration import (
    CalibrationSummary,
    ReliabilityPoint,
    calibration_summary,
    debiased_squared_error,
    expected_calibration_error,
    reliability_curve,
)
from biasgov.fairness.change_monitor import change_delay, false_changes
from biasgov.fairness.cube import OutcomeCube
from biasgov.fairness.data_quality import DataQuality, SharpBounds, parity_ratio_bounds, quality
from biasgov.fairness.decomposition import Decomposition, StratifiedTest, cochran_mantel_haenszel, kitagawa
from biasgov.fairness.disparity_changes import DisparityChange, disparity_changes
from biasgov.fairness.drift import Baseline, baseline_of, measure_drift
from biasgov.fairness.early import early_breaches
from biasgov.fairness.evaluation import evaluate
from biasgov.fairness.frames import Rows, count_frame, rows_of_frame
from biasgov.fairness.individual import (
    IndividualFairness,
    individual_fairness_distance,
    measure_individual_fairness,
)
from biasgov.fairness.intervals import cramers_v, koopman, newcombe, normal_quantile, wilson
from biasgov.fairness.looks import looks_a_year
from biasgov.fairness.measurement import Measurement
from biasgov.fairness.metrics import measure
from biasgov.fairness.period_counts import PeriodCounts
from biasgov.fairness.policy import DEFAULT_POLICY, METRICS, PRESETS, Bound, Plan, Policy
from biasgov.fairness.schema import UNKNOWN, Axis, CubeSchema
from biasgov.fairness.sequential import ChangePoint, Cusum, change_point, cusum, page_hinkley
from biasgov.fairness.significance import benjamini_hochberg, chi_squared, fisher, holm, two_rates
from biasgov.fairness.simulation import AlarmStatistics, DelayStatistics, detection_delay, false_alarm_budget
from biasgov.fairness.stability import population_stability_index
from biasgov.fairness.streams import LOW_RATIO, PARITY, TPR_GAP, Population, Shift, limit_events
from biasgov.fairness.verdicts import Result, Verdict, decide_by_window, judge

__all__ = [
    "DEFAULT_POLICY",
    "LOW_RATIO",
    "METRICS",
    "PARITY",
    "PRESETS",
    "TPR_GAP",
    "UNKNOWN",
    "AlarmStatistics",
    "Axis",
    "Baseline",
    "Bound",
    "CalibrationSummary",
    "ChangePoint",
    "CubeSchema",
    "Cusum",
    "DataQuality",
    "Decomposition",
    "DelayStatistics",
    "DisparityChange",
    "IndividualFairness",
    "Measurement",
    "OutcomeCube",
    "PeriodCounts",
    "Plan",
    "Policy",
    "Population",
    "ReliabilityPoint",
    "Result",
    "Rows",
    "SharpBounds",
    "Shift",
    "StratifiedTest",
    "Verdict",
    "baseline_of",
    "benjamini_hochberg",
    "calibration_summary",
    "change_delay",
    "change_point",
    "chi_squared",
    "cochran_mantel_haenszel",
    "count_frame",
    "cramers_v",
    "cusum",
    "debiased_squared_error",
    "decide_by_window",
    "detection_delay",
    "disparity_changes",
    "early_breaches",
    "evaluate",
    "expected_calibration_error",
    "false_alarm_budget",
    "false_changes",
    "fisher",
    "holm",
    "individual_fairness_distance",
    "judge",
    "kitagawa",
    "koopman",
    "limit_events",
    "looks_a_year",
    "measure",
    "measure_drift",
    "measure_individual_fairness",
    "newcombe",
    "normal_quantile",
    "page_hinkley",
    "parity_ratio_bounds",
    "population_stability_index",
    "quality",
    "reliability_curve",
    "rows_of_frame",
    "two_rates",
    "wilson",
]
