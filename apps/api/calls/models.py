"""Registering and listing models and versions."""

from __future__ import annotations

import base64
import binascii
from typing import Any

import msgspec
from django.db import transaction

from apps.api.endpoint import Answer, Call, Endpoint, Parameter
from apps.api.problems import Problem
from apps.api.shapes.models import (
    ModelAnswer,
    ModelBody,
    ModelsAnswer,
    ProtectedAttributeBody,
    VersionAnswer,
    VersionBody,
    WordsBody,
)
from apps.common.errors import Refused
from apps.registry.declarations import AttributeDeclaration
from apps.registry.selectors import specs_page
from apps.registry.services import model_register, version_register
from apps.registry.spec import ModelSpec, Words
from apps.thresholds.services import policy_publish, preset_publish
from biasgov.fairness.policy import Bound, Policy

PAGE = 50

LIMIT = Parameter("limit", "At most so many.", {"type": "integer", "minimum": 1, "maximum": 100}, "10")
CURSOR = Parameter("cursor", "The `next` of the page before.", {"type": "string"}, "")


def register_model(call: Call[ModelBody]) -> Answer:
    if call.bearer.model_slug is not None:
        raise Problem(403, "A token bound to a model cannot register models.")
    body = call.body
    with transaction.atomic():
        spec = model_register(
            actor=call.bearer.actor,
            slug=body.slug,
            name=body.name,
            industry=body.industry,
            purpose=body.purpose,
            risk_level=body.risk_level,
            attributes=[
                AttributeDeclaration(each.name, tuple(each.levels), each.reference, tuple(each.pairs))
                for each in body.protected_attributes
            ],
            favourable_decision=body.favourable_decision,
            owner=body.owner,
            words=Words(_two(body.words.decision), _two(body.words.outcome)),
            family=body.family,
            segment=body.segment,
            features=body.features,
            population=body.population,
            public_data=body.public_data,
        )
        _publish_first_policy(spec, body, actor=call.bearer.actor)
    return Answer(201, model_answer(spec))


def _publish_first_policy(spec: ModelSpec, body: ModelBody, *, actor: str) -> None:
    """The assessment's own bounds, or the industry's preset. Raises Refused naming the metric."""
    if not body.bounds:
        preset_publish(model_id=spec.id, assessment_reference=body.assessment_reference, actor=actor)
        return
    try:
        policy = Policy(bounds={metric: Bound(each.lower, each.upper) for metric, each in body.bounds.items()})
    except ValueError as error:
        raise Refused("bounds", f"{error}.") from None
    policy_publish(
        model_id=spec.id,
        policy=policy,
        assessment_reference=body.assessment_reference,
        actor=actor,
        justification="Bounds of the assessment before release.",
    )


def register_version(call: Call[VersionBody]) -> Answer:
    body = call.body
    if "\\u0000" in msgspec.json.encode(body).decode():
        raise Refused("body", "The character U+0000 is not allowed in a version.")
    version_register(
        actor=call.bearer.actor,
        model_id=call.spec.id,
        version=body.version,
        environment=msgspec.to_builtins(body.environment),
        training_data=body.training_data,
        released_at=body.released_at,
    )
    return Answer(201, VersionAnswer(call.spec.slug, *msgspec.structs.astuple(body)))


def list_models(call: Call[None]) -> Answer:
    limit = limit_of(call.query, default=PAGE)
    rows = specs_page(only=call.bearer.model_slug, after=id_of(call.query.get("cursor", "")), limit=limit + 1)
    following = cursor_of(rows[limit - 1].id) if len(rows) > limit else None
    return Answer(200, ModelsAnswer([model_answer(spec) for spec in rows[:limit]], following))


def show_model(call: Call[None]) -> Answer:
    return Answer(200, model_answer(call.spec))


def model_answer(spec: ModelSpec) -> ModelAnswer:
    """A model as the API shows it."""
    return ModelAnswer(
        slug=spec.slug,
        name=spec.name,
        industry=spec.industry,
        purpose=spec.purpose,
        risk_level=spec.risk_level,
        favourable_decision=spec.favourable_decision,
        owner=spec.owner,
        words=WordsBody(list(spec.words.decision), list(spec.words.outcome)),
        protected_attributes=[
            ProtectedAttributeBody(
                each.name, list(each.levels), each.reference, [two for one, two in spec.pairs if one == each.name]
            )
            for each in spec.attributes
        ],
        segment=spec.segment,
        family=spec.family,
        features=list(spec.features),
        population={name: dict(shares) for name, shares in spec.population.items()},
        public_data=spec.public_data,
        versions=sorted(spec.versions, key=lambda name: spec.versions[name]),
    )


def limit_of(query: Any, *, default: int) -> int:
    """The `limit` parameter. Raises Refused."""
    given = query.get("limit", str(default))
    if not given.isascii() or not given.isdigit() or not 1 <= int(given[:9]) <= 100:
        raise Refused("limit", "This must be a whole number from 1 to 100.")
    return int(given)


def cursor_of(identity: int) -> str:
    """The cursor of the page that follows the row with this id."""
    return base64.urlsafe_b64encode(str(identity).encode()).decode()


def id_of(cursor: str) -> int:
    """The id in a cursor, 0 without one. Raises Refused."""
    if not cursor:
        return 0
    try:
        return min(max(int(base64.urlsafe_b64decode(cursor.encode())), 0), 2**62)
    except (binascii.Error, ValueError):
        raise Refused("cursor", "This is not a cursor of this list.", code="invalid_cursor") from None


def _two(words: list[str]) -> tuple[str, str]:
    return words[0], words[1]


MODEL_EXAMPLE = {
    "slug": "card-limit",
    "name": "Card limit",
    "industry": "banking",
    "purpose": "Decides whether a credit card gets the higher limit.",
    "risk_level": "high",
    "protected_attributes": [
        {"name": "sex", "levels": ["female", "male"], "reference": "male", "pairs": ["age"]},
        {"name": "age", "levels": ["under 30", "30 to 59", "60 and over"], "reference": "30 to 59"},
    ],
    "favourable_decision": 1,
    "words": {"decision": ["limit kept", "limit raised"], "outcome": ["defaulted", "repaid"]},
    "owner": "Card products",
    "assessment_reference": "RA-2026-014",
}
VERSION_EXAMPLE = {
    "version": "2.1.0",
    "environment": {"packages": {"scikit-learn": "1.9.1"}, "python": "3.11.7"},
    "training_data": {
        "rows": 120000,
        "until": "2026-06-30",
        "representation": {"sex": {"female": 0.46, "male": 0.54}},
    },
    "released_at": "2026-07-14T00:00:00Z",
}

ENDPOINTS = (
    Endpoint(
        "POST",
        "models",
        "admin",
        "Register a model",
        register_model,
        {201: ModelAnswer},
        ModelBody,
        example=MODEL_EXAMPLE,
    ),
    Endpoint(
        "GET",
        "models",
        "read",
        "List the models this token may see",
        list_models,
        {200: ModelsAnswer},
        query=(LIMIT, CURSOR),
    ),
    Endpoint("GET", "models/<slug>", "read", "Show a model", show_model, {200: ModelAnswer}),
    Endpoint(
        "POST",
        "models/<slug>/versions",
        "admin",
        "Register a version of a model",
        register_version,
        {201: VersionAnswer},
        VersionBody,
        example=VERSION_EXAMPLE,
    ),
)
