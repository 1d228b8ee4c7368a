"""The statistics beside fairlearn and aequitas: the same rows, the same groupings, the same run."""

from __future__ import annotations

import json
import subprocess
import tempfile
import warnings
from pathlib import Path
from typing import Any

import numpy as np

from biasgov.fairness.cube import CubeSchema, OutcomeCube
from biasgov.fairness.evaluation import evaluate
from biasgov.fairness.policy import DEFAULT_POLICY, Plan
from tests.benchmarks import people
from tests.benchmarks.record import Line, peak_rss_mb, seconds

ROWS = 1_000_000
PEERS_PYTHON = Path(__file__).resolve().parents[2] / ".venv" / "peers" / "bin" / "python"


def lines() -> list[Line]:
    """One window from cubes, a million rows from scratch, and the limit that one pass over the bytes sets."""
    schema = CubeSchema.of(people.LEVELS)
    plan = Plan(people.REFERENCES, tuple(grouping for grouping in people.GROUPINGS if len(grouping) == 2))
    rows = people.make(ROWS)
    hours = _hour_cubes(schema, rows, hours=720)

    def count() -> OutcomeCube:
        return OutcomeCube.count(schema, list(rows.codes.values()), rows.decision, rows.outcome, rows.score)

    whole = count()
    evaluation = seconds(lambda: evaluate(whole, plan, DEFAULT_POLICY, seed=1), repeats=20)
    window = seconds(lambda: evaluate(OutcomeCube.sum(hours, schema), plan, DEFAULT_POLICY, seed=1), repeats=10)
    large = OutcomeCube.sum([whole] * 1000, schema)
    evaluation_large = seconds(lambda: evaluate(large, plan, DEFAULT_POLICY, seed=1), repeats=10)
    counting = seconds(count, repeats=5)
    both = seconds(lambda: evaluate(count(), plan, DEFAULT_POLICY, seed=1), repeats=5)
    one_pass = seconds(lambda: _one_pass(rows), repeats=5)
    memory = peak_rss_mb()
    fairlearn = _fairlearn(rows)
    aequitas = _aequitas(rows)
    what = "7 groupings of 3 attributes (2, 5, 4 levels)"
    return [
        Line(
            id="evaluate_window",
            what=f"one window from its cube, {what}, all metrics, intervals, verdicts; peer: 1,000 times the events",
            ours=evaluation * 1e3,
            unit="ms",
            peer="1e9 events",
            peer_value=evaluation_large * 1e3,
            ratio=evaluation_large / evaluation,
        ),
        Line(
            id="evaluate_window_720",
            what="the same, adding 720 hour cubes first; peer: the sum alone",
            ours=window * 1e3,
            unit="ms",
            peer="sum",
            peer_value=(window - evaluation) * 1e3,
        ),
        Line(
            id="cubes_vs_fairlearn",
            what=f"the evaluation beside MetricFrame on the {ROWS:,} rows (6 rates, no intervals, no calibration)",
            ours=evaluation,
            unit="s",
            peer="fairlearn",
            peer_value=fairlearn,
            ratio=fairlearn / evaluation,
        ),
        Line(
            id="count_vs_fairlearn",
            what=f"{ROWS:,} rows counted and evaluated",
            ours=both,
            unit="s",
            peer="fairlearn",
            peer_value=fairlearn,
            ratio=fairlearn / both,
            rss_mb=memory,
        ),
        Line(
            id="count_vs_aequitas",
            what=f"{ROWS:,} rows counted and evaluated; the peer has counts and rates only",
            ours=both,
            unit="s",
            peer=f"aequitas ({aequitas['rss_mb']:,.0f} MB)",
            peer_value=aequitas["seconds"],
            ratio=aequitas["seconds"] / both,
            rss_mb=memory,
        ),
        Line(
            id="count_vs_limit",
            what="counting beside one numpy bincount over the same bytes",
            ours=counting * 1e3,
            unit="ms",
            peer="numpy",
            peer_value=one_pass * 1e3,
            ratio=one_pass / counting,
        ),
    ]


def _hour_cubes(schema: CubeSchema, rows: people.Rows, *, hours: int) -> list[OutcomeCube]:
    parts = np.array_split(np.arange(len(rows.decision)), hours)
    return [
        OutcomeCube.count(
            schema,
            [code[part] for code in rows.codes.values()],
            rows.decision[part],
            rows.outcome[part],
            rows.score[part],
        )
        for part in parts
    ]


def _one_pass(rows: people.Rows) -> Any:
    packed = rows.codes["sex"].astype(np.int32)
    for part, width in ((rows.codes["race"], 5), (rows.codes["age"], 4), (rows.decision, 2), (rows.outcome, 2)):
        packed = packed * width + part
    return np.bincount(packed * 20 + np.minimum((rows.score * np.float32(20)).astype(np.int32), 19))


def _fairlearn(rows: people.Rows) -> float:
    from fairlearn.metrics import (
        MetricFrame,
        false_negative_rate,
        false_positive_rate,
        selection_rate,
        true_positive_rate,
    )
    from sklearn.metrics import accuracy_score, precision_score

    frame = rows.frame()
    metrics = {
        "selection_rate": selection_rate,
        "tpr": true_positive_rate,
        "fpr": false_positive_rate,
        "fnr": false_negative_rate,
        "accuracy": accuracy_score,
        "ppv": precision_score,
    }

    def all_groupings() -> None:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            for grouping in people.GROUPINGS:
                found = MetricFrame(
                    metrics=metrics,
                    y_true=frame["outcome"],
                    y_pred=frame["decision"],
                    sensitive_features=frame[list(grouping)],
                )
                assert len(found.by_group)

    return seconds(all_groupings, warm=False)


def _aequitas(rows: people.Rows) -> dict[str, float]:
    frame = rows.frame()
    with tempfile.TemporaryDirectory() as folder:
        path = f"{folder}/rows.npz"
        np.savez(
            path,
            allow_pickle=False,
            **{
                name: frame[name].to_numpy().astype("U12") if name in people.LEVELS else frame[name].to_numpy()
                for name in frame
            },
        )
        done = subprocess.run(
            [PEERS_PYTHON, Path(__file__).with_name("peer_aequitas.py"), path, json.dumps(people.GROUPINGS)],
            capture_output=True,
            text=True,
            check=True,
        )
    measured: dict[str, float] = json.loads(done.stdout)
    return measured
