"""Evidence as the incident's page shows it: charts drawn from the frozen documents, and the list of documents."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from apps.dashboards.charts import GAP, Chart
from apps.dashboards.figures import trend_figure
from apps.dashboards.groups import hue_of
from apps.dashboards.series import Line, broken
from apps.dashboards.tables import Table, table
from apps.dashboards.words import WINDOWS, bound_text, group_name, metric_digits, metric_name
from apps.incidents.selectors import EvidenceRow, evidence_documents
from apps.registry.spec import ModelSpec

DRAWN_AT_MOST = 3
TABLED_AT_MOST = 48
CHART = "chart"
_COLUMNS = ("as of", "group", "value", "low", "high", "verdict", "run")


@dataclass(frozen=True, slots=True)
class Frozen:
    """A frozen chart; its table has the latest moments, `all_of` says of how many."""

    evidence: EvidenceRow
    chart: Chart
    all_of: int


def frozen_charts(spec: ModelSpec, evidence: Sequence[EvidenceRow]) -> tuple[Frozen, ...]:
    """The first charts among the evidence, drawn from what was frozen and from nothing else. One query.

    Raises ValueError for a document that is not what its digest says.
    """
    wanted = [each for each in evidence if each.kind == CHART][:DRAWN_AT_MOST]
    if not wanted:
        return ()
    documents = evidence_documents([each.id for each in wanted])
    return tuple(_frozen(spec, each, json.loads(documents[each.id])) for each in wanted)


def chart_table(evidence: EvidenceRow) -> Table:
    """All points of a frozen chart, oldest first. Raises ValueError as above."""
    return _table(evidence, json.loads(evidence_documents([evidence.id])[evidence.id]))


def _frozen(spec: ModelSpec, evidence: EvidenceRow, document: Mapping[str, Any]) -> Frozen:
    metric, attribute = document["metric"], document["attribute"]
    lines = []
    for place, each in enumerate(document["lines"]):
        hue = f"--group-{hue_of(spec, attribute, each['group'])}" if each["group"] else "--group-1"
        line = Line(
            name=group_name(each["group"]),
            colour=hue,
            as_of=[datetime.fromisoformat(at) for at in each["as_of"]],
            value=each["value"],
            low=each["low"],
            high=each["high"],
            verdict=each["verdict"],
            emphasised=place == 0,
        )
        lines.append(broken(line, longest=GAP))
    complete = _table(evidence, document)
    window = WINDOWS.get(document["window"], document["window"])
    bounds = document["bounds"]
    ends = {"lower": min(bounds), "upper": max(bounds)} if len(bounds) == 2 else {}
    bound = bound_text(metric, ends) if ends else ", ".join(map(str, bounds)) or "none"
    chart = Chart(
        key=f"evidence-{evidence.id}",
        title=document["title"],
        caption=f"{metric_name(metric).capitalize()}, {window} window, as it stood when it was frozen. Bound: {bound}.",
        figure=trend_figure(lines, bounds=bounds, marks=(), title=metric_name(metric), digits=metric_digits(metric)),
        table=table(complete.key, complete.caption, complete.columns, complete.rows[-TABLED_AT_MOST:][::-1]),
    )
    return Frozen(evidence, chart, len(complete.rows))


def _table(evidence: EvidenceRow, document: Mapping[str, Any]) -> Table:
    rows = [
        (datetime.fromisoformat(at), group_name(line["group"]), value, low, high, verdict or "no bound", run_id)
        for line in document["lines"]
        for at, value, low, high, verdict, run_id in zip(
            *(line[name] for name in ("as_of", "value", "low", "high", "verdict", "run_id")), strict=True
        )
    ]
    return table(f"evidence-{evidence.id}", document["title"], _COLUMNS, rows)
