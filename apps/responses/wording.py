"""What a finding says to people, in the words of its model. Aggregates only; no counts, nobody's name."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from apps.registry.spec import ModelSpec, Words
from apps.responses.observations import Observation
from biasgov.fairness.response_plan import EVERY_DECISION

NBSP = "\u00a0"
_PERIODS = {
    "3h": "the last 3 hours",
    "6h": "the last 6 hours",
    "12h": "the last 12 hours",
    "24h": "the last 24 hours",
    "7d": "the last 7 days",
    "30d": "the last 30 days",
}
_RATIOS = {"demographic_parity_ratio", "fnr_ratio"}


def sentence_of(observation: Observation, spec: ModelSpec) -> str:
    """The ready sentence of the observation, or a plain one built from the model's words."""
    if observation.sentence:
        return observation.sentence
    said = _said(observation, spec.words)
    seen_in = observation.period or observation.window
    period = _PERIODS.get(seen_in, seen_in)
    return f"{said} Measured over {period}; the bound is {bound_text(observation)}."


def bound_text(observation: Observation) -> str:
    """`0.80 to 1.25`, `at most 0.05`, `at least 0.80`."""
    low, high = observation.bound_low, observation.bound_high
    if low is None:
        return f"at most {_number(high)}"
    if high is None:
        return f"at least {_number(low)}"
    return f"{_number(low)} to {_number(high)}"


def decision_types_text(blocked: Sequence[str]) -> str:
    """What a restriction blocks, as a sentence."""
    if EVERY_DECISION in blocked:
        return "No decision of this model may be applied without a person."
    return f"Decisions of these types may not be applied without a person: {', '.join(blocked)}."


def metric_name(metric: str) -> str:
    return metric.replace("_", " ").replace("equalized", "equalised").replace("fpr", "FPR").replace("fnr", "FNR")


def _said(observation: Observation, words: Words) -> str:
    if observation.group is None:
        return _aggregate(observation)
    if observation.suppressed:
        about, metric = _levels(observation.attribute), metric_name(observation.metric)
        return f"For a group of {about} that is too small to be named, the {metric} is out of bounds."
    return _compared(observation, words)


def _compared(observation: Observation, words: Words) -> str:
    metric, value = observation.metric, observation.value
    who = f"{_levels(observation.group)} ({_levels(observation.attribute)})"
    than = f"than for {_levels(observation.reference)}" if observation.reference else "than overall"
    if value is None:
        return f"For {who}, the {metric_name(metric)} is out of bounds."
    if metric in _EVENTS:
        event = _EVENTS[metric](words)
        if metric not in _RATIOS:
            return f"For {who}, “{event}” happens {_points(value)} {_side(value > 0)} often {than}."
        if value > 2:
            return f"For {who}, “{event}” happens {value:.1f} times as often as for {_levels(observation.reference)}."
        share = f"{abs(value - 1) * 100:.0f}{NBSP}%"
        return f"For {who}, “{event}” happens {share} {_side(value > 1)} often {than}."
    if metric == "equalized_odds_difference":
        return f"For {who}, error rates lie {_points(value)} apart from those of {_levels(observation.reference)}."
    if metric == "calibration_difference":
        closer = "further from" if value > 0 else "closer to"
        return f"For {who}, scores lie {_points(value)} {closer} what happened {than}."
    return f"For {who}, the {metric_name(metric)} is {_number(value)}."


def _aggregate(observation: Observation) -> str:
    metric, value, by = observation.metric, observation.value, _levels(observation.attribute)
    if not observation.attribute and value is not None:
        return f"Over everybody, the {metric_name(metric)} is {_number(value)}."
    if value is None:
        return f"By {by}, the {metric_name(metric)} is out of bounds."
    if metric == "demographic_parity_ratio":
        return f"By {by}, the least favoured group has {_number(value)} times the rate of the most favoured one."
    if metric == "equalized_odds_difference":
        return f"By {by}, error rates lie up to {_points(value)} apart."
    if metric == "calibration_difference":
        return f"By {by}, calibration errors lie up to {_points(value)} apart."
    return f"By {by}, the {metric_name(metric)} is {_number(value)}."


_EVENTS: dict[str, Callable[[Words], str]] = {
    "demographic_parity_ratio": lambda words: words.decision[1],
    "demographic_parity_difference": lambda words: words.decision[1],
    "fnr_gap": lambda words: f"{words.outcome[1]}, yet {words.decision[0]}",
    "fnr_ratio": lambda words: f"{words.outcome[1]}, yet {words.decision[0]}",
    "fpr_gap": lambda words: f"{words.outcome[0]}, yet {words.decision[1]}",
    "equal_opportunity_difference": lambda words: f"{words.outcome[1]} and {words.decision[1]}",
    "predictive_parity_difference": lambda words: f"{words.decision[1]} and {words.outcome[1]}",
}


def _levels(joined: str | None) -> str:
    return " × ".join((joined or "everybody").replace("_", " ").split("*"))


def _points(difference: float) -> str:
    return f"{abs(difference) * 100:.1f} percentage points"


def _side(more: bool) -> str:
    return "more" if more else "less"


def _number(value: float | None) -> str:
    return "–" if value is None else f"{value:.2f}".replace("-", "−")
