"""What a run page lists: judged results with words, and every output as a table."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from apps.dashboards.groups import SUPPRESSED, verdict_of
from apps.dashboards.tables import Table, table
from apps.dashboards.words import SEVERITY_ORDER, Badge, badge, bound_text, count, interval, metric_digits, number
from apps.registry.sentences import headline
from apps.registry.spec import Words

_ORDER = {"breach": 0, "inconclusive": 1, "not_estimable": 2, "within": 3}
ROWS_AT_ONCE = 20


@dataclass(frozen=True, slots=True)
class JudgedRow:
    """One result that a bound was put to."""

    metric: str
    attribute: str
    group: str | None
    value: str
    interval: str
    bound: str
    n: str
    p: str
    status: Badge


@dataclass(frozen=True, slots=True)
class Judged:
    """The judged results to be seen at once, and those behind a disclosure."""

    first: tuple[JudgedRow, ...]
    rest: tuple[JudgedRow, ...]


def judged_rows(results: Sequence[Mapping[str, Any]]) -> Judged | None:
    """Results that a bound was put to, severest first, aggregates before groups; None if there are none."""
    judged = [result for result in results if result["judged"]]
    judged.sort(
        key=lambda each: (
            _ORDER[each["verdict"]] if not each["suppressed"] else len(_ORDER),
            SEVERITY_ORDER.get(each["severity"] or "", 4),
            each["attribute"].count("*"),
            each["metric"],
            each["attribute"],
            each["group"] or "",
        )
    )
    rows = tuple(_row(result) for result in judged)
    return Judged(rows[:ROWS_AT_ONCE], rows[ROWS_AT_ONCE:]) if rows else None


def run_summary(results: Sequence[Mapping[str, Any]]) -> str:
    """How many of the judged results say what."""
    verdicts = [each["verdict"] for each in results if each["judged"] and not each["suppressed"]]
    if not verdicts:
        return "No result was judged."
    breaches = verdicts.count("breach")
    said = f"{breaches or 'None'} of {len(verdicts)} judged results {'breaches' if breaches == 1 else 'breach'} a bound"
    rest = [
        f"{verdicts.count('inconclusive')} rest on too few decisions" if "inconclusive" in verdicts else "",
        f"{verdicts.count('not_estimable')} cannot be estimated" if "not_estimable" in verdicts else "",
    ]
    return "; ".join([said, *(part for part in rest if part)]) + "."


def retraining_reviews(results: Sequence[Mapping[str, Any]], words: Words) -> tuple[str, ...]:
    """A sentence for each attribute whose association with the decision is in breach."""
    return tuple(
        headline(each, words)
        for each in results
        if (each["metric"], each["verdict"]) == ("association", "breach") and not each["suppressed"]
    )


def outputs_table(results: Sequence[Mapping[str, Any]]) -> Table:
    """Every output of a run."""
    columns = ("metric", "attribute", "group", "reference", "n", "value", "low", "high", "adjusted p", "verdict")
    rows = []
    for each in results:
        low, high = each["interval"] or (None, None)
        verdict = SUPPRESSED if each["suppressed"] else verdict_of(each) or "no bound"
        names = (each["metric"], each["attribute"], each["group"] or "", each["reference"] or "")
        rows.append((*names, each["n"], each["value"], low, high, each["p_adjusted"], verdict))
    return table("outputs", "all outputs of the run", columns, rows)


def _row(result: Mapping[str, Any]) -> JudgedRow:
    metric, hidden = result["metric"], result["suppressed"]
    digits = metric_digits(metric)
    low, high = result["interval"] or (None, None)
    p = result["p_adjusted"]
    return JudgedRow(
        metric=metric,
        attribute=result["attribute"],
        group=result["group"],
        value="–" if hidden else number(result["value"], digits),
        interval=interval(low, high, digits),
        bound=bound_text(metric, result["bound"]),
        n="too few" if hidden else count(result["n"]),
        p="–" if p is None else ("< 0.001" if p < 0.001 else number(p, 3)),
        status=Badge("plain", "not shown") if hidden else badge(result["verdict"], result["severity"]),
    )
