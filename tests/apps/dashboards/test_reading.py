"""Which result a page speaks of first, and in which order groups stand."""

from __future__ import annotations

from typing import Any

from apps.dashboards.reading import Reading, in_order, judged_on
from apps.dashboards.topics import TOPICS, attributes_of, choose
from apps.registry.spec import AttributeSpec, ModelSpec, Words

SPEC = ModelSpec(
    id=1,
    slug="credit",
    name="Credit",
    industry="banking",
    purpose="Limits.",
    risk_level="high",
    favourable_decision=1,
    words=Words(("declined", "approved"), ("defaulted", "repaid")),
    owner="Retail",
    attributes=(AttributeSpec("sex", ("f", "m"), "m"), AttributeSpec("race", ("a", "b", "c"), "b")),
    pairs=(("sex", "race"),),
    versions={},
)
RATIO = "demographic_parity_ratio"


def found(group: str | None, value: float | None, verdict: str, **more: Any) -> dict[str, Any]:
    return {
        "metric": RATIO,
        "attribute": "race",
        "group": group,
        "reference": "b" if group else None,
        "value": value,
        "interval": [None, None],
        "n": 50,
        "verdict": verdict,
        "severity": None,
        "reason": None,
        "suppressed": False,
        **more,
    }


def reading(*results: dict[str, Any]) -> Reading:
    return Reading.of({"window": "7d", "results": list(results)})


def worst(*results: dict[str, Any]) -> str | None:
    chosen = reading(*results).worst(RATIO, "race")
    assert chosen is not None
    return chosen["group"]


def test_the_severest_breach_is_spoken_of_first() -> None:
    mild = found("a", 0.5, "breach", severity="low")
    grave = found("c", 0.7, "breach", severity="high")
    assert worst(mild, grave, found(None, 0.5, "breach", severity="critical")) == "c"


def test_a_tiny_group_does_not_take_the_headline_from_one_that_was_judged() -> None:
    tiny = found("a", 0.1, "inconclusive", reason="group_too_small")
    assert worst(tiny, found("c", 0.95, "within")) == "c"
    assert reading(tiny).unjudged(RATIO, "race") == ["a"]


def test_an_undecided_group_is_spoken_of_before_one_within_bounds() -> None:
    unsure = found("a", 0.75, "inconclusive", reason="interval_reaches_bound")
    assert worst(found("c", 0.9, "within"), unsure) == "a"


def test_an_aggregate_in_breach_is_not_hidden_by_groups_that_are_not() -> None:
    assert worst(found("a", 0.85, "within"), found(None, 0.5, "breach", severity="low")) is None


def test_people_of_unknown_race_are_never_the_headline() -> None:
    assert worst(found("unknown", 0.1, "inconclusive"), found("a", 0.95, "within")) == "a"


def test_a_suppressed_group_is_never_the_headline() -> None:
    hidden = found("a", None, "breach", suppressed=True, n=None)
    assert worst(hidden, found("c", 0.9, "within")) == "c"
    assert reading(hidden).unjudged(RATIO, "race") == ["a"]


def test_a_comparison_rests_on_the_group_and_its_reference() -> None:
    rate = found("b", 0.5, "within", n=70) | {"metric": "selection_rate"}
    one = found("a", 0.5, "breach")
    assert judged_on(reading(one, rate), one) == 120


def test_the_reference_stands_first_and_unknown_last() -> None:
    assert in_order(SPEC, "race", ["unknown", "c", "a", "b"]) == ["b", "a", "c", "unknown"]
    assert in_order(SPEC, "sex*race", ["f*unknown", "f*a", "m*b"]) == ["m*b", "f*a", "f*unknown"]


def test_the_full_intersection_of_two_attributes_is_offered_once() -> None:
    assert attributes_of(SPEC) == ("sex", "race", "sex*race")


def test_a_choice_survives_nonsense() -> None:
    chosen = choose(SPEC, {"window": "1y", "attribute": "shoe", "metric": "luck"})
    assert (chosen.window, chosen.attribute, chosen.topic) == ("7d", "sex", TOPICS["demographic_parity"])
    assert choose(SPEC, {"attribute": "sex*race"}).query(window="24h") == (
        "window=24h&attribute=sex%2Arace&metric=demographic_parity"
    )
