"""The reports that governance reads each quarter; every figure comes from what runs tell."""

from apps.reports.coverage import (
    ALERT,
    BELOW,
    MET,
    UNTOLD,
    CoverageLine,
    CoverageReport,
    CoverageWeek,
    ParityRange,
    coverage_report,
)
from apps.reports.quarters import Quarter

__all__ = [
    "ALERT",
    "BELOW",
    "MET",
    "UNTOLD",
    "CoverageLine",
    "CoverageReport",
    "CoverageWeek",
    "ParityRange",
    "Quarter",
    "coverage_report",
]
