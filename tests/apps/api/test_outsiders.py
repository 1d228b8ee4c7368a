"""Every address from the outside: no token, a bad one, an expired one, the wrong scope, another model's."""

from __future__ import annotations

import functools

import pytest
from django.db import connection

from apps.api.endpoint import Endpoint
from apps.api.models import ApiToken
from apps.api.services import token_revoke
from apps.api.tokens import SCOPES
from apps.api.urls import ENDPOINTS
from apps.common import clock
from apps.registry.spec import ModelSpec
from tests.apps.api.door import Caller, caller, expired, problem, token
from tests.apps.inference.models import registered

every = pytest.mark.parametrize("endpoint", ENDPOINTS, ids=lambda each: f"{each.method} {each.path}")
about_a_model = pytest.mark.parametrize(
    "endpoint", [each for each in ENDPOINTS if each.is_about_model], ids=lambda each: f"{each.method} {each.path}"
)


def address(endpoint: Endpoint, slug: str = "hiring") -> str:
    places = {
        "<slug>": slug,
        "<path:subject_id>": "ana",
        "<int:check_id>": "1",
        "<int:leaf_index>": "0",
        "<uuid:upload_id>": "0f8fad5b-d9cb-469f-a165-70867728950e",
    }
    return functools.reduce(lambda path, place: path.replace(place, places[place]), places, endpoint.path)


def ask(who: Caller, endpoint: Endpoint, slug: str = "hiring") -> dict:
    return who.send(endpoint.method, address(endpoint, slug), endpoint.example)


@every
def test_nobody_gets_in_without_a_token(spec: ModelSpec, endpoint: Endpoint) -> None:
    answer = ask(Caller(None), endpoint)
    problem(answer, 401)
    assert answer["WWW-Authenticate"].startswith("Bearer")


@every
def test_unknown_expired_and_revoked_tokens_are_nothing(spec: ModelSpec, endpoint: Endpoint) -> None:
    secret = token()
    token_revoke(actor="operator:tests", name=ApiToken.objects.latest("id").name)
    for who in (Caller("bg_guess"), Caller("\u00e9"), expired(), Caller(secret)):
        problem(ask(who, endpoint), 401)


@every
def test_wrong_scope_is_forbidden(spec: ModelSpec, endpoint: Endpoint) -> None:
    others = [scope for scope in SCOPES if scope not in (endpoint.scope, "admin")]
    document = problem(ask(caller(*others), endpoint), 403)
    assert endpoint.scope in document["detail"]


@about_a_model
def test_other_models_token_cannot_tell_whether_the_model_exists(spec: ModelSpec, endpoint: Endpoint) -> None:
    registered("lending")
    who = caller(model="lending")
    secret, nothing = ask(who, endpoint), ask(who, endpoint, slug="no-such-model")
    assert problem(secret, 404) == problem(nothing, 404)


@about_a_model
def test_model_that_does_not_exist_is_not_found(spec: ModelSpec, endpoint: Endpoint) -> None:
    problem(ask(caller(), endpoint, slug="no-such-model"), 404)


@about_a_model
def test_wrong_scope_hears_nothing_about_existence(spec: ModelSpec, endpoint: Endpoint) -> None:
    others = [scope for scope in SCOPES if scope not in (endpoint.scope, "admin")]
    who = caller(*others)
    assert problem(ask(who, endpoint), 403) == problem(ask(who, endpoint, slug="no-such-model"), 403)


@every
def test_other_methods_are_named_as_such(spec: ModelSpec, endpoint: Endpoint) -> None:
    answer = caller().send("PATCH", address(endpoint), {})
    problem(answer, 405)
    assert endpoint.method in answer["Allow"]


@every
def test_caller_who_takes_no_json_is_told(spec: ModelSpec, endpoint: Endpoint) -> None:
    problem(caller().send(endpoint.method, address(endpoint), endpoint.example, Accept="text/html"), 406)


def test_addresses_that_do_not_exist_are_problems_too(spec: ModelSpec) -> None:
    problem(Caller(None).get("nothing"), 401)
    problem(caller().get("nothing"), 404)


def test_token_expires_while_it_is_in_use(spec: ModelSpec) -> None:
    who = Caller(token("read", days=1))
    assert who.get("models").status_code == 200
    with clock.frozen(ApiToken.objects.latest("id").expires_at):
        problem(who.get("models"), 401)


def test_only_the_hash_of_a_token_is_kept(db: None) -> None:
    secret = token("read")
    with connection.cursor() as cursor:
        cursor.execute("SELECT row_to_json(t)::text FROM api_apitoken t")
        (stored,) = cursor.fetchone()
    assert secret not in stored
    assert secret.encode().hex() not in stored


def test_use_of_a_token_is_noted_to_the_hour(spec: ModelSpec) -> None:
    caller("read").get("models")
    used = ApiToken.objects.latest("id").last_used_at
    assert used == clock.hour_floor(clock.now())
