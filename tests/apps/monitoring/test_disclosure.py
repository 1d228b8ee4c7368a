"""What a run tells of small groups: nothing, and nothing that it would follow from."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.optimize import linprog

from apps.monitoring import documents, tables
from apps.monitoring.baselines import Declared
from apps.monitoring.cubes import Counted, Hours, WindowCube
from apps.monitoring.disclosure import disclosed, hidden_groups
from apps.monitoring.evaluation import Inputs, evaluate_windows
from apps.monitoring.families import Relatives
from apps.monitoring.people import MOST, People
from apps.monitoring.windows import LENGTHS
from biasgov.fairness.cube import CubeSchema, OutcomeCube
from biasgov.fairness.evaluation import Plan
from biasgov.fairness.policy import DEFAULT_POLICY

NOW = datetime(2026, 5, 4, tzinfo=UTC)
LEVELS = {"sex": ("female", "male"), "race": ("a", "b", "c", "d"), "age": ("young", "old")}
SCHEMA = CubeSchema.of(LEVELS)
PLAN = Plan({"sex": "male", "race": "a", "age": "old"}, (("sex", "race"),))
POLICY = {"id": 1, "version": 1, "digest": "0" * 64, "assessment": "A-1", "body": DEFAULT_POLICY.to_dict()}


def pseudonyms(numbers: np.ndarray) -> np.ndarray:
    """One pseudonym of 16 bytes per number: equal numbers are the same person."""
    known = np.random.default_rng(7).integers(256, size=(int(numbers.max(initial=0)) + 1, 16), dtype=np.uint8)
    return known[numbers]


def counted(codes: np.ndarray, people: np.ndarray, seed: int = 1) -> Counted:
    """Events of `people` (numbers, shape (n,)) with codes of shape (attributes, n)."""
    rng = np.random.default_rng(seed)
    n = len(people)
    decision, outcome, score = rng.integers(2, size=n), rng.integers(-1, 2, size=n), rng.random(n)
    return Counted(
        OutcomeCube.count(SCHEMA, list(codes), decision, outcome, score.astype(np.float32)),
        People.count(SCHEMA, list(codes.astype(np.int16)), pseudonyms(people)),
    )


def windows(rings: list[Counted]) -> dict[str, WindowCube]:
    """The three windows, the first of `rings` being the last 24 hours and the others what each adds to it."""
    whole = dict[str, WindowCube]()
    for place, (name, length) in enumerate(LENGTHS.items()):
        part = Counted.sum(rings[: place + 1], SCHEMA)
        versions = {1: part.cube.total}
        whole[name] = WindowCube(name, NOW - length, NOW, part.cube, part.people, place + 1, f"{place:064d}", versions)
    return whole


class Nothing(Hours):
    """No hours: these worlds have no days in which something could have changed."""

    def between(self, start: datetime, end: datetime) -> list[tuple[datetime, OutcomeCube]]:
        return []


def released(cubes: Mapping[str, WindowCube]) -> dict[str, dict[str, Any]]:
    """The documents that would be stored, as everybody reads them."""
    declared, others, hours = Declared({}, {}, (), ""), Relatives([], NOW), Nothing(0, SCHEMA)
    inputs = Inputs("m", NOW, "final", POLICY, SCHEMA, PLAN, {1: "1.0"}, declared, {}, others, hours)
    return {each.cube.window: documents.read(each.document.compressed) for each in evaluate_windows(cubes, inputs)}


def only_a_day(codes: np.ndarray, people: np.ndarray) -> dict[str, WindowCube]:
    """Windows of a model that has decided for no more than a day."""
    return windows([counted(codes, people), *[counted(codes[:, :0], people[:0])] * 2])


def drawn(rng: np.random.Generator, n: int) -> np.ndarray:
    """Codes of n people: two races are rare, and here and there an attribute is unknown."""
    return np.stack(
        [
            rng.choice(3, n, p=(0.45, 0.5, 0.05)),
            rng.choice(5, n, p=(0.6, 0.3, 0.05, 0.02, 0.03)),
            rng.choice(3, n, p=(0.3, 0.65, 0.05)),
        ]
    )


@given(st.lists(st.tuples(st.integers(0, 2), st.integers(0, 60)), max_size=80), st.randoms())
@settings(max_examples=60, deadline=None)
def test_people_are_counted_once_in_whatever_order(events: list[tuple[int, int]], random: Any) -> None:
    def part(chosen: list[tuple[int, int]]) -> People:
        sexes = np.array([sex for sex, _ in chosen], np.int16)
        persons = np.array([person * 3 + sex for sex, person in chosen], int)
        return People.count(SCHEMA, [sexes, sexes * 0, sexes * 0], pseudonyms(persons))

    shuffled = list(events)
    random.shuffle(shuffled)
    whole = part(events)
    parts = People.join([part(shuffled[::2]), part(shuffled[1::2])], SCHEMA)
    assert np.array_equal(whole.marks, parts.marks)
    truth = [len({person for sex, person in events if sex == code}) for code in range(3)]
    assert whole.least(("sex",)).tolist() == [min(each, MOST) for each in truth]
    assert People.from_bytes(whole.to_bytes(), SCHEMA).marks.tolist() == whole.marks.tolist()


def test_people_of_an_older_schema_keep_their_group() -> None:
    old = CubeSchema.of({"sex": ("female", "male")})
    twelve = pseudonyms(np.arange(12))
    marks = People.count(old, [np.ones(12, np.int16)], twelve)
    joined = People.join([marks, People.nobody(SCHEMA)], SCHEMA)
    assert joined.least(("sex",)).tolist() == [0, 12, 0]
    assert joined.least(("race",)).tolist() == [0, 0, 0, 0, 12]


@pytest.mark.parametrize(("people", "shown"), [(1, False), (9, False), (10, True), (40, True)])
def test_events_of_one_person_do_not_make_a_group(people: int, shown: bool) -> None:
    women, men = np.arange(40) % people, np.arange(40, 140)
    codes = np.zeros((3, 140), int)
    codes[0, 40:] = 1
    document = released(only_a_day(codes, np.concatenate([women, men])))
    rate = next(
        each for each in document["24h"]["results"] if (each["metric"], each["group"]) == ("selection_rate", "female")
    )
    assert rate["suppressed"] is not shown
    assert (rate["n"] == 40) is shown


def test_a_hidden_group_never_stands_alone() -> None:
    n = np.array([3, 40, 60, 200])
    races = np.repeat(np.arange(4), n)
    codes = np.stack([np.zeros_like(races), races, np.zeros_like(races)])
    hidden = hidden_groups(only_a_day(codes, np.arange(len(races))), PLAN)["24h"]
    assert {group for attribute, group in hidden.groups if attribute == "race"} == {"a", "b", "unknown"}
    assert "race" in hidden.attributes
    assert not hidden.blind & {"race"}


def test_where_nobody_can_be_a_partner_the_coverage_is_not_told() -> None:
    """All but three of a hundred are unknown: with the coverage, three would be known."""
    races = np.where(np.arange(100) < 3, 0, 4)
    codes = np.stack([races * 0, races, races * 0])
    cubes = only_a_day(codes, np.arange(100))
    assert "race" in hidden_groups(cubes, PLAN)["24h"].blind
    document = released(cubes)["24h"]
    assert document["coverage"]["race"] is None
    assert document["quality"]["coverage"]["race"] is None
    assert document["coverage"]["sex"] == 1


def test_large_groups_are_told_as_they_are() -> None:
    rng = np.random.default_rng(3)
    codes = np.stack([rng.integers(2, size=4000), rng.integers(4, size=4000), rng.integers(2, size=4000)])
    known = {
        (attribute, group)
        for attribute, group in hidden_groups(only_a_day(codes, np.arange(4000)), PLAN)["24h"].groups
        if "unknown" not in group.split("*")
    }
    assert known == set()


@pytest.mark.parametrize(("before", "told"), [(9, False), (10, True)])
def test_a_change_that_rests_on_few_is_not_told_and_no_change_says_on_how_many(before: int, told: bool) -> None:
    cubes = only_a_day(np.arange(80).reshape(1, 80).repeat(3, axis=0) % 2, np.arange(80))
    change = {"attribute": "sex", "group": "female", "reference": "male", "n_before": before, "n_after": 30}
    document = {**released(cubes)["30d"], "changes": [change]}
    found = disclosed(document, hidden_groups(cubes, PLAN)["30d"])["changes"]
    assert found == ([{"attribute": "sex", "group": "female", "reference": "male"}] if told else [])


class Attacker:
    """Knows every figure that was released, and that no count is negative."""

    def __init__(self, documents: Mapping[str, Mapping[str, Any]]) -> None:
        self.shape = tuple(len(axis) for axis in SCHEMA.axes)
        self.cells = int(np.prod(self.shape))
        self.rings = list(LENGTHS)
        self.rows: list[np.ndarray] = []
        self.values: list[float] = []
        for window, document in documents.items():
            self._read(window, document)

    def bounds(self, window: str, attribute: str, group: str) -> tuple[float, float]:
        """The least and the most events that the group can have had."""
        goal = self._sum(window, self.members(attribute, group))
        ends = [
            sign * linprog(sign * goal, A_eq=np.array(self.rows), b_eq=np.array(self.values), bounds=(0, None)).fun
            for sign in (1, -1)
        ]
        return ends[0], ends[1]

    def _read(self, window: str, document: Mapping[str, Any]) -> None:
        total = document["n"]
        self._learn(window, np.ones(self.shape, bool), total)
        for attribute, share in (document["coverage"] | document["quality"]["coverage"]).items():
            if share is not None:
                self._learn(window, self._known(attribute), share * total)
        for result in document["results"]:
            members = (
                self._known(result["attribute"])
                if result["group"] is None
                else self.members(result["attribute"], result["group"])
            )
            if result["n"] is not None:
                self._learn(window, members, result["n"])
            if result["group"] is not None and result["share"] is not None:
                self._learn(window, members, result["share"] * total)

    def _learn(self, window: str, members: np.ndarray, n: float) -> None:
        self.rows.append(self._sum(window, members))
        self.values.append(round(n))

    def _sum(self, window: str, members: np.ndarray) -> np.ndarray:
        inside = self.rings[: self.rings.index(window) + 1]
        return np.concatenate([members.ravel() * float(ring in inside) for ring in self.rings])

    def members(self, attribute: str, group: str) -> np.ndarray:
        wanted = dict(zip(attribute.split("*"), group.split("*"), strict=True))
        axes = [
            np.array([axis.name not in wanted or wanted[axis.name] == label for label in axis.labels])
            for axis in SCHEMA.axes
        ]
        return np.einsum("i,j,k->ijk", *axes) > 0

    def _known(self, attribute: str) -> np.ndarray:
        names = attribute.split("*")
        axes = [
            np.array([axis.name not in names or label != "unknown" for label in axis.labels]) for axis in SCHEMA.axes
        ]
        return np.einsum("i,j,k->ijk", *axes) > 0


def narrowest(seed: int) -> float:
    """The narrowest range that the attacker finds for a group of fewer than ten events, in events.

    Those whose attribute is unknown belong to no group, and how many they are is told.
    """
    rng = np.random.default_rng(seed)
    sizes = rng.integers(30, 250), rng.integers(60, 500), rng.integers(100, 1500)
    start = np.cumsum([0, *sizes])
    cubes = windows(
        [
            counted(drawn(rng, size), np.arange(first, first + size), seed)
            for size, first in zip(sizes, start[:-1], strict=True)
        ]
    )
    attacker, hidden = Attacker(released(cubes)), hidden_groups(cubes, PLAN)
    found = [
        high - low
        for window, cube in cubes.items()
        for attribute, group in sorted(hidden[window].groups)
        if "unknown" not in group.split("*")
        and cube.cube.marginal(SCHEMA.names).n.sum(axis=(-1, -2, -3))[attacker.members(attribute, group)].sum() < 10
        for low, high in [attacker.bounds(window, attribute, group)]
    ]
    return min(found, default=np.inf)


@pytest.mark.parametrize("seed", range(6))
def test_an_attacker_cannot_bound_a_hidden_group_within_two(seed: int) -> None:
    assert narrowest(seed) > 4


def test_without_partners_the_attacker_wins(monkeypatch: pytest.MonkeyPatch) -> None:
    def alone(hidden: np.ndarray, *_: Any) -> np.ndarray:
        return hidden

    monkeypatch.setattr(tables, "completed", alone)
    assert min(narrowest(seed) for seed in range(3)) <= 4
