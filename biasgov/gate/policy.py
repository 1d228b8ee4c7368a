"""The gate's policy file: which columns are what, whom to compare with whom, and what is allowed."""

from __future__ import annotations

import math
import sys
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from biasgov.fairness.policy import DEFAULT_POLICY, Policy
from biasgov.gate.rows import GateInputError

KEYS = {
    "favourable",
    "positive",
    "columns",
    "features",
    "attributes",
    "intersections",
    "bounds",
    "minimum",
    "alpha",
    "confidence",
    "severity_bands",
    "baseline",
    "tolerance",
}
COLUMNS = {"decision", "label", "score", "fold", "weight", "id"}
TOLERANCES = {"decisions", "scores", "fairness", "folds"}


@dataclass(frozen=True, slots=True)
class GatePolicy:
    """What `biasgov gate` was asked.

    Attributes
    ----------
    favourable, positive
        The values of the decision and label columns that are favourable and positive.
    columns
        Column name by role: decision, and where there are any label, score, fold, weight, id.
    references, levels
        Reference level by attribute; the declared levels where the file declares them, else those of the data.
    population
        By attribute, where it is declared: the share of each level among the people whom the model serves.
    features
        Columns by which people are alike, for the individual fairness distance.
    intersections
        Pairs of attributes, or more, that are measured together.
    judgement
        Bounds and the evidence a verdict needs.
    own_bounds
        Whether the file states its bounds; otherwise they are the default ones.
    baseline
        Outputs of the model before a change, read relative to the policy file.
    tolerance
        By kind: largest tolerated share of changed decisions, mean absolute change of scores, change of any judged
        metric, range of any judged metric over the folds.
    """

    favourable: Any
    positive: Any
    columns: Mapping[str, str]
    references: Mapping[str, str]
    levels: Mapping[str, tuple[str, ...]]
    intersections: tuple[tuple[str, ...], ...]
    judgement: Policy
    own_bounds: bool = True
    population: Mapping[str, Mapping[str, float]] = field(default_factory=dict)
    features: tuple[str, ...] = ()
    baseline: Path | None = None
    tolerance: Mapping[str, float] = field(default_factory=dict)

    @property
    def named_levels(self) -> dict[str, frozenset[str]]:
        """By attribute, every level that the policy names anywhere."""
        return {
            name: frozenset((reference, *self.levels.get(name, ()), *self.population.get(name, ())))
            for name, reference in self.references.items()
        }


def read_policy(path: Path) -> GatePolicy:
    """Read a YAML or JSON policy file.

    Raises
    ------
    GateInputError
        Naming the key that is missing, unknown or wrong.
    """
    try:
        import yaml
    except ImportError as error:
        raise GateInputError("PyYAML is not installed; the gate needs: pip install 'biasgov[gate]'") from error
    try:
        content = yaml.load(path.read_text(encoding="utf-8"), _loader(yaml))  # noqa: S506 - a SafeLoader
    except (OSError, UnicodeDecodeError) as error:
        raise GateInputError(f"the policy {path} cannot be read: {error}") from error
    except (yaml.YAMLError, RecursionError, ValueError) as error:
        raise GateInputError(f"the policy {path} is not YAML: {error}") from error
    return parse_policy(content, folder=path.parent)


def _loader(yaml: Any) -> Any:
    """Plain YAML that refuses a key written twice: the later one would silently take the place of the other."""

    class OnceEach(yaml.SafeLoader):  # type: ignore[misc]
        def construct_mapping(self, node: Any, deep: bool = False) -> Any:
            keys = [key.value for key, _ in node.value if isinstance(key, yaml.ScalarNode) and key.value != "<<"]
            twice = next((key for key in keys if keys.count(key) > 1), None)
            if twice is not None:
                raise yaml.constructor.ConstructorError(None, None, f"{twice} is written twice", node.start_mark)
            return super().construct_mapping(node, deep)

    return OnceEach


