"""What the gate takes: files, columns, levels, weights and policies, and what it refuses."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import yaml

from biasgov.cli import main
from biasgov.gate import GateInputError, run_gate
from biasgov.gate.policy import parse_policy
from tests.gate.world import POLICY, WEIGHTED, Gate, only, people, sexes


def test_whole_weights_count_people(gate: Gate) -> None:
    frame = people(400)
    assert gate(frame.assign(weight=10), POLICY | WEIGHTED) in (0, 2)
    assert gate.report["rows"] == 4000


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


@pytest.mark.parametrize("content", ["", "sex,approved,score,repaid\n", "sex\nMale\n", "\x00\x01"])
def test_a_file_without_decisions_is_bad_input(gate: Gate, capsys: pytest.CaptureFixture[str], content: str) -> None:
    (gate.folder / "policy.yaml").write_text(yaml.safe_dump(POLICY))
    (gate.folder / "empty.csv").write_text(content)
    assert main(["gate", str(gate.folder / "empty.csv"), "--policy", str(gate.folder / "policy.yaml")]) == 3
    assert capsys.readouterr().err.startswith("biasgov gate: ")
