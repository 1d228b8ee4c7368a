"""Which models are pooled, by which attribute, and that the pool is the sum of their counts."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime

import numpy as np
import pytest

from apps.monitoring.cubes import WindowCube
from apps.monitoring.families import Relative, Relatives, decide_by_family, family_described, pool
from apps.monitoring.people import People
from biasgov.fairness.cube import CubeSchema, OutcomeCube
from biasgov.fairness.evaluation import Bound, Plan, Policy, decide_by_window, evaluate
from biasgov.fairness.intervals import koopman, normal_quantile

START, END = datetime(2026, 1, 1, tzinfo=UTC), datetime(2026, 1, 31, tzinfo=UTC)
OURS = CubeSchema.of({"sex": ("female", "male"), "age": ("young", "old")})
PLAN = Plan({"sex": "male", "age": "old"})
POLICY = Policy(bounds={"demographic_parity_ratio": Bound(0.8, 1.25)}, minimum_group=150)
KEY = ("demographic_parity_ratio", "sex", "female")


def window(schema: CubeSchema, selected: tuple[int, int], n: int = 100, first: str = "sex") -> WindowCube:
    """So many of n selected at the first and the second level of an attribute; the others' codes are 0."""
    levels = np.repeat([0, 1], n)
    codes = [levels if name == first else np.zeros(2 * n, int) for name in schema.names]
    decision = np.concatenate([np.arange(n) < each for each in selected]).astype(int)
    cube = OutcomeCube.count(schema, codes, decision, np.full(2 * n, -1))
    return WindowCube("30d", START, END, cube, People.nobody(schema), 1, cube.digest, {1: 2 * n}, ())


class Given(Relatives):
    """Relatives without a database: all of them, whatever they share."""

    def __init__(self, *members: Relative) -> None:
        self.members = members

    def sharing(self, schema: CubeSchema, attributes: Sequence[str]) -> list[Relative]:
        return list(self.members)


def asked(own: WindowCube, *members: Relative):
    decided = decide_by_window({"30d": evaluate(own.cube, PLAN, POLICY, seed=1)})
    return decided, pool(own, decided["30d"], PLAN, POLICY, Given(*members))


def test_counts_add_up_over_the_shared_attribute_whatever_the_order_of_its_levels() -> None:
    turned = CubeSchema.of({"region": ("n", "s"), "sex": ("male", "female")})
    decided, pooled = asked(window(OURS, (30, 60)), Relative("b", window(turned, (70, 40))))
    result = pooled.results[KEY]
    assert (result.measurement.numerator, result.measurement.denominator) == (70, 200)
    assert (result.measurement.reference_numerator, result.measurement.reference_denominator) == (130, 200)
    low, high = koopman(*(np.array([x]) for x in (70, 200, 130, 200)), normal_quantile(0.95))
    assert result.interval == pytest.approx((low[0], high[0]))
    (one,) = (each for each in decide_by_family(decided, pooled)["30d"] if each.key == KEY)
    assert (one.verdict, one.decided_by_window, one.decided_verdict) == ("inconclusive", "30d family", "breach")


def test_a_model_with_other_levels_is_not_added() -> None:
    other = CubeSchema.of({"sex": ("female", "male", "other"), "age": ("young", "old")})
    _, pooled = asked(window(OURS, (30, 60)), Relative("b", window(other, (40, 70))))
    assert KEY not in pooled.results


def test_what_a_window_could_judge_is_not_asked() -> None:
    own = window(OURS, (90, 190), n=300)
    decided, pooled = asked(own, Relative("b", window(OURS, (100, 100))))
    assert KEY not in pooled.asked
    assert decide_by_family(decided, pooled)["30d"] != ()
    (one,) = (each for each in decide_by_family(decided, pooled)["30d"] if each.key == KEY)
    assert one.decided_by_window == "30d"


def test_the_document_names_members_and_tells_no_count() -> None:
    member = Relative("b", window(OURS, (40, 70)))
    decided, pooled = asked(window(OURS, (30, 60)), member)
    told = family_described("cards", decided["30d"], pooled)["family"]
    assert told["members"] == [{"model": "b", "cubes": {"count": 1, "digest": member.cube.digest}}]
    assert all(not {"n", "numerator", "denominator", "details", "share"} & each.keys() for each in told["results"])
    assert family_described("cards", (), pooled) == {}
    _, alone = asked(window(OURS, (30, 60)))
    assert family_described("cards", decided["30d"], alone) == {}
