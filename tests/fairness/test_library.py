"""The core as a library of its own: what is public, that it says what it does, and that it needs no server."""

from __future__ import annotations

import inspect
import re
import subprocess
import sys
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

import biasgov.fairness as library
from biasgov.fairness import DEFAULT_POLICY, Plan, evaluate
from tests.fairness.tables import confusion_cube

PUBLIC = [getattr(library, name) for name in library.__all__]
CALLABLE = [each for each in PUBLIC if inspect.isfunction(each) or inspect.isclass(each)]


@pytest.mark.parametrize("public", CALLABLE, ids=lambda each: each.__name__)
def test_what_is_public_says_what_it_does(public):
    assert public.__module__.startswith("biasgov.fairness")
    assert len(inspect.getdoc(public) or "") > 40
    assert not (inspect.getdoc(public) or "").startswith(f"{public.__name__}(")


def test_importing_it_loads_no_framework_and_nothing_slow():
    asked = "import sys, biasgov.fairness; print(*{name.split('.')[0] for name in sys.modules})"
    loaded = subprocess.run([sys.executable, "-c", asked], capture_output=True, text=True, check=True).stdout.split()
    assert "scipy" in loaded
    assert not {"django", "celery", "psycopg", "redis", "apps", "pandas", "sklearn", "statsmodels"} & set(loaded)


def test_the_example_of_the_methods_page_measures_and_judges_every_metric():
    page = (Path(__file__).parents[2] / "docs" / "methods.md").read_text()
    (example,) = re.findall(r"```python\n(.*?)```", page, re.DOTALL)
    rng = np.random.default_rng(8)
    score = rng.random(6000)
    frame = pd.DataFrame(
        {
            "sex": rng.choice(["Male", "Female"], 6000),
            "race": rng.choice(["White", "Black", "Asian"], 6000),
            "approved": (score > 0.5).astype(int),
            "repaid": (rng.random(6000) < score).astype(int),
            "p": score,
            "income": rng.normal(size=6000),
            "age": rng.integers(18, 80, 6000),
        }
    )
    known = {"frame": frame, "training": frame.sample(3000, random_state=2)}
    exec(example, known)
    table = known["table"]
    assert set(table["metric"]) == set(library.METRICS)
    judged = table[table["judged"]]
    assert set(judged["metric"]) == set(DEFAULT_POLICY.bounds)
    assert judged["verdict"].isin(["within", "breach", "inconclusive"]).all()
    assert table.loc[table["value"].notna(), "interval"].map(lambda ends: ends[0] is not None).all()
    assert {"sex", "race", "sex*race"} <= set(table["attribute"])


def test_the_first_example_works():
    cube = confusion_cube({"Female": (80, 20, 40, 60), "Male": (90, 30, 30, 50)}, "sex")
    found = evaluate(cube, Plan(references={"sex": "Male"}), DEFAULT_POLICY, seed=1)
    assert {one.verdict for one in found} <= {"within", "breach", "inconclusive", "not_estimable"}
