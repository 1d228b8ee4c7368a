"""The page of overridden decisions: sentence, hidden groups, register, file, and who may see it."""

from __future__ import annotations

import csv
import io
import re
from typing import Any

import pytest
from django.test import Client
from django.urls import reverse

from apps.dashboards.overrides import reading
from apps.registry.spec import ModelSpec
from tests.apps.api.door import caller, problem
from tests.apps.inference.models import event, registered
from tests.apps.overrides.test_register import Given, logged, record
from tests.cast import Cast, signed_in

pytestmark = pytest.mark.django_db


@pytest.fixture
def cast() -> Cast:
    return Cast.assemble()


@pytest.fixture
def spec(cast: Cast) -> ModelSpec:
    return registered("hiring")


def page(who: Any, spec: ModelSpec, query: str = "") -> str:
    answer = signed_in(who).get(f"{reverse('overrides', args=[spec.slug])}?{query}")
    assert answer.status_code == 200
    return answer.content.decode()


def group(name: str, n: int | None, overrides: int | None) -> dict[str, Any]:
    hidden = n is None
    return {
        "group": name,
        "suppressed": hidden,
        "decisions": n,
        "overrides": overrides,
        "rate": None if hidden else overrides / n,
        "interval": [None, None] if hidden else [overrides / n - 0.01, overrides / n + 0.01],
        "against": overrides,
        "in_favour": None,
    }


def rates(*groups: dict[str, Any]) -> dict[str, Any]:
    return {
        "model": "hiring",
        "from": "2026-02-18T00:00:00+00:00",
        "as_of": "2026-03-20T00:00:00+00:00",
        "decisions": 9000,
        "overrides": 250,
        "digest": "ab" * 32,
        "attributes": {"sex": list(groups)},
    }


def test_an_empty_page_says_how_overrides_come_in(cast: Cast, spec: ModelSpec) -> None:
    assert "No override was told yet." in page(cast.officer, spec)


def test_the_sentence_names_the_groups_that_lie_apart(spec: ModelSpec) -> None:
    said = reading.say(spec, rates(group("female", 4000, 200), group("male", 5000, 50)))
    assert said.startswith("In 30 days people decided otherwise than the model 250 times, in 2.8")
    assert re.search(r"Women see it most often, in 5\.0.% of decisions; men in 1\.0.%\.", said)
    hidden = reading.say(spec, rates(group("female", None, None), group("male", None, None)))
    assert "too few to compare groups" in hidden


def test_hidden_groups_are_said_to_be_hidden(cast: Cast, spec: ModelSpec, monkeypatch: pytest.MonkeyPatch) -> None:
    found = rates(group("female", None, None), group("male", 5000, 50))
    monkeypatch.setattr(reading.monitoring, "override_rates", lambda model_id: found)
    said = page(cast.auditor, spec)
    assert said.count("suppressed (too few people)") == 1
    assert said.count(f"{reading.HIDDEN}</td>") == 1
    assert "5,000" in said


def test_the_register_is_paged_filtered_and_exported(
    cast: Cast, spec: ModelSpec, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(reading, "SHOWN_AT_ONCE", 2)
    monkeypatch.setattr(reading, "EXPORTED_AT_ONCE", 2)
    for number in range(3):
        record(spec, Given(logged(spec, number), "=cmd()", 0, category="policy" if number else "hardship", reason="+1"))
    first = page(cast.officer, spec)
    assert first.count("=cmd()") == 2
    assert "Not counted by group yet." in first
    (following,) = re.findall(r'href="\?([^"]*)" rel="next"', first)
    assert page(cast.officer, spec, following).count("=cmd()") == 1
    assert page(cast.officer, spec, "category=hardship").count("=cmd()") == 1
    assert page(cast.officer, spec, "category=x&before=x").count("=cmd()") == 2
    answer = signed_in(cast.officer).get(reverse("overrides-csv", args=[spec.slug]))
    lines = list(csv.DictReader(io.StringIO(answer.getvalue().decode())))
    assert [(line["by"], line["reason"]) for line in lines] == [("'=cmd()", "'+1")] * 3


def test_outsiders_and_other_owners_get_nowhere(cast: Cast, spec: ModelSpec) -> None:
    addresses = [reverse("overrides", args=[spec.slug]), reverse("overrides-csv", args=[spec.slug])]
    for address in addresses:
        assert signed_in(cast.owner).get(address).status_code == 404
        for who in (cast.outsider, cast.steward, cast.administrator):
            assert signed_in(who).get(address).status_code == 403
        assert Client().get(address).url.startswith(reverse("login"))
    assert page(cast.owner, cast.owned)
    assert signed_in(cast.officer).get(reverse("overrides", args=["nothing"])).status_code == 404


def test_programs_tell_and_read_them(spec: ModelSpec) -> None:
    event_id = logged(spec, 1)
    who = caller("events:write", "read")
    unknown = {"event_id": "x", "by": "a", "decision": 0}
    body = {"overrides": [{"event_id": event_id, "by": "agent-7", "decision": 0}, unknown]}
    answer = who.post("models/hiring/overrides", body)
    assert answer.status_code == 202
    assert answer.json()["accepted"] == 1
    assert answer.json()["rejected"][0]["code"] == "unknown_event"
    listed = who.get("models/hiring/overrides").json()
    assert [each["to_decision"] for each in listed["overrides"]] == [0]
    assert listed["rates"] is None
    refused = who.post("models/hiring/overrides", {"overrides": [unknown]})
    assert problem(refused, 422)
    registered("other")
    other = caller("admin", "events:write", model="other")
    assert other.get("models/hiring/overrides").status_code == 404
    assert other.post("models/hiring/overrides", body).status_code == 404
    assert problem(caller("read").post("models/hiring/overrides", body), 403)


def test_an_override_in_an_event_reaches_the_register(cast: Cast, spec: ModelSpec) -> None:
    sent = event(1)
    row = {
        "event_id": "e-9",
        "subject_id": "s-9",
        "occurred_at": sent.occurred_at.isoformat(),
        "version": "1.0",
        "decision": 1,
        "override": {"by": "agent-9", "decision": 0, "reason": "Recent notice"},
    }
    assert caller("events:write").post("models/hiring/events", {"events": [row]}).status_code == 202
    assert "agent-9" in page(cast.officer, spec)
