"""A breach of the last hours: told by the day's run, answered like any other, gone with the day's recovery."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import timedelta

import numpy as np
import pandas as pd
import pytest
from django.urls import reverse

from apps.common import clock
from apps.monitoring import selectors
from apps.monitoring import services as monitoring
from apps.pipeline import answering
from apps.registry.spec import ModelSpec
from apps.responses import selectors as responses
from biasgov.fairness.policy import Bound, Policy
from tests.apps.api.door import Caller, token
from tests.apps.pipeline.world import NOW, company, compute, people, send_attributes, send_events
from tests.cast import Cast, signed_in
from tests.sides import side

PARITY = Policy(bounds={"demographic_parity_ratio": Bound(0.8, 1.25)})
FAIR = {"female": 0.5, "male": 0.5}
UNFAIR = {"female": 0.25, "male": 0.75}


@pytest.fixture
def cast(db: None) -> Cast:
    return Cast.assemble()


@pytest.fixture
def spec(cast: Cast) -> Iterator[ModelSpec]:
    with clock.frozen(NOW):
        yield company(policy=PARITY)


def decided(n: int, *, seed: int, hours: float, before: object = NOW, rates: dict[str, float]) -> pd.DataFrame:
    frame = people(n, seed=seed, hours=hours, before=before)
    drawn = np.random.default_rng(seed).random(n)
    return frame.assign(decision=(drawn < frame["sex"].map(rates)).astype(int))


def a_day_with_unfair_hours(spec: ModelSpec) -> pd.DataFrame:
    """1,600 fair decisions and then two hours of 360 unfair ones."""
    start = NOW - timedelta(hours=2)
    frame = pd.concat(
        [decided(1600, seed=1, hours=20, before=start, rates=FAIR), decided(360, seed=2, hours=2, rates=UNFAIR)]
    )
    send_attributes(frame)
    send_events(spec, frame)
    compute()
    return frame


def day(spec: ModelSpec) -> dict:
    document = selectors.run_document(selectors.latest_runs(spec.id)["24h"].id)
    assert document is not None
    return document


def of_women(results: list[dict]) -> dict:
    (one,) = (each for each in results if (each["metric"], each["group"]) == ("demographic_parity_ratio", "female"))
    return one


def test_the_run_of_the_day_tells_which_of_its_last_hours_are_in_breach(spec: ModelSpec) -> None:
    frame = a_day_with_unfair_hours(spec)
    found = day(spec)
    assert of_women(found["results"])["verdict"] != "breach"
    parts = {part["window"]: part for part in found["early"]}
    assert list(parts) == ["3h", "6h"]
    for window, part in parts.items():
        end = clock.hour_floor(NOW) + timedelta(hours=1)
        inside = frame[frame["at"] >= end - timedelta(hours=int(window[:-1]))]
        rates = inside.groupby("sex")["decision"].mean()
        breach = of_women(part["results"])
        assert (breach["verdict"], part["n"]) == ("breach", len(inside))
        assert breach["value"] == pytest.approx(rates["female"] / rates["male"])
        assert {each["verdict"] for each in part["results"]} == {"breach"}
    assert "early" not in selectors.run_document(selectors.latest_runs(spec.id)["7d"].id)
    with side("compute"):
        for run in selectors.latest_runs(spec.id).values():
            assert monitoring.run_recompute(run_id=run.id).outcome == "same"


def test_hours_like_the_rest_of_the_day_are_not_told(spec: ModelSpec) -> None:
    frame = decided(900, seed=1, hours=20, rates=FAIR)
    send_attributes(frame)
    send_events(spec, frame)
    compute()
    assert "early" not in day(spec)


def test_a_breach_of_the_last_hours_opens_a_finding_that_says_so_and_closes_with_the_day(spec: ModelSpec) -> None:
    a_day_with_unfair_hours(spec)
    answering.answer_waiting()
    (finding,) = (each for each in responses.open_findings([spec.id]) if each.group == "female")
    assert (finding.window, finding.state) == ("24h", "open")
    assert "Measured over the last 3 hours" in finding.sentence
    for hours in range(4, 10):
        at = NOW + timedelta(hours=hours)
        with clock.frozen(at):
            later = decided(300, seed=hours, hours=1, before=at, rates=FAIR)
            send_attributes(later)
            send_events(spec, later)
            compute()
            with side("compute"):
                monitoring.evaluations_mark_live(model_ids=[spec.id])
            compute()
            answering.answer_waiting()
    assert not [each for each in responses.open_findings([spec.id]) if each.group == "female" and each.tier == "alert"]


def test_hours_that_say_no_more_than_the_day_are_not_told(spec: ModelSpec) -> None:
    frame = decided(1600, seed=1, hours=23, rates=UNFAIR)
    send_attributes(frame)
    send_events(spec, frame)
    compute()
    found = day(spec)
    assert of_women(found["results"])["verdict"] == "breach"
    assert "early" not in found


def test_the_severest_of_the_last_hours_is_answered() -> None:
    def result(verdict: str, severity: str | None, value: float) -> dict:
        return {
            "metric": "demographic_parity_ratio", "attribute": "sex", "group": "female", "reference": "male",
            "judged": True, "verdict": verdict, "severity": severity, "value": value, "interval": [0.1, 0.7],
            "bound": {"lower": 0.8, "upper": 1.25}, "decided_by_window": None, "suppressed": False,
        }  # fmt: skip

    def answered(whole: dict, *parts: tuple[str, dict]) -> tuple[str, float, str]:
        document = {
            "id": 1, "window": "24h", "as_of": NOW.isoformat(), "computed_at": NOW.isoformat(), "results": [whole],
            "early": [{"window": window, "results": [part]} for window, part in parts],
        }  # fmt: skip
        (one,) = answering.observations(1, document)
        return one.verdict, one.value, one.period

    low, high = ("3h", result("breach", "low", 0.7)), ("12h", result("breach", "high", 0.5))
    assert answered(result("within", None, 0.9), low) == ("breach", 0.7, "3h")
    assert answered(result("within", None, 0.9), low, high) == ("breach", 0.5, "12h")
    assert answered(result("inconclusive", None, 0.6)) == ("inconclusive", 0.6, "")


def test_figures_of_fewer_than_ten_people_are_hidden_in_the_last_hours_too(spec: ModelSpec) -> None:
    start = NOW.replace(minute=0) - timedelta(hours=2)
    before = decided(1600, seed=1, hours=20, before=start, rates=FAIR)
    late = decided(360, seed=2, hours=2, rates=UNFAIR)
    women = late["sex"].eq("female")
    few = late.loc[women, "subject"].unique()[:8]
    late.loc[women, "subject"] = np.resize(few, int(women.sum()))
    late["region"] = late["subject"].map(late.drop_duplicates("subject").set_index("subject")["region"])
    frame = pd.concat([before, late])
    send_attributes(frame)
    send_events(spec, frame)
    compute()
    found = day(spec)
    assert not of_women(found["results"])["suppressed"]
    breach = of_women(found["early"][0]["results"])
    assert (breach["verdict"], breach["suppressed"]) == ("breach", True)
    assert {breach[name] for name in ("value", "interval", "n", "numerator", "p", "details")} == {None}


def test_the_pages_and_the_api_tell_it(spec: ModelSpec, cast: Cast) -> None:
    a_day_with_unfair_hours(spec)
    browser = signed_in(cast.officer)
    page = browser.get(reverse("model", args=[spec.slug]), {"attribute": "sex"}).content.decode()
    run = browser.get(reverse("run", args=[selectors.latest_runs(spec.id)["24h"].id])).content.decode()
    for text in (page, run):
        assert "In the last 6 hours alone, beyond the bound of 0.80 to 1.25: Women are" in text
    reader = Caller(token("read", model=spec.slug))
    (run,) = reader.get(f"models/{spec.slug}/metrics?window=24h&limit=1").json()["runs"]
    assert [part["window"] for part in run["early"]] == ["3h", "6h"]
    (run,) = reader.get(f"models/{spec.slug}/metrics?window=24h&limit=1&attribute=region").json()["runs"]
    assert run["early"] == []
