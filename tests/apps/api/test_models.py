"""Registering and listing models and versions."""

from __future__ import annotations

from typing import Any

import pytest

from apps.accounts.services import person_create
from apps.api.calls.models import MODEL_EXAMPLE, VERSION_EXAMPLE
from apps.audit.models import AuditEntry
from apps.common import clock
from apps.registry.models import MonitoredModel
from apps.registry.selectors import model_spec, models_visible_to
from apps.registry.spec import ModelSpec
from apps.thresholds.selectors import policy_in_force
from biasgov.fairness.policy import PRESETS, Bound
from tests.apps.api.door import caller, fields_of, problem
from tests.apps.inference.models import registered


def attribute(**changes: Any) -> dict[str, Any]:
    return {"name": "sex", "levels": ["female", "male"], "reference": "male"} | changes


def test_registered_model_is_what_was_sent_and_judged_from_the_start(db: None) -> None:
    answer = caller("admin").post("models", MODEL_EXAMPLE)
    assert answer.status_code == 201
    assert answer.json().items() >= {k: v for k, v in MODEL_EXAMPLE.items() if k in ("slug", "words", "owner")}.items()
    spec = model_spec("card-limit")
    assert spec.pairs == (("sex", "age"),)
    assert spec.words.outcome == ("defaulted", "repaid")
    policy = policy_in_force(spec.id, clock.now())
    assert policy.policy == PRESETS["banking"]
    assert policy.assessment_reference == "RA-2026-014"
    assert AuditEntry.objects.filter(action="model.registered", subject="model:card-limit").count() == 1


def test_an_assessments_own_bounds_take_the_place_of_the_preset(db: None) -> None:
    body = MODEL_EXAMPLE | {"bounds": {"equalized_odds_difference": {"upper": 0.04}}}
    assert caller("admin").post("models", body).status_code == 201
    policy = policy_in_force(model_spec("card-limit").id, clock.now()).policy
    assert policy.bounds == {"equalized_odds_difference": Bound(None, 0.04)}


def test_changes_are_explained_by_a_declared_attribute_or_by_none(db: None) -> None:
    answer = caller("admin").post("models", MODEL_EXAMPLE | {"segment": "age"})
    assert (answer.status_code, answer.json()["segment"]) == (201, "age")
    assert model_spec("card-limit").plan().segment == "age"
    caller("admin").post("models", MODEL_EXAMPLE | {"slug": "lending"})
    assert model_spec("lending").plan().segment is None
    refused = caller("admin").post("models", MODEL_EXAMPLE | {"slug": "renting", "segment": "region"})
    assert fields_of(problem(refused, 422)) == ["segment"]
    assert not MonitoredModel.objects.filter(slug="renting").exists()


@pytest.mark.parametrize("bounds", [{"fairness": {"upper": 1}}, {"fpr_gap": {"lower": 2, "upper": 1}}])
def test_bounds_that_mean_nothing_register_nothing(db: None, bounds: dict[str, Any]) -> None:
    answer = caller("admin").post("models", MODEL_EXAMPLE | {"bounds": bounds})
    assert answer.status_code == 422
    assert "bounds" in answer.content.decode()
    assert not MonitoredModel.objects.filter(slug="card-limit").exists()


def test_words_have_defaults(db: None) -> None:
    body = {name: value for name, value in MODEL_EXAMPLE.items() if name != "words"}
    words = caller("admin").post("models", body).json()["words"]
    assert words == {"decision": ["unfavourable", "favourable"], "outcome": ["negative", "positive"]}


def test_owner_who_has_an_account_gets_the_model(db: None) -> None:
    person = person_create(
        actor="operator:tests",
        username="olga",
        password="correct horse battery",
        roles=["model_owner"],
        email="olga@example.org",
    )
    caller("admin").post("models", MODEL_EXAMPLE | {"owner": "Olga@example.org"})
    registered("lending")
    assert [model.slug for model in models_visible_to(person)] == ["card-limit"]


