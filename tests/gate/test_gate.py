"""The gate from the command line: what a CI pipeline sees."""

from __future__ import annotations

import json
import xml.etree.ElementTree as ET
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import yaml

from biasgov.cli import main

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
    "unknown level": (lambda f: f, sexes(reference="Male", levels=["Male"]), "does not declare"),
    "absent reference": (lambda f: f, sexes(reference="man"), "'man'"),
    "unknown metric": (lambda f: f, {"bounds": {"fairness": {"lower": 1}}}, "unknown metric"),
    "unknown key": (lambda f: f, {"bound": {}}, "the policy has no bound"),
    "fractional weight": (lambda f: f.assign(weight=0.5), WEIGHTED, "whole"),
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
