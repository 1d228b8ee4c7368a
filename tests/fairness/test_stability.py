from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from biasgov.fairness.stability import group_counts, population_stability_index, score_counts
from tests.fairness.tables import count, event_rows

counts = st.lists(st.integers(1, 500), min_size=2, max_size=8)


def test_a_worked_example():
    index = population_stability_index([50, 30, 20], [20, 30, 50])
    assert index == pytest.approx(2 * 0.3 * np.log(2.5))


@given(counts, st.integers(2, 9))
def test_the_index_is_zero_for_the_same_shares_and_symmetric(baseline, factor):
    moved = baseline[::-1]
    assert population_stability_index(baseline, np.array(baseline) * factor) == pytest.approx(0.0, abs=1e-12)
    assert population_stability_index(baseline, moved) == pytest.approx(population_stability_index(moved, baseline))
    assert population_stability_index(baseline, moved) >= 0


def test_an_empty_category_gives_a_large_but_finite_index():
    assert 0.2 < population_stability_index([50, 50], [100, 0]) < 5


@pytest.mark.parametrize(
    ("baseline", "current", "message"),
    [
        ([1, 2], [1, 2, 3], "different categories"),
        ([0, 0], [1, 2], "baseline has no events"),
        ([1, 2], [1, -2], "none negative"),
        ([1, np.nan], [1, 2], "finite"),
    ],
)
def test_what_cannot_be_compared_is_refused(baseline, current, message):
    with pytest.raises(ValueError, match=message):
        population_stability_index(baseline, current)


@given(event_rows())
def test_counts_of_groups_and_scores_are_those_of_the_rows(rows):
    cube = count(rows)
    found = group_counts(cube, "sex*race")
    assert found["Female*Black"] == ((rows["sex"] == 1) & (rows["race"] == 1)).sum()
    assert not any("unknown" in name for name in found)
    scores = score_counts(cube, "sex")
    known = ~np.isnan(rows["score"])
    assert scores["unknown"].sum() == (known & (rows["sex"] == 2)).sum()
    assert scores["Male"][19] == ((rows["score"] >= 0.95) & (rows["sex"] == 0)).sum()
