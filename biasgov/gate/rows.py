"""From a file of rows to arrays that the outcome cube counts, with an error that names the column and the value."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt
import pandas as pd

from biasgov.fairness.schema import MAXIMUM_LEVELS, Axis, CubeSchema

if TYPE_CHECKING:
    from biasgov.gate.policy import GatePolicy

READERS = {".parquet": pd.read_parquet, ".pq": pd.read_parquet, ".csv": pd.read_csv}


class GateInputError(Exception):
    """The data or the policy cannot be used; the message says which part and what to do."""


@dataclass(frozen=True, slots=True)
class Rows:
    """Rows as the cube wants them: codes (int8 per attribute), decision, outcome (-1 unknown), score (NaN none)."""

    schema: CubeSchema
    codes: tuple[npt.NDArray[np.int8], ...]
    decision: npt.NDArray[np.uint8]
    outcome: npt.NDArray[np.int8]
    score: npt.NDArray[np.float64] | None
    fold: npt.NDArray[Any] | None

    def where(self, kept: npt.NDArray[np.bool_] | npt.NDArray[np.int64]) -> Rows:
        """The rows that a mask, or a list of positions, names."""
        return Rows(
            self.schema,
            tuple(code[kept] for code in self.codes),
            self.decision[kept],
            self.outcome[kept],
            None if self.score is None else self.score[kept],
            None if self.fold is None else self.fold[kept],
        )


def read_frame(path: Path) -> pd.DataFrame:
    """Read a Parquet or CSV file. Raises GateInputError for anything else, or a file that is neither."""
    reader = READERS.get(path.suffix.lower())
    if reader is None:
        raise GateInputError(f"{path.name} is neither Parquet nor CSV (by its ending)")
    try:
        frame: pd.DataFrame = reader(path)
    except OSError as error:
        raise GateInputError(f"{path} cannot be read: {error}") from error
    except Exception as error:
        raise GateInputError(f"{path} is not a readable {path.suffix[1:]} file: {error}") from error
    if frame.empty:
        raise GateInputError(f"{path} has no rows")
    return frame


def rows_of(frame: pd.DataFrame, policy: GatePolicy) -> Rows:
    """Check and encode the columns that the policy names.

    Raises
    ------
    GateInputError
        A column is missing; the decision has missing or more than two values, or one class only; labels have more
        than two values; scores are infinite or outside [0, 1]; an attribute has undeclared or too many levels.
    """
    columns = policy.columns
    missing = [name for name in (*columns.values(), *policy.references) if name not in frame.columns]
    if missing:
        raise GateInputError(
            f"the data has no column {', '.join(map(repr, missing))}; it has {', '.join(map(str, frame.columns))}"
        )
    schema, codes = _attributes(frame, policy)
    rows = Rows(
        schema=schema,
        codes=codes,
        decision=_decision(frame[columns["decision"]], policy.favourable),
        outcome=_outcome(frame[columns["label"]], policy.positive)
        if "label" in columns
        else np.full(len(frame), -1, np.int8),
        score=_score(frame[columns["score"]]) if "score" in columns else None,
        fold=_fold(frame[columns["fold"]]) if "fold" in columns else None,
    )
    return _repeated(rows, frame[columns["weight"]]) if "weight" in columns else rows


def _attributes(frame: pd.DataFrame, policy: GatePolicy) -> tuple[CubeSchema, tuple[npt.NDArray[np.int8], ...]]:
    axes, codes = [], []
    for name, reference in policy.references.items():
        column = frame[name]
        text = column.astype("string")
        found = sorted(text.dropna().unique().tolist())
        levels = policy.levels.get(name, tuple(found))
        strange = [level for level in found if level not in levels]
        if strange:
            raise GateInputError(f"attribute {name!r} has the level {strange[0]!r}, which the policy does not declare")
        if len(levels) > MAXIMUM_LEVELS:
            raise GateInputError(
                f"attribute {name!r} has {len(levels):,} levels, more than {MAXIMUM_LEVELS}: group them first"
            )
        if reference not in levels:
            raise GateInputError(
                f"the reference {reference!r} of {name!r} is not among its levels: {', '.join(levels)}"
            )
        code = pd.Categorical(text, categories=list(levels)).codes.astype(np.int8)
        axes.append((name, levels))
        codes.append(np.where(code < 0, np.int8(len(levels)), code).astype(np.int8))
    try:
        return CubeSchema(tuple(Axis(name, levels) for name, levels in axes)), tuple(codes)
    except ValueError as error:
        raise GateInputError(str(error)) from error


def _decision(column: pd.Series, favourable: Any) -> npt.NDArray[np.uint8]:
    name = column.name
    if column.isna().any():
        raise GateInputError(f"column {name!r} has {int(column.isna().sum()):,} missing decisions")
    values = column.unique().tolist()
    if len(values) > 2:
        raise GateInputError(f"column {name!r} has {len(values):,} different decisions, not two: {values[:4]!r} ...")
    chosen = _matches(column, favourable)
    if not chosen.any() and len(values) == 2:
        raise GateInputError(
            f"no decision in column {name!r} equals the favourable value {favourable!r}; it has {values!r}"
        )
    if chosen.all() or not chosen.any():
        raise GateInputError(f"column {name!r} has one decision only ({values[0]!r}): there is nothing to compare")
    return chosen.astype(np.uint8)


def _outcome(column: pd.Series, positive: Any) -> npt.NDArray[np.int8]:
    known = column.notna().to_numpy()
    values = column[known].unique().tolist()
    if len(values) > 2:
        raise GateInputError(
            f"column {column.name!r} has {len(values):,} different labels, not two: {values[:4]!r} ..."
        )
    chosen = _matches(column, positive)
    if known.any() and len(values) == 2 and not chosen.any():
        raise GateInputError(
            f"no label in column {column.name!r} equals the positive value {positive!r}; it has {values!r}"
        )
    return np.where(known, chosen, -1).astype(np.int8)


def _matches(column: pd.Series, value: Any) -> npt.NDArray[np.bool_]:
    """Equality that takes 1, 1.0, True and "1" for the same decision, as files of different kinds write it."""
    if pd.api.types.is_numeric_dtype(column) and not isinstance(value, str):
        same = pd.to_numeric(column) == float(value)
    else:
        same = column.astype("string") == str(value)
    chosen: npt.NDArray[np.bool_] = same.fillna(False).to_numpy(dtype=bool)
    return chosen


def _score(column: pd.Series) -> npt.NDArray[np.float64]:
    try:
        score: npt.NDArray[np.float64] = pd.to_numeric(column).to_numpy(dtype=np.float64, na_value=np.nan)
    except (ValueError, TypeError) as error:
        raise GateInputError(f"column {column.name!r} holds scores that are not numbers: {error}") from error
    wrong = np.isinf(score) | (score < 0) | (score > 1)
    if wrong.any():
        row = int(np.flatnonzero(wrong)[0])
        raise GateInputError(f"column {column.name!r} has the score {score[row]!r} in row {row}, outside [0, 1]")
    return score


def _fold(column: pd.Series) -> npt.NDArray[Any]:
    if column.isna().any():
        raise GateInputError(f"column {column.name!r} has rows without a fold")
    folds: npt.NDArray[Any] = column.astype("string").to_numpy(dtype=object)
    if len(set(folds)) > 100:
        raise GateInputError(f"column {column.name!r} has {len(set(folds)):,} folds, more than 100")
    return folds


def _repeated(rows: Rows, column: pd.Series) -> Rows:
    weight = pd.to_numeric(column, errors="coerce").to_numpy(dtype=np.float64, na_value=np.nan)
    if np.isnan(weight).any() or (weight < 0).any() or (weight != np.floor(weight)).any():
        raise GateInputError(
            f"column {column.name!r} must hold whole numbers of at least 0: a row stands for that many people"
        )
    if weight.sum() > 100_000_000:
        raise GateInputError(f"column {column.name!r} adds up to more than 100,000,000 people")
    return rows.where(np.repeat(np.arange(len(weight)), weight.astype(np.int64)))


def same_people(
    frame: pd.DataFrame, before: pd.DataFrame, columns: Mapping[str, str]
) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Both frames in the same order of the same people: by the id column, or else row by row."""
    key = columns.get("id")
    if key is None:
        if len(frame) != len(before):
            raise GateInputError(
                f"the baseline has {len(before):,} rows and the data {len(frame):,}: name columns.id to match them"
            )
        return frame.reset_index(drop=True), before.reset_index(drop=True)
    for one, name in ((frame, "data"), (before, "baseline")):
        if key not in one.columns or one[key].duplicated().any():
            raise GateInputError(f"the {name} must have a column {key!r} without duplicates, to be matched by it")
    shared = before[key][before[key].isin(frame[key])]
    if shared.empty:
        raise GateInputError(f"the baseline and the data share no value of {key!r}")
    return frame.set_index(key).loc[shared].reset_index(), before.set_index(key).loc[shared].reset_index()
