"""Models with real runs: events through the door, attributes sealed, everything computed by the pipeline."""

from __future__ import annotations

from datetime import datetime, timedelta

import numpy as np
import pandas as pd

from apps.common import clock
from apps.pipeline.answering import answer_waiting
from apps.registry.declarations import AttributeDeclaration
from apps.registry.selectors import model_spec
from apps.registry.services import model_register, version_register
from apps.registry.spec import ModelSpec, Words
from apps.thresholds.services import policy_publish
from apps.vault import services as vault
from biasgov.fairness.policy import Bound, Policy
from tests.apps.pipeline.world import (
    ACTOR,
    NOW,
    company,
    compute,
    people,
    records,
    send_attributes,
    send_events,
)

CARE = Policy(
    bounds={
        "demographic_parity_ratio": Bound(0.8, 1.25),
        "equalized_odds_difference": Bound(None, 0.05),
        "calibration_difference": Bound(-0.05, 0.05),
    }
)
RATED_URGENT = {("english", 1): 0.85, ("other", 1): 0.6, ("english", 0): 0.2, ("other", 0): 0.12}
"""Share of the patients by language and by whether they needed urgent care."""


def watched(slug: str = "hiring", *, n: int = 1200, seed: int = 1, at: datetime = NOW) -> ModelSpec:
    """A model whose women are invited about half as often as its men, counted, evaluated and answered at `at`."""
    with clock.frozen(at):
        spec = company(slug)
        frame = people(n, seed=seed, before=at, unknown=0.05, labelled=0.8)
        send_events(spec, frame)
        send_attributes(frame)
        compute()
        answer_waiting()
    return spec


def triage(slug: str = "emergency-triage", *, n: int = 2400, seed: int = 1, at: datetime = NOW) -> ModelSpec:
    """A clinic's model that sees too little urgency in patients who speak another language; counted and answered.

    Another domain than `watched`: other attributes, words and bounds, and errors that differ and not only rates.
    """
    with clock.frozen(at):
        spec = clinic(slug)
        frame = _patients(n, seed=seed, before=at)
        send_events(spec, frame)
        vault.attributes_upload(
            actor=ACTOR,
            subjects=[
                (row["subject"], {"language": row["language"], "age_band": row["age_band"]}) for row in records(frame)
            ],
        )
        compute()
        answer_waiting()
    return spec


def clinic(slug: str = "emergency-triage") -> ModelSpec:
    """The same model, before anybody arrives."""
    spec = model_register(
        actor=ACTOR,
        slug=slug,
        name=slug.replace("-", " ").capitalize(),
        industry="healthcare",
        purpose="Says whose arrival at the emergency department is urgent.",
        risk_level="high",
        attributes=[
            AttributeDeclaration("language", ("english", "other"), "english"),
            AttributeDeclaration("age_band", ("under 65", "65 and over"), "under 65"),
        ],
        favourable_decision=1,
        owner="Emergency medicine",
        words=Words(("rated routine", "rated urgent"), ("not urgent", "urgent")),
    )
    version_register(actor=ACTOR, model_id=spec.id, version="3.2", environment={})
    policy_publish(model_id=spec.id, policy=CARE, assessment_reference="CLIN-2026-04", actor=ACTOR)
    return model_spec(slug)


def _patients(n: int, *, seed: int, before: datetime) -> pd.DataFrame:
    rng = np.random.default_rng(seed)
    frame = pd.DataFrame({"subject": [f"patient-{seed}-{i}" for i in range(n)]})
    frame["language"] = rng.choice(["english", "other"], n, p=[0.6, 0.4])
    frame["age_band"] = rng.choice(["under 65", "65 and over"], n)
    frame["label"] = (rng.random(n) < 0.4).astype(int)
    urgent = [RATED_URGENT[pair] for pair in zip(frame["language"], frame["label"], strict=True)]
    frame["decision"] = (rng.random(n) < np.array(urgent)).astype(int)
    frame["score"] = 0.2 + 0.6 * frame["decision"]
    frame["labelled"] = rng.random(n) < 0.9
    frame["at"] = [before - timedelta(seconds=float(s)) for s in rng.uniform(1, 23 * 3600 - 1, n)]
    frame["version"] = "3.2"
    frame["event"] = [f"arrival-{seed}-{i}" for i in range(n)]
    return frame
