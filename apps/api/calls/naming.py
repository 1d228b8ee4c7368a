"""The model that a call is about, where a body or a query names it: unknown ones and others' are told alike."""

from __future__ import annotations

from typing import Any

from apps.api.endpoint import Call
from apps.api.problems import not_found
from apps.registry.selectors import current_spec, model_id_of
from apps.registry.spec import ModelSpec


def named_model(call: Call[Any], slug: str) -> ModelSpec:
    """The model that a body names. Raises Problem 404 for one that the token may not see, or that is not there."""
    spec = current_spec(slug) if call.bearer.may_see(slug) else None
    if spec is None:
        raise not_found()
    return spec


def narrowed_to(call: Call[Any]) -> int | None:
    """The id of the model that the query, or else the token, narrows a list to; None for all. Raises Problem 404."""
    slug = call.query.get("model", "") or call.bearer.model_slug
    if slug is None:
        return None
    model_id = model_id_of(slug) if call.bearer.may_see(slug) else None
    if model_id is None:
        raise not_found()
    return model_id
