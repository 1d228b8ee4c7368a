"""The bodies and answers of the API beside events and labels (those are in `apps.inference.shapes`)."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated, Any, Literal, TypeAlias

from msgspec import UNSET, Meta, Struct, UnsetType, field

from apps.inference.shapes import Binary, Identifier, Rejection, Share
from apps.overrides.categories import CATEGORIES as OVERRIDE_CATEGORIES
from apps.overrides.categories import UNSTATED
from apps.registry.declarations import DEFAULT_WORDS, INDUSTRIES, RISK_LEVELS
from apps.retraining.provenance import SOURCES

CATEGORIES = tuple(OVERRIDE_CATEGORIES)
Word = Annotated[str, Meta(min_length=1, max_length=80)]
Slug = Annotated[str, Meta(min_length=1, max_length=64, pattern="^[a-z0-9](?:[a-z0-9-]{0,62}[a-z0-9])?$")]
VersionName = Annotated[str, Meta(min_length=1, max_length=100, pattern="^[A-Za-z0-9][A-Za-z0-9._+-]{0,99}$")]
Industry: TypeAlias = Literal[INDUSTRIES]  # type: ignore[valid-type]
RiskLevel: TypeAlias = Literal[RISK_LEVELS]  # type: ignore[valid-type]


class ProtectedAttributeBody(Struct, frozen=True, forbid_unknown_fields=True):
    """A protected attribute: its levels in display order, the governed reference group, what it is crossed with."""

    name: Annotated[str, Meta(min_length=1, max_length=40, pattern="^[A-Za-z][A-Za-z0-9_ -]{0,39}$")]
    levels: Annotated[list[Word], Meta(min_length=1, max_length=32)]
    reference: Word
    pairs: Annotated[list[str], Meta(max_length=32, description="Names of other declared attributes.")] = []


class WordsBody(Struct, frozen=True, forbid_unknown_fields=True):
    """How people speak of the decisions (unfavourable, favourable) and the outcomes (negative, positive)."""

    decision: Annotated[list[Word], Meta(min_length=2, max_length=2)] = field(
        default_factory=lambda: list(DEFAULT_WORDS.decision)
    )
    outcome: Annotated[list[Word], Meta(min_length=2, max_length=2)] = field(
        default_factory=lambda: list(DEFAULT_WORDS.outcome)
    )


class BoundBody(Struct, frozen=True, forbid_unknown_fields=True):
    """What a metric may be, ends included; an absent end is open."""

    lower: float | None = None
    upper: float | None = None


class ModelBody(Struct, frozen=True, forbid_unknown_fields=True):
    """A model to put under watch."""

    slug: Slug
    name: Annotated[str, Meta(min_length=1, max_length=120)]
    industry: Industry
    purpose: Annotated[str, Meta(min_length=1, max_length=4000)]
    risk_level: RiskLevel
    protected_attributes: Annotated[list[ProtectedAttributeBody], Meta(min_length=1, max_length=16)]
    favourable_decision: Annotated[Binary, Meta(description="Which value of `decision` is the favourable one.")]
    owner: Annotated[
        str,
        Meta(
            min_length=1,
            max_length=200,
            description="Who answers for the model. The user name or e-mail address of a person here makes that person "
            "its model owner; anything else is kept as a name.",
        ),
    ]
    words: WordsBody = field(default_factory=WordsBody)
    assessment_reference: Annotated[
        str,
        Meta(
            min_length=1,
            max_length=200,
            description="The risk assessment that the bounds the model starts with, its industry's preset, rest on.",
        ),
    ] = "Preset of the industry; risk assessment to follow"
    family: Annotated[str, Meta(max_length=64, description="Models of one family may be pooled.")] = ""
    segment: Annotated[
        str,
        Meta(
            max_length=40,
            description="The protected attribute by which a change of a disparity is split into mix and rates; without "
            "one, the attribute that explains most is chosen each time.",
        ),
    ] = ""
    features: Annotated[
        list[Annotated[str, Meta(min_length=1, max_length=100)]],
        Meta(
            max_length=64,
            description="Numeric features of the events by which people are alike or not: individual fairness is "
            "measured on them.",
        ),
    ] = []
    population: Annotated[
        dict[str, dict[str, Share]],
        Meta(description="Shares of the groups the model serves, by attribute and level; each adds up to 1."),
    ] = {}
    public_data: Annotated[
        bool,
        Meta(description="The events are published anyway: no figure waits because of what was told before."),
    ] = False
    bounds: Annotated[
        dict[str, BoundBody],
        Meta(max_length=40, description="The assessment's own bounds by metric; without any, the industry's preset."),
    ] = {}


class ModelAnswer(Struct, frozen=True):
    """A registered model."""

    slug: str
    name: str
    industry: str
    purpose: str
    risk_level: str
    favourable_decision: int
    owner: str
    words: WordsBody
    protected_attributes: list[ProtectedAttributeBody]
    segment: str
    family: str
    features: list[str]
    population: dict[str, dict[str, float]]
    public_data: bool
    versions: list[str]


class ModelsAnswer(Struct, frozen=True):
    """A page of models; `next` is the cursor of the page after it, null on the last."""

    models: list[ModelAnswer]
    next: str | None


class EnvironmentBody(Struct, frozen=True, forbid_unknown_fields=True):
    """What the version was built with."""

    packages: Annotated[dict[str, str], Meta(max_length=2000)] = {}
    python: Annotated[str, Meta(max_length=100)] = ""


class VersionBody(Struct, frozen=True, forbid_unknown_fields=True):
    """A version of a model; versions are never changed afterwards."""

    version: VersionName
    environment: EnvironmentBody
    training_data: Annotated[
        dict[str, Any],
        Meta(
            description="Any JSON about the training data. Two members are compared with what is seen later: "
            "`representation` ({attribute: {level: share}}) and `score_bins` ({attribute: {level: 20 shares}}, or 20 "
            "shares for everybody)."
        ),
    ] = {}
    released_at: (
        Annotated[datetime, Meta(tz=True, description="When it began to decide, where that was before now.")] | None
    ) = None


class VersionAnswer(Struct, frozen=True):
    """A registered version."""

    model: str
    version: str
    environment: EnvironmentBody
    training_data: dict[str, Any]
    released_at: datetime | None


class SubjectBody(Struct, frozen=True, forbid_unknown_fields=True):
    """The protected attributes of one person, as declared by the models that use them."""

    subject_id: Identifier
    attributes: Annotated[dict[str, str], Meta(min_length=1, max_length=64)]


class AttributesBody(Struct, frozen=True, forbid_unknown_fields=True):
    """Attributes to seal. All of them are refused if one of them is not as declared."""

    subjects: Annotated[list[SubjectBody], Meta(min_length=1, max_length=100_000)]


class SealedAnswer(Struct, frozen=True):
    """The upload is sealed: from here on the web side cannot read it any more."""

    upload_id: str
    sealed: int


class UploadAnswer(Struct, frozen=True):
    """How far an upload is.

    `offset` is the byte of the file from which its sender goes on after a break; `subjects` are received so far, `done`
    of them worked off by the compute side. `reason` names the row of a file that was refused.
    """

    upload_id: str
    state: Literal["receiving", "pending", "storing", "stored", "refused", "withdrawn"]
    offset: int
    subjects: int
    done: int
    stored: int
    replaced: int
    reason: str


class ErasureAnswer(Struct, frozen=True):
    """The erasure is on record and will be executed by the compute side."""

    erasure_id: str


class BatchRefusal(Struct, frozen=True):
    """Nothing of the batch could be stored: a problem document with the reason for every row."""

    type: str
    title: str
    status: int
    detail: str
    errors: list[Any]
    accepted: int
    duplicates: int
    rejected: list[Rejection]


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


class LabelSourceBody(Struct, frozen=True, forbid_unknown_fields=True):
    """Rows of a training set whose labels come from one source."""

    source: Literal[SOURCES]  # type: ignore[valid-type]
    rows: Annotated[int, Meta(ge=0, le=10**12)]


class RetrainingBody(Struct, frozen=True, forbid_unknown_fields=True):
    """A training set before it is learned from: rows by label source, and events of this model among them."""

    name: Annotated[str, Meta(min_length=1, max_length=200)]
    rows: Annotated[int, Meta(ge=1, le=10**12)]
    sources: Annotated[list[LabelSourceBody], Meta(min_length=1, max_length=20)]
    event_ids: Annotated[list[Identifier], Meta(max_length=100_000)] = []
    event_hashes: Annotated[
        list[Annotated[str, Meta(pattern="^[0-9a-fA-F]{64}$")]],
        Meta(max_length=100_000, description="SHA-256 of event ids in hexadecimal, in the place of the ids."),
    ] = []


class ReasonAnswer(Struct, frozen=True):
    """Why a training set is held, and how many rows or events that is about."""

    code: str
    message: str
    rows: int


class RetrainingAnswer(Struct, frozen=True):
    """allowed: learn from it. held: not before compliance has released it. released: compliance has."""

    id: int
    model: str
    name: str
    verdict: Literal["allowed", "held", "released"]
    reasons: list[ReasonAnswer]
    checked_at: datetime
    released_at: datetime | None


class GroupBody(Struct, frozen=True, forbid_unknown_fields=True):
    """A group that an incident concerns; several attributes are joined by `*`, as in results."""

    attribute: Annotated[str, Meta(min_length=1, max_length=400)]
    group: Annotated[str, Meta(min_length=1, max_length=400)]
    people: (
        Annotated[int, Meta(ge=0, le=2_000_000_000, description="Fewer than ten are kept as `fewer than ten`.")] | None
    ) = None
    source: Annotated[str, Meta(max_length=300, description="How they were counted.")] = ""


class IncidentBody(Struct, frozen=True, forbid_unknown_fields=True):
    """An incident to open. Nobody is named in it: groups and numbers only."""

    model: Slug
    title: Annotated[str, Meta(min_length=1, max_length=200, pattern=r"\S")]
    summary: Annotated[str, Meta(min_length=1, max_length=20_000, pattern=r"\S")]
    severity: Literal["low", "medium", "high", "critical"]
    began_at: (
        Annotated[datetime, Meta(tz=True, description="Since when people were concerned, if that is known.")] | None
    ) = None
    aware_at: (
        Annotated[datetime, Meta(tz=True, description="When the house became aware; clocks start here.")] | None
    ) = None
    groups: Annotated[list[GroupBody], Meta(max_length=100)] = []
    runs: Annotated[
        list[Annotated[int, Meta(ge=1, le=2**62)]],
        Meta(max_length=20, description="Runs of the model whose documents are frozen as evidence."),
    ] = []
    cause_key: Annotated[
        str,
        Meta(max_length=100, description="Names the cause: while an incident of it is open, the answer is 409."),
    ] = ""


class IncidentAnswer(Struct, frozen=True):
    """An incident of the register."""

    id: int
    model: str
    title: str
    summary: str
    severity: str
    state: str
    origin: str
    causes: list[str]
    began_at: datetime | None
    aware_at: datetime
    opened_at: datetime
    closed_at: datetime | None


class IncidentsAnswer(Struct, frozen=True):
    """Incidents, newest first."""

    incidents: list[IncidentAnswer]
    next: str | None


class ComplaintBody(Struct, frozen=True, forbid_unknown_fields=True):
    """A complaint about a model's decisions: what it is about, never who complains."""

    model: Slug
    source: Literal["customer", "representative", "regulator", "ombudsman", "staff"]
    channel: Literal["letter", "mail", "phone", "web", "branch", "media"]
    summary: Annotated[str, Meta(min_length=1, max_length=20_000, pattern=r"\S")]
    received_at: Annotated[datetime, Meta(tz=True, description="The deadline counts from here.")]
    rule: Literal["rg-271-30", "rg-271-45"] = "rg-271-30"
    attribute: Annotated[str, Meta(max_length=40, description="The protected attribute that it speaks of.")] = ""
    reference: Annotated[str, Meta(max_length=100, description="Its number where the person's data are kept.")] = ""


