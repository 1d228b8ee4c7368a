"""The statistics beside the libraries of the field: the same rows, the same groupings, the same run."""

from __future__ import annotations

import json
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

import numpy as np

from biasgov.fairness.cube import OutcomeCube
from biasgov.fairness.evaluation import evaluate
from biasgov.fairness.policy import DEFAULT_POLICY
from tests.benchmarks import people
from tests.benchmarks.ours import PLAN, SCHEMA
from tests.benchmarks.record import Line, seconds

PEERS_PYTHON = Path(__file__).resolve().parents[2] / ".venv" / "peers" / "bin" / "python"
WHAT = "7 groupings of 3 attributes (2, 5, 4 levels)"
# Each peer with the most rows that it manages in about a minute or, for the first three, that the goals name.
PEERS = (
    ("fairlearn", 1_000_000),
    ("fairlearn_bootstrap", 50_000),
    ("aequitas", 1_000_000),
    ("aif360", 1_000_000),
    ("holisticai", 1_000_000),
    ("trustyai", 100_000),
    ("aequitas", 10_000_000),
)

Measured = dict[str, Any]


def lines() -> list[Line]:
    """One window from cubes, rows from scratch beside every peer, and the limit that one pass over the bytes sets."""
    ours: dict[int, Measured] = {}
    beside: list[tuple[str, int, Measured]] = []
    with tempfile.TemporaryDirectory() as folder:
        for size in sorted({size for _, size in PEERS}):
            path = f"{folder}/{size}.npz"
            people.save(people.make(size), path)
            ours[size] = _printed([sys.executable, "-m", "tests.benchmarks.ours", path])
            for peer in (peer for peer, rows in PEERS if rows == size):
                print(f"  {peer}, {size:,} rows ...", flush=True)  # noqa: T201
                beside.append((peer, size, _peer(peer, path)))
                _agree(peer, beside[-1][2], ours[size])
    fairlearn = next(measured for peer, _, measured in beside if peer == "fairlearn")
    order = [peer for peer, _ in PEERS]
    beside.sort(key=lambda each: (each[1] > 1_000_000, order.index(each[0])))
    return [
        *_from_cubes(fairlearn["seconds"]),
        *(_line(peer, size, measured, ours[size]) for peer, size, measured in beside),
        *(_limit(size, ours[size]) for size in (1_000_000, 10_000_000)),
    ]


def _from_cubes(fairlearn: float) -> list[Line]:
    rows = people.make(1_000_000)
    hours = _hour_cubes(rows, hours=720)
    whole = OutcomeCube.sum(hours, SCHEMA)
    evaluation = seconds(lambda: evaluate(whole, PLAN, DEFAULT_POLICY, seed=1), repeats=20)
    window = seconds(lambda: evaluate(OutcomeCube.sum(hours, SCHEMA), PLAN, DEFAULT_POLICY, seed=1), repeats=10)
    large = OutcomeCube.sum([whole] * 1000, SCHEMA)
    evaluation_large = seconds(lambda: evaluate(large, PLAN, DEFAULT_POLICY, seed=1), repeats=10)
    return [
        Line(
            id="evaluate_window",
            what=f"one window from its cube, {WHAT}, all metrics, intervals, verdicts; peer: 1,000 times the events",
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
            what="the evaluation beside MetricFrame on the 1,000,000 rows (6 rates, no intervals, no calibration)",
            ours=evaluation,
            unit="s",
            peer="fairlearn",
            peer_value=fairlearn,
            ratio=fairlearn / evaluation,
        ),
    ]


def _line(peer: str, size: int, measured: Measured, ours: Measured) -> Line:
    suffix = "_10m" if size > 1_000_000 else ""
    return Line(
        id=f"count_vs_{peer}{suffix}",
        what=f"{size:,} rows counted and evaluated, {WHAT}, every interval; peer: {measured['what']}",
        ours=ours["seconds"],
        unit="s",
        peer=f"{peer} ({measured['rss_mb']:,.0f} MB)",
        peer_value=measured["seconds"],
        ratio=measured["seconds"] / ours["seconds"],
        rss_mb=ours["rss_mb"],
    )


def _limit(size: int, ours: Measured) -> Line:
    return Line(
        id="count_vs_limit" + ("_10m" if size > 1_000_000 else ""),
        what=f"counting {size:,} rows beside one numpy bincount over the same bytes",
        ours=ours["counting"] * 1e3,
        unit="ms",
        peer="numpy",
        peer_value=ours["one_pass"] * 1e3,
        ratio=ours["one_pass"] / ours["counting"],
        rss_mb=ours["rss_mb"],
    )


def _peer(peer: str, path: str) -> Measured:
    levels, groupings = json.dumps(people.LEVELS), json.dumps(people.GROUPINGS)
    return _printed([PEERS_PYTHON, Path(__file__).with_name("peer.py"), peer, path, levels, groupings])


def _printed(command: list[Any]) -> Measured:
    done = subprocess.run(command, capture_output=True, text=True)
    if done.returncode:
        raise SystemExit(f"{command[1:3]} failed:\n{done.stderr[-2000:]}")
    measured: Measured = json.loads(done.stdout.splitlines()[-1])
    return measured


def _agree(peer: str, measured: Measured, ours: Measured) -> None:
    """Refuse to compare the speed of different answers."""
    # aif360 compares the second level with the first as the others do; all are plain differences of two means.
    if abs(measured["gap"] - ours["gap"]) > 1e-9:
        raise SystemExit(f"{peer} finds a difference of {measured['gap']} where ours is {ours['gap']}.")


def _hour_cubes(rows: people.Rows, *, hours: int) -> list[OutcomeCube]:
    parts = np.array_split(np.arange(len(rows.decision)), hours)
    return [
        OutcomeCube.count(
            SCHEMA,
            [code[part] for code in rows.codes.values()],
            rows.decision[part],
            rows.outcome[part],
            rows.score[part],
        )
        for part in parts
    ]
