"""One pass over rows of events into dense cells, in chunks that stay in the processor's cache."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

from biasgov.fairness.schema import SCORE_BINS, TAIL, CubeSchema

SCALE = 2**24
"""Fixed-point scale of scores and squared scores."""

MOST_EVENTS = 2**29
"""Events up to which float sums of fixed-point scores are exact."""

_CHUNK = 2**16


def count_cells(
    schema: CubeSchema,
    codes: Sequence[npt.ArrayLike],
    decision: npt.ArrayLike,
    outcome: npt.ArrayLike,
    score: npt.ArrayLike | None,
    weight: npt.ArrayLike | None = None,
) -> npt.NDArray[np.int64]:
    """Events, fixed-point score sums and sums of squares per cell, shape (3, schema.size).

    weight: how many events a row stands for; sums stay exact while a chunk's weights add up to `MOST_EVENTS` at most.
    """
    if len(codes) != len(schema.axes):
        raise ValueError(f"{len(codes)} code arrays for {len(schema.axes)} attributes")
    columns = [_whole(array, axis.name) for array, axis in zip(codes, schema.axes, strict=True)]
    decisions, outcomes = _whole(decision, "decision"), _whole(outcome, "outcome")
    scores = None if score is None else np.asarray(score)
    if scores is not None and scores.dtype.kind not in "fiu":
        raise ValueError(f"score must be numbers, not {scores.dtype}")
    rows = len(decisions)
    named = [*zip(schema.names, columns, strict=True), ("outcome", outcomes)]
    if scores is not None:
        named.append(("score", scores))
    weights = None if weight is None else _whole(weight, "weight")
    if weights is not None:
        named.append(("weight", weights))
    for name, array in named:
        if array.shape != (rows,):
            raise ValueError(f"{name} has shape {array.shape}, decision has {rows} rows")

    total = np.zeros((3, schema.size), np.int64)
    # A chunk smaller than the table would spend its time on empty cells.
    step = max(_CHUNK, 4 * schema.size)
    for start in range(0, rows, step):
        part = slice(start, start + step)
        place = _attribute_place(schema, [column[part] for column in columns], min(step, rows - start))
        _append(place, _within(decisions[part], 0, 1, "decision"), TAIL[0])
        known = _within(outcomes[part], -1, 1, "outcome")
        _append(place, np.where(known < 0, 2, known), TAIL[1])
        times = None if weights is None else _times(weights[part])
        if scores is None:
            _append(place, SCORE_BINS, TAIL[2])
            total[0] += np.bincount(place, times, schema.size).astype(np.int64, copy=False)
            continue
        bins, fixed = _fixed_point(scores[part])
        _append(place, bins, TAIL[2])
        total[0] += np.bincount(place, times, schema.size).astype(np.int64, copy=False)
        # Each addend is an integer of at most 2**24 times the weight: float sums are exact up to MOST_EVENTS a chunk.
        total[1] += np.bincount(place, _multiplied(fixed, times), schema.size).astype(np.int64)
        np.multiply(fixed, fixed, out=fixed)
        fixed /= SCALE
        np.rint(fixed, out=fixed)
        total[2] += np.bincount(place, _multiplied(fixed, times), schema.size).astype(np.int64)
    return total


def _times(weights: npt.NDArray[Any]) -> npt.NDArray[np.float64]:
    times = weights.astype(np.float64)
    if times.min() < 0:
        raise ValueError(f"weight {int(times.min())} is negative")
    if times.sum() > MOST_EVENTS:
        raise ValueError(f"weights of {len(times):,} rows add up to more than {MOST_EVENTS:,} events")
    return times


def _multiplied(fixed: npt.NDArray[np.float64], times: npt.NDArray[np.float64] | None) -> npt.NDArray[np.float64]:
    return fixed if times is None else fixed * times


def _attribute_place(schema: CubeSchema, columns: list[npt.NDArray[Any]], rows: int) -> npt.NDArray[np.int64]:
    place = np.zeros(rows, np.int64)
    for axis, column in zip(schema.axes, columns, strict=True):
        _append(place, _within(column, 0, len(axis.levels), axis.name), len(axis))
    return place


def _append(place: npt.NDArray[np.int64], digit: npt.NDArray[Any] | int, base: int) -> None:
    place *= base
    place += digit


def _whole(array: npt.ArrayLike, name: str) -> npt.NDArray[Any]:
    values = np.asarray(array)
    if values.dtype.kind == "b":
        return values.view(np.uint8)
    if values.dtype.kind not in "iu" and values.size:
        raise ValueError(f"{name} must be whole numbers, not {values.dtype}")
    return values if values.dtype.kind in "iu" else values.astype(np.int64)


def _within(values: npt.NDArray[Any], low: int, high: int, name: str) -> npt.NDArray[Any]:
    if values.min() < low or values.max() > high:
        wrong = values[(values < low) | (values > high)][0]
        raise ValueError(f"{name} {wrong} is outside {low}..{high}")
    return values


def _fixed_point(scores: npt.NDArray[Any]) -> tuple[npt.NDArray[np.int32], npt.NDArray[np.float64]]:
    """Bin (20 where there is no score) and score in units of 2**-24 (0 where there is none), per row."""
    fixed = scores.astype(np.float64)
    missing = np.isnan(fixed)
    some_missing = bool(missing.any())
    if some_missing:
        fixed[missing] = 0.0
    if not (fixed.min() >= 0.0 and fixed.max() <= 1.0):
        wrong = fixed[~((fixed >= 0.0) & (fixed <= 1.0))][0]
        raise ValueError(f"score {wrong} is outside [0, 1]")
    bins = np.minimum((fixed.astype(np.float32) * np.float32(SCORE_BINS)).astype(np.int32), SCORE_BINS - 1)
    if some_missing:
        bins[missing] = SCORE_BINS
    fixed *= SCALE
    np.rint(fixed, out=fixed)
    return bins, fixed
