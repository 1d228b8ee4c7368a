"""The three questions a model page answers, and what a reader has chosen to look at."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from urllib.parse import urlencode

from apps.dashboards.words import WINDOWS
from apps.registry.spec import ModelSpec


@dataclass(frozen=True, slots=True)
class Topic:
    """A question about fairness: the compared metric (of groups and over all of them) and the rates behind it."""

    key: str
    title: str
    metric: str
    rates: tuple[str, ...]
    gaps: tuple[str, ...]
    parity: float


TOPICS: Mapping[str, Topic] = {
    topic.key: topic
    for topic in (
        Topic(
            "demographic_parity",
            "Demographic parity",
            "demographic_parity_ratio",
            ("selection_rate",),
            ("demographic_parity_ratio",),
            1.0,
        ),
        Topic(
            "equalised_odds",
            "Equalised odds",
            "equalized_odds_difference",
            ("fnr", "fpr"),
            ("fnr_gap", "fpr_gap", "equalized_odds_difference"),
            0.0,
        ),
        Topic(
            "calibration",
            "Calibration",
            "calibration_difference",
            ("ece",),
            ("calibration_difference",),
            0.0,
        ),
    )
}


def topic_of(metric: str) -> Topic | None:
    """The topic under which a metric is looked at; None if no page shows it."""
    for topic in TOPICS.values():
        if metric == topic.metric or metric in topic.gaps or metric in topic.rates:
            return topic
    related = {
        "demographic_parity_difference": "demographic_parity",
        "association": "demographic_parity",
        "equal_opportunity_difference": "equalised_odds",
        "fnr_ratio": "equalised_odds",
        "tpr": "equalised_odds",
        "brier": "calibration",
    }
    return TOPICS.get(related.get(metric, ""))


@dataclass(frozen=True, slots=True)
class Choice:
    """What the switches of a model page say. Unknown values fall back to the first possible one."""

    window: str
    attribute: str
    topic: Topic

    def query(self, **changes: str) -> str:
        """The query string of this choice with some parts changed (`window`, `attribute`, `metric`)."""
        parts = {"window": self.window, "attribute": self.attribute, "metric": self.topic.key}
        return urlencode(parts | changes)


def attributes_of(spec: ModelSpec) -> tuple[str, ...]:
    """Everything that is measured: each attribute, the declared pairs, the full intersection once."""
    names = spec.attribute_names
    groupings = [(name,) for name in names] + [tuple(pair) for pair in spec.pairs]
    if names:
        groupings.append(names)
    distinct = {frozenset(group): "*".join(group) for group in reversed(groupings)}
    wanted = ["*".join(group) for group in groupings]
    return tuple(dict.fromkeys(name for name in wanted if name in distinct.values()))


def choose(spec: ModelSpec, asked: Mapping[str, str]) -> Choice:
    """The reader's choice out of a query string; raises ValueError for a model without attributes."""
    attributes = attributes_of(spec)
    if not attributes:
        raise ValueError(f"{spec.slug} has no protected attribute")
    window = asked.get("window", "7d")
    attribute = asked.get("attribute", attributes[0])
    topic = TOPICS.get(asked.get("metric", ""), TOPICS["demographic_parity"])
    return Choice(
        window if window in WINDOWS else "7d",
        attribute if attribute in attributes else attributes[0],
        topic,
    )
