"""Computing a stored run again and comparing it, byte by byte and number by number. Compute side."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Literal

from apps.monitoring import documents
from apps.monitoring.baselines import Declared
from apps.monitoring.code_version import code_version
from apps.monitoring.cubes import Hours, window_cubes
from apps.monitoring.evaluation import Inputs, evaluate_windows
from apps.monitoring.families import relatives_named
from apps.monitoring.holding import Again
from apps.monitoring.models import MonitoringRun
from apps.monitoring.samples import samples_of
from apps.registry import selectors as registry
from biasgov.fairness.cube import CubeSchema
from biasgov.fairness.evaluation import Plan

Outcome = Literal["same", "different", "inputs_changed", "inputs_gone", "code_changed"]
COMPARABLE = ("same", "different", "code_changed")
"""Outcomes in which the inputs are the same, so that everything may be compared."""
LISTED = 40
_SHOWN = ("value", "interval", "n", "verdict", "severity")


@dataclass(frozen=True, slots=True)
class Recomputed:
    """What recomputing a run gave: the same bytes, others, or why bytes cannot be compared.

    ``inputs_changed``: late events, labels or attributes have replaced cubes since (a newer revision says so).
    ``inputs_gone``: `missing` of its cubes are kept no longer. ``code_changed``: the run was computed by another
    version of the statistical core, and bytes differ. differing: how many results differ; differences: the first of
    them, as {metric, attribute, group, changed: {field: [stored, now]}}, without numbers where the group is hidden.

    Both are empty where the inputs are not the same: which groups' counts have moved would tell the group of who came
    in between, and `telling` alone decides what of that becomes known. For the same reason `recomputed_digest`, which
    is not keyed, is then not for others to see.
    """

    run_id: int
    outcome: Outcome
    stored_digest: str
    recomputed_digest: str
    stored_cubes: str
    cubes: str
    stored_code: str
    code: str
    missing: int
    differing: int
    differences: tuple[dict[str, Any], ...]


def run_recompute(*, run_id: int) -> Recomputed:
    """Compute a stored run again from the cubes as they are now, and compare. Stores nothing.

    Raises MonitoringRun.DoesNotExist.
    """
    run = MonitoringRun.objects.get(pk=run_id)
    stored = documents.read(bytes(run.document))
    cubes = window_cubes(run.model_id, run.as_of, CubeSchema.from_dict(stored["schema"]))
    declared = Declared.from_dict(stored["declared"])
    inputs = Inputs(
        model=stored["model"],
        as_of=datetime.fromisoformat(stored["as_of"]),
        state=stored["state"],
        policy=stored["policy"],
        schema=CubeSchema.from_dict(stored["schema"]),
        plan=Plan.from_dict(stored["plan"]),
        version_names=registry.model_spec_by_id(run.model_id).version_names,
        declared=declared,
        samples=samples_of(run.model_id, declared, cubes),
        relatives=relatives_named(stored, run.as_of),
        hours=Hours(run.model_id, CubeSchema.from_dict(stored["schema"])),
        holding=Again(stored.get("withheld", {})),
    )
    (again,) = (each for each in evaluate_windows(cubes, inputs) if each.cube.window == run.window)
    outcome: Outcome = "same"
    missing = max(run.cubes - again.cube.cubes, 0)
    differences: list[dict[str, Any]] = []
    if again.document.digest != run.document_digest:
        known = {run.window: run.cubes_digest, **stored["decided_from"]}
        moved = any(cubes[window].digest != digest for window, digest in known.items())
        if missing:
            outcome = "inputs_gone"
        elif moved or _read_beside(again.document.content) != _read_beside(stored):
            outcome = "inputs_changed"
        elif code_version() != run.code_version:
            outcome = "code_changed"
        else:
            outcome = "different"
        if outcome in COMPARABLE:
            differences = _differences(stored["results"], documents.read(again.document.compressed)["results"])
    return Recomputed(
        run_id=run_id,
        outcome=outcome,
        stored_digest=run.document_digest,
        recomputed_digest=again.document.digest,
        stored_cubes=run.cubes_digest,
        cubes=again.cube.digest,
        stored_code=run.code_version,
        code=code_version(),
        missing=missing,
        differing=len(differences),
        differences=tuple(differences[:LISTED]),
    )


def _differences(stored: Sequence[Mapping[str, Any]], now: Sequence[Mapping[str, Any]]) -> list[dict[str, Any]]:
    """The results that differ, in the order of the stored run."""
    before, after = {_key(each): each for each in stored}, {_key(each): each for each in now}
    found = []
    for key in [*before, *(key for key in after if key not in before)]:
        one, other = before.get(key), after.get(key)
        if one == other:
            continue
        hidden = any(each is not None and each["suppressed"] for each in (one, other))
        changed = {
            name: [(one or {}).get(name), (other or {}).get(name)]
            for name in _SHOWN
            if (one or {}).get(name) != (other or {}).get(name)
        }
        metric, attribute, group = key
        about = {"metric": metric, "attribute": attribute, "group": group}
        found.append({**about, "changed": {} if hidden else changed})
    return found


def _key(result: Mapping[str, Any]) -> tuple[str, str, str | None]:
    return result["metric"], result["attribute"], result["group"]


def _read_beside(content: Mapping[str, Any]) -> tuple[Any, Any]:
    """What a run was computed from that is not in its own cubes: the sample of events, and other models' cubes."""
    return content.get("sample"), content.get("family", {}).get("members")
