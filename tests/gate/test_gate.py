"""The gate from the command line: what a CI pipeline sees."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import xml.etree.ElementTree as ET
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import yaml

from biasgov.cli import main
from biasgov.gate import GateInputError, run_gate
from biasgov.gate.compare import Change
from biasgov.gate.policy import parse_policy

POLICY = {
    "favourable": 1,
    "columns": {"decision": "approved", "label": "repaid", "score": "score"},
    "attributes": {"sex": {"reference": "Male"}},
    "bounds": {"demographic_parity_ratio": {"lower": 0.8, "upper": 1.25}},
}


def people(rows: int = 4000, *, women: float = 0.5, men: float = 0.5, seed: int = 3) -> pd.DataFrame:
    """Applicants whose approval rate by sex is `women` and `men`, in expectation."""
    rng = np.random.default_rng(seed)
    sex = np.where(np.arange(rows) % 2, "Female", "Male")
    approved = (rng.random(rows) < np.where(sex == "Female", women, men)).astype(int)
    score = np.clip(rng.beta(2, 2, rows), 0, 1)
    return pd.DataFrame(
        {"sex": sex, "approved": approved, "score": score, "repaid": (rng.random(rows) < score).astype(int)}
    )


class Gate:
    """Runs `biasgov gate` in a folder and keeps what it wrote."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def __call__(self, frame: pd.DataFrame, policy: dict = POLICY, *extra: str, suffix: str = ".csv") -> int:
        data, rules = self.folder / f"data{suffix}", self.folder / "policy.yaml"
        frame.to_csv(data, index=False) if suffix == ".csv" else frame.to_parquet(data)
        rules.write_text(yaml.safe_dump(policy))
        return main(
            [
                *("gate", str(data), "--policy", str(rules)),
                *("--json", str(self.folder / "out.json"), "--junit", str(self.folder / "out.xml")),
                *("--html", str(self.folder / "out.html"), *extra),
            ]
        )

    @property
    def report(self) -> dict:
        return json.loads((self.folder / "out.json").read_text())


@pytest.fixture
def gate(tmp_path: Path) -> Gate:
    return Gate(tmp_path)


@pytest.mark.parametrize("suffix", [".csv", ".parquet"])
def test_equal_rates_pass(gate: Gate, suffix: str) -> None:
    assert gate(people(), suffix=suffix) == 0
    assert gate.report["verdict"] == "pass"
    (ratio,) = [
        one for one in gate.report["results"] if (one["metric"], one["group"]) == ("demographic_parity_ratio", "Female")
    ]
    frame = people()
    rates = frame.groupby("sex")["approved"].mean()
    assert ratio["value"] == pytest.approx(rates["Female"] / rates["Male"])
    assert ratio["verdict"] == "within"


def test_a_broken_bound_fails_and_every_report_says_so(gate: Gate, capsys: pytest.CaptureFixture[str]) -> None:
    assert gate(people(women=0.3, men=0.6)) == 1
    assert "Fail" in capsys.readouterr().out
    suite = ET.parse(gate.folder / "out.xml").getroot()
    assert int(suite.attrib["failures"]) == len(suite.findall("./testcase/failure")) >= 1
    page = (gate.folder / "out.html").read_text()
    assert "Fail: a bound" in page
    assert "<script" not in page


def test_too_few_people_cannot_be_judged(gate: Gate) -> None:
    assert gate(people(40, women=0.3, men=0.6)) == 2
    assert gate.report["verdict"] == "inconclusive"


def test_a_bound_on_labels_without_labels_cannot_be_judged(gate: Gate) -> None:
    policy = POLICY | {"columns": {"decision": "approved"}, "bounds": {"equalized_odds_difference": {"upper": 0.05}}}
    assert gate(people(), policy) == 2


def test_what_cannot_be_estimated_is_skipped_in_junit_with_its_reason(gate: Gate) -> None:
    policy = POLICY | {"columns": {"decision": "approved"}, "bounds": {"equalized_odds_difference": {"upper": 0.05}}}
    gate(people(), policy)
    skipped = ET.parse(gate.folder / "out.xml").getroot().findall("./testcase/skipped")
    assert {each.attrib["message"] for each in skipped} == {"no_labels"}
    assert len(skipped) == 2


