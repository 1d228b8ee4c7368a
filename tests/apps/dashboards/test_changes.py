"""A shift of a known day, from the events through run and API to the words on the model page."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from datetime import UTC, datetime, timedelta
from typing import Any

import numpy as np
import pandas as pd
import pytest
from django.db import connection, transaction
from django.urls import reverse

from apps.common import clock
from apps.dashboards.changes import change_events, change_sentence
from apps.dashboards.topics import choose
from apps.monitoring import selectors as monitoring
from apps.monitoring import services
from apps.monitoring.changes import changes_described
from apps.monitoring.cubes import Hours, window_cubes
from apps.registry.spec import AttributeSpec, ModelSpec, Words
from tests.apps.api.door import Caller, token
from tests.apps.pipeline.world import NOW, company, compute, people, send_attributes, send_events
from tests.cast import person, signed_in
from tests.sides import side

pytestmark = pytest.mark.django_db

SHIFT = datetime(2026, 3, 10, tzinfo=UTC)
"""Until this midnight women are invited like men; from it on half as often."""


def shifted(n: int = 5000) -> pd.DataFrame:
    rng = np.random.default_rng(9)
    frame = people(n, hours=24 * 28, seed=9)
    harmed = (frame["sex"] == "female") & (frame["at"] >= SHIFT)
    frame["decision"] = (rng.random(n) < np.where(harmed, 0.3, 0.6)).astype(int)
    frame["label"] = (rng.random(n) < 0.5).astype(int)
    return frame


@pytest.fixture(scope="module")
def moved(django_db_setup: None, django_db_blocker: Any) -> Iterator[ModelSpec]:
    """The watched model, inside a transaction around the tests' own ones, rolled back at the end."""
    around = transaction.atomic()
    # As Django's TestCase marks its own transaction: durable blocks may stand inside.
    around._from_testcase = True
    with django_db_blocker.unblock(), around, clock.frozen(NOW):
        with connection.cursor() as cursor:
            cursor.execute("SET ROLE biasgov_web")
        spec, frame = company(), shifted()
        send_events(spec, frame)
        send_attributes(frame)
        compute()
        yield spec
        transaction.set_rollback(True)


@pytest.fixture
def spec(moved: ModelSpec, db: None) -> Iterator[ModelSpec]:
    with clock.frozen(NOW):
        yield moved


def of_ratio(changes: Any) -> list[Mapping[str, Any]]:
    return [each for each in changes if each["metric"] == "demographic_parity_ratio"]


def test_the_run_names_the_day_and_the_cause(spec: ModelSpec) -> None:
    run = monitoring.latest_runs(spec.id)["30d"]
    document = monitoring.run_documents([run.id])[run.id]
    (change,) = of_ratio(document["changes"])
    frame = shifted()
    rates = frame.groupby([frame["at"] >= SHIFT, "sex"])["decision"].mean()
    assert (change["attribute"], change["group"], change["reference"]) == ("sex", "female", "male")
    earliest, latest = map(datetime.fromisoformat, change["at_range"])
    assert earliest <= SHIFT <= latest
    assert earliest <= datetime.fromisoformat(change["at"]) <= latest
    assert latest - earliest < timedelta(days=1)
    assert SHIFT < datetime.fromisoformat(change["noticed_at"]) <= SHIFT + timedelta(days=3)
    assert change["before"] == pytest.approx(rates[False, "female"] / rates[False, "male"])
    assert change["after"] == pytest.approx(rates[True, "female"] / rates[True, "male"])
    assert change["mix"] + change["rate"] == pytest.approx(change["after"] - change["before"])
    assert change["rate"] / (change["after"] - change["before"]) == pytest.approx(1, abs=0.05)
    assert (change["segment"], change["segment_declared"], change["reverses"]) == ("region", False, False)
    assert not any("n_" in name for name in change), "how many there were on either side would be two more windows"


def test_only_the_longest_window_speaks_of_changes(spec: ModelSpec) -> None:
    runs = monitoring.latest_runs(spec.id)
    documents = monitoring.run_documents([run.id for run in runs.values()])
    assert {window: "changes" in documents[run.id] for window, run in runs.items()} == {
        "24h": False,
        "7d": False,
        "30d": True,
    }


def test_a_run_with_changes_can_be_recomputed_to_the_same_bytes(spec: ModelSpec) -> None:
    run = monitoring.latest_runs(spec.id)["30d"]
    with side("compute"):
        assert services.run_recompute(run_id=run.id).outcome == "same"


