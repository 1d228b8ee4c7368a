"""Rows of a demo model counted into an outcome cube, the way the pipeline does it: by subject and declared level."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

import numpy as np

from apps.demo.declarations import Declaration
from biasgov.fairness.cube import OutcomeCube
from biasgov.fairness.evaluation import Plan, measure
from biasgov.fairness.schema import CubeSchema


def schema_of(declaration: Declaration) -> CubeSchema:
    return CubeSchema.of({each.name: each.levels for each in declaration.attributes})


def plan_of(declaration: Declaration) -> Plan:
    return Plan(
        {each.name: each.reference for each in declaration.attributes},
        tuple((each.name, partner) for each in declaration.attributes for partner in each.pairs),
    )


def count(
    declaration: Declaration,
    events: Iterable[Mapping[str, Any]],
    attributes: Mapping[str, Mapping[str, str]],
    labels: Mapping[str, int],
) -> OutcomeCube:
    """A cube of `events`; a label in the event counts, else the one in `labels`, else there is none."""
    rows = list(events)
    schema = schema_of(declaration)
    return OutcomeCube.count(
        schema,
        [[axis.code(attributes.get(row["subject_id"], {}).get(axis.name)) for row in rows] for axis in schema.axes],
        [row["decision"] for row in rows],
        [row.get("label", labels.get(row["event_id"], -1)) for row in rows],
        [row.get("score", np.nan) for row in rows],
    )


def rates(cube: OutcomeCube, declaration: Declaration, attribute: str) -> dict[tuple[str, str], float]:
    """{(metric, group): value} of one attribute."""
    return {
        (found.metric, found.group): found.value
        for found in measure(cube, plan_of(declaration), seed=1, draws=20)
        if found.attribute == attribute and found.group is not None and found.value is not None
    }
