from __future__ import annotations

import itertools

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from biasgov.fairness.cube import SCORE_BINS, Axis, CubeSchema, OutcomeCube
from tests.fairness.tables import SCHEMA, count, event_rows


@given(event_rows())
def test_every_event_is_counted_exactly_once_under_its_own_cell(rows):
    counted = count(rows).marginal(("sex", "race")).n
    expected = np.zeros(SCHEMA.shape, int)
    for sex, race, decision, outcome, score in zip(*rows.values(), strict=True):
        score_bin = SCORE_BINS if np.isnan(score) else min(int(np.float32(score) * np.float32(20)), 19)
        expected[sex, race, decision, 2 if outcome < 0 else outcome, score_bin] += 1
    assert np.array_equal(counted, expected)
    assert counted.sum() == len(rows["sex"])


@given(event_rows())
def test_score_sums_are_those_of_the_rows(rows):
    whole = count(rows).marginal(())
    known = rows["score"][~np.isnan(rows["score"])]
    assert whole.scores.sum() == pytest.approx(known.sum(), abs=len(known) * 2.0**-24)
    assert whole.squares.sum() == pytest.approx((known**2).sum(), abs=3 * len(known) * 2.0**-24)


@given(event_rows(), st.lists(st.integers(0, 60), max_size=6), st.randoms(use_true_random=False))
def test_sums_of_parts_in_any_order_have_the_bytes_of_the_whole(rows, cuts, random):
    edges = [0, *sorted(min(cut, len(rows["sex"])) for cut in cuts), len(rows["sex"])]
    parts = [count(rows, slice(start, stop)) for start, stop in itertools.pairwise(edges)]
    random.shuffle(parts)
    whole = count(rows)
    assert OutcomeCube.sum(parts).to_bytes() == whole.to_bytes()
    folded = OutcomeCube.empty(SCHEMA)
    for part in parts:
        folded = part + folded
    assert folded == whole
    assert folded.digest == whole.digest


def test_order_of_rows_does_not_change_a_byte_even_where_float_sums_would():
    rng = np.random.default_rng(3)
    score = rng.random(5000)
    ordered = np.sort(score)
    assert score.sum() != ordered.sum()
    schema = CubeSchema.of({"sex": ("Male",)})
    zeros = np.zeros(5000, int)
    cubes = [OutcomeCube.count(schema, [zeros], zeros, zeros, values) for values in (score, ordered)]
    assert cubes[0].to_bytes() == cubes[1].to_bytes()


def test_counting_in_chunks_equals_counting_at_once(monkeypatch):
    rng = np.random.default_rng(4)
    n = 3000
    columns = [rng.integers(0, 3, n)], rng.integers(0, 2, n), rng.integers(-1, 2, n), rng.random(n)
    schema = CubeSchema.of({"sex": ("Male", "Female")})
    whole = OutcomeCube.count(schema, *columns)
    halves = [
        OutcomeCube.count(schema, [columns[0][0][half]], *(column[half] for column in columns[1:]))
        for half in (slice(0, 1711), slice(1711, n))
    ]
    assert OutcomeCube.sum(halves) == whole
    monkeypatch.setattr("biasgov.fairness.counting._CHUNK", 1)
    assert OutcomeCube.count(schema, *columns) == whole


@given(event_rows())
def test_renaming_levels_moves_no_count(rows):
    renamed = CubeSchema.of({"sex": ("Mann", "Frau"), "race": ("W", "B", "A")})
    cube = OutcomeCube.count(renamed, [rows["sex"], rows["race"]], rows["decision"], rows["outcome"], rows["score"])
    assert np.array_equal(cube.marginal(("race",)).n, count(rows).marginal(("race",)).n)


@given(event_rows())
def test_permuting_levels_permutes_the_counts(rows):
    permuted = CubeSchema.of({"sex": ("Male", "Female"), "race": ("Asian", "White", "Black")})
    codes = np.array([1, 2, 0, 3])[rows["race"]]
    cube = OutcomeCube.count(permuted, [rows["sex"], codes], rows["decision"], rows["outcome"], rows["score"])
    assert np.array_equal(cube.marginal(("race",)).n[[1, 2, 0, 3]], count(rows).marginal(("race",)).n)


