"""All groups of all groupings of a cube in one flat table, so that every formula is applied once to all of them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import product

import numpy as np
import numpy.typing as npt

from biasgov.fairness.cube import OutcomeCube
from biasgov.fairness.policy import Plan
from biasgov.fairness.schema import SCORE_BINS, SEPARATOR, TAIL

Int64 = npt.NDArray[np.int64]
Float64 = npt.NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class Grouping:
    """Some attributes taken together: rows start..stop of the table belong to it."""

    attribute: str
    start: int
    stop: int
    reference: int | None


@dataclass(frozen=True, slots=True, eq=False)
class GroupTable:
    """Counts of every group; arrays have one entry per group (G) unless said otherwise.

    labels: levels joined by `*`. known: no attribute of the group is unknown. total: events of the window.
    selected, labelled, tp, fp, fn, tn: events; positive means favourable.
    bin_*: shape (G, 20), over events with a label and a score: events, those with a favourable outcome, sums of
    scores and of squared scores, and the same two sums over the favourable outcomes only. scored: events with a score.
    squared_error, shape (G,): sum of (score - label)**2 over events with both.
    """

    groupings: tuple[Grouping, ...]
    labels: tuple[str, ...]
    attributes: tuple[str, ...]
    known: npt.NDArray[np.bool_]
    reference: Int64
    total: int
    n: Int64
    selected: Int64
    labelled: Int64
    labelled_selected: Int64
    tp: Int64
    fp: Int64
    fn: Int64
    tn: Int64
    scored: Int64
    bin_n: Int64
    bin_positives: Int64
    bin_scores: Float64
    bin_squares: Float64
    bin_positive_scores: Float64
    bin_positive_squares: Float64

    @property
    def positives(self) -> Int64:
        return self.tp + self.fn

    @property
    def negatives(self) -> Int64:
        return self.fp + self.tn

    @property
    def squared_error(self) -> Float64:
        by_bin = self.bin_squares - 2 * self.bin_positive_scores + self.bin_positives
        error: Float64 = by_bin.sum(axis=1)
        return error


def group_table(cube: OutcomeCube, groupings: Sequence[tuple[str, ...]], plan: Plan | None = None) -> GroupTable:
    """Counts of all groups of the groupings. Without a plan no group has a reference (index -1)."""
    described: list[Grouping] = []
    labels: list[str] = []
    attributes: list[str] = []
    known: list[bool] = []
    references: list[int] = []
    tables, scores, squares = [], [], []
    for names in groupings:
        axes = [cube.schema.axis(name) for name in names]
        marginal = cube.marginal(names)
        start = len(labels)
        for levels in product(*(axis.labels for axis in axes)):
            labels.append(SEPARATOR.join(levels))
        for codes in product(*(range(len(axis)) for axis in axes)):
            known.append(all(code < len(axis.levels) for code, axis in zip(codes, axes, strict=True)))
        stop = len(labels)
        reference = None
        if plan is not None:
            place = 0
            for axis in axes:
                place = place * len(axis) + axis.code(plan.references[axis.name])
            reference = start + place
        attribute = SEPARATOR.join(names)
        attributes.extend([attribute] * (stop - start))
        references.extend([-1 if reference is None else reference] * (stop - start))
        described.append(Grouping(attribute, start, stop, reference))
        tables.append(marginal.n.reshape(-1, *TAIL))
        scores.append(marginal.scores.reshape(-1, *TAIL))
        squares.append(marginal.squares.reshape(-1, *TAIL))
    n = np.concatenate(tables) if tables else np.zeros((0, *TAIL), np.int64)
    score_sum = np.concatenate(scores) if scores else np.zeros((0, *TAIL))
    score_sq = np.concatenate(squares) if squares else np.zeros((0, *TAIL))
    by_outcome = n.sum(axis=3)
    binned = n[..., :SCORE_BINS]
    with_label = score_sum[:, :, :2, :SCORE_BINS]
    return GroupTable(
        groupings=tuple(described),
        labels=tuple(labels),
        attributes=tuple(attributes),
        known=np.array(known, bool),
        reference=np.array(references, np.int64),
        total=cube.total,
        n=by_outcome.sum(axis=(1, 2)),
        selected=by_outcome[:, 1].sum(axis=1),
        labelled=by_outcome[:, :, :2].sum(axis=(1, 2)),
        labelled_selected=by_outcome[:, 1, :2].sum(axis=1),
        tp=by_outcome[:, 1, 1],
        fp=by_outcome[:, 1, 0],
        fn=by_outcome[:, 0, 1],
        tn=by_outcome[:, 0, 0],
        scored=binned.sum(axis=(1, 2, 3)),
        bin_n=binned[:, :, :2].sum(axis=(1, 2)),
        bin_positives=binned[:, :, 1].sum(axis=1),
        bin_scores=with_label.sum(axis=(1, 2)),
        bin_squares=score_sq[:, :, :2, :SCORE_BINS].sum(axis=(1, 2)),
        bin_positive_scores=with_label[:, :, 1].sum(axis=1),
        bin_positive_squares=score_sq[:, :, 1, :SCORE_BINS].sum(axis=1),
    )