def test_one_look_asks_for_the_interval_that_people_read(tmp_path: Path) -> None:
    for given, expected in ((POLICY, 0.95), (POLICY | {"confidence": 0.9}, 0.9), (POLICY | {"confidence": None}, 0.95)):
        judgement = parse_policy(given, folder=tmp_path).judgement
        assert (judgement.confidence, judgement.alert_confidence) == (expected, expected)


def test_a_group_below_the_minimum_share_is_listed_but_does_not_count(gate: Gate) -> None:
    frame = people()
    frame.loc[:39, "sex"] = "Other"
    frame.loc[:39, "approved"] = 0
    assert gate(frame) == 0
    (other,) = [
        one for one in gate.report["results"] if (one["metric"], one["group"]) == ("demographic_parity_ratio", "Other")
    ]
    assert other["verdict"] == "inconclusive"
    assert other["counts"] is False


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


def test_whole_weights_count_people(gate: Gate) -> None:
    frame = people(400)
    assert gate(frame.assign(weight=10), POLICY | WEIGHTED) in (0, 2)
    assert gate.report["rows"] == 4000


WEIGHTED = {"columns": POLICY["columns"] | {"weight": "weight"}}


def sexes(**declared: object) -> dict:
    return {"attributes": {"sex": declared}}


BAD = {
    "missing column": (lambda f: f.drop(columns="approved"), {}, "no column 'approved'"),
    "one class": (lambda f: f.assign(approved=1), {}, "one decision only"),
    "three decisions": (lambda f: f.assign(approved=np.arange(len(f)) % 3), {}, "not two"),
    "missing decision": (lambda f: f.assign(approved=f["approved"].where(f.index > 3)), {}, "missing decisions"),
    "infinite score": (lambda f: f.assign(score=np.inf), {}, "outside [0, 1]"),
    "a million groups": (lambda f: f.assign(sex=f.index.astype(str)), sexes(reference="0"), "levels"),
    "unknown level": (lambda f: f, sexes(reference="Male", levels=["Male"]), "which is not declared"),
    "absent reference": (lambda f: f, sexes(reference="man"), "'man'"),
    "unknown metric": (lambda f: f, {"bounds": {"fairness": {"lower": 1}}}, "unknown metric"),
    "unknown key": (lambda f: f, {"bound": {}}, "the policy has no bound"),
    "fractional weight": (lambda f: f.assign(weight=0.5), WEIGHTED, "whole"),
    "negative weight": (lambda f: f.assign(weight=-1), WEIGHTED, "at least 0"),
    "a list of decisions": (lambda f: f, {"favourable": [1]}, "equals the favourable value [1]"),
    "no favourable decision": (lambda f: f, {"favourable": None}, "equals the favourable value None"),
    "an infinite minimum": (lambda f: f, {"minimum": {"group": float("inf")}}, "must be a finite number"),
    "an endless tolerance": (lambda f: f, {"tolerance": {"scores": 10**400}}, "tolerance.scores must be a number"),
    "a confidence without an end": (lambda f: f, {"confidence": 1 - 1e-16}, "confidence must lie between 0 and 1"),
    "an endless bound": (lambda f: f, {"bounds": {"fpr_gap": {"upper": 10**400}}}, "must be a finite number"),
    "a stranger in the population": (
        lambda f: f,
        sexes(reference="Male", levels=["Female", "Male"], population={"Female": 0.5, "male": 0.5}),
        "population has male, which is not one of its levels",
    ),
}


@pytest.mark.parametrize("case", BAD, ids=list(BAD))
def test_bad_input_ends_with_3_and_says_what_to_do(gate: Gate, capsys: pytest.CaptureFixture[str], case: str) -> None:
    spoil, change, message = BAD[case]
    assert gate(spoil(people(200)), POLICY | change) == 3
    captured = capsys.readouterr()
    assert message in captured.err
    assert "Traceback" not in captured.err
    assert not (gate.folder / "out.json").exists()


