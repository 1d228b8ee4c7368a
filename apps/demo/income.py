"""The model `income`: an estimate trained here on one half of the census file "Adult" and watched on the other.

Sex, race and age are not among its features, nor is the country of birth. Marital status and relationship are, and
they tell "husband" from "wife": leaving an attribute out does not make a model blind to it, which the demo shows.
"""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime, timedelta
from importlib import metadata

import numpy as np
import pandas as pd

from apps.demo.datasets import adult
from apps.demo.declarations import Attribute, Declaration, Release, Row

SEED = 20_260_101
DAYS = 60
OFFICE_HOURS = tuple(range(9, 17))
LABEL_DELAY = timedelta(hours=6)

NUMBERS = ("education_years", "capital_gain", "capital_loss", "hours_per_week")
CATEGORIES = ("workclass", "education", "marital_status", "occupation", "relationship")
FEATURES = (*NUMBERS, *CATEGORIES)
AGE_BANDS = {"under 30": (0, 30), "30 to 49": (30, 50), "50 and over": (50, 200)}


def declaration() -> Declaration:
    """The model as registered; its environment is the one it was really trained in."""
    return Declaration(
        slug="income",
        name="Income estimate",
        industry="banking",
        purpose=(
            "Real data: estimates from the 1994 US census file whether a person earns more than 50,000 dollars a year. "
            "Trained on one half of the file without sex, race, age and country of birth; the other half was scored "
            "and spread over the 60 days before the demo was set up."
        ),
        risk_level="high",
        attributes=(
            # The largest group of each attribute is the reference.
            Attribute("sex", ("Female", "Male"), "Male", ("race",)),
            Attribute("race", ("White", "Black", "Asian-Pac-Islander", "Amer-Indian-Eskimo", "Other"), "White"),
            Attribute("age_band", tuple(AGE_BANDS), "30 to 49"),
        ),
        decision=("estimated at most 50,000", "estimated above 50,000"),
        outcome=("earns at most 50,000", "earns above 50,000"),
        releases=(
            Release(
                "logistic-1",
                packages={name: metadata.version(name) for name in ("scikit-learn", "numpy", "pandas")},
                training_data={"file": "Adult (UCI, 1994 census)", "rows": 24_421, "features": list(FEATURES)},
            ),
        ),
        public_data=True,
    )


def scored() -> pd.DataFrame:
    """The half that the model has not seen (24,421 rows), scored, in a fixed random order.

    Columns: `row` (position in the file), `sex`, `race`, `age_band`, `label`, `score` (probability of more than
    50,000), `decision` (1: score of one half or more).
    """
    from sklearn.compose import make_column_transformer
    from sklearn.linear_model import LogisticRegression
    from sklearn.pipeline import make_pipeline
    from sklearn.preprocessing import FunctionTransformer, OneHotEncoder, StandardScaler

    frame = adult()
    order = np.random.default_rng(SEED).permutation(len(frame))
    training, watched = frame.iloc[order[: len(frame) // 2]], frame.iloc[order[len(frame) // 2 :]]
    model = make_pipeline(
        make_column_transformer(
            (make_pipeline(FunctionTransformer(np.log1p), StandardScaler()), list(NUMBERS)),
            (OneHotEncoder(handle_unknown="ignore"), list(CATEGORIES)),
        ),
        LogisticRegression(max_iter=1000, random_state=SEED),
    )
    model.fit(training[list(FEATURES)], training["income"])
    score = model.predict_proba(watched[list(FEATURES)])[:, 1]
    bands = pd.cut(watched["age"], [0, 30, 50, 200], right=False, labels=list(AGE_BANDS)).astype(str)
    return pd.DataFrame(
        {
            "row": watched.index,
            "sex": watched["sex"].to_numpy(),
            "race": watched["race"].to_numpy(),
            "age_band": bands.to_numpy(),
            "label": watched["income"].to_numpy(),
            "score": score.round(6),
            "decision": (score >= 0.5).astype(int),
        }
    )


class Income:
    """The scored half over the office hours of the 60 days before `anchor`; each label follows six hours later."""

    def __init__(self, anchor: datetime) -> None:
        self.declaration = declaration()
        midnight = anchor.replace(hour=0, minute=0, second=0, microsecond=0)
        frame = scored()
        slots = DAYS * len(OFFICE_HOURS)
        place = np.arange(len(frame)) * slots / len(frame)
        day, hour = np.divmod(place.astype(int), len(OFFICE_HOURS))
        seconds = np.floor((place % 1) * 3600)
        start = midnight - timedelta(days=DAYS)
        moments = [
            start + timedelta(days=int(d), hours=OFFICE_HOURS[int(h)], seconds=float(s))
            for d, h, s in zip(day, hour, seconds, strict=True)
        ]
        frame["occurred_at"] = pd.Series(moments, dtype=object)
        self._frame = frame
        self.first: datetime = start + timedelta(hours=OFFICE_HOURS[0])
        self.last: datetime | None = midnight

    def released_at(self, version: str) -> datetime:
        return self.first

    def subjects(self) -> Iterator[Row]:
        names = [attribute.name for attribute in self.declaration.attributes]
        for row in self._frame.itertuples(index=False):
            yield {"subject_id": f"adult-{row.row}", "attributes": {name: getattr(row, name) for name in names}}

    def events(self, start: datetime, end: datetime) -> Iterator[Row]:
        version = self.declaration.releases[0].version
        for row in self._frame.itertuples(index=False):
            if start <= row.occurred_at < end:
                yield {
                    "event_id": f"adult-{row.row}",
                    "subject_id": f"adult-{row.row}",
                    "occurred_at": row.occurred_at,
                    "version": version,
                    "decision": int(row.decision),
                    "score": float(row.score),
                }

    def labels(self, start: datetime, end: datetime) -> Iterator[Row]:
        for row in self._frame.itertuples(index=False):
            observed_at = row.occurred_at + LABEL_DELAY
            if start <= observed_at < end:
                yield {"event_id": f"adult-{row.row}", "label": int(row.label), "observed_at": observed_at}
