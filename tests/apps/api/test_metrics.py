"""GET /models/<slug>/metrics, /findings and /policy over a history that the pipeline computed."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta

import pytest

from apps.common import clock
from apps.monitoring import services as monitoring
from apps.registry.spec import ModelSpec
from apps.responses.models import Finding
from tests.apps.api.door import Caller, fields_of, problem, token
from tests.apps.pipeline.world import company, compute, people, send_attributes, send_events, send_labels

NOW = (clock.hour_floor(datetime.now(UTC)) - timedelta(days=3)).replace(minute=20)
ADDRESS = "models/hiring/metrics"


@pytest.fixture
def history(db: None) -> Iterator[ModelSpec]:
    """Three hundred decisions within a day, evaluated at two moments."""
    with clock.frozen(NOW):
        spec = company()
        frame = people(300, before=NOW)
        send_events(spec, frame)
        send_attributes(frame)
        compute()
    with clock.frozen(NOW + timedelta(hours=2)):
        late = people(40, seed=2, hours=1, before=NOW + timedelta(hours=1))
        send_events(spec, late)
        compute()
        yield spec


def reader() -> Caller:
    return Caller(token("read", model="hiring"))


def test_runs_have_the_fixed_shape_newest_first(history: ModelSpec) -> None:
    answer = reader().get(f"{ADDRESS}?window=24h")
    assert answer.status_code == 200
    body = answer.json()
    assert (body["model"], body["window"]) == ("hiring", "24h")
    moments = [run["as_of"] for run in body["runs"]]
    assert len(moments) >= 2
    assert moments == sorted(moments, reverse=True)
    assert datetime.fromisoformat(body["as_of"]) == datetime.fromisoformat(moments[0])
    for run in body["runs"]:
        assert {"id", "as_of", "from", "to", "coverage", "label_coverage", "state", "results"} <= run.keys()
        assert run["state"] in ("provisional", "final")
        assert set(run["coverage"]) == {"sex", "region"}
        for result in run["results"]:
            assert {
                "metric", "attribute", "group", "reference", "value", "interval", "n", "p_adjusted", "bound",
                "verdict", "severity", "decided_by_window", "suppressed",
            } <= result.keys()  # fmt: skip


def test_selection_rate_is_the_share_of_favourable_decisions(db: None) -> None:
    with clock.frozen(NOW):
        spec, frame = company(), people(300, before=NOW)
        send_events(spec, frame)
        send_attributes(frame)
        compute()
        run = reader().get(f"{ADDRESS}?window=24h&metric=selection_rate&attribute=sex&limit=1").json()["runs"][0]
    rates = {result["group"]: result["value"] for result in run["results"] if result["group"]}
    expected = frame.groupby("sex")["decision"].mean()
    assert rates["female"] == pytest.approx(expected["female"])
    assert rates["male"] == pytest.approx(expected["male"])


def test_small_groups_are_suppressed(history: ModelSpec) -> None:
    runs = reader().get(f"{ADDRESS}?window=24h").json()["runs"]
    hidden = [result for run in runs for result in run["results"] if result["suppressed"]]
    shown = [result for run in runs for result in run["results"] if result["group"] and not result["suppressed"]]
    assert all(result["n"] >= 10 for result in shown)
    assert all(result["value"] is None and result["n"] is None for result in hidden)


def test_all_windows_come_by_default_and_can_be_chosen(history: ModelSpec) -> None:
    assert {run["window"] for run in reader().get(ADDRESS).json()["runs"]} == {"24h", "7d", "30d"}
    some = reader().get(f"{ADDRESS}?window=30d,24h").json()
    assert some["window"] == "24h,30d"
    assert {run["window"] for run in some["runs"]} == {"24h", "30d"}


def test_results_can_be_narrowed(history: ModelSpec) -> None:
    body = reader().get(f"{ADDRESS}?window=24h&metric=selection_rate,tpr&attribute=region*sex").json()
    found = {(result["metric"], result["attribute"]) for run in body["runs"] for result in run["results"]}
    assert found == {("selection_rate", "sex*region"), ("tpr", "sex*region")}


def test_moments_can_be_narrowed(history: ModelSpec) -> None:
    newest = reader().get(f"{ADDRESS}?window=24h").json()["runs"][0]
    moment = newest["as_of"].replace("+00:00", "Z")
    assert [run["id"] for run in reader().get(f"{ADDRESS}?window=24h&as_of={moment}").json()["runs"]] == [newest["id"]]
    assert [run["id"] for run in reader().get(f"{ADDRESS}?window=24h&since={moment}").json()["runs"]] == [newest["id"]]
    unescaped = moment.replace("Z", "+00:00")
    assert len(reader().get(f"{ADDRESS}?window=24h&as_of={unescaped}").json()["runs"]) == 1


def test_pages_follow_each_other_without_gap_or_repeat(history: ModelSpec) -> None:
    who = reader()
    whole = [run["id"] for run in who.get(f"{ADDRESS}?window=24h,7d&limit=100").json()["runs"]]
    found, cursor = [], ""
    while cursor is not None:
        body = who.get(f"{ADDRESS}?window=24h,7d&limit=1&cursor={cursor}").json()
        found += [run["id"] for run in body["runs"]]
        cursor = body["next"]
    assert sorted(found) == sorted(whole)
    assert len(found) == len(set(found))


def test_model_that_was_never_evaluated_has_no_runs(db: None) -> None:
    company()
    body = reader().get(ADDRESS).json()
    assert (body["runs"], body["as_of"], body["next"]) == ([], None, None)


@pytest.mark.parametrize(
    ("query", "field"),
    [
        ("window=1h", "window"),
        ("metric=luck", "metric"),
        ("attribute=shoe_size", "attribute"),
        ("attribute=sex*sex", "attribute"),
        ("as_of=yesterday", "as_of"),
        ("since=", "since"),
        ("since=2026-01-01T00:00:00", "since"),
        ("as_of=0001-01-01T00:00:00Z", "as_of"),
        ("revisions=some", "revisions"),
        ("cursor=nonsense", "cursor"),
        ("cursor=e30=", "cursor"),
        ("window=24h&cursor=eyIyNGgiOiAibm9uc2Vuc2UifQ==", "cursor"),
        ("window=24h&cursor=eyIyNGgiOiAiOTk5OS0xMi0zMVQyMzo1OTo1OS0yMzo1OSJ9", "cursor"),
        ("limit=1000", "limit"),
    ],
)
def test_bad_question_is_refused_by_parameter(db: None, query: str, field: str) -> None:
    company()
    assert fields_of(problem(reader().get(f"{ADDRESS}?{query}"), 422)) == [field]


def test_policy_in_force_is_shown(db: None) -> None:
    company()
    body = reader().get("models/hiring/policy").json()
    assert body["version"] == 1
    assert body["assessment_reference"] == "GOV002-17"
    assert body["policy"]["bounds"]["demographic_parity_ratio"] == {"lower": 0.8, "upper": 1.25}


def finding(spec: ModelSpec, metric: str, **changes: object) -> Finding:
    fields = {
        "model_id": spec.id,
        "metric": metric,
        "attribute": "sex",
        "group": "female",
        "reference": "male",
        "severity": "high",
        "sentence": "Women are chosen less often.",
        "window": "24h",
        "value": 0.5,
        "run_id": 1,
        "opened_at": NOW,
        "opened_as_of": NOW,
        "opened_run_id": 1,
        "last_as_of": NOW,
        "last_verdict": "breach",
    }
    return Finding.objects.create(**(fields | changes))


def test_findings_are_listed_newest_first_page_by_page(db: None) -> None:
    spec = company()
    finding(company("lending"), "tpr")
    ids = [finding(spec, metric).pk for metric in ("demographic_parity_ratio", "fpr_gap", "association")]
    closed = finding(spec, "ece", state="closed", closed_at=NOW, group="").pk
    who = reader()
    first = who.get("models/hiring/findings?limit=3").json()
    second = who.get(f"models/hiring/findings?limit=3&cursor={first['next']}").json()
    assert [each["id"] for each in first["findings"] + second["findings"]] == [closed, *ids[::-1]]
    assert second["next"] is None
    assert first["findings"][0]["group"] is None
    only = who.get("models/hiring/findings?state=open").json()["findings"]
    assert [each["id"] for each in only] == ids[::-1]
    problem(who.get("models/hiring/findings?state=lost"), 422)


def test_quality_stands_beside_every_run(history: ModelSpec) -> None:
    for run in reader().get(f"{ADDRESS}?metric=selection_rate").json()["runs"]:
        found = run["quality"]
        assert found["n"] == run["n"]
        assert {name: found["coverage"][name] for name in run["coverage"]} == run["coverage"]
        assert set(found["label_coverage_by_group"]["sex"]) == {"female", "male", "unknown"}
        assert set(found["label_coverage_by_decision"]) == {"favourable", "unfavourable"}
        assert found["selective_labels"] is False
        assert {"value", "low", "high"} == found["parity_bounds"]["sex"]["female"].keys()


def test_sharp_bounds_are_those_of_the_unknown_and_labels_are_counted_per_decision(db: None) -> None:
    with clock.frozen(NOW):
        spec, frame = company(), people(400, before=NOW, unknown=0.2)
        frame["labelled"] = frame["decision"] == 1
        send_events(spec, frame)
        send_attributes(frame)
        compute()
        found = reader().get(f"{ADDRESS}?window=24h&limit=1").json()["runs"][0]["quality"]
    assert found["label_coverage_by_decision"] == {"favourable": 1.0, "unfavourable": 0.0}
    assert found["selective_labels"] is True
    known, hidden = frame[frame["known"]], frame[~frame["known"]]
    women, men = (known[known["sex"] == sex]["decision"] for sex in ("female", "male"))
    chosen = hidden["decision"].sum()
    low = (women.sum() / (len(women) + len(hidden) - chosen)) / ((men.sum() + chosen) / (len(men) + chosen))
    assert found["parity_bounds"]["sex"]["female"]["low"] == pytest.approx(low)
    women_labelled = women.mean()
    assert found["label_coverage_by_group"]["sex"]["female"] == pytest.approx(women_labelled)


def test_late_labels_restate_a_published_run_and_both_can_be_read(db: None) -> None:
    midnight = NOW.replace(hour=0, minute=0)
    with clock.frozen(NOW):
        spec, frame = company(), people(200, before=midnight)
        send_events(spec, frame, labels=False)
        send_attributes(frame)
        compute()
    moment = midnight.isoformat().replace("+00:00", "Z")
    with clock.frozen(NOW + timedelta(minutes=5)):
        send_labels(spec, frame, observed_at=NOW)
        compute()
    with clock.frozen(NOW + timedelta(hours=1)):
        compute()
        who = reader()
        newest = who.get(f"{ADDRESS}?window=24h&as_of={moment}").json()["runs"]
        both = who.get(f"{ADDRESS}?window=24h&as_of={moment}&revisions=all").json()["runs"]
        pages, cursor = [], ""
        while cursor is not None:
            body = who.get(f"{ADDRESS}?window=24h&revisions=all&limit=1&cursor={cursor}").json()
            pages += [(run["as_of"], run["revision"]) for run in body["runs"]]
            cursor = body["next"]
        crossed = who.get(f"{ADDRESS}?window=24h&revisions=all&limit=1").json()["next"]
        assert fields_of(problem(who.get(f"{ADDRESS}?window=24h&cursor={crossed}"), 422)) == ["cursor"]
    told = [(run["revision"], run["restated"], run["state"], run["quality"]["label_coverage"]) for run in both]
    assert told == [(2, True, "final", 1.0), (1, False, "final", 0.0)]
    assert [run["id"] for run in newest] == [both[0]["id"]]
    assert pages == sorted(set(pages), reverse=True)
    assert {(run["as_of"], run["revision"]) for run in both} <= set(pages)


def test_a_provisional_run_that_becomes_final_restates_nothing(history: ModelSpec) -> None:
    with clock.frozen(NOW + timedelta(hours=4)):
        monitoring.evaluations_mark_live(model_ids=[history.id])
        compute()
        runs = reader().get(f"{ADDRESS}?window=24h&revisions=all&limit=100").json()["runs"]
    finished = [run for run in runs if run["revision"] > 1 and run["state"] == "final"]
    assert finished
    assert not any(run["restated"] for run in finished)


def test_what_is_measured_over_everybody_can_be_asked_for(history: ModelSpec) -> None:
    runs = reader().get(f"{ADDRESS}?window=24h&attribute=*").json()["runs"]
    found = {(result["metric"], result["attribute"], result["verdict"]) for run in runs for result in run["results"]}
    assert found == {("score_psi", "", "not_estimable")}
