"""Training sets: which may be learned from, which are held and why, and how one is released."""

from __future__ import annotations

from hashlib import sha256
from typing import Any

import pytest
from django.core.exceptions import PermissionDenied
from django.db import IntegrityError, transaction
from django.http import Http404
from django.urls import reverse

from apps.approvals.services import approval_draft, approval_sign
from apps.audit.selectors import entries
from apps.common import clock
from apps.common.errors import Refused
from apps.registry.services import version_register
from apps.retraining import selectors, services
from apps.retraining.models import RetrainingCheck
from tests.apps.api.door import caller, problem, row
from tests.cast import Cast, model, signed_in

pytestmark = pytest.mark.django_db

OUTCOMES = [("observed_outcome", 90), ("human_review", 10)]


@pytest.fixture
def cast() -> Cast:
    made = Cast.assemble()
    version_register(actor="token:tests", model_id=made.owned.id, version="1.0", environment={})
    return made


def sent(slug: str, numbers: range, *, labelled: bool = True, **changes: Any) -> list[str]:
    """Events at the door; their ids."""
    rows = [row(number, **({"label": number % 3 % 2} if labelled else {}), **changes) for number in numbers]
    answer = caller().post(f"models/{slug}/events", {"events": rows})
    assert answer.json()["accepted"] == len(rows), answer.content
    return [each["event_id"] for each in rows]


def checked(cast: Cast, events: list[str], **changes: Any) -> selectors.CheckRow:
    given: dict[str, Any] = {"rows": 100, "sources": OUTCOMES, "event_ids": events} | changes
    return services.retraining_check(model=cast.owned, name="autumn", actor="token:trainer", **given)


def codes(found: selectors.CheckRow) -> list[str]:
    return [reason.code for reason in found.reasons]


def test_observed_outcomes_may_be_learned_from(cast: Cast) -> None:
    found = checked(cast, sent(cast.owned.slug, range(60)))
    assert (found.state, found.reasons) == ("allowed", ())
    assert found.lineage == {"named": 60, "found": 60, "labelled": 60, "favourable": 30}
    (entry,) = entries(subject=found.subject)
    assert (entry.action, entry.actor) == ("retraining.allowed", "token:trainer")


def test_hashes_name_the_same_events(cast: Cast) -> None:
    events = sent(cast.owned.slug, range(40))
    hashes = [sha256(event.encode()).hexdigest() for event in events]
    assert checked(cast, [], event_hashes=hashes).lineage == checked(cast, events).lineage


def test_a_models_own_decisions_are_held(cast: Cast) -> None:
    events = sent(cast.owned.slug, range(40))
    found = checked(cast, events, sources=[("observed_outcome", 60), ("model_decision", 30), ("unknown", 10)])
    assert found.state == "held"
    assert codes(found) == ["model_decision", "unknown_source"]
    assert found.reasons[0].rows == 30


def test_a_decision_given_out_as_an_outcome_is_noticed(cast: Cast) -> None:
    events = sent(cast.owned.slug, range(40)) + sent(cast.owned.slug, range(100, 105), labelled=False)
    found = checked(cast, events)
    assert codes(found) == ["no_outcome"]
    assert found.reasons[0].rows == 5


def test_events_of_nobody_and_of_other_models_are_noticed(cast: Cast) -> None:
    other = model("other-model")
    version_register(actor="token:tests", model_id=other.id, version="1.0", environment={})
    foreign = sent(other.slug, range(200, 203))
    found = checked(cast, [*sent(cast.owned.slug, range(40)), *foreign, "never-sent"])
    assert codes(found) == ["unknown_events"]
    assert found.reasons[0].rows == 4


def test_outcomes_known_for_one_decision_only_are_noticed(cast: Cast) -> None:
    assert codes(checked(cast, sent(cast.owned.slug, range(50), decision=1))) == ["one_sided"]
    assert codes(checked(cast, sent(cast.owned.slug, range(100, 120), decision=1))) == []


def test_outcomes_that_nobody_can_check_are_held(cast: Cast) -> None:
    assert codes(checked(cast, [])) == ["not_proven"]
    assert checked(cast, [], sources=[("human_review", 100)]).state == "allowed"


@pytest.mark.parametrize(
    ("field", "changes"),
    [
        ("sources", {"rows": 99}),
        ("sources.gossip", {"sources": [("gossip", 100)]}),
        ("sources.external", {"sources": [("external", -1), ("unknown", 101)]}),
        ("rows", {"rows": 0, "sources": []}),
        ("event_ids", {"event_ids": ["a", "a"]}),
        ("event_ids", {"event_ids": ["a"], "event_hashes": [sha256(b"a").hexdigest()]}),
        ("event_hashes[0]", {"event_hashes": ["xyz"]}),
        ("event_ids", {"rows": 1, "sources": [("external", 1)], "event_ids": ["a", "b"]}),
    ],
)
def test_what_does_not_fit_together_is_refused(cast: Cast, field: str, changes: dict[str, Any]) -> None:
    with pytest.raises(Refused) as refused:
        checked(cast, [], **changes)
    assert refused.value.field == field
    assert not RetrainingCheck.objects.exists()