def test_missing_attributes_and_scores_are_unknown_and_not_an_error(gate: Gate) -> None:
    frame = people(8000)
    frame.loc[::10, "sex"] = None
    frame.loc[::7, "score"] = np.nan
    frame.loc[::5, "repaid"] = np.nan
    assert gate(frame) == 0
    assert gate.report["quality"]["coverage"]["sex"] == pytest.approx(0.9)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("bounds: {fpr_gap: {upper: 0.05}}\nbounds: {}\n", "bounds is written twice"),
        ("attributes: {sex: {reference: 2020-13-45}}\n", "is not YAML"),
        ("[" * 100_000, "is not YAML"),
        ("- 1\n", "must be a mapping"),
    ],
)
def test_a_policy_that_cannot_be_meant_is_bad_input(
    gate: Gate, capsys: pytest.CaptureFixture[str], text: str, message: str
) -> None:
    rules = gate.folder / "policy.yaml"
    rules.write_text(text)
    assert main(["gate", str(gate.folder / "data.csv"), "--policy", str(rules)]) == 3
    captured = capsys.readouterr().err
    assert message in captured
    assert "Traceback" not in captured


def test_two_columns_of_a_name_are_bad_input(gate: Gate, capsys: pytest.CaptureFixture[str]) -> None:
    frame = people(200)
    policy = parse_policy(POLICY, folder=gate.folder)
    with pytest.raises(GateInputError, match="the data has 2 columns 'sex'"):
        run_gate(pd.concat([frame, frame[["sex"]]], axis=1), policy)
    with pytest.raises(GateInputError, match="the baseline has 2 columns 'sex'"):
        run_gate(frame, policy, baseline=pd.concat([frame, frame[["sex"]]], axis=1))


@pytest.mark.parametrize(
    ("spoil", "message"),
    [
        (lambda f: f.drop(columns="sex"), "the baseline has no column 'sex'"),
        (lambda f: f.assign(score=2.0), "the baseline: column 'score' has the score 2.0"),
    ],
)
def test_what_is_wrong_with_the_baseline_is_said_of_the_baseline(
    gate: Gate, capsys: pytest.CaptureFixture[str], spoil: Callable[[pd.DataFrame], pd.DataFrame], message: str
) -> None:
    spoil(people(200)).to_parquet(gate.folder / "before.parquet")
    assert gate(people(200), POLICY | {"baseline": "before.parquet"}) == 3
    assert message in capsys.readouterr().err


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


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ("sex,sex,approved,score,repaid\nMale,Female,1,0.5,1\n", "2 columns 'sex'"),
        ("sex,approved,score,repaid\nMale,1,0.5,1,\nFemale,0,0.5,1,\n", "is not a readable csv file"),
    ],
    ids=["a name twice", "a comma too many"],
)
def test_columns_of_a_csv_file_are_not_guessed(
    gate: Gate, capsys: pytest.CaptureFixture[str], content: str, message: str
) -> None:
    (gate.folder / "policy.yaml").write_text(yaml.safe_dump(POLICY))
    (gate.folder / "data.csv").write_text(content)
    assert main(["gate", str(gate.folder / "data.csv"), "--policy", str(gate.folder / "policy.yaml")]) == 3
    assert message in capsys.readouterr().err


@pytest.mark.parametrize("level", ["NA", "None", "null"])
def test_a_group_whose_name_looks_like_a_missing_value_is_a_group(gate: Gate, level: str) -> None:
    frame = people().replace({"sex": {"Female": level}})
    frame.loc[:9, "sex"] = ""
    named = POLICY | sexes(reference="Male", levels=["Male", level])
    for policy in (named, POLICY | sexes(reference=level)):
        assert gate(frame, policy) == 0
        assert only(gate.report, "selection_rate", level)["n"] == 1995
        assert gate.report["quality"]["coverage"]["sex"] == pytest.approx(0.9975)


def test_a_group_of_the_population_that_stays_away_is_a_shift(gate: Gate) -> None:
    population = {"Female": 0.4, "Male": 0.4, "Other": 0.2}
    bounds = {"representation_psi": {"upper": 0.2}}
    assert gate(people(), POLICY | sexes(reference="Male", population=population) | {"bounds": bounds}) == 1
    assert only(gate.report, "selection_rate", "Other")["gap"] == "no_events"


COMMAND = [sys.executable, "-m", "biasgov.cli", "gate", "data.csv", "--policy", "policy.yaml", "--junit", "out.xml"]