def test_marginals_follow_the_order_asked_for():
    rows = {name: np.array(values) for name, values in {"sex": [0, 1, 1], "race": [2, 0, 3]}.items()}
    cube = OutcomeCube.count(SCHEMA, [rows["sex"], rows["race"]], [1, 0, 1], [1, 0, -1])
    assert np.array_equal(cube.marginal(("race", "sex")).n, cube.marginal(("sex", "race")).n.swapaxes(0, 1))
    assert cube.marginal(("race", "sex")).n[3, 1, 1, 2, SCORE_BINS] == 1
    assert cube.marginal(()).n.sum() == 3


def test_bins_are_those_of_single_precision():
    double = np.nextafter(0.15, 0)
    assert int(double * 20) == 2
    assert int(np.float32(double) * np.float32(20)) == 3
    schema = CubeSchema.of({"sex": ("Male",)})
    cube = OutcomeCube.count(schema, [[0, 0, 0]], [0, 0, 0], [0, 0, 0], [double, 1.0, 0.0])
    assert np.flatnonzero(cube.marginal(()).n[0, 0]).tolist() == [0, 3, SCORE_BINS - 1]


@pytest.mark.parametrize("score", [-0.001, 1.001, np.inf, -np.inf])
def test_a_score_outside_the_unit_interval_is_refused_by_value(score):
    with pytest.raises(ValueError, match=f"score {score} is outside"):
        OutcomeCube.count(SCHEMA, [[0, 0], [0, 0]], [0, 1], [0, 1], [0.5, score])


def test_missing_scores_count_as_events_without_score():
    cube = OutcomeCube.count(SCHEMA, [[0, 0], [0, 0]], [0, 1], [0, 1], [np.nan, np.nan])
    assert cube == OutcomeCube.count(SCHEMA, [[0, 0], [0, 0]], [0, 1], [0, 1])
    assert cube.marginal(()).n[..., SCORE_BINS].sum() == 2


@pytest.mark.parametrize(
    ("codes", "decision", "outcome", "message"),
    [
        ([[3], [0]], [0], [0], "sex 3 is outside"),
        ([[0], [-1]], [0], [0], "race -1 is outside"),
        ([[0], [0]], [2], [0], "decision 2 is outside"),
        ([[0], [0]], [0], [-2], "outcome -2 is outside"),
        ([[0.5], [0]], [0], [0], "sex must be whole numbers"),
        ([[0, 1], [0]], [0], [0], "sex has shape"),
        ([[0]], [0], [0], "1 code arrays for 2 attributes"),
    ],
)
def test_rows_that_do_not_fit_are_refused_by_name(codes, decision, outcome, message):
    with pytest.raises(ValueError, match=message):
        OutcomeCube.count(SCHEMA, codes, decision, outcome)


def test_an_empty_hour_is_an_empty_cube():
    cube = OutcomeCube.count(SCHEMA, [[], []], [], [], [])
    assert cube == OutcomeCube.empty(SCHEMA)
    assert cube.total == 0
    assert OutcomeCube.sum([]).total == 0


def test_a_cube_cannot_be_changed():
    cube = OutcomeCube.count(SCHEMA, [[0], [0]], [0], [0])
    with pytest.raises(ValueError, match="read-only"):
        cube.n[0] = 5


