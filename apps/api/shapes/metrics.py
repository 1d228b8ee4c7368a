"""What a run says."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated, Literal

from msgspec import UNSET, Meta, Struct, UnsetType


class BoundAnswer(Struct, frozen=True):
    """An allowed range; null leaves a side open."""

    lower: float | None
    upper: float | None


class ResultAnswer(Struct, frozen=True):
    """One metric of one group (`group` null: an aggregate over groups)."""

    metric: str
    attribute: str
    group: str | None
    reference: str | None
    value: float | None
    interval: list[float | None] | None
    n: int | None
    p_adjusted: float | None
    bound: BoundAnswer | None
    verdict: str | None
    severity: str | None
    decided_by_window: str | None
    suppressed: bool


class ChangeAnswer(Struct, frozen=True):
    """A lasting shift of one group's disparity: since when, how far, and what of it comes from mix and from rates.

    `mix` and `rate` add up to `after` minus `before`; null where the model has no other attribute to compare by.
    """

    attribute: str
    group: str
    reference: str
    metric: str
    at: datetime
    noticed_at: datetime
    before: float
    after: float
    mix: float | None
    rate: float | None
    segment: str | None
    segment_declared: bool
    reverses: bool
    at_range: Annotated[
        tuple[datetime, datetime] | None,
        Meta(description="Earliest and latest hour that explain the decisions nearly as well; null in older runs"),
    ] = None


class ParityBoundsAnswer(Struct, frozen=True):
    """A demographic parity ratio among the known, and its range whoever the unknown are; null: not bounded."""

    value: float | None
    low: float | None
    high: float | None


class QualityAnswer(Struct, frozen=True):
    """How good the data of a run is; null where a group is too small to be shown, or there is nothing to share."""

    n: int
    coverage: Annotated[
        dict[str, float | None], Meta(description="Share of events with known attributes, intersections included.")
    ]
    low_coverage: Annotated[list[str], Meta(description="Attributes known for less than 80 % of the events.")]
    label_coverage: float | None
    label_coverage_by_group: dict[str, dict[str, float | None] | None]
    label_coverage_by_decision: dict[str, float | None]
    selective_labels: Annotated[
        bool,
        Meta(
            description="One decision's outcomes are known less than half as often as the other's: metrics that need "
            "outcomes describe mostly one kind of decision."
        ),
    ]
    score_coverage: float | None
    parity_bounds: dict[str, dict[str, ParityBoundsAnswer | None]]


class EarlyAnswer(Struct, frozen=True, rename={"from_at": "from"}):
    """The last hours of a run's window, told only if they are in breach by themselves: the breaches alone."""

    window: Annotated[str, Meta(description="3h, 6h or 12h")]
    from_at: datetime
    n: int
    results: list[ResultAnswer]


class RunAnswer(Struct, frozen=True, rename={"from_at": "from", "to_at": "to"}):
    """An immutable run; further members may be present."""

    id: int
    window: str
    as_of: datetime
    from_at: datetime
    to_at: datetime
    n: int
    coverage: dict[str, float | None]
    label_coverage: float | None
    quality: QualityAnswer
    state: Literal["provisional", "final"]
    revision: Annotated[int, Meta(description="Runs are never changed: a correction is the next revision.")]
    restated: Annotated[bool, Meta(description="Corrects a final run of the same moment that was published before.")]
    results: list[ResultAnswer]
    changes: Annotated[
        list[ChangeAnswer] | UnsetType, Meta(description="Change points; in runs of the 30 days' window only.")
    ] = UNSET
    early: Annotated[
        list[EarlyAnswer] | UnsetType, Meta(description="Breaches of the last hours; in runs of the 24 hours only.")
    ] = UNSET


class MetricsAnswer(Struct, frozen=True):
    """Runs, newest first within each window; `next` is the cursor of the page after this one."""

    model: str
    window: str
    as_of: datetime | None
    runs: list[RunAnswer]
    next: str | None
