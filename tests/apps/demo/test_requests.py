"""What the people of the demo have asked for: by the services, with the workers' rounds taken in between."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from apps.accounts.selectors import person
from apps.accounts.services import ownership_grant
from apps.approvals import selectors as approvals
from apps.approvals.selectors import ApprovalView
from apps.board.selectors import votes_waiting_for
from apps.board.services import cases_advance
from apps.common import clock
from apps.demo import requests
from apps.demo.errors import StuckError
from apps.demo.people import people_create
from apps.incidents.services import incident_open
from apps.pipeline import backtest
from apps.registry.models import MonitoredModel
from apps.registry.selectors import model_spec
from apps.thresholds.selectors import newest_version
from biasgov.fairness import budget as simulated
from biasgov.fairness.policy import Bound, Policy
from tests.apps.pipeline.world import NOW, company
from tests.cast import PASSWORD
from tests.sides import side

POLICY = Policy(bounds={"demographic_parity_ratio": Bound(0.8, 1.25), "equalized_odds_difference": Bound(None, 0.05)})


@pytest.fixture
def models(db: None, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Three models of Omar's; the back-tests are short."""
    monkeypatch.setattr(simulated, "STREAMS", 2)
    monkeypatch.setattr(simulated, "DELAY_STREAMS", 2)
    monkeypatch.setattr(requests, "LOOK_EVERY", 0.0)
    people_create(PASSWORD)
    with clock.frozen(NOW):
        for slug in (requests.CLAIMS, requests.INCOME, requests.RECIDIVISM):
            model = MonitoredModel.objects.get(pk=company(slug, policy=POLICY).id)
            ownership_grant(person=person("omar"), model=model, actor="system:tests")
        incident_open(
            model=model_spec(requests.INCOME),
            title="Women are estimated lower",
            summary="In every month.",
            severity="critical",
            origin="escalation",
            actor="system:tests",
        )
        yield


def worker() -> None:
    """The rounds that the requests wait for."""
    cases_advance()
    with side("compute"):
        backtest.backtest_next()


def asked() -> dict[str, str]:
    return {each.title: each.state for each in approvals.approvals(limit=20)}


EVERYTHING = {
    "Watch claims more closely": "effective",
    "A bound that a month of screenings can be held against": "effective",
    "Fewer alerts about estimates of income": "rejected",
    "Back to a wider bound for small claims": "submitted",
    "See the attributes of 1 person": "submitted",
}


def test_of_three_relaxations_one_is_in_force_one_rejected_and_one_waits_for_compliance(models: None) -> None:
    requests.ask(worker)
    assert asked() == EVERYTHING
    bound = newest_version(MonitoredModel.objects.get(slug=requests.CLAIMS).pk).policy.bounds
    assert bound["equalized_odds_difference"].upper == 0.04
    relaxed = newest_version(MonitoredModel.objects.get(slug=requests.RECIDIVISM).pk).policy.bounds
    assert relaxed["equalized_odds_difference"].upper == 0.07
    waiting: tuple[ApprovalView, ...] = approvals.approvals_waiting_for(person("carla"))
    assert {each.requester for each in waiting} == {"Omar Haddad", "Dana Whitlock"}
    assert [case.title for case in votes_waiting_for(person("noor"))] == ["Women are estimated lower"]


def test_what_an_interrupted_start_has_asked_for_is_not_asked_again(models: None) -> None:
    def interrupt() -> None:
        worker()
        if "Fewer alerts about estimates of income" in asked():
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        requests.ask(interrupt)
    assert asked()["Watch claims more closely"] == "effective"
    requests.ask(worker)
    requests.ask(worker)
    assert asked() == EVERYTHING
    assert len(approvals.approvals(limit=20)) == len(EVERYTHING)


def test_a_worker_that_does_nothing_ends_it_with_its_reason(models: None, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(requests, "PATIENCE", 0.05)
    with pytest.raises(StuckError, match="The back-test of “Watch claims more closely” was not there"):
        requests.ask(lambda: None)
