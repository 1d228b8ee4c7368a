"""What the gate says: its verdict, its exit code, and the reports that it writes."""

from __future__ import annotations

import os
import subprocess
import sys
import xml.etree.ElementTree as ET
from pathlib import Path

import numpy as np
import pytest
import yaml

from biasgov.cli import main
from biasgov.gate.policy import parse_policy
from tests.gate.world import POLICY, Gate, only, people, sexes


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
