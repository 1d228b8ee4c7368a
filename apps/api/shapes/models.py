"""Models and their versions."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated, Any

from msgspec import Meta, Struct, field

from apps.api.shapes.words import Industry, RiskLevel, Slug, VersionName, Word
from apps.inference.shapes import Binary, Share
from apps.registry.declarations import DEFAULT_WORDS


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
