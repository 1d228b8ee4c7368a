"""How far compliance alone may relax a policy. Each version carries its limits; the board signs what goes further."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

from apps.common.errors import Refused
from biasgov.fairness.policy_changes import Limits, judging_terms

HOUSE_LIMITS: Limits = {
    "bounds.demographic_parity_ratio.lower": 0.75,
    "bounds.demographic_parity_ratio.upper": 1.34,
    "bounds.equalized_odds_difference.upper": 0.08,
    "bounds.fpr_gap.lower": -0.08,
    "bounds.fpr_gap.upper": 0.08,
    "bounds.calibration_difference.lower": -0.05,
    "bounds.calibration_difference.upper": 0.05,
    "bounds.association.upper": 0.15,
    "bounds.representation_psi.upper": 0.25,
    "bounds.score_psi.upper": 0.25,
    "bounds.individual_fairness_distance.upper": 0.15,
    "alpha": 0.01,
    "alert_confidence": 0.999,
    "minimum_group": 50,
    "minimum_cell": 10,
    "minimum_share": 0.03,
    "severity_bands.medium": 0.06,
    "severity_bands.high": 0.12,
    "severity_bands.critical": 0.25,
}
"""The limits of a version that brings none of its own. What is not named has no room: relaxing it needs the board."""


def checked_limits(given: Mapping[str, Any], *, field: str = "limits") -> dict[str, float]:
    """Limits as finite numbers by known terms. Raises Refused naming the term."""
    known = set(judging_terms())
    found: dict[str, float] = {}
    for term, value in given.items():
        if term not in known:
            raise Refused(f"{field}.{term}", "A policy has no such number.", code="unknown_term")
        if isinstance(value, bool) or not isinstance(value, int | float) or not math.isfinite(value):
            raise Refused(f"{field}.{term}", f"{value!r} is not a finite number.")
        found[term] = value
    return found


def limits_of(stored: Mapping[str, float]) -> Limits:
    """The limits of a stored version: its own, or those of the house."""
    return stored or HOUSE_LIMITS