def test_second_model_of_the_same_slug_is_a_conflict(db: None) -> None:
    who = caller("admin")
    who.post("models", MODEL_EXAMPLE)
    assert fields_of(problem(who.post("models", MODEL_EXAMPLE), 409)) == ["slug"]
    assert MonitoredModel.objects.count() == 1


def test_token_of_one_model_registers_no_other(spec: ModelSpec) -> None:
    problem(caller("admin", model="hiring").post("models", MODEL_EXAMPLE), 403)


@pytest.mark.parametrize(
    ("changes", "field"),
    [
        ({"slug": "Upper"}, "slug"),
        ({"slug": "-edge"}, "slug"),
        ({"slug": "line\n"}, "slug"),
        ({"slug": "a" * 65}, "slug"),
        ({"industry": "astrology"}, "industry"),
        ({"risk_level": "unheard of"}, "risk_level"),
        ({"favourable_decision": 2}, "favourable_decision"),
        ({"favourable_decision": True}, "favourable_decision"),
        ({"purpose": "  "}, "purpose"),
        ({"purpose": "a\0b"}, "purpose"),
        ({"name": ""}, "name"),
        ({"owner": " "}, "owner"),
        ({"surprise": 1}, "surprise"),
        ({"words": {"decision": ["one"]}}, "words.decision"),
        ({"words": {"decision": ["no", "yes"], "outcome": ["bad", " "]}}, "words.outcome[1]"),
        ({"assessment_reference": " "}, "assessment_reference"),
        ({"protected_attributes": []}, "protected_attributes"),
        ({"protected_attributes": [attribute(name="a*b")]}, "protected_attributes[0].name"),
        ({"protected_attributes": [attribute(name="score")]}, "protected_attributes[0].name"),
        ({"protected_attributes": [attribute(), attribute(name="Sex")]}, "protected_attributes[0].name"),
        ({"protected_attributes": [attribute(levels=["male", "male"])]}, "protected_attributes[0].levels"),
        ({"protected_attributes": [attribute(levels=["male", "unknown"])]}, "protected_attributes[0].levels"),
        ({"protected_attributes": [attribute(levels=["male", "x*y"])]}, "protected_attributes[0].levels"),
        ({"protected_attributes": [attribute(levels=["male", "\0"])]}, "protected_attributes[0].levels"),
        (
            {"protected_attributes": [attribute(levels=[str(n) for n in range(33)], reference="1")]},
            "protected_attributes[0].levels",
        ),
        ({"protected_attributes": [attribute(reference="other")]}, "protected_attributes[0].reference"),
        ({"protected_attributes": [attribute(pairs=["age"])]}, "protected_attributes[0].pairs"),
        ({"protected_attributes": [attribute(pairs=["sex"])]}, "protected_attributes[0].pairs"),
        (
            {
                "protected_attributes": [
                    attribute(name=f"a{n}", levels=[str(level) for level in range(31)], reference="0") for n in range(4)
                ]
            },
            "protected_attributes",
        ),
    ],
)
def test_bad_declaration_is_refused_by_field_and_nothing_is_stored(db: None, changes: dict, field: str) -> None:
    document = problem(caller("admin").post("models", MODEL_EXAMPLE | changes), 422)
    assert fields_of(document) == [field]
    assert not MonitoredModel.objects.exists()


def test_cube_that_would_be_too_large_is_refused_with_the_number(db: None) -> None:
    attributes = [attribute(name=f"a{n}", levels=list("abcdefghijklmnop"), reference="a") for n in range(4)]
    document = problem(caller("admin").post("models", MODEL_EXAMPLE | {"protected_attributes": attributes}), 422)
    assert "2,000,000" in document["detail"]
    assert "10,523,646" in document["detail"]


