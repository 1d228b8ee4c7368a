"""The reports as PDF."""

from __future__ import annotations

from apps.common.pdf import Document
from apps.dashboards.reports.reading import STATES, summary
from apps.dashboards.words import attribute_name, group_name
from apps.reports.selectors import CoverageLine, CoverageReport
from biasgov.fairness.data_quality import COVERAGE_ALERT, COVERAGE_OBJECTIVE


def coverage_paper(report: CoverageReport) -> bytes:
    """The Demographic Coverage Report of a quarter as a PDF file."""
    title = f"Demographic Coverage Report, {report.quarter.name}"
    paper = Document(title, foot=title, at=report.at)
    paper.paragraph(summary(report), bold=True)
    paper.paragraph(
        f"For how many of the people decided about protected attributes are known, by week. The objective is"
        f" {COVERAGE_OBJECTIVE:.0%}; below {COVERAGE_ALERT:.0%} an alarm is raised. As of"
        f" {report.at:%Y-%m-%d %H:%M} UTC.",
        muted=True,
    )
    if report.lines:
        paper.heading("The last week of each attribute")
        paper.table(
            ("model", "attribute", "known", "weeks met", "state"),
            [
                (
                    line.model.name,
                    attribute_name(line.attribute),
                    _share(line.last.known),
                    f"{line.weeks_met} of {len(line.weeks)}",
                    STATES[line.last.state].text,
                )
                for line in report.lines
            ],
            widths=(4, 3, 2, 2, 4),
        )
    for line in report.lines:
        _details(paper, line)
    if report.unwatched:
        paper.heading("Models without a week in this quarter")
        paper.paragraph(", ".join(spec.name for spec in report.unwatched))
    return paper.content()


def _details(paper: Document, line: CoverageLine) -> None:
    paper.heading(f"{line.model.name}: {attribute_name(line.attribute)}")
    paper.table(
        ("week ended", "decisions", "known", "when first told", "outcome known"),
        [
            (
                f"{week.ended:%Y-%m-%d}",
                f"{week.n:,}",
                _share(week.known),
                _share(week.at_first),
                _share(week.label_coverage),
            )
            for week in line.weeks
        ],
        widths=(3, 3, 3, 3, 3),
    )
    if line.unknown:
        paper.paragraph(
            "Unknown in the last week: "
            + "; ".join(f"{_share(share)} of the {decision} decisions" for decision, share in line.unknown.items())
            + "."
        )
    ranges = [each for each in line.ranges if each.value is not None]
    if ranges:
        paper.paragraph(
            "Demographic parity ratio, and the range it could have were everybody known: "
            + "; ".join(
                f"{group_name(each.group)} {each.value:.3f} ({_bound(each.low)} to {_bound(each.high)})"
                for each in ranges
            )
            + "."
        )


def _share(share: float | None) -> str:
    return "not told" if share is None else f"{share:.1%}"


def _bound(value: float | None) -> str:
    return "no limit" if value is None else f"{value:.3f}"