class ComplaintAnswer(Struct, frozen=True):
    """A complaint of the register."""

    id: int
    model: str
    source: str
    channel: str
    summary: str
    attribute: str
    reference: str
    received_at: datetime
    due_at: datetime
    state: str
    outcome: str
    answered_at: datetime | None
    incident: int | None


class ComplaintsAnswer(Struct, frozen=True):
    """Complaints, newest first."""

    complaints: list[ComplaintAnswer]
    next: str | None


class OverrideBody(Struct, frozen=True, forbid_unknown_fields=True):
    """One decision of the model that a person decided otherwise. Nobody it was about is named."""

    event_id: Identifier
    by: Annotated[Identifier, Meta(description="Who decided, as the house names its people.")]
    decision: Annotated[Binary, Meta(description="What the person decided; not what the model had.")]
    at: Annotated[datetime, Meta(tz=True, description="When; not before the event and not in the future.")] | None = (
        None
    )
    category: Literal[CATEGORIES] = UNSTATED  # type: ignore[valid-type]
    reason: Annotated[str, Meta(max_length=1000)] = ""


class OverridesBody(Struct, frozen=True, forbid_unknown_fields=True):
    """Overrides to record; the first one of an event stands."""

    overrides: Annotated[list[OverrideBody], Meta(min_length=1, max_length=1000)]


class OverrideAnswer(Struct, frozen=True):
    """An override of the register. event_key: the first 16 bytes of the SHA-256 of the event's id, as a UUID."""

    id: int
    event_key: str
    occurred_at: datetime
    from_decision: int
    to_decision: int
    category: str
    reason: str
    by: str
    overridden_at: datetime


class OverridesAnswer(Struct, frozen=True):
    """Overrides, the last recorded first; `rates` by group in the last counted period, small groups hidden."""

    model: str
    overrides: list[OverrideAnswer]
    rates: dict[str, Any] | None
    next: str | None


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