@pytest.mark.parametrize("left_out", ["slug", "purpose", "protected_attributes", "favourable_decision", "owner"])
def test_missing_field_is_named(db: None, left_out: str) -> None:
    body = {name: value for name, value in MODEL_EXAMPLE.items() if name != left_out}
    document = problem(caller("admin").post("models", body), 422)
    assert (document["errors"][0]["field"], document["errors"][0]["code"]) == (left_out, "missing")


@pytest.mark.parametrize("body", [b" ", b"{", b"\xff", b'{"slug":"a","slug":"b"}', b"[" * 100_000, b'{"a":NaN}'])
def test_body_that_is_not_json_is_a_bad_request(db: None, body: bytes) -> None:
    assert problem(caller("admin").post("models", body), 400)


def test_features_and_population_are_shown_as_registered(db: None) -> None:
    declared = {"features": ["income"], "population": {"sex": {"female": 0.5, "male": 0.5}}, "family": "cards"}
    assert caller("admin").post("models", MODEL_EXAMPLE | declared).status_code == 201
    shown = caller("read").get(f"models/{MODEL_EXAMPLE['slug']}").json()
    assert {name: shown[name] for name in declared} == declared
    bad = MODEL_EXAMPLE | {"slug": "other", "population": {"sex": {"female": 0.5, "male": 0.2}}}
    assert fields_of(problem(caller("admin").post("models", bad), 422)) == ["population.sex"]


def test_version_is_registered_once(spec: ModelSpec) -> None:
    who = caller("admin")
    assert who.post("models/hiring/versions", VERSION_EXAMPLE).json() == {"model": "hiring"} | VERSION_EXAMPLE
    assert fields_of(problem(who.post("models/hiring/versions", VERSION_EXAMPLE), 409)) == ["version"]
    assert who.get("models/hiring").json()["versions"] == ["1.0", "2.1.0"]


@pytest.mark.parametrize(
    ("changes", "field"),
    [
        ({"version": "a b"}, "version"),
        ({"environment": {"packages": {"numpy": 2}}}, "environment.packages[...]"),
        ({"environment": {"shell": "x"}}, "environment.shell"),
        ({"training_data": [1]}, "training_data"),
        ({"training_data": {"a": "\0"}}, "body"),
        ({"training_data": {"representation": {"sex": {"female": 2}}}}, "training_data.representation.sex"),
        ({"training_data": {"score_bins": [1]}}, "training_data.score_bins.*"),
        ({"released_at": "2099-01-01T00:00:00Z"}, "released_at"),
        ({"released_at": "2026-07-14T00:00:00"}, "released_at"),
    ],
)
def test_bad_version_is_refused_by_field(spec: ModelSpec, changes: dict, field: str) -> None:
    answer = caller("admin").post("models/hiring/versions", VERSION_EXAMPLE | changes)
    assert fields_of(problem(answer, 422)) == [field]


def test_token_of_a_model_registers_its_versions(spec: ModelSpec) -> None:
    answer = caller("admin", model="hiring").post("models/hiring/versions", VERSION_EXAMPLE)
    assert answer.status_code == 201


def test_list_shows_what_the_token_may_see_page_by_page(spec: ModelSpec) -> None:
    registered("lending")
    registered("pricing")
    who = caller("read")
    first = who.get("models?limit=2").json()
    second = who.get(f"models?limit=2&cursor={first['next']}").json()
    assert [model["slug"] for model in first["models"] + second["models"]] == ["hiring", "lending", "pricing"]
    assert second["next"] is None
    assert [each["slug"] for each in caller("read", model="lending").get("models").json()["models"]] == ["lending"]


@pytest.mark.parametrize("query", ["limit=0", "limit=101", "limit=x", "limit=%C2%B2", "cursor=!", "cursor=%C3%A9"])
def test_bad_paging_is_refused(spec: ModelSpec, query: str) -> None:
    assert fields_of(problem(caller("read").get(f"models?{query}"), 422)) == [query.split("=")[0]]
