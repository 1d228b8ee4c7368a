"""The model `claims-triage`, simulated: the same rates and a calibrated score for everybody, so that it stays quiet.

About 7 % of the claimants, most of them older, told nobody their sex and age: they are counted as unknown. Examiners
let 2 % of the claims that were sent to them be paid all the same, whoever asks: those decisions are overridden.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta
from functools import cache

import numpy as np

from apps.demo.declarations import Attribute, Declaration, Release, Row
from apps.demo.simulated import SimulatedModel
from apps.demo.stream import Cases, Evidence, Floats

SEXES = {"Female": 0.48, "Male": 0.52}
AGES = {"under 50": 0.52, "50 and over": 0.48}
COVERAGE = {"under 50": 0.97, "50 and over": 0.89}
"""Share of the claimants of that age who told their attributes; 93 % over all."""

OVERRULED = 0.02
"""Share of the claims sent to an examiner that are paid without looking further; nothing of the claimant matters."""
REASONS = (
    "The missing receipt came by mail on the same day.",
    "The amount is below what looking into it costs.",
    "The repair shop has confirmed the damage by telephone.",
)
EXAMINERS = 4

DECLARATION = Declaration(
    slug="claims-triage",
    name="Claims triage (simulated)",
    industry="insurance",
    purpose=(
        "Simulated: decides whether an insurance claim is paid straight through or sent to an examiner. "
        "Built to be fair: the same error rates and a calibrated score in every group."
    ),
    risk_level="medium",
    attributes=(
        Attribute("claimant_sex", tuple(SEXES), "Male", ("claimant_age",)),
        Attribute("claimant_age", tuple(AGES), "under 50"),
    ),
    decision=("sent to an examiner", "paid straight through"),
    outcome=("found unjustified", "found justified"),
    releases=(
        Release(
            "7.0",
            {"scikit-learn": "1.7.2", "numpy": "2.2.6", "pandas": "2.3.3"},
            training_data={"rows": 210_000},
        ),
    ),
)


class ClaimsTriage(SimulatedModel):
    """About 2,000 claims a day; examiners' findings follow after three hours."""

    declaration = DECLARATION
    seed = 7_001
    per_day = 2_000
    population = 20_000
    evidence = Evidence(prior=0.50, fnr=0.05, fpr=0.05)
    label_delay = timedelta(hours=3)

    def attributes(self) -> Sequence[Mapping[str, str]]:
        return _claimants(self.population)

    def seen(self, cases: Cases) -> Floats:
        """All the evidence there is."""
        return cases.evidence

    def details(self, cases: Cases, index: int) -> Row:
        """What an examiner has decided instead of the model."""
        if cases.evidence[index] >= self.evidence.cut or cases.extra[index] >= OVERRULED:
            return {}
        reason = REASONS[int(cases.extra[index] / OVERRULED * len(REASONS))]
        return {"override": {"by": f"examiner-{index % EXAMINERS + 1}", "decision": 1, "reason": reason}}

    def version(self, at: datetime) -> str:
        return DECLARATION.releases[0].version


@cache
def _claimants(population: int) -> tuple[dict[str, str], ...]:
    """Sex and age of every claimant, nothing for those who did not tell."""
    random = np.random.default_rng(ClaimsTriage.seed)
    sexes = random.choice(list(SEXES), size=population, p=list(SEXES.values()))
    ages = random.choice(list(AGES), size=population, p=list(AGES.values()))
    told = random.random(population) < np.array([COVERAGE[age] for age in ages])
    return tuple(
        {"claimant_sex": str(sex), "claimant_age": str(age)} if known else {}
        for sex, age, known in zip(sexes, ages, told, strict=True)
    )
