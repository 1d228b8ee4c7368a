"""Complaints through the API: recording, what is refused, and whose complaints a token sees."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from apps.incidents.models import Complaint
from apps.registry.spec import ModelSpec
from tests.apps.api.door import caller, fields_of, problem
from tests.apps.inference.models import registered

pytestmark = pytest.mark.django_db


def body(**changes: Any) -> dict[str, Any]:
    fields = {"model": "hiring", "source": "customer", "channel": "web", "summary": "Never invited."}
    return fields | {"received_at": "2026-11-02T09:30:00Z"} | changes


def test_a_program_records_a_complaint_and_reads_it(spec: ModelSpec) -> None:
    answer = caller("incidents:write").post("complaints", body(attribute="sex", reference="IDR-1"))
    assert answer.status_code == 201
    recorded = answer.json()
    assert recorded["state"] == "received"
    assert recorded["due_at"] == "2026-12-02T09:30:00Z"
    assert Complaint.objects.get(pk=recorded["id"]).recorded_by.startswith("token:")
    who = caller("read")
    assert who.get("complaints?model=hiring&state=received").json() == {"complaints": [recorded], "next": None}
    assert who.get("complaints?state=answered").json()["complaints"] == []
    assert problem(who.post("complaints", body()), 403)


@pytest.mark.parametrize(
    ("changes", "field"),
    [
        ({"attribute": "shoe size"}, "attribute"),
        ({"summary": "Write to ann@example.org"}, "summary"),
        ({"received_at": (datetime.now(UTC) + timedelta(days=1)).isoformat()}, "received_at"),
    ],
)
def test_what_is_wrong_is_named(spec: ModelSpec, changes: dict[str, str], field: str) -> None:
    assert fields_of(problem(caller("admin").post("complaints", body(**changes)), 422)) == [field]
    assert not Complaint.objects.exists()


def test_a_token_of_another_model_neither_sees_nor_records(spec: ModelSpec) -> None:
    registered("lending")
    assert caller("admin").post("complaints", body()).status_code == 201
    other = caller("admin", model="lending")
    assert other.get("complaints").json()["complaints"] == []
    assert problem(other.get("complaints?model=hiring"), 404) == problem(other.get("complaints?model=none"), 404)
    assert problem(other.post("complaints", body()), 404) == problem(other.post("complaints", body(model="no")), 404)
