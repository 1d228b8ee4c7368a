"""Pooling over a model family: the last window to ask where a group is too small in all three of one's own."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any

from apps.monitoring.cubes import WindowCube, window_cubes
from apps.monitoring.windows import LENGTHS
from apps.registry import selectors as registry
from apps.registry.spec import ModelSpec
from biasgov.fairness import looks
from biasgov.fairness.cube import CubeSchema, OutcomeCube
from biasgov.fairness.drift import REPRESENTATION, SCORES
from biasgov.fairness.evaluation import Measurement, Plan, Policy, Result, judge, measure

LONGEST = list(LENGTHS)[-1]
FAMILY_WINDOW = f"{LONGEST} family"
_OWN_ONLY = (REPRESENTATION, SCORES)

Key = tuple[str, str, str | None]
Decided = dict[str, tuple[Result, ...]]


@dataclass(frozen=True, slots=True)
class Relative:
    """Another model of the family and its longest window."""

    model: str
    cube: WindowCube


class Relatives:
    """The other models of a family as of one moment, read when they are asked for: mostly nobody needs them."""

    def __init__(self, specs: Sequence[ModelSpec], as_of: datetime) -> None:
        self._specs, self._as_of = specs, as_of

    def sharing(self, schema: CubeSchema, attributes: Sequence[str]) -> list[Relative]:
        """Those that have one of the attributes with the same levels, in the order of their names."""
        wanted = [spec for spec in self._specs if any(_shares(spec.schema(), schema, name) for name in attributes)]
        return [
            Relative(spec.slug, window_cubes(spec.id, self._as_of, spec.schema())[LONGEST])
            for spec in sorted(wanted, key=lambda spec: spec.slug)
        ]


@dataclass(frozen=True, slots=True)
class Pooled:
    """What the family decides of what was asked: conclusive results by key, and the models they rest on."""

    asked: frozenset[Key]
    members: tuple[Relative, ...]
    results: Mapping[Key, Result]


def relatives_of(spec: ModelSpec, as_of: datetime) -> Relatives:
    """The models that share the family today."""
    return Relatives(registry.family_of(spec), as_of)


def relatives_named(document: Mapping[str, Any], as_of: datetime) -> Relatives:
    """The models that a stored document names."""
    slugs = {member["model"] for member in document.get("family", {}).get("members", ())}
    return Relatives([spec for spec in registry.all_specs() if spec.slug in slugs] if slugs else [], as_of)


def pool(own: WindowCube, results: Sequence[Result], plan: Plan, policy: Policy, relatives: Relatives) -> Pooled:
    """Ask the family about the judged results of single attributes that the longest window leaves inconclusive.

    The longest cubes of all members, reduced to the attribute, are added to one's own and judged by one's own policy
    against one's own reference group. Drift is not asked about: its baselines are one model's.
    """
    schema = own.cube.schema
    asked = frozenset(
        result.key
        for result in results
        if result.verdict == "inconclusive"
        and result.judged
        and result.attribute in schema.names
        and result.metric not in _OWN_ONLY
    )
    attributes = [name for name in schema.names if any(key[1] == name for key in asked)]
    members = relatives.sharing(schema, attributes) if attributes else []
    seed = _seed([own, *(member.cube for member in members)])
    measured: list[Measurement] = []
    for name in attributes:
        cubes = [member.cube.cube for member in members if _shares(member.cube.cube.schema, schema, name)]
        if cubes:
            axis = CubeSchema((schema.axis(name),))
            whole = OutcomeCube.sum([own.cube, *cubes], axis)
            here = Plan({name: plan.references[name]})
            measured += measure(whole, here, confidence=policy.confidence, seed=seed)
    found = {result.key: result for result in judge(measured, policy, hours=looks.WINDOWS[LONGEST])}
    conclusive = {key: found[key] for key in asked if key in found and found[key].verdict in ("within", "breach")}
    return Pooled(asked, tuple(members), conclusive)


def decide_by_family(decided: Mapping[str, tuple[Result, ...]], pooled: Pooled) -> Decided:
    """Name the family where no window decided; the verdicts themselves do not change."""
    return {
        window: tuple(
            replace(result, decided_by_window=FAMILY_WINDOW, decided_verdict=pooled.results[result.key].verdict)
            if _open(result) and result.key in pooled.results
            else result
            for result in results
        )
        for window, results in decided.items()
    }


def family_described(name: str, results: Sequence[Result], pooled: Pooled) -> dict[str, Any]:
    """The member `family` of a run's document where one of its results was put to the family, else nothing.

    Of the pooled results the value is told and no count: counts of other models follow from them.
    """
    asked = [result.key for result in results if result.verdict == "inconclusive" and result.key in pooled.asked]
    if not asked or not pooled.members:
        return {}
    return {
        "family": {
            "name": name,
            "members": [
                {"model": member.model, "cubes": {"count": member.cube.cubes, "digest": member.cube.digest}}
                for member in pooled.members
            ],
            "results": [_told(pooled.results[key]) for key in asked if key in pooled.results],
        }
    }


def _told(result: Result) -> dict[str, Any]:
    whole = result.to_dict()
    told = ("metric", "attribute", "group", "reference", "value", "interval", "bound", "verdict", "severity")
    return {name: whole[name] for name in told}


def _open(result: Result) -> bool:
    return result.verdict == "inconclusive" and result.decided_by_window is None


def _shares(theirs: CubeSchema, ours: CubeSchema, name: str) -> bool:
    return name in theirs.names and set(theirs.axis(name).levels) == set(ours.axis(name).levels)


def _seed(cubes: Sequence[WindowCube]) -> int:
    return int(hashlib.sha256("".join(cube.digest for cube in cubes).encode()).hexdigest()[:12], 16)
