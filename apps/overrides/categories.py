"""Why people decide otherwise than a model: categories, so that a register of years can be counted."""

from __future__ import annotations

from collections.abc import Mapping

UNSTATED = "unstated"

CATEGORIES: Mapping[str, str] = {
    "new_information": "Information that the model did not have",
    "data_error": "The model was given wrong data",
    "model_error": "The model is known to err in such cases",
    "hardship": "Hardship or vulnerability",
    "policy": "A rule of the house decides such cases",
    "unfair": "The decision seemed unfair",
    "other": "Another reason",
    UNSTATED: "No category was given",
}
