"""What a model's people declared for its windows to be compared with, and the baseline of one window."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from apps.registry import selectors as registry
from apps.registry.baselines import EVERYBODY
from apps.registry.spec import ModelSpec
from biasgov.fairness import drift

TRAINING = "training_data"
POPULATION = "population"


@dataclass(frozen=True, slots=True)
class Declared:
    """What a run is measured against besides its own cubes; it stands in the run's document.

    training: by version, `representation` and `score_bins` of its training data. population: shares of the groups
    the model serves. features: names by which people are alike. family: whose models are pooled.
    """

    training: Mapping[str, Mapping[str, Any]]
    population: Mapping[str, Mapping[str, float]]
    features: Sequence[str]
    family: str

    def to_dict(self) -> dict[str, Any]:
        """JSON-able; exact inverse of `from_dict`."""
        return {
            "training": {version: dict(declared) for version, declared in self.training.items()},
            "population": dict(self.population),
            "features": list(self.features),
            "family": self.family,
        }

    @classmethod
    def from_dict(cls, content: Mapping[str, Any]) -> Declared:
        return cls(content["training"], content["population"], tuple(content["features"]), content["family"])


def declared_of(spec: ModelSpec, deciding: Collection[int]) -> Declared:
    """What is declared, of versions only those with an id in `deciding`: others must not change a run. One query."""
    names = {spec.version_names[version] for version in deciding if version in spec.version_names}
    training = {name: each for name, each in registry.declared_training(spec.id).items() if name in names}
    return Declared(training, spec.population, spec.features, spec.family)


def baselines_of(declared: Declared, versions: Mapping[str, int]) -> tuple[drift.Baseline, ...]:
    """The baselines of a window with so many events of each version.

    Where several versions decided, their training data are mixed as their events were: that is what would be seen if
    everybody still looked like the training data of the version that decides on them. Versions that declare nothing
    of an attribute do not count for it. Shares are scaled to add up to 1.
    """
    known = [(versions[name], declared.training[name]) for name in sorted(declared.training) if versions.get(name)]
    training = drift.Baseline(
        TRAINING,
        _mixed([(n, each.get("representation", {})) for n, each in known]),
        _mixed_bins([(n, _named(each.get("score_bins", {}))) for n, each in known]),
    )
    population = drift.Baseline(POPULATION, _mixed([(1, declared.population)]), {})
    return tuple(each for each in (training, population) if each.representation or each.score_bins)


def _named(bins: Mapping[str, Mapping[str, Sequence[float]]]) -> dict[str, Mapping[str, Sequence[float]]]:
    """Everybody as the statistical core calls them."""
    return {
        drift.EVERYBODY if name == EVERYBODY else name: (
            {drift.EVERYBODY: levels[EVERYBODY]} if name == EVERYBODY else levels
        )
        for name, levels in bins.items()
    }


def _mixed(parts: Sequence[tuple[int, Mapping[str, Mapping[str, float]]]]) -> dict[str, dict[str, float]]:
    found: dict[str, dict[str, float]] = {}
    for attribute in dict.fromkeys(name for _, shares in parts for name in shares):
        given = [(weight, shares[attribute]) for weight, shares in parts if attribute in shares]
        levels = list(given[0][1])
        values = _average([(weight, [shares[level] for level in levels]) for weight, shares in given])
        found[attribute] = dict(zip(levels, values, strict=True))
    return found


def _mixed_bins(
    parts: Sequence[tuple[int, Mapping[str, Mapping[str, Sequence[float]]]]],
) -> dict[str, dict[str, list[float]]]:
    found: dict[str, dict[str, list[float]]] = {}
    for attribute, level in dict.fromkeys((a, level) for _, bins in parts for a in bins for level in bins[a]):
        given = [(weight, bins[attribute][level]) for weight, bins in parts if level in bins.get(attribute, {})]
        found.setdefault(attribute, {})[level] = _average(given)
    return found


def _average(parts: Sequence[tuple[int, Sequence[float]]]) -> list[float]:
    total = sum(weight for weight, _ in parts)
    mixed = [0.0] * len(parts[0][1])
    for weight, shares in parts:
        scale = weight / (total * sum(shares))
        mixed = [sum_ + share * scale for sum_, share in zip(mixed, shares, strict=True)]
    return mixed
