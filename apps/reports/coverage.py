"""The Demographic Coverage Report: for how many of those decided about the protected attributes are known.

Everything comes from stored runs of the 7 day window, so small groups are protected as they are everywhere.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from apps.monitoring import selectors as monitoring
from apps.monitoring.selectors import RunRow
from apps.registry.spec import ModelSpec
from apps.reports.quarters import Quarter
from biasgov.fairness.data_quality import COVERAGE_ALERT, COVERAGE_OBJECTIVE

MET, BELOW, ALERT, UNTOLD = "met", "below", "alert", "untold"
_WINDOW = "7d"
_WORST = (ALERT, BELOW, UNTOLD, MET)


@dataclass(frozen=True, slots=True)
class CoverageWeek:
    """One attribute of one model in the week that ended at `ended`.

    known: share of the events where it is known; None where there were none or a small group would follow from it.
    at_first: the share as it was first told; what came since is the lag of the attributes. label_coverage: share of the
    events whose outcome is known.
    """

    ended: datetime
    run_id: int
    n: int
    known: float | None
    at_first: float | None
    label_coverage: float | None

    @property
    def came_late(self) -> float | None:
        """By how much the share has grown since it was first told."""
        return None if self.known is None or self.at_first is None else self.known - self.at_first

    @property
    def state(self) -> str:
        if self.known is None:
            return UNTOLD
        return MET if self.known > COVERAGE_OBJECTIVE else BELOW if self.known >= COVERAGE_ALERT else ALERT


@dataclass(frozen=True, slots=True)
class ParityRange:
    """A group's ratio to the reference over the known, and the range it could have were everybody known."""

    group: str
    value: float | None
    low: float | None
    high: float | None


@dataclass(frozen=True, slots=True)
class CoverageLine:
    """One attribute of one model over a quarter, weeks oldest first; `unknown` and `ranges` are those of the last one.

    unknown: by decision, the share of its events where the attribute is unknown.
    """

    model: ModelSpec
    attribute: str
    weeks: tuple[CoverageWeek, ...]
    unknown: Mapping[str, float | None]
    ranges: tuple[ParityRange, ...]

    @property
    def last(self) -> CoverageWeek:
        return self.weeks[-1]

    @property
    def weeks_met(self) -> int:
        """Weeks in which the objective was met."""
        return sum(week.state == MET for week in self.weeks)


@dataclass(frozen=True, slots=True)
class CoverageReport:
    """The report of a quarter as of `at`; `unwatched` are models without a week in it."""

    quarter: Quarter
    at: datetime
    lines: tuple[CoverageLine, ...]
    unwatched: tuple[ModelSpec, ...]

    @property
    def alerts(self) -> tuple[CoverageLine, ...]:
        return tuple(line for line in self.lines if line.last.state == ALERT)

    @property
    def below(self) -> tuple[CoverageLine, ...]:
        return tuple(line for line in self.lines if line.last.state == BELOW)


def coverage_report(specs: Sequence[ModelSpec], quarter: Quarter, *, at: datetime) -> CoverageReport:
    """The coverage of the models in a quarter, as far as it has gone; three queries. Worst attributes first."""
    moments, ids = quarter.weeks(until=at), [spec.id for spec in specs]
    newest = monitoring.runs_at(ids, _WINDOW, moments)
    first = monitoring.runs_at(ids, _WINDOW, moments, first=True)
    by_model = {
        spec.id: [newest[spec.id, moment] for moment in moments if (spec.id, moment) in newest] for spec in specs
    }
    documents = monitoring.run_documents([rows[-1].id for rows in by_model.values() if rows])
    lines = [
        _line(spec, name, rows, first, documents[rows[-1].id])
        for spec in specs
        if (rows := by_model[spec.id])
        for name in spec.attribute_names
    ]
    lines.sort(key=lambda line: (_WORST.index(line.last.state), line.last.known or 0, line.model.name, line.attribute))
    return CoverageReport(quarter, at, tuple(lines), tuple(spec for spec in specs if not by_model[spec.id]))


def _line(
    spec: ModelSpec,
    name: str,
    rows: Sequence[RunRow],
    first: Mapping[tuple[int, datetime], RunRow],
    document: Mapping[str, Any],
) -> CoverageLine:
    weeks = tuple(
        CoverageWeek(
            row.as_of,
            row.id,
            row.n,
            row.coverage.get(name),
            first[spec.id, row.as_of].coverage.get(name),
            row.label_coverage,
        )
        for row in rows
    )
    bounds = document["quality"]["parity_bounds"].get(name, {})
    ranges = tuple(
        ParityRange(group, each["value"], each["low"], each["high"])
        for group, each in bounds.items()
        if each is not None
    )
    return CoverageLine(spec, name, weeks, document.get("unknown_by_decision", {}).get(name, {}), ranges)
