"""A proposed policy over the stored past, held against the findings that the real ladder opened in that time."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest

from apps.approvals.selectors import ApprovalView
from apps.common import clock
from apps.monitoring import services as monitoring
from apps.pipeline import answering, backtest, services
from apps.registry.spec import ModelSpec
from apps.responses.models import Finding
from apps.thresholds import services as services_of_thresholds
from apps.thresholds.backtests import LEASE
from apps.thresholds.models import Backtest
from biasgov.fairness import budget as simulated
from biasgov.fairness.policy import Bound, Policy
from tests.apps.pipeline.world import NOW, company, compute, people, send_attributes, send_events
from tests.apps.thresholds.world import drafted
from tests.cast import Cast
from tests.sides import side

RATIO = "demographic_parity_ratio"
TODAY = Policy(bounds={RATIO: Bound(0.8, 1.25), "equalized_odds_difference": Bound(None, 0.05)})
DAYS = 4


@pytest.fixture(autouse=True)
def short_simulations(monkeypatch: pytest.MonkeyPatch) -> None:
    """The budget's own figures are tested where it is defined; here it only has to be there."""
    monkeypatch.setattr(simulated, "STREAMS", 2)
    monkeypatch.setattr(simulated, "DELAY_STREAMS", 2)


@pytest.fixture
def cast(db: None) -> Cast:
    return Cast.assemble()


@pytest.fixture
def spec(cast: Cast) -> Iterator[ModelSpec]:
    """A model whose women are invited half as often, evaluated on each of four days and answered."""
    with clock.frozen(NOW - timedelta(days=DAYS)):
        spec = company(policy=TODAY)
    for day in range(DAYS, -1, -1):
        with clock.frozen(NOW - timedelta(days=day)):
            frame = people(600, seed=day + 1, before=clock.now())
            send_events(spec, frame)
            send_attributes(frame)
            compute()
            with side("compute"):
                monitoring.evaluations_mark_live(model_ids=[spec.id])
                services.evaluate(deadline=services.soon())
            answering.answer_waiting()
    with clock.frozen(NOW):
        yield spec


def proposed(spec: ModelSpec, cast: Cast, **bounds: Bound) -> ApprovalView:
    return drafted(spec, cast.officer, replace(TODAY, bounds={**TODAY.bounds, **bounds}))


def answered(view: ApprovalView) -> dict[str, Any]:
    with side("compute"):
        assert backtest.backtest_next()
    row = Backtest.objects.get(approval_id=view.id)
    assert row.state == "done", row.note
    found: dict[str, Any] = row.result
    return found


def findings(metric: str = "") -> int:
    found = Finding.objects.all()
    return (found.filter(metric=metric) if metric else found).count()


def test_the_alerts_of_todays_policy_are_the_findings_that_were_opened(spec: ModelSpec, cast: Cast) -> None:
    found = answered(proposed(spec, cast, association=Bound(None, 0.99)))
    assert findings() > 3
    assert (found["kept"], found["lost"], found["gained"]) == (findings(), 0, 0)
    assert found["checked"] == found["repeated"] > 0
    assert found["evaluations"] >= DAYS


def test_an_opened_bound_loses_exactly_its_own_alerts(spec: ModelSpec, cast: Cast) -> None:
    found = answered(proposed(spec, cast, **{RATIO: Bound()}))
    assert found["lost"] == findings(RATIO) > 0
    assert found["kept"] == findings() - findings(RATIO)
    assert {each["metric"] for each in found["alerts"] if each["fate"] == "lost"} == {RATIO}


def test_the_lines_that_lose_breaches_come_first(spec: ModelSpec, cast: Cast) -> None:
    found = answered(proposed(spec, cast, **{RATIO: Bound()}))
    first = found["lines"][0]
    assert first["metric"] == RATIO
    assert "lost" in {fate for _, _, fate in first["days"]}
    days = [moment[:10] for moment, _, _ in first["days"]]
    assert days == sorted(set(days))


def test_the_budget_compares_both_policies(spec: ModelSpec, cast: Cast) -> None:
    budget = answered(proposed(spec, cast, **{RATIO: Bound(0.75, 1.34)}))["budget"]
    assert budget["looked_for"][0] == RATIO
    assert budget["proposed"]["per_year"] <= budget["today"]["per_year"]


def test_a_model_without_any_run_is_answered_too(cast: Cast) -> None:
    spec = company("idle", policy=TODAY)
    found = answered(proposed(spec, cast, **{RATIO: Bound(0.7, 1.25)}))
    assert (found["evaluations"], found["kept"], found["lost"], found["gained"]) == (0, 0, 0, 0)
    assert found["budget"] is None


def test_what_a_killed_worker_held_is_taken_again_when_its_lease_ends(spec: ModelSpec, cast: Cast) -> None:
    view = proposed(spec, cast, **{RATIO: Bound()})

    class Killed(BaseException):
        """As SIGKILL: nothing of the worker's own runs any more."""

    def killed(*_: Any, **__: Any) -> None:
        raise Killed

    with pytest.MonkeyPatch.context() as patch, side("compute"):
        patch.setattr(backtest, "compute", killed)
        with pytest.raises(Killed):
            backtest.backtest_next()
    with side("compute"):
        assert not backtest.backtest_next()
    with clock.frozen(NOW + LEASE + timedelta(seconds=1)):
        assert answered(view)["lost"] == findings(RATIO)


def test_it_is_told_how_far_a_back_test_is(spec: ModelSpec, cast: Cast, monkeypatch: pytest.MonkeyPatch) -> None:
    view, notes = proposed(spec, cast, **{RATIO: Bound()}), []
    monkeypatch.setattr(backtest, "MOMENTS_AT_ONCE", 2)
    monkeypatch.setattr(backtest, "TOLD_EVERY", 2)
    real = services_of_thresholds.backtest_tell

    def told(*, asked: services_of_thresholds.AskedBacktest, note: str) -> None:
        real(asked=asked, note=note)
        notes.append(Backtest.objects.get(approval_id=view.id).note)

    monkeypatch.setattr(services_of_thresholds, "backtest_tell", told)
    found = answered(view)
    assert notes[0] == f"0 of {found['evaluations']} evaluations are judged."
    assert notes[1] == f"2 of {found['evaluations']} evaluations are judged."
    assert notes[-1].startswith("Every evaluation is judged.")
    assert Backtest.objects.get(approval_id=view.id).note == ""


def test_a_back_test_that_fails_says_what_kind_of_error_and_no_value(
    spec: ModelSpec, cast: Cast, monkeypatch: pytest.MonkeyPatch
) -> None:
    view = proposed(spec, cast, **{RATIO: Bound()})
    monkeypatch.setattr(backtest, "summary", lambda replay: {}["secret"])
    with side("compute"):
        assert backtest.backtest_next()
    row = Backtest.objects.get(approval_id=view.id)
    assert (row.state, row.note) == ("failed", "It could not be computed (KeyError).")


def test_small_groups_stay_hidden_from_a_back_test(cast: Cast) -> None:
    """Whatever is hidden in a run is counted and not judged."""
    with clock.frozen(NOW):
        spec = company(policy=TODAY)
        frame = people(12)
        send_events(spec, frame)
        send_attributes(frame)
        compute()
        found = answered(proposed(spec, cast, **{RATIO: Bound(0.99, 1.01)}))
    assert found["hidden"] > 0
    assert found["alerts"] == []