def test_a_shift_is_dated_alike_as_the_window_moves_on(spec: ModelSpec) -> None:
    told = [
        of_ratio(monitoring.run_documents([row.id])[row.id]["changes"])
        for row in monitoring.runs(spec.id, "30d", since=SHIFT + timedelta(days=4), limit=100).rows
    ]
    assert len(told) > 5
    dated = [datetime.fromisoformat(change["at"]) for changes in told for change in changes]
    assert max(dated) - min(dated) <= timedelta(hours=6)
    assert all(abs(at - SHIFT) < timedelta(hours=12) for at in dated)
    assert all(len(changes) == 1 for changes in told)


def test_the_days_of_a_window_add_up_to_it(spec: ModelSpec) -> None:
    with side("compute"):
        windows = window_cubes(spec.id, clock.hour_ceiling(NOW), spec.schema())
    for window in windows.values():
        assert sum(cube.total for _, cube in window.days) == window.cube.total
        assert [day for day, _ in window.days] == sorted(day for day, _ in window.days)
    assert changes_described(windows["7d"], spec.plan(), Hours(spec.id, spec.schema())) == {}


def test_the_api_shows_changes_as_they_were_asked_for(spec: ModelSpec) -> None:
    reader = Caller(token("read", model=spec.slug))
    address = f"models/{spec.slug}/metrics?window=30d&limit=1"
    (run,) = reader.get(address).json()["runs"]
    (told,) = of_ratio(run["changes"])
    assert told["at_range"][0] <= told["at"] <= told["at_range"][1]
    (other,) = reader.get(f"{address}&attribute=region").json()["runs"]
    assert of_ratio(other["changes"]) == []
    (daily,) = reader.get(f"models/{spec.slug}/metrics?window=24h&limit=1").json()["runs"]
    assert "changes" not in daily


@pytest.mark.parametrize("window", ["24h", "30d"])
def test_the_model_page_says_since_when_and_why(spec: ModelSpec, window: str) -> None:
    browser = signed_in(person("officer"))
    answer = browser.get(reverse("model", args=[spec.slug]), {"window": window, "attribute": "sex"})
    page = answer.content.decode()
    assert "The demographic parity ratio of women began to fall, from" in page
    assert "is a change of rates" in page
    figure = answer.context["panel"].trend.figure
    (label,) = [each for each in figure["layout"]["annotations"] if each["text"] == "ratio falls"]
    assert abs(datetime.fromisoformat(label["x"]) - SHIFT) < timedelta(hours=12)
    assert "It began between 9 Mar " in page
    lines = [shape for shape in figure["layout"]["shapes"] if shape.get("x0") == label["x"]]
    assert [line["line"]["dash"] for line in lines] == ["dot"]
    other = browser.get(reverse("model", args=[spec.slug]), {"window": window, "attribute": "region"})
    assert "began to" not in other.content.decode()


def test_the_time_line_keeps_its_latest_entries_in_sight(spec: ModelSpec) -> None:
    answer = signed_in(person("officer")).get(reverse("model", args=[spec.slug]), {"attribute": "sex"})
    shown, earlier = answer.context["events"], answer.context["earlier"]
    moments = [event.at for event in (*shown, *earlier)]
    assert len(shown) <= 6
    assert moments == sorted(moments, reverse=True)
    page = answer.content.decode()
    assert (f"{len(earlier)} earlier</summary>" in page) == bool(earlier)
    assert len({event.at for event in (*shown, *earlier) if event.kind == "finding"}) == sum(
        event.kind == "finding" for event in (*shown, *earlier)
    )


def test_a_change_that_the_newest_window_no_longer_sees_is_remembered(spec: ModelSpec) -> None:
    at = NOW + timedelta(days=26)
    with clock.frozen(at):
        frame = people(400, seed=3, hours=24 * 3, before=at)
        send_events(spec, frame)
        send_attributes(frame)
        compute()
        newest = monitoring.latest_runs(spec.id)["30d"]
        assert of_ratio(monitoring.run_documents([newest.id])[newest.id]["changes"]) == []
        (remembered,) = of_ratio(monitoring.changes(spec.id))
        assert abs(datetime.fromisoformat(remembered["at"]) - SHIFT) < timedelta(hours=12)


def declared(*names: str) -> ModelSpec:
    levels = {"sex": ("female", "male"), "region": ("NA", "APAC"), "age_band": ("young", "old")}
    return ModelSpec(
        id=1,
        slug="triage",
        name="Triage",
        industry="other",
        purpose="",
        risk_level="high",
        favourable_decision=1,
        words=Words(("no", "yes"), ("bad", "good")),
        owner="",
        attributes=tuple(AttributeSpec(name, levels[name], levels[name][-1]) for name in names),
        pairs=(),
        versions={},
    )


