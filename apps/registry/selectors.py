"""What is registered, as frozen values; pages and services read the registry here."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from types import MappingProxyType
from typing import Any

from django.db.models import OuterRef, QuerySet, Subquery

from apps.accounts.permissions import models_within
from apps.registry.models import ModelVersion, MonitoredModel
from apps.registry.spec import AttributeSpec, ModelSpec, Words

KEPT_AT_MOST = 1_024
_kept: dict[tuple[Any, ...], ModelSpec] = {}


@dataclass(frozen=True, slots=True)
class ModelName:
    """What a model is called, and in which industry it works."""

    id: int
    slug: str
    name: str
    industry: str


def model_spec(slug: str) -> ModelSpec:
    """The model called `slug`; raises MonitoredModel.DoesNotExist."""
    return _only(MonitoredModel.objects.filter(slug=slug))


def model_spec_by_id(model_id: int) -> ModelSpec:
    """The model with that id; raises MonitoredModel.DoesNotExist."""
    return _only(MonitoredModel.objects.filter(pk=model_id))


def all_specs() -> tuple[ModelSpec, ...]:
    """Every registered model, by name."""
    return specs_of(MonitoredModel.objects.all())


def specs_of(models: QuerySet[MonitoredModel]) -> tuple[ModelSpec, ...]:
    """The specs of the models of a query set, in its order: one query, and three more where something is new.

    A spec depends on rows that are written once: the model with its attributes, and its versions. It is kept in this
    process as long as these are the same.
    """
    newest = ModelVersion.objects.filter(model=OuterRef("pk")).order_by("-pk").values("pk")[:1]
    states = list(models.values_list("pk", "slug", "created_at", Subquery(newest)))
    known = {state: _kept[state] for state in states if state in _kept}
    missing = {state[0]: state for state in states if state not in known}
    if missing:
        rows = MonitoredModel.objects.filter(pk__in=missing).prefetch_related("attributes", "versions")
        read = {missing[row.pk]: _spec(row) for row in rows}
        if len(_kept) + len(read) > KEPT_AT_MOST:
            _kept.clear()
        _kept.update(read)
        known |= read
    return tuple(known[state] for state in states)


def specs_page(*, only: str | None, after: int, limit: int | None) -> tuple[ModelSpec, ...]:
    """Specs in the order of registration, from the one after id `after`; `only` narrows them to one slug."""
    models = MonitoredModel.objects.filter(pk__gt=after).order_by("pk")
    if only is not None:
        models = models.filter(slug=only)
    return specs_of(models[:limit])


def models_visible_to(user: Any) -> QuerySet[MonitoredModel]:
    """The models whose fairness `user` may see: all for whole-house roles, their own for owners, some for auditors."""
    within = models_within(user, "model.view")
    return MonitoredModel.objects.all() if within is None else MonitoredModel.objects.filter(pk__in=within)


def model_names() -> tuple[ModelName, ...]:
    """Every registered model by name. One query."""
    return tuple(ModelName(*row) for row in MonitoredModel.objects.values_list("pk", "slug", "name", "industry"))


def monitored_model(slug: str) -> MonitoredModel:
    """The database object of the model called `slug`, as ownership needs it; raises MonitoredModel.DoesNotExist."""
    return MonitoredModel.objects.get(slug=slug)


def names_visible_to(user: Any) -> tuple[ModelName, ...]:
    """The models of `models_visible_to` by name, where nothing else about them is asked; one query."""
    found = models_visible_to(user).order_by("name", "pk").values_list("pk", "slug", "name", "industry")
    return tuple(ModelName(*row) for row in found)


def model_id_of(slug: str) -> int | None:
    """The id of the model called `slug`, if there is one."""
    return MonitoredModel.objects.filter(slug=slug).values_list("pk", flat=True).first()


def names_of(slugs: Iterable[str]) -> dict[str, str]:
    """{slug: name} of the models that exist."""
    return dict(MonitoredModel.objects.filter(slug__in=set(slugs)).values_list("slug", "name"))


def slugs_of(model_ids: Iterable[int]) -> frozenset[str]:
    """The slugs of these models."""
    return frozenset(MonitoredModel.objects.filter(pk__in=set(model_ids)).values_list("slug", flat=True))


def slug_of(model_id: int | None) -> str:
    """The slug of the model with that id, "" for none; raises MonitoredModel.DoesNotExist."""
    return "" if model_id is None else MonitoredModel.objects.values_list("slug", flat=True).get(pk=model_id)


def current_spec(slug: str) -> ModelSpec | None:
    """`model_spec`, but None where there is no such model."""
    return next(iter(specs_of(MonitoredModel.objects.filter(slug=slug))), None)


def version_details(model_id: int) -> tuple[dict[str, Any], ...]:
    """The versions of a model, newest first: version, environment, training_data, registered_at, released_at.

    Where nobody said when a version was released, that is when it was registered.
    """
    rows = ModelVersion.objects.filter(model_id=model_id).values(
        "id", "version", "environment", "training_data", "registered_at", "released_at"
    )
    details = [{**row, "released_at": row["released_at"] or row["registered_at"]} for row in rows]
    return tuple(sorted(details, key=lambda row: (row["released_at"], row["id"]), reverse=True))


def family_of(spec: ModelSpec) -> tuple[ModelSpec, ...]:
    """The other models of the same declared family, in the order of registration."""
    if not spec.family:
        return ()
    return specs_of(MonitoredModel.objects.filter(family=spec.family).exclude(pk=spec.id).order_by("pk"))


def declared_training(model_id: int) -> dict[str, dict[str, Any]]:
    """What versions declare of their training data for comparison, by version; versions that declare nothing miss.

    Each has `representation` ({attribute: {level: share}}) or `score_bins` ({attribute: {level: 20 shares}}; `*` is
    everybody), or both, as `registry.baselines` checked them.
    """
    rows = ModelVersion.objects.filter(model_id=model_id).order_by("pk").values_list("version", "training_data")
    found = {
        version: {name: declared[name] for name in ("representation", "score_bins") if declared.get(name)}
        for version, declared in rows
    }
    return {version: declared for version, declared in found.items() if declared}


def _only(models: QuerySet[MonitoredModel]) -> ModelSpec:
    for spec in specs_of(models):
        return spec
    raise MonitoredModel.DoesNotExist("The model does not exist.")


def _spec(model: MonitoredModel) -> ModelSpec:
    attributes = list(model.attributes.all())
    return ModelSpec(
        id=model.pk,
        slug=model.slug,
        name=model.name,
        industry=model.industry,
        purpose=model.purpose,
        risk_level=model.risk_level,
        favourable_decision=model.favourable_decision,
        words=Words(_two(model.words["decision"]), _two(model.words["outcome"])),
        owner=model.owner_name,
        attributes=tuple(AttributeSpec(each.name, tuple(each.levels), each.reference) for each in attributes),
        pairs=tuple((each.name, partner) for each in attributes for partner in each.pairs),
        versions=MappingProxyType({version.version: version.pk for version in model.versions.all()}),
        segment=model.segment,
        family=model.family,
        public_data=model.public_data,
        features=tuple(model.features),
        population=model.population,
    )


def _two(words: Iterable[str]) -> tuple[str, str]:
    first, second = words
    return first, second
