"""Windows of a few hours: what they call a breach is what the evaluator does, and most of them cost next to nothing."""

from dataclasses import replace

import numpy as np
import pytest

from biasgov.fairness import early
from biasgov.fairness.cube import OutcomeCube
from biasgov.fairness.early import early_breaches
from biasgov.fairness.evaluation import evaluate
from biasgov.fairness.looks import EARLY, SUPPORTED
from biasgov.fairness.policy import DEFAULT_POLICY, PRESETS, Plan
from biasgov.fairness.schema import TAIL, CubeSchema

SCHEMA = CubeSchema.of({"sex": ("female", "male"), "region": ("north", "south", "west")})
PLAN = Plan({"sex": "male", "region": "south"}, (("sex", "region"),))


def cube(n: int, *, seed: int, selected: float = 0.5, labelled: float = 0.6) -> OutcomeCube:
    """Decisions about people of a quarter unknown sex; women of the west are selected at another rate."""
    rng = np.random.default_rng(seed)
    shape = (*SCHEMA.shape[:2], *TAIL[:2])
    rate = np.full(SCHEMA.shape[:2], 0.5)
    rate[0, 2] = selected
    share = rng.dirichlet(np.full(rate.size, 20.0)).reshape(rate.shape)
    cells = np.zeros(shape)
    for decision, chance in enumerate((1 - rate, rate)):
        for outcome, part in enumerate((labelled * 0.4, labelled * 0.6, 1 - labelled)):
            cells[:, :, decision, outcome] = share * chance * part
    dense = np.zeros(SCHEMA.shape, np.int64)
    dense[..., 7] = rng.multinomial(n, (cells / cells.sum()).ravel()).reshape(shape)
    places = np.flatnonzero(dense)
    counts = dense.ravel()[places]
    return OutcomeCube(SCHEMA, places, counts, counts * 2**22, counts * 2**20)


@pytest.mark.parametrize("selected", [0.2, 0.3, 0.35])
def test_early_breaches_are_those_of_the_evaluator(selected: float) -> None:
    found = 0
    for seed in range(8):
        cubes = {window: cube(500 * hours, seed=seed, selected=selected) for window, hours in EARLY.items()}
        seeds = dict.fromkeys(cubes, seed)
        expected = {
            window: tuple(
                each
                for each in evaluate(one, PLAN, DEFAULT_POLICY, seed=seed, hours=EARLY[window])
                if each.verdict == "breach" and each.metric in SUPPORTED
            )
            for window, one in cubes.items()
        }
        assert early_breaches(cubes, PLAN, DEFAULT_POLICY, seeds=seeds) == {w: r for w, r in expected.items() if r}
        found += sum(map(bool, expected.values()))
    assert found, "without a breach the comparison would prove nothing"


def test_nothing_is_measured_where_nothing_can_be_in_breach(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(early, "evaluate", lambda *_, **__: pytest.fail("a window was measured"))
    cubes = {window: cube(300 * hours, seed=3) for window, hours in EARLY.items()}
    assert early_breaches(cubes, PLAN, DEFAULT_POLICY, seeds=dict.fromkeys(cubes, 1)) == {}
    assert early_breaches({"3h": OutcomeCube.empty(SCHEMA)}, PLAN, DEFAULT_POLICY, seeds={"3h": 1}) == {}
    broken = {"3h": cube(9000, seed=1, selected=0.1)}
    assert early_breaches(broken, PLAN, PRESETS["healthcare"], seeds={"3h": 1}) == {}
    unbounded = replace(DEFAULT_POLICY, bounds={})
    assert early_breaches(broken, PLAN, unbounded, seeds={"3h": 1}) == {}


def selection(counts: dict[str, tuple[int, int]]) -> OutcomeCube:
    """{level: (selected, n)} without outcomes."""
    schema = CubeSchema.of({"group": tuple(counts)})
    dense = np.zeros(schema.shape, np.int64)
    for level, (selected, n) in enumerate(counts.values()):
        dense[level, :, 2, 7] = n - selected, selected
    places = np.flatnonzero(dense)
    found = dense.ravel()[places]
    return OutcomeCube(schema, places, found, found * 0, found * 0)


def test_a_longer_early_window_is_judged_by_its_own_number_of_looks() -> None:
    held = {window: selection({"A": (60, 100), "B": (28, 100)}) for window in EARLY}
    found = early_breaches(held, Plan({"group": "A"}), PRESETS["banking"], seeds=dict.fromkeys(EARLY, 1))
    assert list(found) == ["6h", "12h"]


def test_groups_are_sieved_against_the_governed_reference_wherever_it_stands() -> None:
    few_above = selection({"A": (20, 20), "B": (300, 500), "C": (150, 500)})
    found = early_breaches({"3h": few_above}, Plan({"group": "B"}), PRESETS["banking"], seeds={"3h": 1})
    assert [(each.group, each.reference) for each in found["3h"]] == [("C", "B")]
