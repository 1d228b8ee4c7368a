"""The cast, and findings as the ladder escalates them, with the documents of their runs."""

from __future__ import annotations

from typing import Any

import pytest

from apps.incidents.services import Chart, ChartLine, Given
from apps.responses import selectors as responses
from apps.responses.selectors import FindingRow
from tests.apps.responses.worlds import NOON, answer, look
from tests.cast import Cast


@pytest.fixture
def cast(db: None) -> Cast:
    return Cast.assemble()


def breached(cast: Cast, *groups: str, run_id: int = 71) -> list[FindingRow]:
    """Open findings of the owned model, one a group of its regions, all of one run."""
    answer(cast.owned, *(look(cast.owned, group=group, run_id=run_id) for group in groups))
    found = [row for row in responses.findings_of(cast.owned.id) if row.group in groups and row.run_id == run_id]
    return sorted(found, key=lambda row: row.id)


def document(*sizes: tuple[str, int | None], run_id: int = 71) -> dict[str, Any]:
    """A run's document with the selection rates of regions; a size of None is a suppressed group."""
    return {
        "id": run_id,
        "model": "claims-triage",
        "window": "24h",
        "as_of": NOON.isoformat(),
        "versions": {"1.4": 3712},
        "policy": {"version": 2, "assessment": "RA-2026-031"},
        "results": [
            {
                "metric": "selection_rate",
                "attribute": "region",
                "group": group,
                "value": None if n is None else 0.25,
                "n": n,
                "suppressed": n is None,
            }
            for group, n in sizes
        ],
    }


def given(*sizes: tuple[str, int | None], run_id: int = 71) -> Given:
    """What the pipeline hands over: the document and one chart."""
    line = ChartLine("APAC", [NOON.isoformat()], [0.71], [0.66], [0.75], ["breach"], [run_id])
    chart = Chart("APAC is rated low more often", "demographic_parity_ratio", "region", "24h", [0.8, 1.25], [line])
    return Given(runs={run_id: document(*sizes, run_id=run_id)}, charts=[chart])
