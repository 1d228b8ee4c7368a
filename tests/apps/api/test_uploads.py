"""PUT, GET and DELETE /attribute-uploads/<id>: files of attributes by API."""

from __future__ import annotations

import json
from io import BytesIO
from typing import Any
from uuid import uuid4

import pytest

from apps.pipeline import services as pipeline
from apps.registry.spec import ModelSpec
from apps.vault import receiving
from apps.vault.models import VaultUpload
from tests.apps.api.door import Caller, caller, problem
from tests.apps.api.test_attributes import lending
from tests.sides import side

ROWS = [f"person {n},{('female', 'male')[n % 2]}" for n in range(25)]
FILE = "\n".join(["subject_id,sex", *ROWS, ""]).encode()


@pytest.fixture(autouse=True)
def _small_parts(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(receiving, "PART", 10)


def address() -> str:
    return f"attribute-uploads/{uuid4()}"


def put(who: Caller, where: str, content: bytes = FILE, media_type: str = "text/csv", **headers: str) -> Any:
    return who.send("PUT", where, content, media_type=media_type, **headers)


def cut_off(who: Caller, where: str, content: bytes = FILE[:-60]) -> Any:
    """A request whose connection is lost before the whole file has come."""
    lost = {"wsgi.input": BytesIO(content), "CONTENT_LENGTH": str(len(FILE))}
    return who.client.generic("PUT", f"/api/v1/{where}", content, "text/csv", headers=who.headers, **lost)


def test_a_file_is_sealed_stored_and_followed_by_its_id(spec: ModelSpec) -> None:
    who, where = caller("attributes:write"), address()
    answer = put(who, where)
    assert answer.status_code == 202
    assert answer.json() == {
        "upload_id": where.partition("/")[2],
        "state": "pending",
        "offset": len(FILE),
        "subjects": 25,
        "done": 0,
        "stored": 0,
        "replaced": 0,
        "reason": "",
    }
    with side("compute"):
        assert pipeline.open_uploads() == 1
    found = who.get(where).json()
    assert (found["state"], found["done"], found["stored"]) == ("stored", 25, 25)


@pytest.mark.parametrize("media_type", ["application/json", "application/x-ndjson"])
def test_json_and_ndjson_are_taken_too(spec: ModelSpec, media_type: str) -> None:
    rows = [{"subject_id": row.split(",")[0], "attributes": {"sex": row.split(",")[1]}} for row in ROWS]
    whole = json.dumps({"subjects": rows}) if media_type == "application/json" else "\n".join(map(json.dumps, rows))
    answer = put(caller(), address(), whole.encode(), media_type)
    assert answer.status_code == 202
    assert answer.json()["subjects"] == 25


def test_a_file_that_broke_off_goes_on_from_the_offset(spec: ModelSpec) -> None:
    who, where = caller(), address()
    document = problem(cut_off(who, where), 400)
    assert "ended early" in document["detail"]
    found = who.get(where).json()
    assert (found["state"], found["subjects"]) == ("receiving", 20)
    offset, size = found["offset"], len(FILE)
    document = problem(put(who, where, FILE[5:], content_range=f"bytes 5-{size - 1}/{size}"), 409)
    assert f"goes on at byte {offset}" in document["detail"]
    answer = put(who, where, FILE[offset:], content_range=f"bytes {offset}-{size - 1}/{size}")
    assert (answer.status_code, answer.json()["subjects"]) == (202, 25)
    problem(put(who, where), 409)


@pytest.mark.parametrize(
    ("said", "status"),
    [("bytes 0-9/100", 416), ("bytes */10", 400), ("lines 0-9/10", 400), ("bytes 10-5/6", 416), ("bytes 0-0/1", 416)],
)
def test_other_ranges_are_refused(spec: ModelSpec, said: str, status: int) -> None:
    problem(put(caller(), address(), content_range=said), status)
    assert not VaultUpload.objects.exists()


def test_a_bad_row_is_named_and_nothing_remains(spec: ModelSpec) -> None:
    who, where = caller(), address()
    document = problem(put(who, where, FILE + b"ana,Jedi\n"), 422)
    assert document["errors"] == [
        {
            "field": "Row 27, column sex",
            "code": "unknown_level",
            "message": "has a level that no model declares; declared are female, male.",
        }
    ]
    assert "Jedi" not in json.dumps(document)
    assert who.get(where).json()["state"] == "refused"


def test_a_file_is_taken_back_before_its_end_only(spec: ModelSpec) -> None:
    who, where = caller(), address()
    cut_off(who, where)
    assert who.send("DELETE", where).json()["state"] == "withdrawn"
    problem(who.send("DELETE", where), 409)
    problem(put(who, where), 409)


def test_another_token_finds_nothing_there(spec: ModelSpec) -> None:
    where = address()
    cut_off(caller(), where)
    for method in ("GET", "PUT", "DELETE"):
        problem(caller().send(method, where, FILE, media_type="text/csv"), 404)
    problem(caller().get(address()), 404)
    assert VaultUpload.objects.get().state == "receiving"


def test_a_bound_token_changes_its_models_attributes_only(spec: ModelSpec) -> None:
    lending()
    who = caller(model="lending")
    document = problem(put(who, address()), 422)
    assert document["errors"][0]["field"] == "Heading"
    answer = put(who, address(), b"subject_id,age\nana,old\n")
    assert answer.status_code == 202
    assert VaultUpload.objects.get(state="pending").attributes == ["age"]


def test_other_media_types_and_encodings_are_refused(spec: ModelSpec) -> None:
    problem(put(caller(), address(), media_type="application/vnd.ms-excel"), 415)
    problem(put(caller(), address(), content_encoding="gzip"), 415)
