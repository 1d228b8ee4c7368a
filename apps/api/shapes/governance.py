"""Findings, the policy in force, and what gateways are told."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated, Any, Literal

from msgspec import Meta, Struct

from apps.api.shapes.metrics import BoundAnswer


class FindingAnswer(Struct, frozen=True):
    """A disparity out of bounds and what became of it; the figures are those of its last breach."""

    id: int
    metric: str
    attribute: str
    group: str | None
    reference: str | None
    state: str
    tier: str
    severity: str
    sentence: str
    window: str
    value: float | None
    interval: list[float | None]
    bound: BoundAnswer
    run_id: int
    opened_at: datetime
    opened_as_of: datetime
    last_as_of: datetime
    last_verdict: str
    acknowledged_at: datetime | None
    acknowledged_by: str | None
    closed_at: datetime | None


class FindingsAnswer(Struct, frozen=True):
    """Findings of a model, newest first."""

    model: str
    findings: list[FindingAnswer]
    next: str | None


class PolicyAnswer(Struct, frozen=True):
    """The threshold policy in force."""

    model: str
    id: int
    version: int
    digest: str
    effective_from: datetime
    assessment_reference: str
    legal_basis: list[str]
    justification: str
    policy: dict[str, Any]


class RestrictionAnswer(Struct, frozen=True):
    """Which types of decision are blocked, since when and why; "*" is every type."""

    id: int
    blocked_decision_types: list[str]
    since: str
    reason: str


class StatusAnswer(Struct, frozen=True):
    """What a gateway may rely on until `valid_until`; the signature covers all but `etag` (docs/responses.md)."""

    model: str
    tier: Literal["none", "alert", "monitor-enhanced", "restrict", "escalate"]
    restriction: RestrictionAnswer | None
    sequence: int
    issued_at: str
    valid_until: str
    key_id: str
    etag: str
    signature: str


class AcknowledgementBody(Struct, frozen=True, forbid_unknown_fields=True):
    """The gateway has the status of this number in effect."""

    sequence: Annotated[int, Meta(ge=0, le=2**53)]
    gateway: Annotated[str, Meta(max_length=80, description="The token's name by default.")] = ""


class AcknowledgedAnswer(Struct, frozen=True):
    """What was noted; `current` says whether it is the newest status."""

    gateway: str
    sequence: int
    current: bool
    restriction_id: int | None
    acknowledged_at: datetime
