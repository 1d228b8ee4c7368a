"""What the gate holds against a baseline, between folds, and against the declared population."""

from __future__ import annotations

import numpy as np
import pytest

from biasgov.gate.compare import Change
from tests.gate.world import POLICY, WEIGHTED, Gate, only, people, sexes


def test_each_fold_has_its_value_and_an_unstable_metric_fails(gate: Gate) -> None:
    frame = people(8000)
    frame["fold"] = np.arange(len(frame)) // 2 % 4
    women_of_fold_0 = (frame["fold"] == 0) & (frame["sex"] == "Female")
    frame.loc[women_of_fold_0, "approved"] = (np.arange(women_of_fold_0.sum()) % 10 < 3).astype(int)
    frame.loc[(frame["fold"] == 1) & (frame["sex"] == "Female"), "approved"] = (np.arange(1000) % 10 < 7).astype(int)
    policy = POLICY | {"columns": POLICY["columns"] | {"fold": "fold"}}
    assert gate(frame, policy) == 0
    (ratio,) = [
        one for one in gate.report["results"] if (one["metric"], one["group"]) == ("demographic_parity_ratio", "Female")
    ]
    parts = {str(fold): part.groupby("sex")["approved"].mean() for fold, part in frame.groupby("fold")}
    assert ratio["folds"] == pytest.approx({fold: part["Female"] / part["Male"] for fold, part in parts.items()})
    assert gate(frame, policy | {"tolerance": {"folds": 0.3}}) == 1


def test_a_library_update_that_changes_decisions_is_noticed(gate: Gate) -> None:
    before = people()
    after = before.copy()
    after.loc[:99, "approved"] = 1 - after.loc[:99, "approved"]
    before.to_parquet(gate.folder / "before.parquet")
    policy = POLICY | {"baseline": "before.parquet", "tolerance": {"decisions": 0.01}}
    assert gate(after, policy) == 1
    assert gate.report["baseline"]["decisions"] == pytest.approx(100 / len(after))
    assert gate.report["baseline"]["scores"] == 0
    assert gate(after, policy | {"tolerance": {"decisions": 0.05}}) == 0


def test_people_are_matched_by_id_in_any_order(gate: Gate) -> None:
    before = people().assign(person=np.arange(4000))
    before.to_parquet(gate.folder / "before.parquet")
    policy = POLICY | {
        "columns": POLICY["columns"] | {"id": "person"},
        "baseline": "before.parquet",
        "tolerance": {"decisions": 0, "scores": 0, "fairness": 0},
    }
    assert gate(before.sample(frac=1, random_state=1), policy) == 0
    assert gate.report["baseline"]["decisions"] == 0


@pytest.mark.parametrize("kind", ["decisions", "scores", "fairness", "folds"])
def test_a_tolerance_that_nothing_is_held_against_is_not_passed(
    gate: Gate, capsys: pytest.CaptureFixture[str], kind: str
) -> None:
    assert gate(people(), POLICY | {"tolerance": {kind: 0.5}}) == 2
    assert f"tolerance.{kind} is set, and there" in capsys.readouterr().out


def test_a_tolerance_on_scores_needs_scores(gate: Gate, capsys: pytest.CaptureFixture[str]) -> None:
    people().to_parquet(gate.folder / "before.parquet")
    policy = POLICY | {"columns": {"decision": "approved"}, "baseline": "before.parquet"}
    assert gate(people(), policy | {"tolerance": {"decisions": 0.0, "fairness": 0.0}}) == 0
    assert gate(people(), policy | {"tolerance": {"scores": 0.5}}) == 2
    assert "no scores in both files" in capsys.readouterr().out


def test_a_group_of_the_population_that_stays_away_is_a_shift(gate: Gate) -> None:
    population = {"Female": 0.4, "Male": 0.4, "Other": 0.2}
    bounds = {"representation_psi": {"upper": 0.2}}
    assert gate(people(), POLICY | sexes(reference="Male", population=population) | {"bounds": bounds}) == 1
    assert only(gate.report, "selection_rate", "Other")["gap"] == "no_events"


