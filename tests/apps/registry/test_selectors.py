"""Who sees which model, and how a specification is kept."""

from __future__ import annotations

import pytest
from django.contrib.auth.models import AnonymousUser
from django.db import connection
from django.test.utils import CaptureQueriesContext

from apps.accounts.services import person_create
from apps.registry import selectors
from apps.registry.models import MonitoredModel
from apps.registry.selectors import all_specs, current_spec, model_spec, model_spec_by_id, models_visible_to
from apps.registry.services import version_register
from biasgov.fairness.schema import Axis
from tests.apps.inference.models import ACTOR, registered
from tests.sides import side


def person(name: str, *roles: str):
    return person_create(actor=ACTOR, username=name, password="correct horse battery", roles=list(roles))


def test_roles_of_the_whole_house_see_every_model(db: None) -> None:
    registered("hiring"), registered("lending")
    assert models_visible_to(person("ines", "rai_officer")).count() == 2


def test_owner_without_a_model_and_strangers_see_none(db: None) -> None:
    registered("hiring")
    assert models_visible_to(person("olga", "model_owner")).count() == 0
    assert models_visible_to(person("uma")).count() == 0
    assert models_visible_to(AnonymousUser()).count() == 0


def test_specification_says_what_is_measured(db: None) -> None:
    spec = registered("hiring")
    assert spec.schema().axes == (Axis("sex", ("female", "male")), Axis("region", ("north", "south", "west")))
    plan = spec.plan()
    assert dict(plan.references) == {"sex": "male", "region": "north"}
    assert plan.pairs == (("sex", "region"),)
    assert spec.version_names == {identity: name for name, identity in spec.versions.items()}
    assert model_spec("hiring") == model_spec_by_id(spec.id) == spec


def test_compute_side_reads_specifications(db: None) -> None:
    spec = registered("hiring")
    with side("compute"):
        assert all_specs() == (spec,)


def test_specifications_cost_four_queries_however_many_there_are_and_one_once_they_are_known(
    db: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    for slug in ("b", "a", "d", "c"):
        registered(slug)
    monkeypatch.setattr(selectors, "_kept", {})
    with CaptureQueriesContext(connection) as asked:
        found = all_specs()
    assert ([spec.slug for spec in found], len(asked)) == (["a", "b", "c", "d"], 4)
    with CaptureQueriesContext(connection) as asked:
        assert all_specs() == found
    assert len(asked) == 1


def test_kept_specification_costs_one_query_and_is_never_stale(db: None) -> None:
    spec = registered("hiring")
    assert current_spec("hiring") == spec
    with CaptureQueriesContext(connection) as asked:
        assert current_spec("hiring") == spec
    assert len(asked) == 1
    version_register(actor=ACTOR, model_id=spec.id, version="2.0", environment={})
    fresh = current_spec("hiring")
    assert fresh is not None
    assert "2.0" in fresh.versions


def test_unknown_model_does_not_exist(db: None) -> None:
    assert current_spec("nothing") is None
    with pytest.raises(MonitoredModel.DoesNotExist):
        model_spec("nothing")