class TestAlignment:
    old = CubeSchema.of({"sex": ("Male", "Female")})
    new = CubeSchema.of({"sex": ("Diverse", "Male", "Female"), "age": ("<40", "40+")})

    def test_events_of_an_older_cube_are_unknown_where_it_lacks_the_attribute(self):
        older = OutcomeCube.count(self.old, [[0, 1, 1, 2]], [1, 0, 1, 0], [1, -1, 0, 1], [0.1, 0.2, np.nan, 1.0])
        newer = OutcomeCube.count(self.new, [[0, 1], [0, 1]], [1, 1], [0, 0], [0.5, 0.5])
        window = OutcomeCube.sum([older, newer])
        assert window.schema == self.new
        by_sex = window.marginal(("sex",)).n.sum(axis=(1, 2, 3))
        assert by_sex.tolist() == [1, 2, 2, 1]
        assert window.marginal(("age",)).n.sum(axis=(1, 2, 3)).tolist() == [1, 1, 4]
        female = window.marginal(("sex", "age")).n[2, 2]
        assert np.array_equal(female, older.marginal(("sex",)).n[1])
        assert window.score_sum.sum() == older.score_sum.sum() + newer.score_sum.sum()
        assert OutcomeCube.sum([newer, older]).to_bytes() == window.to_bytes()

    def test_schemas_of_which_none_covers_the_other_are_united_alike_in_any_order(self):
        schemas = [
            CubeSchema.of({"sex": ("Male", "X")}),
            CubeSchema.of({"sex": ("Male", "Y"), "age": ("old",)}),
            CubeSchema.of({"region": ("APAC",)}),
        ]
        cubes = [OutcomeCube.count(s, [[0]] * len(s.axes), [1], [1]) for s in schemas]
        sums = {OutcomeCube.sum(order).to_bytes() for order in itertools.permutations(cubes)}
        assert len(sums) == 1
        assert OutcomeCube.sum(cubes).total == 3

    def test_an_attribute_that_was_withdrawn_is_summed_out(self):
        newer = OutcomeCube.count(self.new, [[1, 2, 3], [0, 1, 2]], [1, 1, 0], [0, 0, 0])
        schema = CubeSchema.of({"sex": ("Diverse", "Male", "Female")})
        assert np.array_equal(OutcomeCube.sum([newer], schema).marginal(("sex",)).n, newer.marginal(("sex",)).n)

    def test_a_level_that_was_withdrawn_is_refused_rather_than_made_unknown(self):
        cube = OutcomeCube.count(self.new, [[0], [0]], [1], [0])
        with pytest.raises(ValueError, match="lacks the counted level 'Diverse'"):
            OutcomeCube.sum([cube], CubeSchema.of({"sex": ("Male", "Female"), "age": ("<40", "40+")}))


class TestSchema:
    @pytest.mark.parametrize(
        ("name", "levels", "message"),
        [
            ("sex", ("Male", "unknown"), "must not be declared"),
            ("sex", ("Male", "Male"), "twice"),
            ("sex", (), "declares 0 levels"),
            ("sex", tuple(str(i) for i in range(33)), "declares 33 levels"),
            ("sex*race", ("Male",), "without"),
            ("sex", ("Male*Female",), "without"),
            ("sex", ("",), "non-empty"),
        ],
    )
    def test_an_ambiguous_axis_is_refused(self, name, levels, message):
        with pytest.raises(ValueError, match=message):
            Axis(name, levels)

    def test_two_million_cells_are_the_limit(self):
        levels = tuple(str(i) for i in range(32))
        assert CubeSchema.of({"a": levels, "b": levels, "c": levels[:13]}).size == 1_920_996
        with pytest.raises(ValueError, match="more than the limit of 2,000,000"):
            CubeSchema.of({"a": levels, "b": levels, "c": levels[:14]})

    def test_an_attribute_declared_twice_is_refused(self):
        with pytest.raises(ValueError, match="declared twice"):
            CubeSchema((Axis("sex", ("a",)), Axis("sex", ("b",))))

    def test_shape_has_unknown_on_every_axis(self):
        assert SCHEMA.shape == (3, 4, 2, 3, 21)
        assert SCHEMA.axis("race").code("Asian") == 2
        assert SCHEMA.axis("race").code(None) == SCHEMA.axis("race").code("Klingon") == 3

    def test_round_trip_through_json(self):
        assert CubeSchema.from_dict(SCHEMA.to_dict()) == SCHEMA
        with pytest.raises(ValueError, match="not a cube schema"):
            CubeSchema.from_dict({"axes": [{"name": "sex"}]})
