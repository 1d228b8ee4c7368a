"""What the people of the demo did in the last week: told on real findings, answered at their own times."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta

import pytest

from apps.accounts.selectors import person
from apps.accounts.services import ownership_grant
from apps.approvals import selectors as approvals
from apps.audit.selectors import entries
from apps.board import selectors as board
from apps.common import clock
from apps.demo import story
from apps.demo.errors import StuckError
from apps.demo.past import ANSWERED_AFTER
from apps.demo.people import people_create
from apps.incidents import selectors as incidents
from apps.pipeline import answering
from apps.registry.models import MonitoredModel
from apps.registry.spec import ModelSpec
from apps.responses import selectors as responses
from apps.responses.services import status_acknowledge
from biasgov.fairness.policy import Bound, Policy
from tests.apps.pipeline.world import NOW, company, compute, people, send_attributes, send_events
from tests.cast import PASSWORD

POLICY = Policy(bounds={"demographic_parity_ratio": Bound(0.8, 1.25), "equalized_odds_difference": Bound(None, 0.05)})
TODAY = datetime(2026, 3, 20, tzinfo=UTC)


@pytest.fixture
def triage(db: None) -> Iterator[ModelSpec]:
    """A model of Omar's that has been in breach for more than a week; computed, and not answered."""
    people_create(PASSWORD)
    with clock.frozen(NOW):
        spec = company(story.TRIAGE, policy=POLICY)
        ownership_grant(person=person("omar"), model=MonitoredModel.objects.get(pk=spec.id), actor="system:tests")
        frame = people(8_000, hours=200)
        send_attributes(frame)
        send_events(spec, frame)
        compute()
        yield spec


def test_the_ladder_climbs_and_the_people_bring_it_down_at_their_times(triage: ModelSpec) -> None:
    story.tell()
    morning, lifted = TODAY - timedelta(days=7) + timedelta(hours=8, minutes=50), TODAY - timedelta(days=2, hours=-14)
    moments = responses.restriction_moments(triage.id)
    assert [(at, in_force) for at, in_force, _ in moments] == [(morning, True), (lifted, False)]
    incident = incidents.incidents(model_id=triage.id)[-1]
    assert (incident.state, incident.lead) == ("remediating", "Ines Okafor")
    assert incident.opened_at == TODAY - timedelta(days=7) + ANSWERED_AFTER
    assert board.cases_about("incident", incident.id)[-1].state == "decided"
    lift = approvals.approvals(kind="restriction_lift")[0]
    assert (lift.state, lift.requester) == ("effective", "Ines Okafor")
    assert [each.person for each in lift.signatures] == ["Carla Lindqvist"]
    assert len(lift.resolutions) == 1


def test_the_gateways_that_serve_the_model_obey_a_minute_after_the_officer_has_decided(triage: ModelSpec) -> None:
    for name in ("desk-1", "desk-2"):
        status_acknowledge(model=triage, actor="token:demo", gateway=name, sequence=0)
    story.tell()
    (taken,) = [each for each in responses.restriction_register([triage.id]) if each.acknowledged_at]
    assert taken.in_force_at is not None
    assert taken.acknowledged_at == taken.in_force_at + timedelta(minutes=1)
    lifted = TODAY - timedelta(days=2, hours=-14)
    assert {each.acknowledged_at for each in responses.gateways(triage.id)} == {lifted + timedelta(minutes=1)}


def test_what_nobody_has_mended_climbs_again_with_its_deadline_and_waits_for_the_officer(triage: ModelSpec) -> None:
    story.tell()
    again = responses.restriction_of(triage.id)
    assert again is not None
    assert not again.in_force
    assert again.proposed_at == TODAY - timedelta(days=1, hours=-14)
    assert {finding.tier for finding in responses.open_findings([triage.id])} >= {"escalate"}
    assert len(incidents.incidents(model_id=triage.id)) == 1


def test_everything_is_done_by_a_person_whose_role_allows_it(triage: ModelSpec) -> None:
    before = max(each.id for each in entries())
    story.tell()
    told = [each for each in entries() if each.id > before]
    acted = {each.actor for each in told if not each.actor.startswith("system:")}
    assert acted == {person(name).actor for name in ("ines", "omar", "carla", "bela", "noor", "emil")}
    assert all(each.at < NOW for each in told)


def test_it_is_told_once(triage: ModelSpec) -> None:
    story.tell()
    told = len(entries())
    story.tell()
    assert len(entries()) == told


def test_it_is_told_whole_or_not_at_all(triage: ModelSpec, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(story, "_lift", lambda *_: 1 / 0)
    before, waiting = len(entries()), answering.oldest_waiting(triage.id)
    with pytest.raises(ZeroDivisionError):
        story.tell()
    assert len(entries()) == before
    assert answering.oldest_waiting(triage.id) == waiting


def test_a_model_that_stayed_within_its_bounds_has_no_story(db: None) -> None:
    people_create(PASSWORD)
    with clock.frozen(NOW):
        company(story.TRIAGE, policy=POLICY)
        with pytest.raises(StuckError, match="has not opened a finding"):
            story.tell()
