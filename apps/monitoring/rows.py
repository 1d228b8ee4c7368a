"""What selectors answer with: frozen values, no queries."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta

import numpy as np
import numpy.typing as npt

from biasgov.fairness.result_columns import ResultColumns


@dataclass(frozen=True, slots=True)
class RunRow:
    """A run without its document. `coverage` maps an attribute to the share of events where it is known."""

    id: int
    model_id: int
    window: str
    as_of: datetime
    revision: int
    from_at: datetime
    to_at: datetime
    n: int
    state: str
    coverage: Mapping[str, float | None]
    label_coverage: float | None
    policy_version_id: int
    policy_digest: str
    cubes: int
    cubes_digest: str
    code_version: str
    seed: int
    document_digest: str
    computed_at: datetime


@dataclass(frozen=True, slots=True)
class StoredResults:
    """What a run says of some metrics: the results of known groups, without those that are hidden, and how many are."""

    window: str
    results: ResultColumns
    hidden: int


@dataclass(frozen=True, slots=True)
class RunPage:
    """Runs, newest first, and the cursor of the next page (None on the last)."""

    rows: tuple[RunRow, ...]
    next_cursor: str | None


@dataclass(frozen=True, slots=True)
class TrendSeries:
    """One line of a chart, oldest first; NaN where the value does not exist or is suppressed."""

    as_of: list[datetime]
    value: npt.NDArray[np.float64]
    low: npt.NDArray[np.float64]
    high: npt.NDArray[np.float64]
    n: list[int | None]
    verdict: list[str]
    severity: list[str]
    run_id: list[int]


@dataclass(frozen=True, slots=True)
class Point:
    """One value of a run; `group` is None for an aggregate, `verdict` is "" where no bound applies."""

    model_id: int
    run_id: int
    window: str
    as_of: datetime
    metric: str
    attribute: str
    group: str | None
    value: float | None
    low: float | None
    high: float | None
    n: int | None
    verdict: str
    severity: str


@dataclass(frozen=True, slots=True)
class PortfolioRow:
    """What a table of models shows of one: the worst judged value of its newest runs, and that value's line."""

    model_id: int
    runs: Mapping[str, RunRow]
    worst: Point | None
    sparkline: tuple[tuple[datetime, float | None], ...]


@dataclass(frozen=True, slots=True)
class Freshness:
    """How old the daily window is. `age` is None and `state` "unknown" while there has been no evaluation.

    `age` is the time since the last evaluation, or since the oldest arrival that is not counted yet if that is longer.
    """

    model_id: int
    evaluated_at: datetime | None
    as_of: datetime | None
    waiting_since: datetime | None
    waiting_hours: int
    age: timedelta | None
    state: str
