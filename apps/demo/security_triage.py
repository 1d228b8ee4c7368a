"""The model `security-triage`, simulated: after a library update critical reports are missed, most of all in APAC.

It replays a failure reported of a production incident classifier: trained on reports of which 78 % came from North
America, it was rebuilt on scikit-learn 1.5.0 after 1.4.2; in the 72 hours that followed 42 % of critical reports were
rated low, and the false negative rate in APAC was 63 % higher than in North America. Nobody rolls the update back.

Orientation. The favourable decision is "rated high priority", the positive outcome "critical": the false negative
rate is the share of critical reports rated low.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta
from functools import cache

import numpy as np

from apps.demo.declarations import Attribute, Declaration, Release, Row
from apps.demo.simulated import SimulatedModel
from apps.demo.stream import Cases, Evidence, Floats

REGIONS = {"North America": 0.78, "EMEA": 0.09, "APAC": 0.10, "LATAM": 0.03}
ENGLISH = {"North America": 0.97, "EMEA": 0.50, "APAC": 0.40, "LATAM": 0.30}

MISSED_BEFORE = 0.12
MISSED_OVERALL = 0.42
APAC_EXCESS = 1.63
OTHERS_EXCESS = 1.10
"""False negative rates after the update, relative to North America's: APAC as reported, EMEA and LATAM assumed."""

UPDATED_BEFORE_ANCHOR = timedelta(days=24)
FEATURES_SENT = 0.10
"""Share of events that carry their features."""

_WEIGHT = (
    REGIONS["North America"] + APAC_EXCESS * REGIONS["APAC"] + OTHERS_EXCESS * (REGIONS["EMEA"] + REGIONS["LATAM"])
)
MISSED_AFTER = {
    region: MISSED_OVERALL / _WEIGHT * {"North America": 1.0, "APAC": APAC_EXCESS}.get(region, OTHERS_EXCESS)
    for region in REGIONS
}
"""False negative rate by region after the update: 42 % over all of them."""

_TRAINING = {"rows": 48_000, "reports_by_region": {region: round(48_000 * share) for region, share in REGIONS.items()}}

DECLARATION = Declaration(
    slug="security-triage",
    name="Security triage (simulated)",
    industry="other",
    purpose=(
        "Simulated: rates incoming security reports as high or low priority. Replays the reported failure of an "
        "incident classifier after a library update (scikit-learn 1.4.2 to 1.5.0) on training data of which 78 % came "
        "from North America."
    ),
    risk_level="high",
    attributes=(
        # North America sends the most reports and is the group that the failure was reported against.
        Attribute("reporting_region", tuple(REGIONS), "North America", ("report_language",)),
        Attribute("report_language", ("English", "other language"), "English"),
    ),
    decision=("rated low priority", "rated high priority"),
    outcome=("not critical", "critical"),
    releases=(
        Release("2.3.0", {"scikit-learn": "1.4.2", "numpy": "1.26.4", "pandas": "2.2.2"}, training_data=_TRAINING),
        Release("2.3.1", {"scikit-learn": "1.5.0", "numpy": "1.26.4", "pandas": "2.2.2"}, training_data=_TRAINING),
    ),
)


class SecurityTriage(SimulatedModel):
    """About 2,400 reports a day; analysts' verdicts follow after six hours."""

    declaration = DECLARATION
    seed = 1_504
    per_day = 2_400
    population = 6_000
    evidence = Evidence(prior=0.30, fnr=MISSED_BEFORE, fpr=0.05)
    label_delay = timedelta(hours=6)

    def __init__(self, anchor: datetime) -> None:
        super().__init__(anchor)
        nightly = (anchor - UPDATED_BEFORE_ANCHOR).replace(hour=2, minute=0, second=0, microsecond=0)
        self.updated_at: datetime = nightly

    def attributes(self) -> Sequence[Mapping[str, str]]:
        return _reporters(self.population)

    def released_at(self, version: str) -> datetime:
        return self.first if version == DECLARATION.releases[0].version else self.updated_at

    def version(self, at: datetime) -> str:
        return DECLARATION.releases[1 if at >= self.updated_at else 0].version

    def seen(self, cases: Cases) -> Floats:
        """The evidence of a report, lowered after the update by what its region loses."""
        if cases.hour < self.updated_at:
            return cases.evidence
        return cases.evidence + _drags(self.population, self.evidence)[cases.subject]

    def details(self, cases: Cases, index: int) -> Row:
        if cases.extra[index] >= FEATURES_SENT:
            return {}
        return {
            "features": {
                "sensor_severity": round(float(cases.evidence[index]), 2),
                "hour_of_day": cases.hour.hour,
                "indicators": int(cases.extra[index] / FEATURES_SENT * 12),
            }
        }


@cache
def _reporters(population: int) -> tuple[dict[str, str], ...]:
    """Region and language of every reporter; regions have exactly their shares."""
    random = np.random.default_rng(SecurityTriage.seed)
    counts = [round(population * share) for share in REGIONS.values()]
    regions = random.permutation(np.repeat(list(REGIONS), counts))
    english = random.random(population)
    return tuple(
        {
            "reporting_region": str(region),
            "report_language": "English" if chance < ENGLISH[str(region)] else "other language",
        }
        for region, chance in zip(regions, english, strict=True)
    )


@cache
def _drags(population: int, evidence: Evidence) -> Floats:
    by_region = {region: -evidence.drag(missed) for region, missed in MISSED_AFTER.items()}
    return np.array([by_region[reporter["reporting_region"]] for reporter in _reporters(population)])
