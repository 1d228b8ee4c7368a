"""What a finding says to people, in the words of its model. Aggregates only; no counts, nobody's name."""

from __future__ import annotations

from collections.abc import Sequence

from apps.common.wording import attribute_name, bound_text, metric_name
from apps.registry.sentences import headline
from apps.registry.spec import ModelSpec, Words
from apps.responses.observations import Observation
from biasgov.fairness.response_plan import EVERY_DECISION

_PERIODS = {
    "3h": "the last 3 hours",
    "6h": "the last 6 hours",
    "12h": "the last 12 hours",
    "24h": "the last 24 hours",
    "7d": "the last 7 days",
    "30d": "the last 30 days",
}


def sentence_of(observation: Observation, spec: ModelSpec) -> str:
    """The ready sentence of the observation, or a plain one built from the model's words."""
    if observation.sentence:
        return observation.sentence
    seen_in = observation.period or observation.window
    period = _PERIODS.get(seen_in, seen_in)
    bound = bound_text(observation.metric, {"lower": observation.bound_low, "upper": observation.bound_high})
    return f"{_said(observation, spec.words)} Measured over {period}; the bound is {bound}."


def decision_types_text(blocked: Sequence[str]) -> str:
    """What a restriction blocks, as a sentence."""
    if EVERY_DECISION in blocked:
        return "No decision of this model may be applied without a person."
    return f"Decisions of these types may not be applied without a person: {', '.join(blocked)}."


def _said(observation: Observation, words: Words) -> str:
    name, by = metric_name(observation.metric), attribute_name(observation.attribute)
    if observation.suppressed and observation.group is not None:
        return f"For a group of {by} that is too small to be named, the {name} is out of bounds."
    if observation.value is None:
        return f"By {by}, the {name} is out of bounds."
    return headline(
        {
            "metric": observation.metric,
            "attribute": observation.attribute,
            "group": observation.group,
            "reference": observation.reference,
            "value": observation.value,
            "verdict": observation.verdict,
        },
        words,
    )
