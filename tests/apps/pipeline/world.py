"""A small company with one model: people, their attributes, events and labels, as a frame that is also the oracle."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any

import numpy as np
import pandas as pd
from django.db import connection

from apps.inference.services import events_ingest, labels_ingest
from apps.inference.shapes import Event, Label
from apps.pipeline import services as pipeline
from apps.registry.declarations import AttributeDeclaration
from apps.registry.selectors import model_spec
from apps.registry.services import model_register, version_register
from apps.registry.spec import ModelSpec
from apps.thresholds.services import policy_publish
from apps.vault import services as vault
from biasgov.fairness.policy import DEFAULT_POLICY, Policy
from tests.sides import side

ACTOR = "token:tests"
NOW = datetime(2026, 3, 20, 14, 20, tzinfo=UTC)
LEVELS = {"sex": ("female", "male"), "region": ("north", "south", "west")}
SELECTED = {"female": 0.35, "male": 0.65}


def company(
    slug: str = "hiring",
    *,
    policy: Policy = DEFAULT_POLICY,
    training_data: Mapping[str, Any] | None = None,
    **declared: Any,
) -> ModelSpec:
    """A registered model with a policy in force; web side. `declared` goes to the registration."""
    spec = model_register(
        actor=ACTOR,
        slug=slug,
        name=slug.title(),
        industry="employment",
        purpose="Chooses whom to invite.",
        risk_level="high",
        attributes=[
            AttributeDeclaration("sex", LEVELS["sex"], "male", ("region",)),
            AttributeDeclaration("region", LEVELS["region"], "north"),
        ],
        favourable_decision=1,
        owner="Recruiting",
        **declared,
    )
    for version in ("1.0", "1.1"):
        version_register(actor=ACTOR, model_id=spec.id, version=version, environment={}, training_data=training_data)
    policy_publish(model_id=spec.id, policy=policy, assessment_reference="GOV002-17", actor=ACTOR)
    return model_spec(slug)


def people(
    n: int, *, seed: int = 1, hours: int = 23, before: datetime = NOW, unknown: float = 0.0, labelled: float = 1.0
) -> pd.DataFrame:
    """Events of `n` subjects within the `hours` before a moment: one row an event, every fourth subject twice."""
    rng = np.random.default_rng(seed)
    frame = pd.DataFrame({"subject": [f"person-{seed}-{i % max(3 * n // 4, 1)}" for i in range(n)]})
    for name, levels in LEVELS.items():
        drawn = dict(zip(frame["subject"].unique(), rng.choice(levels, frame["subject"].nunique()), strict=True))
        frame[name] = frame["subject"].map(drawn)
    hidden = set(frame["subject"].unique()[: round(unknown * frame["subject"].nunique())])
    frame["known"] = ~frame["subject"].isin(hidden)
    frame["decision"] = (rng.random(n) < frame["sex"].map(SELECTED)).astype(int)
    frame["label"] = (rng.random(n) < 0.3 + 0.4 * frame["decision"]).astype(int)
    frame["labelled"] = rng.random(n) < labelled
    frame["score"] = rng.random(n, dtype=np.float32).astype(float)
    frame["at"] = [before - timedelta(seconds=float(s)) for s in rng.uniform(1, hours * 3600 - 1, n)]
    frame["version"] = rng.choice(["1.0", "1.1"], n)
    frame["event"] = [f"event-{seed}-{i}" for i in range(n)]
    return frame


def send_events(spec: ModelSpec, frame: pd.DataFrame, *, labels: bool = True, features: Sequence[str] = ()) -> None:
    """Through the door; web side. `features` names columns that go with the events."""
    events = [
        Event(
            event_id=row["event"],
            subject_id=row["subject"],
            occurred_at=row["at"].to_pydatetime(),
            version=row["version"],
            decision=row["decision"],
            score=row["score"],
            **({"label": row["label"]} if labels and row["labelled"] else {}),
            **({"features": {name: row[name] for name in features}} if features else {}),
        )
        for row in records(frame)
    ]
    receipt = events_ingest(spec=spec, events=events, actor=ACTOR)
    assert receipt.rejected == []


def send_labels(spec: ModelSpec, frame: pd.DataFrame, *, observed_at: datetime) -> None:
    """Outcomes that come later; web side."""
    labels = [Label(event_id=row["event"], label=row["label"], observed_at=observed_at) for row in records(frame)]
    assert labels_ingest(spec=spec, labels=labels, actor=ACTOR).rejected == []


def send_attributes(frame: pd.DataFrame) -> None:
    """Seal the known people's attributes; web side."""
    known = frame[frame["known"]].drop_duplicates("subject")
    vault.attributes_upload(
        actor=ACTOR, subjects=[(row["subject"], {name: row[name] for name in LEVELS}) for row in records(known)]
    )


def compute() -> None:
    """One round of the compute side, until nothing is left to do."""
    with side("compute"):
        pipeline.open_uploads()
        while pipeline.sweep():
            pass


def records(frame: pd.DataFrame) -> Iterable[Mapping[str, Any]]:
    return frame.to_dict("records")


def rows(query: str, *values: Any) -> list[tuple[Any, ...]]:
    """What the owner sees; row level security still applies."""
    with side("owner"), connection.cursor() as cursor:
        cursor.execute(query, values)
        return list(cursor.fetchall())
