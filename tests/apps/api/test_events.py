"""POST /models/<slug>/events as a program sees it."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from django.db import OperationalError, connection

from apps.api.calls import ingest
from apps.inference.shapes import MAXIMUM_BYTES
from apps.registry.spec import ModelSpec
from tests.apps.api.door import caller, fields_of, problem, row

ADDRESS = "models/hiring/events"
NDJSON = "application/x-ndjson"


def stored() -> int:
    with connection.cursor() as cursor:
        cursor.execute("SELECT count(*) FROM inference_event")
        return cursor.fetchone()[0]


def test_batch_lands_and_a_replay_is_harmless(spec: ModelSpec) -> None:
    who, batch = caller("events:write"), {"events": [row(n, score=0.5) for n in range(20)]}
    first = who.post(ADDRESS, batch)
    assert (first.status_code, first.json()) == (202, {"accepted": 20, "duplicates": 0, "rejected": []})
    again = who.post(ADDRESS, batch)
    assert (again.status_code, again.json()) == (202, {"accepted": 0, "duplicates": 20, "rejected": []})
    assert stored() == 20


def test_token_of_the_model_may_feed_it(spec: ModelSpec) -> None:
    assert caller("events:write", model="hiring").post(ADDRESS, {"events": [row(1)]}).status_code == 202


def test_lines_are_a_batch(spec: ModelSpec) -> None:
    body = "\n".join(json.dumps(row(n)) for n in range(5)) + "\n{oops\n"
    answer = caller("events:write").post(ADDRESS, body, media_type=f"{NDJSON}; charset=utf-8")
    assert answer.status_code == 202
    assert answer.json()["accepted"] == 5
    assert [(each["index"], each["code"]) for each in answer.json()["rejected"]] == [(5, "malformed")]


def test_good_rows_land_and_each_bad_one_is_explained(spec: ModelSpec) -> None:
    soon = (datetime.now(UTC) + timedelta(hours=2)).isoformat()
    rows = [
        row(0),
        row(1, decision=2),
        row(2, version="9.9"),
        row(3),
        row(4, occurred_at=soon),
        row(5, features={"sex": "female"}),
        row(6, sex="female"),
        row(7, colour="blue"),
        row(8),
    ]
    answer = caller("events:write").post(ADDRESS, {"events": rows})
    assert answer.status_code == 202
    assert answer.json()["accepted"] == 3
    assert [(each["index"], each["code"]) for each in answer.json()["rejected"]] == [
        (1, "invalid_decision"),
        (2, "unknown_version"),
        (4, "time_in_future"),
        (5, "protected_attribute"),
        (6, "protected_attribute"),
        (7, "unknown_field"),
    ]
    assert "PUT /attributes" in answer.json()["rejected"][4]["message"]
    assert b"female" not in answer.content
    assert stored() == 3


def test_batch_without_a_good_row_is_refused_with_every_reason(spec: ModelSpec) -> None:
    answer = caller("events:write").post(ADDRESS, {"events": [row(1, sex="female"), row(2, version="9")]})
    document = problem(answer, 422)
    assert fields_of(document) == ["events[0].sex", "events[1].version"]
    assert document["accepted"] == 0
    assert [each["code"] for each in document["rejected"]] == ["protected_attribute", "unknown_version"]


@pytest.mark.parametrize(
    "body", [b"{", b"", b"\xff", b'{"events":[{"score":NaN}]}', b'{"events":' + b"[" * 100_000, b"[" * 100_000]
)
def test_body_that_is_not_json_is_a_bad_request(spec: ModelSpec, body: bytes) -> None:
    problem(caller("events:write").post(ADDRESS, body or b" "), 400)


@pytest.mark.parametrize(
    ("body", "field"),
    [({}, "events"), ({"events": []}, "events"), ({"events": {}}, "events"), ([], "body"), ({"rows": []}, "rows")],
)
def test_other_json_is_refused_by_field(spec: ModelSpec, body: Any, field: str) -> None:
    assert fields_of(problem(caller("events:write").post(ADDRESS, body), 422)) == [field]


def test_more_than_ten_thousand_rows_are_too_many(spec: ModelSpec) -> None:
    document = problem(caller("events:write").post(ADDRESS, {"events": [row(1)] * 10_001}), 413)
    assert fields_of(document) == ["events"]


def test_more_than_eight_mebibytes_are_too_large(spec: ModelSpec) -> None:
    problem(caller("events:write").post(ADDRESS, b" " * (MAXIMUM_BYTES + 1)), 413)


def test_eight_mebibytes_fit(spec: ModelSpec) -> None:
    body = json.dumps({"events": [row(1)]}).encode()
    assert caller("events:write").post(ADDRESS, body.ljust(MAXIMUM_BYTES)).status_code == 202


@pytest.mark.parametrize("media_type", ["text/plain", "application/x-www-form-urlencoded", "multipart/form-data", ""])
def test_other_media_types_are_refused(spec: ModelSpec, media_type: str) -> None:
    problem(caller("events:write").post(ADDRESS, b"{}", media_type=media_type), 415)


def test_compressed_body_is_refused(spec: ModelSpec) -> None:
    problem(caller("events:write").post(ADDRESS, {"events": [row(1)]}, Content_Encoding="gzip"), 415)


def test_version_registered_a_moment_ago_is_known(spec: ModelSpec) -> None:
    who = caller()
    who.post(ADDRESS, {"events": [row(1)]})
    who.post("models/hiring/versions", {"version": "2.0", "environment": {}})
    assert who.post(ADDRESS, {"events": [row(2, version="2.0")]}).json()["accepted"] == 1


def test_models_do_not_share_versions_or_attributes(spec: ModelSpec) -> None:
    who = caller()
    body = {
        "slug": "lending",
        "name": "Lending",
        "industry": "banking",
        "purpose": "Lends.",
        "risk_level": "high",
        "favourable_decision": 0,
        "owner": "Lending",
        "protected_attributes": [{"name": "age", "levels": ["young", "old"], "reference": "old"}],
    }
    assert who.post("models", body).status_code == 201
    assert who.post("models/lending/versions", {"version": "L", "environment": {}}).status_code == 201
    answer = who.post(
        "models/lending/events", {"events": [row(1), row(2, version="L", features={"sex": "is no secret"})]}
    )
    assert answer.json()["accepted"] == 1
    assert answer.json()["rejected"][0]["code"] == "unknown_version"


def test_without_the_database_the_sender_is_told_when_to_come_again(
    spec: ModelSpec, monkeypatch: pytest.MonkeyPatch
) -> None:
    def gone(**_: Any) -> None:
        raise OperationalError("the connection is lost; its address and user are nobody's business")

    who = caller("events:write")
    with monkeypatch.context() as patch:
        patch.setattr(ingest, "events_ingest", gone)
        answer = who.post(ADDRESS, {"events": [row(1)]})
    assert "address" not in problem(answer, 503)["detail"]
    assert int(answer["Retry-After"]) > 0
    assert who.post(ADDRESS, {"events": [row(1)]}).json()["accepted"] == 1