def parse_policy(content: Any, *, folder: Path) -> GatePolicy:
    """The policy in a mapping as YAML gives it; `folder` is where a relative baseline is looked for."""
    given = _mapping(content, "the policy")
    _only(given, KEYS, "the policy")
    columns = {role: _text(name, f"columns.{role}") for role, name in _mapping(given.get("columns"), "columns").items()}
    _only(columns, COLUMNS, "columns")
    if "decision" not in columns:
        raise GateInputError("columns.decision is missing: name the column that holds the model's decision")
    attributes = _mapping(given.get("attributes"), "attributes")
    if not attributes:
        raise GateInputError("attributes is empty: name at least one protected attribute with its reference")
    references, levels, population = {}, {}, {}
    for name, declared in attributes.items():
        fields = _mapping(declared, f"attributes.{name}")
        _only(fields, {"reference", "levels", "population"}, f"attributes.{name}")
        if "reference" not in fields:
            raise GateInputError(
                f"attributes.{name}.reference is missing: choose the group that others are compared with"
            )
        references[str(name)] = str(fields["reference"])
        if "levels" in fields:
            levels[str(name)] = tuple(map(str, _list(fields["levels"], f"attributes.{name}.levels")))
        if "population" in fields:
            population[str(name)] = _shares(fields["population"], f"attributes.{name}.population")
            strange = sorted(set(population[str(name)]) - set(levels.get(str(name), population[str(name)])))
            if strange:
                raise GateInputError(f"attributes.{name}.population has {strange[0]}, which is not one of its levels")
    intersections = tuple(
        tuple(map(str, _list(group, "each of intersections")))
        for group in _list(given.get("intersections") or [], "intersections")
    )
    for group in intersections:
        for name in group:
            if name not in references:
                raise GateInputError(f"intersections names {name!r}, which is not among the attributes")
    tolerance = {
        str(key): _number(value, f"tolerance.{key}")
        for key, value in _mapping(given.get("tolerance") or {}, "tolerance").items()
    }
    _only(tolerance, TOLERANCES, "tolerance")
    baseline = given.get("baseline")
    return GatePolicy(
        favourable=given.get("favourable", 1),
        positive=given.get("positive", 1),
        columns=columns,
        references=references,
        levels=levels,
        intersections=intersections,
        judgement=_judgement(given),
        own_bounds=given.get("bounds") is not None,
        population=population,
        features=tuple(_text(name, "features") for name in _list(given.get("features") or [], "features")),
        baseline=None if baseline is None else folder / _text(baseline, "baseline"),
        tolerance=tolerance,
    )


def _judgement(given: Mapping[str, Any]) -> Policy:
    minimum = _mapping(given.get("minimum") or {}, "minimum")
    _only(minimum, {"group", "cell", "share"}, "minimum")
    bounds = given.get("bounds")
    content: dict[str, Any] = {f"minimum_{key}": value for key, value in minimum.items()}
    content |= {key: given[key] for key in ("alpha", "confidence", "severity_bands") if key in given}
    # One look at one file: no repeated looks to guard against.
    content["alert_confidence"] = given.get("confidence") or 0.95
    content["bounds"] = (
        {name: bound.to_dict() for name, bound in DEFAULT_POLICY.bounds.items()}
        if bounds is None
        else {str(name): _mapping(bound, f"bounds.{name}") for name, bound in _mapping(bounds, "bounds").items()}
    )
    try:
        return Policy.from_dict(content)
    except ValueError as error:
        raise GateInputError(f"the policy's bounds or minimum: {error}") from error


def _mapping(value: Any, name: str) -> Mapping[str, Any]:
    if not isinstance(value, Mapping):
        raise GateInputError(f"{name} must be a mapping, not {value!r}")
    return value


def _list(value: Any, name: str) -> list[Any]:
    if not isinstance(value, list):
        raise GateInputError(f"{name} must be a list, not {value!r}")
    return value


def _shares(value: Any, name: str) -> dict[str, float]:
    shares = {str(level): _number(share, f"{name}.{level}") for level, share in _mapping(value, name).items()}
    if not math.isclose(sum(shares.values()), 1.0, abs_tol=0.01):
        raise GateInputError(f"{name} adds up to {sum(shares.values()):g}, not to 1")
    return shares


def _only(value: Mapping[str, Any], known: set[str], name: str) -> None:
    strange = sorted(str(key) for key in value if key not in known)
    if strange:
        raise GateInputError(f"{name} has no {', '.join(strange)}; it has {', '.join(sorted(known))}")


def _text(value: Any, name: str) -> str:
    if not isinstance(value, str) or not value:
        raise GateInputError(f"{name} must be text, not {value!r}")
    return value


def _number(value: Any, name: str) -> float:
    if isinstance(value, bool) or not isinstance(value, int | float) or not 0 <= value <= sys.float_info.max:
        raise GateInputError(f"{name} must be a number of at least 0, not {value!r}")
    return float(value)