CHANGE = {
    "attribute": "region", "group": "APAC", "reference": "NA", "metric": "demographic_parity_ratio",
    "at": "2026-11-03T00:00:00+00:00", "noticed_at": "2026-11-05T00:00:00+00:00", "before": 0.95, "after": 0.79,
    "mix": -0.0192, "rate": -0.1408, "segment": "sex", "segment_declared": True,
    "reverses": False,
}  # fmt: skip
FALL = "The demographic parity ratio of people from APAC began to fall, from 0.95 to 0.79."


@pytest.mark.parametrize(
    ("changed", "sentence"),
    [
        ({}, f"{FALL} 88\u00a0% of the fall is a change of rates, 12\u00a0% of the mix by sex."),
        (
            {"segment_declared": False, "segment": "age_band"},
            f"{FALL} 88\u00a0% of the fall is a change of rates,"
            " 12\u00a0% of the mix by age band (the attribute that explains most).",
        ),
        ({"mix": 0.01, "rate": -0.17}, f"{FALL} All of the fall is a change of rates, none of the mix by sex."),
        ({"mix": -0.17, "rate": 0.01}, f"{FALL} All of the fall is a change of the mix by sex."),
        (
            {"mix": -0.26, "rate": 0.1, "reverses": True},
            f"{FALL} Simpson's paradox: at the same sex it moved the other way;"
            " the fall comes from a change of the mix by sex.",
        ),
        (
            {"mix": 0.08, "rate": -0.24},
            f"{FALL} All of the fall is a change of rates: with the mix by sex as before it would have been"
            " 50\u00a0% larger.",
        ),
        ({"segment": None, "mix": None, "rate": None}, FALL),
        (
            {"segment": None, "at_range": ["2026-11-02T22:00:00+00:00", "2026-11-03T03:00:00+00:00"]},
            f"{FALL} It began between 2 Nov 22:00 and 3 Nov 03:00 UTC, most likely at 3 Nov 00:00.",
        ),
        (
            {"segment": None, "at_range": ["2026-11-03T00:00:00+00:00"] * 2},
            f"{FALL} It began at 3 Nov 00:00 UTC.",
        ),
        (
            {"before": 0.9541, "after": 0.9512, "mix": 0.0, "rate": -0.0029},
            "The demographic parity ratio of people from APAC began to fall, from 0.954 to 0.951."
            " All of the fall is a change of rates, none of the mix by sex.",
        ),
        (
            {"metric": "fpr_gap", "before": -0.08, "after": 0.12, "mix": 0.05, "rate": 0.15},
            "The false positive rate gap of people from APAC began to turn round, from −0.080 to 0.120."
            " 75\u00a0% of the turn is a change of rates, 25\u00a0% of the mix by sex.",
        ),
        (
            {"metric": "fpr_gap", "before": -0.02, "after": 0.12, "mix": 0.0, "rate": 0.14},
            "The false positive rate gap of people from APAC began to widen, from −0.020 to 0.120."
            " All of the widening is a change of rates, none of the mix by sex.",
        ),
        (
            {"metric": "equal_opportunity_difference", "before": -0.02, "after": -0.12, "mix": 0.0, "rate": -0.1},
            "The true positive rate gap of people from APAC began to widen, from −0.020 to −0.120."
            " All of the widening is a change of rates, none of the mix by sex.",
        ),
    ],
)
def test_a_change_in_plain_words(changed: dict[str, Any], sentence: str) -> None:
    assert change_sentence(declared("region", "sex", "age_band"), CHANGE | changed) == sentence


def test_with_two_attributes_there_was_nothing_to_choose() -> None:
    said = change_sentence(declared("region", "sex"), CHANGE | {"segment_declared": False})
    assert "explains most" not in said


def test_changes_of_one_day_are_marked_once_on_the_chart() -> None:
    spec = declared("region", "sex")
    small = CHANGE | {"group": "EU", "after": 0.9}
    other = CHANGE | {"metric": "fpr_gap"}
    events = change_events(spec, choose(spec, {"attribute": "region"}), [small, CHANGE, other])
    assert [event.mark for event in events] == ["ratio falls", ""]
    assert "APAC" in events[0].text
    assert change_events(spec, choose(spec, {"attribute": "sex"}), [CHANGE]) == []
