"""The core as a library of its own: what is public, that it says what it does, and that it needs no server."""

from __future__ import annotations

import inspect
import subprocess
import sys

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


def test_the_first_example_works():
    cube = confusion_cube({"Female": (80, 20, 40, 60), "Male": (90, 30, 30, 50)}, "sex")
    found = evaluate(cube, Plan(references={"sex": "Male"}), DEFAULT_POLICY, seed=1)
    assert {one.verdict for one in found} <= {"within", "breach", "inconclusive", "not_estimable"}
