"""Registering models and their versions."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta
from typing import Any

from django.contrib.auth import get_user_model
from django.db import IntegrityError, transaction
from django.db.models import Q

from apps.accounts.services import ownership_grant
from apps.audit.services import append
from apps.common import clock
from apps.common.errors import Refused
from apps.registry.baselines import check_score_bins, check_shares
from apps.registry.declarations import (
    DEFAULT_WORDS,
    INDUSTRIES,
    RISK_LEVELS,
    SLUG,
    VERSION,
    AttributeDeclaration,
    check_attributes,
    check_features,
    check_segment,
    check_text,
    pairs_of,
)
from apps.registry.models import ModelVersion, MonitoredModel, ProtectedAttribute
from apps.registry.selectors import model_spec_by_id
from apps.registry.spec import ModelSpec, Words

OLDEST_RELEASE = timedelta(days=30 * 366)


def model_register(
    *,
    actor: str,
    slug: str,
    name: str,
    industry: str,
    purpose: str,
    risk_level: str,
    attributes: Sequence[AttributeDeclaration],
    favourable_decision: int,
    owner: str,
    words: Words = DEFAULT_WORDS,
    family: str = "",
    segment: str = "",
    features: Sequence[str] = (),
    population: Mapping[str, Mapping[str, float]] | None = None,
    public_data: bool = False,
) -> ModelSpec:
    """Register a model with its protected attributes.

    `owner` names who answers for the model. Where it is the user name or e-mail address of a person here, that
    person becomes its model owner (object permission ``registry.own_model``); otherwise it stays a name. `segment`
    names the attribute by which a change of a disparity is split into mix and rates; without one, the attribute that
    explains most is chosen each time. `features` names those of the events by which people are alike or not.
    `population` declares the shares of the groups the model serves, {attribute: {level: share}}. `public_data`: the
    events are published anyway, so nothing is held back because of what was told before.

    Raises
    ------
    Refused
        Naming the field; code ``exists`` when the slug is taken.
    """
    if not SLUG.fullmatch(slug):
        raise Refused("slug", f"{slug!r} must be 1 to 64 lower-case letters, digits and inner hyphens.")
    if industry not in INDUSTRIES:
        raise Refused("industry", f"{industry!r} is none of {', '.join(INDUSTRIES)}.")
    if risk_level not in RISK_LEVELS:
        raise Refused("risk_level", f"{risk_level!r} is none of {', '.join(RISK_LEVELS)}.")
    if favourable_decision not in (0, 1):
        raise Refused("favourable_decision", f"{favourable_decision!r} must be 0 or 1.")
    specs = check_attributes(attributes)
    check_segment(segment, attributes)
    pairs = pairs_of(attributes)
    owner_name = check_text(owner, "owner", longest=200)
    person = _person(owner_name)
    try:
        with transaction.atomic():
            model = MonitoredModel.objects.create(
                slug=slug,
                name=check_text(name, "name", longest=120),
                industry=industry,
                purpose=check_text(purpose, "purpose", longest=4000),
                risk_level=risk_level,
                family=check_text(family, "family", longest=64) if family else "",
                favourable_decision=favourable_decision,
                words=_checked_words(words),
                segment=segment,
                features=list(check_features(features, attributes)),
                population=check_shares(population or {}, specs, field="population"),
                public_data=public_data,
                owner=person,
                owner_name=owner_name,
            )
            ProtectedAttribute.objects.bulk_create(
                ProtectedAttribute(
                    model=model,
                    position=position,
                    name=attribute.name,
                    levels=list(attribute.levels),
                    reference=attribute.reference,
                    pairs=[two for one, two in pairs if one == attribute.name],
                )
                for position, attribute in enumerate(attributes)
            )
            if person is not None:
                _own(person, model, actor)
            append(
                actor=actor,
                action="model.registered",
                subject=f"model:{slug}",
                detail={
                    "industry": industry,
                    "attributes": [each.name for each in attributes],
                    "owner": owner_name,
                    "public_data": public_data,
                },
            )
    except IntegrityError:
        if MonitoredModel.objects.filter(slug=slug).exists():
            raise Refused("slug", f"There is already a model called {slug!r}.", code="exists") from None
        raise
    return model_spec_by_id(model.pk)


def version_register(
    *,
    actor: str,
    model_id: int,
    version: str,
    environment: Mapping[str, Any],
    training_data: Mapping[str, Any] | None = None,
    released_at: datetime | None = None,
) -> int:
    """Register a version of a model and return its id.

    `released_at` says when it began to decide, where that differs from now. Two members of `training_data` are
    compared with what is seen later: `representation`, {attribute: {level: share}}, and `score_bins`, {attribute:
    {level: 20 shares}} or 20 shares for everybody. The rest of it is kept as it is.

    Raises Refused naming the field; code ``exists`` when the model already has a version of that name.
    """
    if not VERSION.fullmatch(version):
        raise Refused("version", f"{version!r} must be 1 to 100 letters, digits and '.', '_', '+', '-'.")
    now = clock.now()
    if released_at is not None and not now - OLDEST_RELEASE <= released_at <= now:
        raise Refused("released_at", f"{released_at.isoformat()} lies in the future or more than 30 years back.")
    try:
        with transaction.atomic():
            model = MonitoredModel.objects.get(pk=model_id)
            registered = ModelVersion.objects.create(
                model=model,
                version=version,
                environment=dict(environment),
                training_data=_checked_training(training_data or {}, model_spec_by_id(model_id)),
                released_at=released_at,
            )
            append(
                actor=actor,
                action="version.registered",
                subject=f"model:{model.slug}",
                detail={"version": version},
            )
    except IntegrityError:
        if ModelVersion.objects.filter(model_id=model_id, version=version).exists():
            raise Refused("version", f"This model already has a version {version!r}.", code="exists") from None
        raise
    return registered.pk


def _checked_training(given: Mapping[str, Any], spec: ModelSpec) -> dict[str, Any]:
    checked = dict(given)
    for name, check in (("representation", check_shares), ("score_bins", check_score_bins)):
        if name in given:
            checked[name] = check(given[name], spec.attributes, field=f"training_data.{name}")
    return checked


def _person(owner: str) -> Any:
    people = get_user_model().objects.filter(is_active=True)
    return people.filter(Q(username=owner) | Q(email__iexact=owner)).order_by("pk").first()


def _own(person: Any, model: MonitoredModel, actor: str) -> None:
    try:
        ownership_grant(person=person, model=model, actor=actor)
    except Refused as refused:
        raise Refused("owner", refused.message, code=refused.code) from None


def _checked_words(words: Words) -> dict[str, list[str]]:
    return {
        kind: [check_text(word, f"words.{kind}[{index}]", longest=80) for index, word in enumerate(pair)]
        for kind, pair in (("decision", words.decision), ("outcome", words.outcome))
    }
