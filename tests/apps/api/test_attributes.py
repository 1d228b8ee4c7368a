"""PUT /attributes and DELETE /attributes/<subject_id>."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from apps.api.calls import attributes
from apps.pipeline import services as pipeline
from apps.registry.declarations import AttributeDeclaration
from apps.registry.services import model_register
from apps.registry.spec import ModelSpec
from apps.vault import blocks, shelf
from apps.vault.columns import halves
from apps.vault.keys import data_keys
from apps.vault.models import VaultErasure, VaultUpload
from apps.vault.pseudonyms import Pseudonymiser
from apps.vault.purpose import entering
from tests.apps.api.door import Caller, caller, fields_of, problem
from tests.apps.inference.models import ACTOR
from tests.sides import side


def subject(name: str = "ana", **attributes: str) -> dict[str, Any]:
    return {"subject_id": name, "attributes": attributes or {"sex": "female"}}


def put(who: Any, *subjects: Any) -> Any:
    return who.send("PUT", "attributes", {"subjects": subjects})


def lending() -> ModelSpec:
    return model_register(
        actor=ACTOR,
        slug="lending",
        name="Lending",
        industry="banking",
        purpose="Lends.",
        risk_level="high",
        attributes=[AttributeDeclaration("age", ("young", "old"), "old")],
        favourable_decision=1,
        owner="Lending",
    )


def test_upload_is_sealed_and_answered_with_its_number(spec: ModelSpec) -> None:
    answer = put(caller("attributes:write"), subject(), subject("bo", sex="male", region="west"))
    assert answer.status_code == 202
    upload = VaultUpload.objects.get(pk=answer.json()["upload_id"])
    assert (answer.json()["sealed"], upload.subjects) == (2, 2)
    assert (upload.state, upload.parts) == ("pending", 2)


@pytest.mark.parametrize(
    ("bad", "field", "code"),
    [
        (subject(shoe_size="top-secret"), "subjects[1].attributes.shoe_size", "unknown_attribute"),
        (subject(sex="top-secret"), "subjects[1].attributes.sex", "unknown_level"),
        (subject(sex="unknown"), "subjects[1].attributes.sex", "unknown_level"),
        (subject(name="bo"), "subjects[1].subject_id", "duplicate"),
        (subject(name="a\0"), "subjects[1].subject_id", "invalid"),
        (subject(name=""), "subjects[1].subject_id", "invalid"),
        (subject() | {"attributes": {}}, "subjects[1].attributes", "invalid"),
        (subject() | {"attributes": {"sex": None}}, "subjects[1].attributes[...]", "invalid"),
        (subject() | {"note": "top-secret"}, "subjects[1].note", "unknown_field"),
    ],
)
def test_one_bad_row_refuses_the_whole_upload_without_repeating_a_value(
    spec: ModelSpec, bad: dict, field: str, code: str
) -> None:
    answer = put(caller("attributes:write"), subject("bo"), bad)
    document = problem(answer, 422)
    assert [(error["field"], error["code"]) for error in document["errors"]] == [(field, code)]
    assert b"top-secret" not in answer.content
    assert not VaultUpload.objects.exists()


def test_every_bad_row_is_named_up_to_a_hundred(spec: ModelSpec) -> None:
    answer = put(caller("attributes:write"), *(subject(f"p{n}", sex="?") for n in range(150)))
    assert len(fields_of(problem(answer, 422))) == 100


def test_token_of_a_model_knows_only_its_attributes(spec: ModelSpec) -> None:
    lending()
    bound = caller("attributes:write", model="lending")
    assert put(bound, subject(age="old")).status_code == 202
    assert fields_of(problem(put(bound, subject(sex="female")), 422)) == ["subjects[0].attributes.sex"]
    assert put(caller("attributes:write"), subject(sex="female", age="old")).status_code == 202


def test_key_that_appears_twice_is_refused(spec: ModelSpec) -> None:
    body = b'{"subjects":[{"subject_id":"a","attributes":{"sex":"female","sex":"male"}}]}'
    problem(caller("attributes:write").send("PUT", "attributes", body), 400)


@pytest.mark.parametrize("name", ["ana", "folder/ana", "a%20b", "%E5%B1%B1"])
def test_erasure_is_put_on_record(spec: ModelSpec, name: str) -> None:
    answer = caller("attributes:write").send("DELETE", f"attributes/{name}")
    assert answer.status_code == 202
    assert str(VaultErasure.objects.get().pk) == answer.json()["erasure_id"]


@pytest.mark.parametrize("name", ["a%00b", "x" * 201])
def test_erasure_of_an_impossible_subject_is_refused(spec: ModelSpec, name: str) -> None:
    assert fields_of(problem(caller("attributes:write").send("DELETE", f"attributes/{name}"), 422)) == ["subject_id"]


def test_erasure_is_not_for_the_token_of_one_model(spec: ModelSpec) -> None:
    problem(caller("attributes:write", model=spec.slug).send("DELETE", "attributes/ana"), 403)
    assert not VaultErasure.objects.exists()


@pytest.mark.parametrize("name", ["%ff%fe", "ana%C3", "%ED%A0%80"])
def test_erasure_of_what_is_no_text_is_refused(spec: ModelSpec, name: str) -> None:
    answer = caller("attributes:write").send("DELETE", f"attributes/{name}")
    assert fields_of(problem(answer, 422)) == ["subject_id"]
    assert not VaultErasure.objects.exists()


def test_the_token_of_a_model_changes_only_its_own_attributes(spec: ModelSpec) -> None:
    lending()
    assert put(caller("attributes:write"), subject(sex="female", region="west", age="old")).status_code == 202
    assert put(caller("attributes:write", model="lending"), subject(age="young")).status_code == 202
    assert held("ana") == {"sex": "female", "region": "west", "age": "young"}
    assert put(caller("attributes:write", model=spec.slug), subject(sex="male")).status_code == 202
    assert held("ana") == {"sex": "male", "age": "young"}, "of its own attributes the others went"
    assert put(caller("attributes:write"), subject(sex="male")).status_code == 202
    assert held("ana") == {"sex": "male"}, "a token of no model replaces the record"


def held(name: str) -> dict[str, str]:
    """What the vault holds of a subject, once everything sealed is opened."""
    with side("compute"):
        pipeline.open_uploads()
        subject = np.frombuffer(Pseudonymiser().one(name), np.uint8).reshape(1, 16)
        with entering("monitoring") as cursor:
            needed, _ = (ranges := shelf.shelf(cursor)).sorted_out(halves(subject)[0])
            (block,) = shelf.taken(cursor, ranges.first[needed], data_keys(cursor))
            (row,), (here,) = block.rows(subject)
            return block.attributes()[block.choice[row]] if here else {}


def test_what_would_be_joined_to_a_damaged_block_is_refused_and_holds_nothing_up(
    spec: ModelSpec, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(blocks, "WANTED", 1)
    monkeypatch.setattr(blocks, "MOST", 1)
    lending()
    put(caller("attributes:write"), subject(sex="female", age="old"), subject("bo", sex="male"))
    held("ana")
    damaged, sound = sorted(["ana", "bo"], key=Pseudonymiser().one)
    with side("compute"), entering("upload") as cursor:
        cursor.execute(
            "UPDATE vault.block SET body = set_byte(body, 60, get_byte(body, 60) # 1)"
            " WHERE first = (SELECT first FROM vault.block ORDER BY first LIMIT 1)"
        )
    bound = caller("attributes:write", model="lending")
    first = put(bound, subject(damaged, age="young")).json()["upload_id"]
    second = put(bound, subject(sound, age="young")).json()["upload_id"]
    assert held(sound)["age"] == "young"
    assert VaultUpload.objects.get(pk=first).state == "refused"
    assert VaultUpload.objects.get(pk=second).state == "stored"


@pytest.mark.parametrize("fault", ["bound token", "no token", "ours", "odd id"])
def test_whom_an_erasure_is_about_is_in_no_log(
    fault: str, spec: ModelSpec, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    def broken(**_: Any) -> None:
        raise RuntimeError("a fault of ours")

    who = {"bound token": lambda: caller(model="hiring"), "no token": lambda: Caller(None)}.get(fault, caller)()
    monkeypatch.setattr(attributes, "erasure_request", broken)
    with caplog.at_level("DEBUG"):
        answer = who.send("DELETE", f"attributes/Zerlina{'%07' * (fault == 'odd id')}")
    assert answer.status_code >= 400
    assert "attributes/<path:subject_id>" in caplog.text
    assert "Zerlina" not in caplog.text
