"""Idempotency-Key on every POST."""

from __future__ import annotations

from datetime import timedelta

import pytest
from django.db import connection

from apps.api.calls.models import MODEL_EXAMPLE, VERSION_EXAMPLE
from apps.api.idempotency import answers_forget
from apps.api.models import IdempotentAnswer
from apps.common import clock
from apps.registry.spec import ModelSpec
from tests.apps.api.door import caller, problem, row


@pytest.mark.parametrize(
    ("address", "body"),
    [
        ("models", MODEL_EXAMPLE),
        ("models/hiring/versions", VERSION_EXAMPLE),
        ("models/hiring/events", {"events": [row(1)]}),
        ("models/hiring/labels", {"labels": [{"event_id": "e", "label": 1, "observed_at": "2026-01-01T00:00:00Z"}]}),
    ],
)
def test_repeated_post_gets_the_first_answer(spec: ModelSpec, address: str, body: dict) -> None:
    who = caller()
    first = who.post(address, body, Idempotency_Key="k1")
    again = who.post(address, body, Idempotency_Key="k1")
    assert first.status_code < 300
    assert (again.status_code, again.content) == (first.status_code, first.content)
    assert again["Idempotency-Replayed"] == "true"
    assert again["Content-Type"] == first["Content-Type"]


def test_key_with_another_body_is_refused_and_does_nothing(spec: ModelSpec) -> None:
    who = caller()
    who.post("models/hiring/events", {"events": [row(1)]}, Idempotency_Key="k1")
    problem(who.post("models/hiring/events", {"events": [row(2)]}, Idempotency_Key="k1"), 422)
    with connection.cursor() as cursor:
        cursor.execute("SELECT count(*) FROM inference_event")
        assert cursor.fetchone() == (1,)


def test_keys_belong_to_a_token_and_an_address(spec: ModelSpec) -> None:
    who, other = caller(), caller()
    body = {"events": [row(1)]}
    who.post("models/hiring/events", body, Idempotency_Key="k1")
    assert other.post("models/hiring/events", body, Idempotency_Key="k1").json()["duplicates"] == 1
    labels = {"labels": [{"event_id": "event-1", "label": 1, "observed_at": "2026-01-01T00:00:00Z"}]}
    assert who.post("models/hiring/labels", labels, Idempotency_Key="k1").json()["accepted"] == 1


def test_refused_request_is_judged_again(spec: ModelSpec) -> None:
    who, body = caller(), {"events": [row(1, version="2.1.0")]}
    problem(who.post("models/hiring/events", body, Idempotency_Key="k1"), 422)
    who.post("models/hiring/versions", VERSION_EXAMPLE)
    assert who.post("models/hiring/events", body, Idempotency_Key="k1").status_code == 202


def test_key_is_free_again_after_a_day(spec: ModelSpec) -> None:
    who, body = caller(), {"events": [row(1)]}
    who.post("models/hiring/events", body, Idempotency_Key="k1")
    IdempotentAnswer.objects.update(created_at=clock.now() - timedelta(hours=25))
    assert who.post("models/hiring/events", body, Idempotency_Key="k1").json()["duplicates"] == 1
    assert IdempotentAnswer.objects.count() == 1


def test_old_answers_are_forgotten(spec: ModelSpec) -> None:
    who = caller()
    for number in range(2):
        who.post("models/hiring/events", {"events": [row(number)]}, Idempotency_Key=f"k{number}")
    IdempotentAnswer.objects.filter(key="k0").update(created_at=clock.now() - timedelta(hours=25))
    assert answers_forget() == 1


@pytest.mark.parametrize("key", ["", "a b", "x" * 201])
def test_unusable_key_is_a_bad_request(spec: ModelSpec, key: str) -> None:
    problem(caller().post("models/hiring/events", {"events": [row(1)]}, Idempotency_Key=key), 400)


def test_another_token_without_the_scope_never_sees_the_kept_answer(spec: ModelSpec) -> None:
    caller().post("models/hiring/events", {"events": [row(1)]}, Idempotency_Key="k1")
    problem(caller("read").post("models/hiring/events", {"events": [row(1)]}, Idempotency_Key="k1"), 403)
