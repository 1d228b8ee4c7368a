"""From a file of rows to arrays that the outcome cube counts, with an error that names the column and the value."""

from __future__ import annotations

import warnings
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt
import pandas as pd

from biasgov.fairness.frames import Rows, check_columns, level_names, rows_of_frame

if TYPE_CHECKING:
    from biasgov.gate.policy import GatePolicy

MOST_FOLDS = 100
MISSING = (
    *("", "#N/A", "#N/A N/A", "#NA", "-1.#IND", "-1.#QNAN", "-NaN", "-nan", "1.#IND", "1.#QNAN"),
    *("<NA>", "N/A", "NA", "NULL", "NaN", "None", "n/a", "nan", "null"),
)
"""What stands for a missing value in a CSV file, unless the policy names it as a level."""


class GateInputError(Exception):
    """The data or the policy cannot be used; the message says which part and what to do."""


@dataclass(frozen=True, slots=True, eq=False)
class GateRows:
    """The rows of a file: what is counted, and beside it the fold (text) and the features (numbers, NaN missing)."""

    rows: Rows
    fold: npt.NDArray[Any] | None
    features: npt.NDArray[np.float64] | None

    def where(self, kept: npt.NDArray[np.bool_]) -> GateRows:
        """The rows that a mask names."""
        return GateRows(
            self.rows.where(kept),
            None if self.fold is None else self.fold[kept],
            None if self.features is None else self.features[kept],
        )


def read_frame(path: Path, policy: GatePolicy | None = None) -> pd.DataFrame:
    """Read a Parquet or CSV file; what a policy names as a level is no missing value there, even "NA" or "None".

    Raises GateInputError for anything else, or a file that is neither.
    """
    ending = path.suffix.lower()
    if ending not in (".parquet", ".pq", ".csv"):
        raise GateInputError(f"{path} is neither Parquet nor CSV (by its ending)")
    try:
        frame = _read_csv(path, {} if policy is None else policy.named_levels) if ending == ".csv" else _parquet(path)
    except OSError as error:
        raise GateInputError(f"{path} cannot be read: {error}") from error
    except Exception as error:
        raise GateInputError(f"{path} is not a readable {path.suffix[1:]} file: {error}") from error
    if frame.empty:
        raise GateInputError(f"{path} has no rows")
    return frame


def _parquet(path: Path) -> pd.DataFrame:
    frame: pd.DataFrame = pd.read_parquet(path)
    return frame


def _read_csv(path: Path, named: Mapping[str, Collection[str]]) -> pd.DataFrame:
    """Each column by its own name, which pandas changes where it is there twice, and none of them as an index."""
    header = pd.read_csv(path, header=None, nrows=1, dtype=str, keep_default_na=False)
    columns = pd.read_csv(path, nrows=0, index_col=False).columns
    missing = {name: [text for text in MISSING if text not in named.get(name, ())] for name in columns}
    with warnings.catch_warnings():
        warnings.simplefilter("error", pd.errors.ParserWarning)
        frame: pd.DataFrame = pd.read_csv(path, index_col=False, keep_default_na=False, na_values=missing)
    return frame.set_axis(header.iloc[0].tolist(), axis=1)


def check_names(frame: pd.DataFrame, policy: GatePolicy, what: str = "the data") -> None:
    """Raises GateInputError where a column that the policy names is missing from `what`, or there twice."""
    try:
        check_columns(frame, (*policy.columns.values(), *policy.features, *policy.references), what)
    except ValueError as error:
        raise GateInputError(str(error)) from error


def rows_of(frame: pd.DataFrame, policy: GatePolicy) -> GateRows:
    """Check and encode the columns that the policy names.

    Raises
    ------
    GateInputError
        What `rows_of_frame` refuses; besides, everybody got the same decision, the reference group does not occur,
        a row has no fold, or a feature is no number.
    """
    columns = policy.columns
    attributes = {name: policy.levels.get(name) for name in policy.references}
    try:
        rows = rows_of_frame(
            frame,
            attributes=attributes,
            decision=columns["decision"],
            outcome=columns.get("label"),
            score=columns.get("score"),
            weight=columns.get("weight"),
            favourable=policy.favourable,
            positive=policy.positive,
        )
    except ValueError as error:
        raise GateInputError(str(error)) from error
    for axis in rows.schema.axes:
        reference = policy.references[axis.name]
        if reference not in axis.levels:
            raise GateInputError(
                f"the reference {reference!r} of {axis.name!r} is not among its levels: {', '.join(axis.levels)}"
            )
    counted = rows.decision if rows.weight is None else rows.decision[rows.weight > 0]
    if not counted.size:
        raise GateInputError(f"column {columns['weight']!r} counts nobody: every weight is 0")
    if counted.min() == counted.max():
        same = str(frame[columns["decision"]].iloc[0])
        raise GateInputError(
            f"column {columns['decision']!r} has one decision only ({same!r}): there is nothing to compare"
        )
    return GateRows(
        rows,
        _fold(frame[columns["fold"]]) if "fold" in columns else None,
        _features(frame, policy.features) if policy.features else None,
    )


def _fold(column: pd.Series) -> npt.NDArray[Any]:
    text = level_names(column)
    if text.isna().any():
        raise GateInputError(f"column {column.name!r} has {int(text.isna().sum()):,} rows without a fold")
    if text.nunique() > MOST_FOLDS:
        raise GateInputError(f"column {column.name!r} has {text.nunique():,} folds, more than {MOST_FOLDS}")
    folds: npt.NDArray[Any] = text.to_numpy(dtype=object)
    return folds


def _features(frame: pd.DataFrame, names: tuple[str, ...]) -> npt.NDArray[np.float64]:
    for name in names:
        if not pd.api.types.is_numeric_dtype(frame[name]):
            raise GateInputError(f"the feature {name!r} does not hold numbers: encode its categories first")
    matrix: npt.NDArray[np.float64] = frame[list(names)].to_numpy(dtype=np.float64, na_value=np.nan)
    if np.isinf(matrix).any():
        column = names[int(np.flatnonzero(np.isinf(matrix).any(axis=0))[0])]
        raise GateInputError(f"the feature {column!r} holds an infinite value")
    return matrix


@dataclass(frozen=True, slots=True, eq=False)
class Matched:
    """Positions of the same people in both files, shape (people,) each, and how many are in one file only."""

    now: npt.NDArray[np.int64]
    before: npt.NDArray[np.int64]
    only_now: int
    only_before: int


def same_people(frame: pd.DataFrame, before: pd.DataFrame, columns: Mapping[str, str]) -> Matched:
    """Match by the id column, or else row by row.

    Raises GateInputError where they cannot be matched: another number of rows without an id, an id that is missing or
    occurs twice, nobody in common.
    """
    key = columns.get("id")
    if key is None:
        if len(frame) != len(before):
            raise GateInputError(
                f"the baseline has {len(before):,} rows and the data {len(frame):,}: name columns.id to match them"
            )
        everybody = np.arange(len(frame))
        return Matched(everybody, everybody, 0, 0)
    for one, name in ((frame, "data"), (before, "baseline")):
        if key not in one.columns or one[key].isna().any() or one[key].duplicated().any():
            raise GateInputError(
                f"the {name} must have a column {key!r} without gaps and duplicates, to be matched by it"
            )
    found = pd.Index(frame[key]).get_indexer(pd.Index(before[key]))
    shared = np.flatnonzero(found >= 0)
    if not shared.size:
        raise GateInputError(f"the baseline and the data share no value of {key!r}")
    return Matched(found[shared], shared, len(frame) - len(shared), len(before) - len(shared))
