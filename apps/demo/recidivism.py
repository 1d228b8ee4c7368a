"""The model `recidivism`: COMPAS screenings in Broward County, from ProPublica's file.

Orientation. The favourable decision is "rated low risk" and the positive outcome is "did not re-offend". ProPublica
counts the other way round (positive = re-offends), so its false positive rate is our false negative rate: "did not
re-offend, yet rated high risk".

No score is sent. The decile is a person's rank within a norm group, not a probability, and a calibration measured on
ranks would judge COMPAS on a claim that it never made. Calibration is therefore "not estimable" for this model.
"""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime, timedelta

import pandas as pd

from apps.demo.datasets import compas
from apps.demo.declarations import Attribute, Declaration, Release, Row

HIGH_RISK_DECILE = 5
"""From this decile on ProPublica reads the rating as medium or high, here "high risk"."""

LAST_FOLLOWED_DAY = pd.Timestamp("2014-04-01")
"""Screened later, a person could not be followed for two years: criminal records were taken until 1 April 2016.

The file nevertheless holds 998 later screenings, every one of a person who re-offended: those who did not were left
out for want of two years, those who did were kept. Re-offending is 100 % there against 36.2 % before, because the
outcome is selected and not measured.
"""

SCREENING_HOUR = 12
"""The file gives days. Every screening stands at noon UTC of its day."""

DECLARATION = Declaration(
    slug="recidivism",
    name="Recidivism risk (COMPAS)",
    # Criminal justice has no preset; the default bounds cover the error rates that this audit is about.
    industry="other",
    purpose=(
        "Real data: rates whether a defendant will re-offend within two years; Broward County, Florida, 2013 and "
        "2014, as published by ProPublica. Dates are shifted so that the last screening is the "
        "day before the demo was set up. The outcome that the file knows is sent with the screening."
    ),
    risk_level="critical",
    attributes=(
        # ProPublica's comparison is with white defendants; that choice is kept so that the numbers can be compared.
        Attribute(
            "race",
            ("African-American", "Caucasian", "Hispanic", "Other", "Asian", "Native American"),
            "Caucasian",
            ("sex",),
        ),
        # The largest group of each: no finding rests on a reference of a few people.
        Attribute("sex", ("Female", "Male"), "Male"),
        Attribute("age_cat", ("Less than 25", "25 - 45", "Greater than 45"), "25 - 45"),
    ),
    decision=("rated high risk", "rated low risk"),
    outcome=("re-offended", "did not re-offend"),
    releases=(
        Release(
            "compas-2013",
            packages={},
            python="unknown",
            training_data={"note": "Proprietary; the vendor has not published the training data."},
        ),
    ),
    public_data=True,
)


def rated() -> pd.DataFrame:
    """The whole file in our orientation, 7,214 rows.

    Columns: `id`, `screened`, `race`, `sex`, `age_cat`, `decision` (1: rated low risk), `label` (1: did not re-offend).
    """
    frame = compas()
    frame["decision"] = (frame.pop("decile_score") < HIGH_RISK_DECILE).astype("int64")
    frame["label"] = (frame.pop("two_year_recid") == 0).astype("int64")
    return frame


def followed() -> pd.DataFrame:
    """The 6,216 rows whose outcome could be observed for two years, in order of screening."""
    frame = rated()
    kept = frame[frame["screened"] <= LAST_FOLLOWED_DAY]
    return kept.sort_values(["screened", "id"], ignore_index=True)


class Recidivism:
    """The 6,216 followed screenings, shifted by whole days so that the last was on the day before `anchor`."""

    declaration = DECLARATION

    def __init__(self, anchor: datetime) -> None:
        frame = followed()
        midnight = anchor.replace(hour=0, minute=0, second=0, microsecond=0)
        last_day = frame["screened"].iloc[-1].to_pydatetime()
        noon = midnight - timedelta(days=1) + timedelta(hours=SCREENING_HOUR)
        moments = [noon - (last_day - day.to_pydatetime()) for day in frame["screened"]]
        frame["occurred_at"] = pd.Series(moments, dtype=object)
        self._frame = frame
        self.first: datetime = frame["occurred_at"].iloc[0]
        self.last: datetime | None = midnight

    def released_at(self, version: str) -> datetime:
        return self.first

    def subjects(self) -> Iterator[Row]:
        names = [attribute.name for attribute in DECLARATION.attributes]
        for row in self._frame.itertuples(index=False):
            yield {"subject_id": f"compas-{row.id}", "attributes": {name: getattr(row, name) for name in names}}

    def events(self, start: datetime, end: datetime) -> Iterator[Row]:
        version = DECLARATION.releases[0].version
        for row in self._frame.itertuples(index=False):
            if start <= row.occurred_at < end:
                yield {
                    "event_id": f"compas-{row.id}",
                    "subject_id": f"compas-{row.id}",
                    "occurred_at": row.occurred_at,
                    "version": version,
                    "decision": int(row.decision),
                    "label": int(row.label),
                }

    def labels(self, start: datetime, end: datetime) -> Iterator[Row]:
        return iter(())
