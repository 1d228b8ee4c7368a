"""Applicants, a policy, and a gate that is run in a folder."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pandas as pd
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


WEIGHTED = {"columns": POLICY["columns"] | {"weight": "weight"}}


def sexes(**declared: object) -> dict:
    return {"attributes": {"sex": declared}}


def only(report: dict, metric: str, group: str | None, attribute: str = "sex") -> dict:
    (found,) = [
        one
        for one in report["results"]
        if (one["metric"], one["attribute"], one["group"]) == (metric, attribute, group)
    ]
    return found
