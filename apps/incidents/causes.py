"""Categories of root causes, so that a register of years can be counted; an incident may have several."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Cause:
    """A category: its name, and by what one knows it."""

    title: str
    sign: str


CAUSES: Mapping[str, Cause] = {
    "sampling": Cause("Sampling", "The training data hold too few of some people the model decides about."),
    "label": Cause("Labels", "What counted as the truth carried people's judgements, or was measured unequally."),
    "historical": Cause("Historical", "The data are right about a past that was unequal."),
    "proxy": Cause("Proxy", "A feature stands in for a protected attribute, as a postcode can for origin."),
    "spurious_correlation": Cause("Spurious correlation", "The model learnt a pattern that has nothing to do with it."),
    "majority_optimisation": Cause(
        "Fitted to the majority", "Errors of small groups hardly cost anything in training."
    ),
    "feedback_loop": Cause("Feedback loop", "The model's own decisions shaped the data it was trained on next."),
    "library_change": Cause("Library or environment", "A dependency changed its behaviour without a new model."),
    "model_change": Cause("Model version", "A new version brought it in, with its environment unchanged."),
    "calibration": Cause("Calibration", "Scores mean something else for different groups."),
    "threshold": Cause("Threshold", "The cut-off of the score, or a bound of the policy, was set wrongly."),
    "data_feed": Cause("Data feed", "An upstream source changed, stopped or sent wrong values."),
    "population_drift": Cause("Population", "Other people than before are decided about."),
    "coverage": Cause("Coverage", "Protected attributes were unknown for too many to see it earlier."),
    "human_process": Cause("Human process", "People who apply or override the model treat groups differently."),
    "other": Cause("Other", "None of these; the explanation says what."),
}