def test_compliance_releases_what_the_owner_asks_for(cast: Cast) -> None:
    held = checked(cast, [])
    asked = services.retraining_release_request(check_id=held.id, person=cast.owner, reason="A sample was read.")
    with pytest.raises(Refused) as refused:
        services.retraining_release_request(check_id=held.id, person=cast.officer, reason="Me too.")
    assert refused.value.code == "asked"
    for who in (cast.owner, cast.officer):
        with pytest.raises((Refused, PermissionDenied)):
            approval_sign(approval_id=asked.id, person=who, digest=asked.digest, confirmed_at=clock.now())
    signed = approval_sign(approval_id=asked.id, person=cast.compliance, digest=asked.digest, confirmed_at=clock.now())
    assert signed.state == "effective"
    assert selectors.check(held.id).state == "released"
    assert entries(subject=held.subject)[0].action == "retraining.released"
    with pytest.raises(Refused) as refused:
        services.retraining_release_request(check_id=held.id, person=cast.owner, reason="Again.")
    assert refused.value.code == "state"


def test_a_release_is_asked_for_what_was_found_and_for_nothing_else(cast: Cast) -> None:
    """A draft that was written around the page: another model's training set, or other reasons."""
    held = checked(cast, [])
    honest = services.retraining_release_request(check_id=held.id, person=cast.owner, reason="A sample was read.")
    other = services.retraining_check(
        model=model("other-model"), name="theirs", rows=1, sources=[("unknown", 1)], actor="token:trainer"
    )
    for content in ({**honest.content, "check": other.id}, {**honest.content, "held_because": []}, {"check": "x"}):
        with pytest.raises(Refused) as refused:
            approval_draft(
                kind=services.RELEASE,
                model_id=cast.owned.id,
                subject=held.subject,
                title="Learn from autumn",
                content=content,
                reason="x",
                person=cast.owner,
            )
        assert refused.value.field == "content"


def test_nothing_is_released_past_its_signature_by_the_database_either(cast: Cast) -> None:
    held = checked(cast, [])
    services.retraining_release_request(check_id=held.id, person=cast.owner, reason="A sample was read.")
    rows = RetrainingCheck.objects.filter(pk=held.id)
    for changes in ({"state": "released", "released_at": clock.now()}, {"state": "allowed"}):
        with pytest.raises(IntegrityError, match="by a signed request"), transaction.atomic():
            rows.update(**changes)


def test_who_may_not_ask(cast: Cast) -> None:
    held = checked(cast, [])
    for who, error in ((cast.outsider, Http404), (cast.steward, Http404), (cast.auditor, PermissionDenied)):
        with pytest.raises(error):
            services.retraining_release_request(check_id=held.id, person=who, reason="x")


def test_a_training_pipeline_asks_by_the_api(cast: Cast) -> None:
    body = {
        "name": "autumn",
        "rows": 100,
        "sources": [{"source": "model_decision", "rows": 60}, {"source": "model_decision", "rows": 40}],
    }
    answer = caller("gate:write", "read").post("models/claims-triage/retraining", body)
    assert answer.status_code == 201
    said = answer.json()
    assert (said["verdict"], said["reasons"][0]["rows"]) == ("held", 100)
    shown = caller("read").get(f"models/claims-triage/retraining/{said['id']}").json()
    assert shown == said
    model("other-model")
    problem(caller("read").get(f"models/other-model/retraining/{said['id']}"), 404)
    problem(caller("read").get(f"models/claims-triage/retraining/{10**30}"), 404)
    problem(caller("gate:write").post("models/claims-triage/retraining", body | {"rows": 101}), 422)


def test_the_pages(cast: Cast) -> None:
    held = checked(cast, [])
    owner = signed_in(cast.owner)
    assert "held" in owner.get(reverse("retraining")).content.decode()
    page = owner.get(reverse("retraining-check", args=[held.id])).content.decode()
    assert "must not be learned from" in page
    assert "Ask compliance" in page
    answer = owner.post(reverse("retraining-release", args=[held.id]), {"reason": "A sample was read."}, follow=True)
    assert "waits for signatures" in answer.content.decode()
    assert "Learn from autumn" in signed_in(cast.compliance).get(reverse("inbox")).content.decode()
    assert "Ask compliance" not in owner.get(reverse("retraining-check", args=[held.id])).content.decode()


def test_for_outsiders_there_are_no_training_sets(cast: Cast) -> None:
    held = checked(cast, [])
    for who in (cast.outsider, cast.steward, cast.administrator):
        browser = signed_in(who)
        assert browser.get(reverse("retraining")).status_code == 403
        assert browser.get(reverse("retraining-check", args=[held.id])).status_code == 403
        assert browser.post(reverse("retraining-release", args=[held.id]), {"reason": "x"}).status_code == 403
    assert signed_in(cast.auditor).post(reverse("retraining-release", args=[held.id])).status_code == 403