def environment(**more: str) -> dict[str, str]:
    return {**os.environ, "PYTHONPATH": os.getcwd(), **more}


def test_a_reader_that_has_gone_changes_no_exit_code(gate: Gate) -> None:
    for frame, expected in ((people(), 0), (people(women=0.3, men=0.6), 1)):
        frame.to_csv(gate.folder / "data.csv", index=False)
        (gate.folder / "policy.yaml").write_text(yaml.safe_dump(POLICY))
        told = subprocess.Popen(
            COMMAND, cwd=gate.folder, env=environment(), stdout=subprocess.PIPE, stderr=subprocess.PIPE
        )
        assert told.stdout is not None
        assert told.stderr is not None
        told.stdout.close()
        with told.stderr as errors:
            assert errors.read() == b""
        assert told.wait() == expected


@pytest.mark.parametrize("encoding", ["ascii", "cp1252"])
def test_a_level_that_the_terminal_cannot_show_changes_no_exit_code(gate: Gate, encoding: str) -> None:
    people().replace({"sex": {"Female": "女"}}).to_csv(gate.folder / "data.csv", index=False)
    (gate.folder / "policy.yaml").write_text(yaml.safe_dump(POLICY))
    told = subprocess.run(
        COMMAND, cwd=gate.folder, capture_output=True, check=False, env=environment(PYTHONIOENCODING=encoding)
    )
    assert told.returncode == 0
    assert b"\\u5973" in told.stdout
    assert "女" in (gate.folder / "out.xml").read_text(encoding="utf-8")


