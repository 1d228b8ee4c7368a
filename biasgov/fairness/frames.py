"""From a pandas frame of decisions to the integer columns that the cube counts, with errors that name the column."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from biasgov.fairness.counting import MOST_EVENTS
from biasgov.fairness.cube import OutcomeCube
from biasgov.fairness.schema import MAXIMUM_LEVELS, UNKNOWN, Axis, CubeSchema

if TYPE_CHECKING:
    import pandas as pd


@dataclass(frozen=True, slots=True, eq=False)
class Rows:
    """Decisions as the cube wants them, one entry a row, shape (n,) each.

    codes: per attribute in the schema's order, len(levels) = unknown. decision: 1 favourable. outcome: 1 positive,
    0 negative, -1 not known. score: in [0, 1], NaN where there is none; None without scores. weight: how many people a
    row stands for; None is one each.
    """

    schema: CubeSchema
    codes: tuple[npt.NDArray[np.int8], ...]
    decision: npt.NDArray[np.uint8]
    outcome: npt.NDArray[np.int8]
    score: npt.NDArray[np.float64] | None
    weight: npt.NDArray[np.int64] | None = None

    def __len__(self) -> int:
        return len(self.decision)

    def where(self, kept: npt.NDArray[np.bool_] | npt.NDArray[np.int64]) -> Rows:
        """The rows that a mask, or a list of positions, names."""
        return Rows(
            self.schema,
            tuple(code[kept] for code in self.codes),
            self.decision[kept],
            self.outcome[kept],
            None if self.score is None else self.score[kept],
            None if self.weight is None else self.weight[kept],
        )

    def cube(self) -> OutcomeCube:
        """The rows counted."""
        return OutcomeCube.count(self.schema, self.codes, self.decision, self.outcome, self.score, weight=self.weight)


def count_frame(
    frame: pd.DataFrame,
    *,
    attributes: Mapping[str, Sequence[str] | None] | Sequence[str],
    decision: str,
    outcome: str | None = None,
    score: str | None = None,
    weight: str | None = None,
    favourable: Any = 1,
    positive: Any = 1,
) -> OutcomeCube:
    """The outcome cube of a frame with one row a decision.

    Parameters and errors are those of `rows_of_frame`.
    """
    return rows_of_frame(
        frame,
        attributes=attributes,
        decision=decision,
        outcome=outcome,
        score=score,
        weight=weight,
        favourable=favourable,
        positive=positive,
    ).cube()


def rows_of_frame(
    frame: pd.DataFrame,
    *,
    attributes: Mapping[str, Sequence[str] | None] | Sequence[str],
    decision: str,
    outcome: str | None = None,
    score: str | None = None,
    weight: str | None = None,
    favourable: Any = 1,
    positive: Any = 1,
) -> Rows:
    """Check and encode the columns of a frame with one row a decision.

    Parameters
    ----------
    attributes
        {column: its levels as text, or None for those of the data in alphabetical order}, or columns alone. A missing
        value, an empty text and the text "unknown" are unknown. Whole numbers are the levels "1", "2", ..., however
        they are stored.
    decision, outcome, score, weight
        Columns: what the model decided; what happened (missing: not known yet); the predicted probability of the
        positive outcome, in [0, 1] (missing: none); for how many people a row stands, a whole number.
    favourable, positive
        The values of the decision and of the outcome that are favourable. 1, 1.0 and True are the same.

    Raises
    ------
    ValueError
        A column is missing or there twice; decisions are missing or of more than two kinds; outcomes are of more than
        two kinds; scores are no numbers, infinite or outside [0, 1]; an attribute has undeclared or more than 32
        levels; weights are no whole numbers.
    """
    declared = attributes if isinstance(attributes, Mapping) else dict.fromkeys(attributes)
    check_columns(frame, (*filter(None, (decision, outcome, score, weight)), *declared))
    coded = [_attribute(frame[name], levels) for name, levels in declared.items()]
    return Rows(
        schema=CubeSchema(tuple(axis for axis, _ in coded)),
        codes=tuple(code for _, code in coded),
        decision=_decision(frame[decision], favourable),
        outcome=np.full(len(frame), -1, np.int8) if outcome is None else _outcome(frame[outcome], positive),
        score=None if score is None else _score(frame[score]),
        weight=None if weight is None else _weight(frame[weight]),
    )


def check_columns(frame: pd.DataFrame, names: Iterable[str], what: str = "the data") -> None:
    """Raises ValueError for a name that no column of the frame has, or more than one."""
    wanted, known = tuple(names), frame.columns.tolist()
    missing = [name for name in wanted if name not in known]
    if missing:
        raise ValueError(f"{what} has no column {', '.join(map(repr, missing))}; it has {', '.join(map(str, known))}")
    twice = next((name for name in wanted if known.count(name) > 1), None)
    if twice is not None:
        raise ValueError(f"{what} has {known.count(twice)} columns {twice!r}: keep one of them")


def level_names(column: pd.Series) -> pd.Series:
    """A column's levels as text; missing where it is unknown. 1 and 1.0 are both "1"."""
    import pandas as pd

    if isinstance(column.dtype, pd.CategoricalDtype):
        column = column.astype(column.cat.categories.dtype)
    column = column.infer_objects()
    if pd.api.types.is_float_dtype(column):
        known = column[column.notna()]
        if (known == known.round()).all() and np.isfinite(known).all():
            column = column.astype("Int64")
    text = column.astype("string")
    return text.mask(text.isin(["", UNKNOWN]))


