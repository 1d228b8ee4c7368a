"""What the coverage page says and shows."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from apps.accounts.permissions import may_somewhere, models_within
from apps.common import clock
from apps.dashboards.tables import Table, table
from apps.dashboards.words import Badge, attribute_name
from apps.registry.selectors import all_specs
from apps.registry.spec import ModelSpec
from apps.reports.selectors import (
    ALERT,
    BELOW,
    MET,
    UNTOLD,
    CoverageLine,
    CoverageReport,
    CoverageWeek,
    Quarter,
    coverage_report,
)
from biasgov.fairness.data_quality import COVERAGE_ALERT, COVERAGE_OBJECTIVE

MODELS_AT_ONCE = 10
COLUMNS = (
    "model",
    "attribute",
    "week ended",
    "decisions",
    "known",
    "known when first told",
    "came late",
    "outcome known",
    "state",
)
STATES = {
    MET: Badge("within", "objective met"),
    BELOW: Badge("inconclusive", "below the objective"),
    ALERT: Badge("breach", "too few known"),
    UNTOLD: Badge("not_estimable", "not told"),
}


@dataclass(frozen=True, slots=True)
class Week:
    week: CoverageWeek
    status: Badge


@dataclass(frozen=True, slots=True)
class Line:
    """A line of the page: the last week, and the others behind it."""

    line: CoverageLine
    title: str
    status: Badge
    weeks: tuple[Week, ...]
    may_open: bool


@dataclass(frozen=True, slots=True)
class CoveragePage:
    """`after` is the cursor of the next models, None on the last page; `later` is None in the present quarter."""

    quarter: Quarter
    earlier: Quarter
    later: Quarter | None
    summary: str
    lines: tuple[Line, ...]
    unwatched: tuple[ModelSpec, ...]
    after: int | None
    may_read_report: bool


def coverage_page(user: Any, quarter: Quarter, *, after: int) -> CoveragePage:
    """The page for a person: their models from the one after id `after`."""
    specs = sorted((spec for spec in _specs(user) if spec.id > after), key=lambda spec: spec.id)
    shown = specs[:MODELS_AT_ONCE]
    now = clock.now()
    report, present = coverage_report(shown, quarter, at=now), Quarter.of(now)
    within = models_within(user, "model.view")
    return CoveragePage(
        quarter,
        quarter.before,
        quarter.after if quarter < present else None,
        summary(report),
        tuple(_line(each, within) for each in report.lines),
        report.unwatched,
        shown[-1].id if len(specs) > len(shown) else None,
        may_somewhere(user, "report.view"),
    )


def whole_report(user: Any, quarter: Quarter) -> CoverageReport:
    """The report on all models of a person."""
    return coverage_report(_specs(user), quarter, at=clock.now())


def coverage_tables(user: Any, quarter: Quarter) -> Iterator[Table]:
    """The report as a table, a part a group of models, so that memory stays bounded."""
    specs, now = _specs(user), clock.now()
    for start in range(0, max(len(specs), 1), MODELS_AT_ONCE):
        report = coverage_report(specs[start : start + MODELS_AT_ONCE], quarter, at=now)
        yield table("coverage", "Coverage by week", COLUMNS, [row for line in report.lines for row in _rows(line)])


def summary(report: CoverageReport) -> str:
    """What the report says, in one sentence."""
    if not report.lines:
        return "No week of this quarter has ended with decisions yet."
    told = [line for line in report.lines if line.last.known is not None]
    left = len(report.lines) - len(told)
    untold = f" Of {left} nothing is told: too few people are known, or nobody was decided about." if left else ""
    if not told:
        return (
            "Nothing is told of any attribute: nobody was decided about in the last week, or so few people are known"
            " that a small group would follow from it."
        )
    if report.alerts:
        worst = report.alerts[0]
        also = f" and {len(report.alerts) - 1} more" if len(report.alerts) > 1 else ""
        name = attribute_name(worst.attribute).capitalize()
        return (
            f"{name} of {worst.model.name} is known for {worst.last.known:.0%} of the decisions{also}: results may"
            f" speak for the known only. The line for an alarm is {COVERAGE_ALERT:.0%}.{untold}"
        )
    if report.below:
        return (
            f"{len(report.below)} of {len(told)} attributes are known for {COVERAGE_OBJECTIVE:.0%} of the decisions or"
            f" less, none for less than {COVERAGE_ALERT:.0%}.{untold}"
        )
    which = "Every other" if untold else "Every"
    return f"{which} attribute is known for more than {COVERAGE_OBJECTIVE:.0%} of the decisions.{untold}"


def _specs(user: Any) -> tuple[ModelSpec, ...]:
    within = models_within(user, "coverage.view")
    return tuple(spec for spec in all_specs() if within is None or spec.id in within)


def _line(line: CoverageLine, within: frozenset[int] | None) -> Line:
    weeks = tuple(Week(each, STATES[each.state]) for each in reversed(line.weeks))
    may_open = within is None or line.model.id in within
    return Line(line, attribute_name(line.attribute), STATES[line.last.state], weeks, may_open)


def _rows(line: CoverageLine) -> Iterator[tuple[Any, ...]]:
    for week in line.weeks:
        yield (
            line.model.name,
            line.attribute,
            week.ended,
            week.n,
            week.known,
            week.at_first,
            week.came_late,
            week.label_coverage,
            STATES[week.state].text,
        )