def test_a_file_that_is_not_there_or_not_a_table_is_bad_input(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    policy = tmp_path / "policy.yaml"
    policy.write_text(yaml.safe_dump(POLICY))
    assert main(["gate", str(tmp_path / "none.csv"), "--policy", str(policy)]) == 3
    broken = tmp_path / "broken.parquet"
    broken.write_bytes(b"not parquet")
    assert main(["gate", str(broken), "--policy", str(policy)]) == 3
    assert main(["gate", str(broken), "--policy", str(tmp_path / "none.yaml")]) == 3
    policy.write_text("{")
    assert main(["gate", str(broken), "--policy", str(policy)]) == 3
    assert capsys.readouterr().err.count("biasgov gate:") == 4


def only(report: dict, metric: str, group: str | None, attribute: str = "sex") -> dict:
    (found,) = [
        one
        for one in report["results"]
        if (one["metric"], one["attribute"], one["group"]) == (metric, attribute, group)
    ]
    return found


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


def test_alike_people_with_other_decisions_break_a_bound_on_individual_fairness(gate: Gate) -> None:
    policy = POLICY | {
        "features": ["income", "age"],
        "bounds": {"individual_fairness_distance": {"upper": 0.1}},
    }
    frame = people(3000)
    rng = np.random.default_rng(1)
    frame["income"], frame["age"] = rng.normal(size=3000), rng.normal(size=3000)
    assert gate(frame, policy) == 1
    found = only(gate.report, "individual_fairness_distance", None, "")
    assert found["value"] == pytest.approx(0.5, abs=0.05)
    assert (found["n"], found["details"]["of"], found["details"]["neighbours"]) == (2000, 3000, 5)
    alike = frame.assign(approved=(frame["income"] > 0).astype(int))
    assert gate(alike, policy) == 0
    assert gate(frame.drop(columns=["income"]), policy) == 3
    assert gate(frame.assign(income="much"), policy) == 3


def test_people_without_every_feature_are_left_out_of_the_sample(gate: Gate) -> None:
    frame = people(900)
    frame["income"], frame["age"] = frame["score"], frame["score"] ** 2
    frame.loc[:299, "income"] = np.nan
    frame.loc[200:399, "age"] = np.nan
    gate(frame, POLICY | {"features": ["income", "age"]})
    found = only(gate.report, "individual_fairness_distance", None, "")
    assert (found["n"], found["details"]["of"]) == (500, 500)


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


def test_a_bound_that_nothing_can_be_put_to_is_not_passed(gate: Gate, capsys: pytest.CaptureFixture[str]) -> None:
    for bounds, message in (
        ({"individual_fairness_distance": {"upper": 0.1}}, "no_features"),
        ({"representation_psi": {"upper": 0.2}}, "no_baseline"),
        ({"score_psi": {"upper": 0.2}}, "no_baseline"),
        ({}, "no bound on anything"),
    ):
        assert gate(people(), POLICY | {"bounds": bounds}) == 2, bounds
        assert message in capsys.readouterr().out


def test_a_bound_whose_groups_are_all_too_small_to_count_is_not_passed(gate: Gate) -> None:
    frame = people(4000)
    frame["sex"] = np.where(np.arange(4000) % 80, "Male", "Female")
    assert gate(frame, POLICY | {"bounds": {"fnr_gap": {"upper": 0.5}}}) == 2


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


def test_weights_count_as_that_many_equal_rows(gate: Gate) -> None:
    frame = people(300).assign(weight=np.arange(300) % 5)
    gate(frame, POLICY | WEIGHTED)
    weighted = gate.report
    gate(frame.loc[frame.index.repeat(frame["weight"])].reset_index(drop=True))
    assert weighted == gate.report


def test_levels_that_are_numbers_are_the_same_with_and_without_gaps(gate: Gate) -> None:
    frame = people(4000).assign(sex=np.arange(4000) % 2 + 1)
    policy = POLICY | sexes(reference=1)
    assert gate(frame, policy) == 0
    gaps = frame.assign(sex=frame["sex"].where(frame.index > 9))
    assert gaps["sex"].dtype == float
    assert gate(gaps, policy) == 0
    assert only(gate.report, "selection_rate", "2")["n"] == 1995


def test_unknown_as_text_is_unknown(gate: Gate) -> None:
    frame = people(4000)
    frame.loc[:399, "sex"] = "unknown"
    assert gate(frame) == 0
    assert gate.report["quality"]["coverage"]["sex"] == 0.9


def test_everybody_unknown_cannot_be_judged_and_without_declared_levels_is_bad_input(gate: Gate) -> None:
    frame = people().assign(sex=None)
    assert gate(frame, POLICY | sexes(reference="Male", levels=["Female", "Male"])) == 2
    assert gate(frame) == 3


def test_a_single_group_cannot_be_judged(gate: Gate) -> None:
    assert gate(people().assign(sex="Male")) == 2
    assert "fewer_than_two_groups" in " ".join(gate.report["reasons"])


def test_outcomes_of_one_class_leave_what_needs_both_unjudged(gate: Gate) -> None:
    bounds = {"bounds": {"equalized_odds_difference": {"upper": 0.05}}}
    assert gate(people().assign(repaid=1), POLICY | bounds) == 2
    assert "empty_denominator" in " ".join(gate.report["reasons"])


def test_a_level_with_a_control_character_still_gives_xml(gate: Gate) -> None:
    frame = people().replace({"sex": {"Female": "Fem\x0bale"}})
    assert gate(frame, suffix=".parquet") == 0
    assert ET.parse(gate.folder / "out.xml").getroot().tag == "testsuite"


@pytest.mark.parametrize("content", ["", "sex,approved,score,repaid\n", "sex\nMale\n", "\x00\x01"])
def test_a_file_without_decisions_is_bad_input(gate: Gate, capsys: pytest.CaptureFixture[str], content: str) -> None:
    (gate.folder / "policy.yaml").write_text(yaml.safe_dump(POLICY))
    (gate.folder / "empty.csv").write_text(content)
    assert main(["gate", str(gate.folder / "empty.csv"), "--policy", str(gate.folder / "policy.yaml")]) == 3
    assert capsys.readouterr().err.startswith("biasgov gate: ")


def test_a_wrong_command_line_is_bad_input_and_not_a_verdict(capsys: pytest.CaptureFixture[str]) -> None:
    for arguments in (["gate"], ["gate", "data.csv"], ["gate", "data.csv", "--policy", "p.yaml", "--strict"]):
        with pytest.raises(SystemExit) as stopped:
            main(arguments)
        assert stopped.value.code == 3
    assert "biasgov gate: " in capsys.readouterr().err


def test_a_crash_is_not_taken_for_a_breach(
    gate: Gate, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr("biasgov.gate.decide.quality", lambda cube, plan: 1 / 0)
    assert gate(people()) == 3
    assert "ZeroDivisionError" in capsys.readouterr().err


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
