"""Frames as people have them: the cube of a frame is that of its codes, and what does not fit is named."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from hypothesis import given

from biasgov.fairness import CubeSchema, OutcomeCube, count_frame, rows_of_frame
from tests.fairness.tables import SCHEMA, count, event_rows

LEVELS = {axis.name: axis.levels for axis in SCHEMA.axes}


def frame_of(rows) -> pd.DataFrame:
    """The same events as a person would have them: level names, missing values, a label that may be missing."""
    named = {
        name: pd.array([None if code == len(LEVELS[name]) else LEVELS[name][code] for code in rows[name]], "string")
        for name in LEVELS
    }
    outcome = pd.array(np.where(rows["outcome"] < 0, 0, rows["outcome"]), "Int64")
    outcome[rows["outcome"] < 0] = pd.NA
    return pd.DataFrame({**named, "decision": rows["decision"], "outcome": outcome, "score": rows["score"]})


def counted(frame: pd.DataFrame, **options) -> OutcomeCube:
    given_ = {"attributes": LEVELS, "decision": "decision", "outcome": "outcome", "score": "score"}
    return count_frame(frame, **{**given_, **options})


@given(event_rows())
def test_a_frame_counts_as_its_codes_do(rows):
    assert counted(frame_of(rows)) == count(rows)


@given(event_rows(least=1))
def test_a_weight_counts_a_row_so_often(rows):
    weight = np.random.default_rng(1).integers(0, 4, len(rows["sex"]))
    repeated = np.repeat(np.arange(len(weight)), weight)
    assert counted(frame_of(rows).assign(weight=weight), weight="weight") == count(rows, repeated)


def test_weighted_sums_stay_exact_where_the_weights_are_large():
    schema = CubeSchema.of({"sex": ("Male",)})
    cube = OutcomeCube.count(schema, [[0, 0]], [1, 1], [1, 1], [0.1, 0.1], weight=[2**28, 1])
    once = OutcomeCube.count(schema, [[0]], [1], [1], [0.1])
    assert cube.score_sum.tolist() == [once.score_sum[0] * (2**28 + 1)]
    assert cube.score_sq.tolist() == [once.score_sq[0] * (2**28 + 1)]
    with pytest.raises(ValueError, match="add up to more than"):
        OutcomeCube.count(schema, [[0, 0]], [1, 1], [1, 1], [0.1, 0.1], weight=[2**29, 1])
    with pytest.raises(ValueError, match="weight -1 is negative"):
        OutcomeCube.count(schema, [[0]], [1], [1], weight=[-1])


def test_levels_that_nobody_declared_are_those_of_the_data_in_order():
    frame = pd.DataFrame({"age": ["old", "young", None, "unknown", ""], "d": [1, 0, 1, 0, 1]})
    cube = count_frame(frame, attributes={"age": None}, decision="d")
    assert cube.schema.axis("age").levels == ("old", "young")
    assert cube.marginal(("age",)).n.sum(axis=(1, 2, 3)).tolist() == [1, 1, 3]


@pytest.mark.parametrize(
    "column",
    [
        pd.Series([1, 2, 2]),
        pd.Series([1.0, 2.0, 2.0]),
        pd.Series(["1", "2", "2"]),
        pd.Series([1, 2, 2], dtype="Int8"),
        pd.Series(["1", "2", "2"], dtype="category"),
        pd.Series([1.0, 2.0, 2.0], dtype="category"),
        pd.Series([1.0, 2.0, 2.0], dtype=object),
    ],
)
def test_a_level_that_is_a_number_has_one_name_however_it_is_stored(column):
    cube = count_frame(pd.DataFrame({"a": column, "d": [1, 0, 1]}), attributes={"a": ["1", "2"]}, decision="d")
    assert cube.marginal(("a",)).n.sum(axis=(1, 2, 3)).tolist() == [1, 2, 0]


@pytest.mark.parametrize("dtype", [None, object, "category"])
@pytest.mark.parametrize("favourable", [1, 1.0, True, "1", "true"])
@pytest.mark.parametrize(
    "decisions", [[1, 0, 1], [True, False, True], ["1", "0", "1"], [1.0, 0.0, 1.0], ["True", "False", "True"]]
)
def test_one_true_and_text_are_the_same_decision(decisions, favourable, dtype):
    frame = pd.DataFrame({"a": list("xyx"), "d": pd.Series(decisions, dtype=dtype)})
    rows = rows_of_frame(frame, attributes={"a": None}, decision="d", favourable=favourable)
    assert rows.decision.tolist() == [1, 0, 1]


def test_true_and_false_with_gaps_are_outcomes():
    frame = pd.DataFrame({"a": list("xyx"), "d": [1, 0, 1], "y": [True, None, False]})
    rows = rows_of_frame(frame, attributes={"a": None}, decision="d", outcome="y")
    assert rows.outcome.tolist() == [1, -1, 0]


def test_nobody_got_the_favourable_decision_whichever_it_is():
    for favourable in (0, 1):
        frame = pd.DataFrame({"a": list("xy"), "d": [1 - favourable] * 2})
        rows = rows_of_frame(frame, attributes={"a": None}, decision="d", favourable=favourable)
        assert rows.decision.tolist() == [0, 0]


def test_levels_that_no_row_has_are_none_of_the_data():
    frame = pd.DataFrame({"a": pd.Categorical(["x", "y"], categories=["x", "y", "z"]), "d": [1, 0]})
    assert count_frame(frame, attributes={"a": None}, decision="d").schema.axis("a").levels == ("x", "y")


def test_days_are_levels():
    frame = pd.DataFrame({"a": pd.to_datetime(["2020-01-01", "2020-01-02", None]), "d": [1, 0, 1]})
    cube = count_frame(frame, attributes={"a": None}, decision="d")
    assert cube.schema.axis("a").levels == ("2020-01-01", "2020-01-02")
    assert cube.marginal(("a",)).n.sum(axis=(1, 2, 3)).tolist() == [1, 1, 1]


def test_words_may_be_decisions():
    frame = pd.DataFrame({"a": list("xyx"), "d": ["hire", "reject", "hire"], "y": ["good", None, "bad"]})
    rows = rows_of_frame(frame, attributes={"a": None}, decision="d", outcome="y", favourable="hire", positive="good")
    assert rows.decision.tolist() == [1, 0, 1]
    assert rows.outcome.tolist() == [1, -1, 0]


GOOD = {"sex": ["Male", "Female"], "race": ["White", "Black"], "decision": [0, 1], "outcome": [0, 1], "score": [0.1, 1]}

BAD = {
    "missing column": ({}, {"decision": "verdict"}, "no column 'verdict'; it has sex"),
    "three decisions": ({"decision": [0, 2], "outcome": [0, 1]}, {"favourable": 1}, "equals the favourable value 1"),
    "missing decision": ({"decision": [0, None]}, {}, "1 missing decisions"),
    "no such outcome": ({"outcome": [5, 6]}, {}, "equals the positive value 1"),
    "score above one": ({"score": [0.1, 1.5]}, {}, "score 1.5 in row 1"),
    "infinite score": ({"score": [np.inf, 0.5]}, {}, "score inf in row 0"),
    "score as words": ({"score": ["high", "low"]}, {}, "not numbers"),
    "undeclared level": ({"race": ["White", "Klingon"]}, {}, "'Klingon', which is not declared"),
    "nobody known": ({"race": [None, None]}, {"attributes": {"race": None}}, "unknown in every row"),
    "half a person": ({"weight": [1, 0.5]}, {"weight": "weight"}, "whole numbers"),
    "endless people": ({"weight": [1, np.inf]}, {"weight": "weight"}, "whole numbers"),
    "too many people": ({"weight": [1, 1e12]}, {"weight": "weight"}, "more than 536,870,912 people"),
}


@pytest.mark.parametrize("case", BAD, ids=list(BAD))
def test_what_does_not_fit_is_refused_by_name(case):
    columns, options, message = BAD[case]
    with pytest.raises(ValueError, match=message):
        counted(pd.DataFrame(GOOD | columns), **options)


def test_a_column_that_is_there_twice_is_refused():
    frame = pd.concat([pd.DataFrame(GOOD), pd.DataFrame({"race": ["x", "y"]})], axis=1)
    with pytest.raises(ValueError, match="2 columns 'race'"):
        counted(frame)


def test_decisions_that_are_lists_are_refused():
    with pytest.raises(ValueError, match="cannot be compared"):
        counted(pd.DataFrame(GOOD | {"decision": [[1], [0]]}))


def test_three_kinds_of_decisions_and_outcomes_and_many_levels_are_refused():
    frame = pd.DataFrame({"a": [str(i) for i in range(40)], "d": np.arange(40) % 3, "ok": np.arange(40) % 2})
    with pytest.raises(ValueError, match="3 different decisions"):
        count_frame(frame, attributes={"ok": None}, decision="d")
    with pytest.raises(ValueError, match="3 different outcomes"):
        count_frame(frame, attributes={"ok": None}, decision="ok", outcome="d")
    with pytest.raises(ValueError, match="40 levels, more than 32"):
        count_frame(frame, attributes={"a": None}, decision="ok")
