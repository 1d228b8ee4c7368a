"""Incidents through the API: opening, the key of a cause, and whose incidents a token sees."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from apps.incidents.models import Incident, RegulatoryClock
from apps.registry.spec import ModelSpec
from tests.apps.api.door import caller, fields_of, problem
from tests.apps.dashboards.world import watched
from tests.apps.inference.models import registered

pytestmark = pytest.mark.django_db


def body(**changes: Any) -> dict[str, Any]:
    return {"model": "hiring", "title": "Fewer invitations", "summary": "Since Monday.", "severity": "high"} | changes


def test_a_program_opens_an_incident_and_reads_it(spec: ModelSpec) -> None:
    aware = datetime.now(UTC) - timedelta(hours=3)
    answer = caller("incidents:write").post("incidents", body(aware_at=aware.isoformat()))
    assert answer.status_code == 201
    opened = answer.json()
    assert opened["state"] == "open"
    assert opened["origin"] == "api"
    incident = Incident.objects.get(pk=opened["id"])
    assert incident.opened_by.startswith("token:")
    assert {each.started_at for each in RegulatoryClock.objects.filter(incident=incident)} == {aware}
    assert caller("read").get("incidents?state=open&model=hiring").json() == {"incidents": [opened], "next": None}


def test_a_cause_that_is_open_is_a_conflict(spec: ModelSpec) -> None:
    who = caller("admin")
    assert who.post("incidents", body(cause_key="feed")).status_code == 201
    assert fields_of(problem(who.post("incidents", body(cause_key="feed")), 409)) == ["cause_key"]
    assert who.post("incidents", body(cause_key="other")).status_code == 201


def test_pages_follow_each_other(spec: ModelSpec) -> None:
    who = caller("admin")
    numbers = [who.post("incidents", body(title=f"No. {n}")).json()["id"] for n in range(5)]
    first = who.get("incidents?limit=3").json()
    second = who.get(f"incidents?limit=3&cursor={first['next']}").json()
    assert [each["id"] for each in first["incidents"] + second["incidents"]] == numbers[::-1]
    assert second["next"] is None


def test_a_token_of_another_model_neither_sees_nor_opens(spec: ModelSpec) -> None:
    registered("lending")
    assert caller("admin").post("incidents", body()).status_code == 201
    other = caller("admin", model="lending")
    assert other.get("incidents").json()["incidents"] == []
    assert problem(other.get("incidents?model=hiring"), 404) == problem(other.get("incidents?model=none"), 404)
    assert problem(other.post("incidents", body()), 404) == problem(other.post("incidents", body(model="none")), 404)
    assert len(caller("read", model="hiring").get("incidents").json()["incidents"]) == 1


@pytest.mark.parametrize(
    ("changes", "field"),
    [
        ({"severity": "terrible"}, "severity"),
        ({"title": ""}, "title"),
        ({"summary": " \n"}, "summary"),
        ({"groups": [{"attribute": "sex", "group": "f", "people": -1}]}, "groups[0].people"),
        ({"groups": [{"attribute": "shoe", "group": "44"}]}, "groups[0]"),
        ({"runs": [999_999]}, "runs"),
        ({"aware_at": "2090-01-01T00:00:00Z"}, "aware_at"),
        ({"who": "Ana"}, "who"),
    ],
)
def test_what_is_wrong_is_named_and_nothing_is_stored(spec: ModelSpec, changes: dict[str, Any], field: str) -> None:
    assert fields_of(problem(caller("admin").post("incidents", body(**changes)), 422)) == [field]
    assert not Incident.objects.exists()


def test_the_runs_of_another_model_are_no_evidence(spec: ModelSpec) -> None:
    from apps.monitoring import selectors as monitoring

    other = watched("lending")
    run = monitoring.latest_runs(other.id)["24h"].id
    problem(caller("admin").post("incidents", body(runs=[run])), 422)
    answer = caller("admin").post("incidents", body(model="lending", runs=[run]))
    assert answer.status_code == 201
    assert Incident.objects.get(pk=answer.json()["id"]).evidence.get().run_id == run
