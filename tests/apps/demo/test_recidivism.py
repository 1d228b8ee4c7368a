"""The published COMPAS audit, by the same cube and metrics that the pipeline uses, and by two independent ways."""

from __future__ import annotations

import io
from datetime import UTC, datetime, timedelta

import pandas as pd
import pytest
from fairlearn.metrics import MetricFrame, false_negative_rate, false_positive_rate

from apps.demo.datasets import COMPAS, wheel_file
from apps.demo.recidivism import DECLARATION, LAST_FOLLOWED_DAY, Recidivism, followed, rated
from biasgov.fairness.cube import OutcomeCube
from tests.apps.demo.counted import rates, schema_of

ANCHOR = datetime(2026, 11, 22, 15, 30, tzinfo=UTC)
PUBLISHED = {"African-American": (0.4485, 0.2799), "Caucasian": (0.2345, 0.4772)}
"""ProPublica 2016, whole file: (false positive rate, false negative rate) of "rated high risk"."""
ON_FOLLOWED_ROWS = {"African-American": (0.448, 0.279), "Caucasian": (0.235, 0.488)}


@pytest.fixture(scope="module")
def original():
    """The file as published, names and all."""
    return pd.read_csv(io.BytesIO(wheel_file(COMPAS)))


def counted(frame):
    schema = schema_of(DECLARATION)
    codes = [[axis.code(level) for level in frame[axis.name]] for axis in schema.axes]
    return OutcomeCube.count(schema, codes, frame["decision"].to_numpy(), frame["label"].to_numpy())


@pytest.mark.parametrize("race", PUBLISHED)
def test_the_published_rates_come_out_of_the_cube(race):
    found = rates(counted(rated()), DECLARATION, "race")
    false_positive, false_negative = PUBLISHED[race]
    # ProPublica's positive is "re-offends"; ours is "did not re-offend": its false positives are our false negatives.
    assert found["fnr", race] == pytest.approx(false_positive, abs=5e-5)
    assert found["fpr", race] == pytest.approx(false_negative, abs=5e-5)


@pytest.mark.parametrize("race", ON_FOLLOWED_ROWS)
def test_the_rates_on_the_rows_that_are_kept(race):
    frame = followed()
    assert len(frame) == 6_216
    found = rates(counted(frame), DECLARATION, "race")
    false_positive, false_negative = ON_FOLLOWED_ROWS[race]
    assert found["fnr", race] == pytest.approx(false_positive, abs=5e-4)
    assert found["fpr", race] == pytest.approx(false_negative, abs=5e-4)


@pytest.mark.parametrize("race", PUBLISHED)
def test_fairlearn_agrees_in_the_orientation_of_the_publication(original, race):
    frame = MetricFrame(
        metrics={"fpr": false_positive_rate, "fnr": false_negative_rate},
        y_true=original["two_year_recid"],
        y_pred=(original["decile_score"] >= 5).astype(int),
        sensitive_features=original["race"],
    ).by_group
    ours = rates(counted(rated()), DECLARATION, "race")
    assert ours["fnr", race] == pytest.approx(frame.loc[race, "fpr"])
    assert ours["fpr", race] == pytest.approx(frame.loc[race, "fnr"])


def test_favourable_is_low_risk_and_positive_is_not_reoffending(original):
    frame = rated().set_index("id")
    harmless = original[(original["decile_score"] == 10) & (original["two_year_recid"] == 0)]["id"].iloc[0]
    assert frame.loc[harmless, ["decision", "label"]].tolist() == [0, 1]
    assert DECLARATION.decision[0] == "rated high risk"
    assert DECLARATION.outcome[1] == "did not re-offend"


def test_everybody_screened_after_the_last_followed_day_reoffended(original):
    screened = pd.to_datetime(original["compas_screening_date"])
    late = original[screened > LAST_FOLLOWED_DAY]
    assert len(late) == 7_214 - 6_216 == 998
    assert late["two_year_recid"].all()
    assert original[screened <= LAST_FOLLOWED_DAY]["two_year_recid"].mean() == pytest.approx(0.362, abs=5e-4)


def test_the_records_end_two_years_after_the_last_followed_day(original):
    """`end` counts the days from screening to the end of observation: mostly the day the records were taken."""
    ends = pd.to_datetime(original["compas_screening_date"]) + pd.to_timedelta(original["end"], unit="D")
    taken = LAST_FOLLOWED_DAY + pd.DateOffset(years=2)
    assert ends.mode().tolist() == [taken]
    assert (ends > taken).sum() == 1


def test_the_stream_keeps_the_intervals_and_ends_yesterday():
    source = Recidivism(ANCHOR)
    events = list(source.events(source.first, ANCHOR))
    assert len(events) == 6_216
    assert events[-1]["occurred_at"] == datetime(2026, 11, 21, 12, tzinfo=UTC)
    assert events[-1]["occurred_at"] - events[0]["occurred_at"] == timedelta(
        days=(pd.Timestamp("2014-04-01") - pd.Timestamp("2013-01-01")).days
    )


def test_nothing_that_names_a_person_is_sent(original):
    source = Recidivism(ANCHOR)
    sent = {*source.events(source.first, ANCHOR).__next__(), *next(source.subjects())["attributes"]}
    assert sent == {
        "event_id", "subject_id", "occurred_at", "version", "decision", "label", "race", "sex", "age_cat",
    }  # fmt: skip
    identifiers = {row["subject_id"] for row in source.subjects()}
    assert identifiers == {f"compas-{number}" for number in followed()["id"]}


def test_every_level_of_the_file_is_declared():
    declared = {each.name: set(each.levels) for each in DECLARATION.attributes}
    frame = rated()
    assert {name: set(frame[name]) for name in declared} == declared