def _attribute(column: pd.Series, declared: Sequence[str] | None) -> tuple[Axis, npt.NDArray[np.int8]]:
    import pandas as pd

    text = level_names(column)
    found = sorted(text.dropna().unique().tolist())
    levels = tuple(found) if declared is None else tuple(map(str, declared))
    if len(levels) > MAXIMUM_LEVELS:
        raise ValueError(
            f"attribute {column.name!r} has {len(levels):,} levels, more than {MAXIMUM_LEVELS}: group them first"
        )
    strange = next((level for level in found if level not in levels), None)
    if strange is not None:
        raise ValueError(
            f"attribute {column.name!r} has the level {strange!r}, which is not declared; declared are "
            f"{', '.join(levels)}"
        )
    if not levels:
        raise ValueError(f"attribute {column.name!r} is unknown in every row: there is no group to look at")
    axis = Axis(str(column.name), levels)
    code = pd.Categorical(text, categories=list(levels)).codes.astype(np.int8)
    return axis, np.where(code < 0, np.int8(len(levels)), code).astype(np.int8)


def _decision(column: pd.Series, favourable: Any) -> npt.NDArray[np.uint8]:
    name = column.name
    if column.isna().any():
        raise ValueError(f"column {name!r} has {int(column.isna().sum()):,} missing decisions")
    values = _kinds(column)
    if len(values) > 2:
        raise ValueError(f"column {name!r} has {len(values):,} different decisions, not two: {values[:4]!r} ...")
    chosen = _matches(column, favourable)
    if not chosen.any() and values and not _is_opposite(values, favourable):
        raise ValueError(
            f"no decision in column {name!r} equals the favourable value {favourable!r}; it has {values!r}"
        )
    return chosen.astype(np.uint8)


def _outcome(column: pd.Series, positive: Any) -> npt.NDArray[np.int8]:
    known = column.notna().to_numpy()
    values = _kinds(column)
    if len(values) > 2:
        raise ValueError(f"column {column.name!r} has {len(values):,} different outcomes, not two: {values[:4]!r} ...")
    chosen = _matches(column, positive)
    if not chosen.any() and values and not _is_opposite(values, positive):
        raise ValueError(
            f"no outcome in column {column.name!r} equals the positive value {positive!r}; it has {values!r}"
        )
    return np.where(known, chosen, -1).astype(np.int8)


def _kinds(column: pd.Series) -> list[Any]:
    try:
        kinds: list[Any] = column.dropna().unique().tolist()
    except TypeError as error:
        raise ValueError(f"column {column.name!r} holds values that cannot be compared: {error}") from error
    return kinds


def _is_opposite(values: list[Any], value: Any) -> bool:
    """Whether a column of one value can only mean that nobody has `value`: 0 beside 1, or one word beside another."""
    (only, *more) = values
    return not more and (isinstance(value, str) or {_canonical(only), _canonical(value)} == {0.0, 1.0})


def _matches(column: pd.Series, value: Any) -> npt.NDArray[np.bool_]:
    """Equality that takes 1, 1.0, True and "1" for the same, as files of different kinds write it."""
    same = [kind for kind in _kinds(column) if _canonical(kind) == _canonical(value)]
    chosen: npt.NDArray[np.bool_] = column.isin(same).to_numpy(dtype=bool)
    return chosen


def _canonical(value: Any) -> float | str:
    """The number that a value is or is written as (true and false are 1 and 0), else its text."""
    text = str(value)
    if text.lower() in ("true", "false"):
        return float(text.lower() == "true")
    try:
        number = float(text)
    except ValueError:
        return text
    return number if math.isfinite(number) else text


def _score(column: pd.Series) -> npt.NDArray[np.float64]:
    import pandas as pd

    try:
        score: npt.NDArray[np.float64] = pd.to_numeric(column).to_numpy(dtype=np.float64, na_value=np.nan)
    except (ValueError, TypeError) as error:
        raise ValueError(f"column {column.name!r} holds scores that are not numbers: {error}") from error
    wrong = np.isinf(score) | (score < 0) | (score > 1)
    if wrong.any():
        row = int(np.flatnonzero(wrong)[0])
        raise ValueError(f"column {column.name!r} has the score {float(score[row])!r} in row {row}, outside [0, 1]")
    return score


def _weight(column: pd.Series) -> npt.NDArray[np.int64]:
    import pandas as pd

    weight = pd.to_numeric(column, errors="coerce").to_numpy(dtype=np.float64, na_value=np.nan)
    if not np.isfinite(weight).all() or (weight < 0).any() or (weight != np.floor(weight)).any():
        raise ValueError(
            f"column {column.name!r} must hold whole numbers of at least 0: a row stands for that many people"
        )
    if weight.sum() > MOST_EVENTS:
        raise ValueError(f"column {column.name!r} adds up to more than {MOST_EVENTS:,} people")
    whole: npt.NDArray[np.int64] = weight.astype(np.int64)
    return whole
