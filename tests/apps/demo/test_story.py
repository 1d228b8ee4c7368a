"""What the people of the demo do: told on real findings, with the workers' rounds taken in between."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from apps.accounts.selectors import person
from apps.accounts.services import ownership_grant
from apps.approvals import selectors as approvals
from apps.audit.selectors import entries
from apps.board import selectors as board
from apps.common import clock
from apps.demo import story
from apps.demo.errors import StuckError
from apps.demo.people import people_create
from apps.incidents import selectors as incidents
from apps.pipeline import answering, backtest, tasks
from apps.registry.models import MonitoredModel
from apps.registry.spec import ModelSpec
from apps.responses import selectors as responses
from apps.thresholds.selectors import newest_version
from biasgov.fairness import budget as simulated
from biasgov.fairness.policy import Bound, Policy
from tests.apps.pipeline.world import NOW, company, compute, people, send_attributes, send_events
from tests.cast import PASSWORD
from tests.sides import side

POLICY = Policy(bounds={"demographic_parity_ratio": Bound(0.8, 1.25), "equalized_odds_difference": Bound(None, 0.05)})


@pytest.fixture
def triage(db: None, monkeypatch: pytest.MonkeyPatch) -> Iterator[ModelSpec]:
    """A model that has been escalated, and two quiet ones, owned by Omar; the workers' rounds are short."""
    monkeypatch.setattr(simulated, "STREAMS", 2)
    monkeypatch.setattr(simulated, "DELAY_STREAMS", 2)
    monkeypatch.setattr(story, "LOOK_EVERY", 0.0)
    people_create(PASSWORD)
    with clock.frozen(NOW):
        specs = [company(slug, policy=POLICY) for slug in (story.TRIAGE, story.CLAIMS, story.INCOME)]
        for spec in specs:
            ownership_grant(person=person("omar"), model=MonitoredModel.objects.get(pk=spec.id), actor="system:tests")
        frame = people(800)
        send_attributes(frame)
        send_events(specs[0], frame)
        compute()
        answering.answer_waiting()
        yield specs[0]


def workers() -> None:
    """One round of those that the story waits for."""
    tasks.advance_board()
    with side("compute"):
        backtest.backtest_next()


def test_the_people_of_the_demo_do_their_part(triage: ModelSpec) -> None:
    story.tell(workers)
    incident = incidents.incidents(model_id=triage.id)[-1]
    assert (incident.state, incident.lead) == ("investigating", "Ines Okafor")
    decided = board.cases_about("incident", incident.id)[0]
    assert decided.state == "decided"
    restriction = responses.restriction_of(triage.id)
    assert restriction is not None
    assert restriction.in_force
    asked = {each.title: each.state for each in approvals.approvals(limit=20)}
    assert asked.pop("Watch claims more closely") == "effective"
    assert asked.pop("Fewer alerts about estimates of income") == "rejected"
    assert asked.pop("Back to a wider bound for small claims") == "submitted"
    assert list(asked.values()) == ["submitted"]
    bound = newest_version(MonitoredModel.objects.get(slug=story.CLAIMS).pk).policy.bounds["equalized_odds_difference"]
    assert bound.upper == 0.04


def test_everything_is_done_by_a_person_whose_role_allows_it(triage: ModelSpec) -> None:
    before = max(each.id for each in entries())
    story.tell(workers)
    acted = {each.actor for each in entries() if each.id > before and not each.actor.startswith("system:")}
    assert acted == {person(name).actor for name in ("ines", "omar", "carla", "bela", "noor", "emil")}


def test_a_worker_that_does_nothing_ends_the_story_with_its_reason(
    triage: ModelSpec, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(story, "PATIENCE", 0.05)
    with pytest.raises(StuckError, match="the board to be convened"):
        story.tell(lambda: None)
