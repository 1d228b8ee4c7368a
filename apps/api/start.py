"""A model starts with the bounds of its industry, so that it is judged from its first hour."""

from __future__ import annotations

from apps.common import clock
from apps.registry.spec import ModelSpec
from apps.thresholds.services import policy_publish
from biasgov.fairness.policy import DEFAULT_POLICY, PRESETS

ASSESSMENT_PENDING = "Industry preset: risk assessment pending"


def policy_start(*, actor: str, spec: ModelSpec) -> None:
    """Publish the industry's preset as version 1 of the model's policy, in the caller's transaction."""
    preset = PRESETS.get(spec.industry)
    policy_publish(
        actor=actor,
        model_id=spec.id,
        policy=preset or DEFAULT_POLICY,
        effective_from=clock.now(),
        assessment_reference=ASSESSMENT_PENDING,
        legal_basis="",
        justification=f"Start with the preset for {spec.industry}." if preset else "Start with the default bounds.",
    )