def test_folds_are_told_for_every_metric_with_their_intervals_and_range(gate: Gate) -> None:
    frame = people(8000).assign(fold=np.arange(8000) // 2 % 5)
    assert gate(frame, POLICY | {"columns": POLICY["columns"] | {"fold": "fold"}}) == 0
    for metric in ("selection_rate", "tpr", "brier", "demographic_parity_ratio"):
        found = only(gate.report, metric, "Female")
        assert set(found["folds"]) == set("01234")
        assert found["fold_range"] == pytest.approx(max(found["folds"].values()) - min(found["folds"].values()))
        for fold in found["fold_details"]:
            assert fold["interval"][0] < fold["value"] < fold["interval"][1]
            assert fold["value"] == found["folds"][fold["fold"]]
    assert "; range 0." in (gate.folder / "out.html").read_text()


def test_scores_are_compared_where_both_files_have_one_and_by_weight(gate: Gate) -> None:
    before = people(100).assign(weight=1)
    before.loc[0, "weight"] = 51
    after = before.assign(score=(before["score"] - 0.1).abs())
    after.loc[:9, "score"] = before.loc[:9, "score"]
    expected = np.average((after["score"] - before["score"]).abs()[:-20], weights=before["weight"][:-20])
    before.loc[80:89, "score"] = np.nan
    after.loc[90:, "score"] = np.nan
    before.to_parquet(gate.folder / "before.parquet")
    gate(after, POLICY | WEIGHTED | {"baseline": "before.parquet"})
    assert gate.report["baseline"]["scores"] == pytest.approx(expected)


def test_who_arrives_is_compared_with_the_declared_population(gate: Gate) -> None:
    def policy(women: float) -> dict:
        shares = {"Female": women, "Male": 1 - women}
        return POLICY | {
            "attributes": {"sex": {"reference": "Male", "population": shares}},
            "bounds": {"representation_psi": {"upper": 0.2}},
        }

    assert gate(people(), policy(0.5)) == 0
    assert gate(people(), policy(0.9)) == 1
    assert (
        gate(people(), policy(0.9) | {"attributes": sexes(reference="Male", population={"Female": 0.5})["attributes"]})
        == 3
    )


def test_default_bounds_ask_for_drift_only_where_there_is_a_baseline(gate: Gate) -> None:
    policy = {name: value for name, value in POLICY.items() if name != "bounds"}
    fair = people(20_000)
    gate(fair, policy)
    assert not [one for one in gate.report["results"] if one["metric"].endswith("_psi")]
    fair.to_parquet(gate.folder / "before.parquet")
    moved = fair.assign(score=fair["score"] ** 3)
    assert gate(moved, policy | {"baseline": "before.parquet"}) == 1
    assert only(gate.report, "score_psi", "Female")["verdict"] == "breach"
    assert only(gate.report, "representation_psi", None)["verdict"] == "within"


def test_a_group_that_is_gone_since_the_baseline_is_a_shift(gate: Gate) -> None:
    before = people(4000)
    before.loc[before.index % 4 == 0, "sex"] = "Other"
    before.to_parquet(gate.folder / "before.parquet")
    bounds = {"representation_psi": {"upper": 0.2}}
    assert gate(people(4000), POLICY | {"baseline": "before.parquet", "bounds": bounds}) == 1


def test_a_baseline_says_how_many_people_it_shares_and_what_changed(gate: Gate) -> None:
    before = people(4000).assign(person=np.arange(4000))
    before.iloc[500:].to_parquet(gate.folder / "before.parquet")
    policy = POLICY | {"columns": POLICY["columns"] | {"id": "person"}, "baseline": "before.parquet"}
    gate(before.iloc[:3000], policy)
    compared = gate.report["baseline"]
    assert (compared["rows"], compared["only_now"], compared["only_before"]) == (2500, 500, 1000)
    (ratio,) = [
        one for one in compared["changes"] if (one["metric"], one["group"]) == ("demographic_parity_ratio", "Female")
    ]
    rates = [part.groupby("sex")["approved"].mean() for part in (before.iloc[500:], before.iloc[:3000])]
    was, now = (each["Female"] / each["Male"] for each in rates)
    assert (ratio["before"], ratio["after"]) == (pytest.approx(was), pytest.approx(now))


def test_changed_decisions_are_counted_by_weight(gate: Gate) -> None:
    before = people(100).assign(weight=1)
    before.loc[0, "weight"] = 101
    before.to_parquet(gate.folder / "before.parquet")
    after = before.assign(approved=before["approved"].where(before.index > 0, 1 - before["approved"]))
    gate(after, POLICY | WEIGHTED | {"baseline": "before.parquet"})
    assert gate.report["baseline"]["decisions"] == pytest.approx(101 / 200)
    assert gate.report["rows"] == 200


def test_a_metric_that_falls_is_a_change_of_the_same_size_as_one_that_rises() -> None:
    fall, rise = (Change("tpr", "sex", "Female", *ends) for ends in ((0.9, 0.8), (0.8, 0.9)))
    assert fall.size == pytest.approx(0.1)
    assert rise.size == pytest.approx(0.1)


def test_folds_that_vary_by_exactly_what_is_tolerated_are_stable(gate: Gate) -> None:
    sex, fold = np.repeat(["Male", "Female"], 800), np.tile(np.repeat([0, 1], 400), 2)
    selected = np.concatenate([np.arange(400) < count for count in (200, 200, 200, 150)]).astype(int)
    frame = people(1600).assign(sex=sex, fold=fold, approved=selected)
    policy = POLICY | {
        "columns": POLICY["columns"] | {"fold": "fold"},
        "bounds": {"demographic_parity_ratio": {"lower": 0.5}},
    }
    assert gate(frame, policy | {"tolerance": {"folds": 0.25}}) == 0
    assert gate(frame, policy | {"tolerance": {"folds": 0.24}}) == 1
