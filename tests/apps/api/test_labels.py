"""POST /models/<slug>/labels as a program sees it."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta
from typing import Any

from apps.inference.selectors import events_between
from apps.registry.spec import ModelSpec
from tests.apps.api.door import caller, fields_of, problem, row

ADDRESS = "models/hiring/labels"


def outcome(number: int, label: int = 1, **changes: Any) -> dict[str, Any]:
    return {"event_id": f"event-{number}", "label": label, "observed_at": datetime.now(UTC).isoformat()} | changes


def read(spec: ModelSpec) -> list[int]:
    now = datetime.now(UTC)
    return sorted(events_between(spec.id, now - timedelta(hours=3), now).label.tolist())


def test_labels_before_and_after_their_events_both_count(spec: ModelSpec) -> None:
    who = caller()
    early = who.post(ADDRESS, {"labels": [outcome(1)]})
    assert (early.status_code, early.json()) == (202, {"accepted": 1, "duplicates": 0, "rejected": []})
    who.post("models/hiring/events", {"events": [row(1), row(2), row(3)]})
    late = who.post(ADDRESS, "\n".join(json.dumps(outcome(n, 0)) for n in (2,)), media_type="application/x-ndjson")
    assert late.json()["accepted"] == 1
    assert read(spec) == [-1, 0, 1]


def test_replay_is_harmless(spec: ModelSpec) -> None:
    who, batch = caller("labels:write"), {"labels": [outcome(n) for n in range(10)]}
    who.post(ADDRESS, batch)
    assert who.post(ADDRESS, batch).json() == {"accepted": 0, "duplicates": 10, "rejected": []}


def test_bad_rows_are_explained_and_the_others_land(spec: ModelSpec) -> None:
    soon = (datetime.now(UTC) + timedelta(hours=2)).isoformat()
    rows = [outcome(1), outcome(2, 3), outcome(3, observed_at=soon), outcome(4, sex="male"), {"event_id": "x"}]
    answer = caller("labels:write").post(ADDRESS, {"labels": rows})
    assert answer.json()["accepted"] == 1
    assert [(each["index"], each["code"], each["field"]) for each in answer.json()["rejected"]] == [
        (1, "invalid_label", "label"),
        (2, "time_in_future", "observed_at"),
        (3, "unknown_field", "sex"),
        (4, "missing", "label"),
    ]


def test_batch_without_a_good_row_is_refused(spec: ModelSpec) -> None:
    answer = caller("labels:write").post(ADDRESS, {"labels": [outcome(1, 7)]})
    assert fields_of(problem(answer, 422)) == ["labels[0].label"]


def test_body_of_another_shape_is_refused(spec: ModelSpec) -> None:
    assert fields_of(problem(caller("labels:write").post(ADDRESS, {"events": []}), 422)) == ["events"]
    problem(caller("labels:write").post(ADDRESS, b"{"), 400)
