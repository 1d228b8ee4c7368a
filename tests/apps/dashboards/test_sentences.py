"""The sentences that people decide by: orientation, rounding, and what is said when nothing can be said."""

from __future__ import annotations

from typing import Any

import pytest

from apps.common.wording import group_phrase
from apps.dashboards.outputs import retraining_reviews
from apps.dashboards.sentences import coverage_sentence, label_sentence, sentence
from apps.registry.sentences import headline
from apps.registry.spec import Words

CREDIT = Words(("declined", "approved"), ("defaulted", "repaid"))
RECIDIVISM = Words(("rated high risk", "rated low risk"), ("re-offended", "did not re-offend"))


def result(**changes: Any) -> dict[str, Any]:
    base = {
        "metric": "demographic_parity_ratio",
        "attribute": "sex",
        "group": "Female",
        "reference": "Male",
        "value": 0.71,
        "interval": [0.69, 0.73],
        "n": 11906,
        "bound": {"lower": 0.8, "upper": 1.25},
        "verdict": "breach",
        "severity": "medium",
        "decided_by_window": "7d",
        "suppressed": False,
    }
    return {**base, **changes}


def plain(text: str) -> str:
    return text.replace("\u00a0", " ")


def test_a_ratio_below_one_reads_as_less_often() -> None:
    verdicts = dict.fromkeys(("24h", "7d", "30d"), "breach")
    said = sentence(result(), CREDIT, window="7d", judged_on=30146, verdicts=verdicts)
    assert plain(said.headline) == "Women are approved 29 % less often than men."
    assert plain(said.detail) == (
        "Between 27 % and 31 %, judged on 30,146 decisions of the last 7 days. The bound is 20 %. "
        "All three windows agree."
    )


def test_a_large_ratio_reads_as_a_multiple() -> None:
    said = headline(result(value=3.25, interval=[2.9, 3.6]), CREDIT)
    assert said == "Women are approved 3.2 times as often as men."
    missed = headline(result(metric="fnr_ratio", value=2.5), CREDIT)
    assert missed == "“Repaid, yet declined” happens to women 2.5 times as often as to men."


def test_an_association_in_breach_asks_for_a_retraining_review() -> None:
    found = result(metric="association", group=None, reference=None, value=0.18, bound={"lower": None, "upper": 0.1})
    assert headline(found, CREDIT) == (
        "Decisions go with sex: the association, Cramér's V, is 0.18. That asks for a retraining review."
    )
    assert "retraining" not in headline({**found, "verdict": "within"}, CREDIT)
    assert retraining_reviews([result(), found, {**found, "suppressed": True}], CREDIT) == (headline(found, CREDIT),)


def test_a_ratio_above_one_is_held_against_the_upper_bound() -> None:
    said = sentence(result(value=1.4, interval=[1.3, 1.5]), CREDIT, window="24h", judged_on=100)
    assert plain(said.headline) == "Women are approved 40 % more often than men."
    assert plain(said.detail).startswith("Between 30 % and 50 %")
    assert "The bound is 25 %." in plain(said.detail)
    assert "Decided by the 7 days window." in plain(said.detail)


def test_an_interval_on_both_sides_of_parity_says_both() -> None:
    said = sentence(result(value=0.98, interval=[0.9, 1.07], verdict="within"), CREDIT, window="7d", judged_on=1)
    assert "Between 10 % less and 7.0 % more often" in plain(said.detail)


def test_parity_is_not_called_zero_per_cent_less() -> None:
    assert headline(result(value=1.0, verdict="within"), CREDIT) == "Women are approved as often as men."


def test_a_false_negative_is_told_in_the_models_words() -> None:
    found = result(
        metric="fnr_gap", attribute="race", group="African-American", reference="Caucasian", value=0.214,
        interval=[0.171, 0.257], bound={"lower": None, "upper": None},
    )  # fmt: skip
    assert headline(found, RECIDIVISM) == (
        "“Did not re-offend, yet rated high risk” happens to African-American people 21.4 percentage points more "
        "often than to Caucasian people."
    )
    said = sentence(found, RECIDIVISM, window="30d", judged_on=10)
    assert said.detail.startswith("Between 17.1 and 25.7 points, judged on 10 decisions of the last 30 days.")


@pytest.mark.parametrize(
    ("details", "expected"),
    [
        (
            {"tpr_gap": -0.2, "fpr_gap": 0.1},
            "“Repaid, yet declined” happens to women 20.0 percentage points more",
        ),
        ({"tpr_gap": 0.05, "fpr_gap": -0.1}, "“Defaulted, yet approved” happens to women 10.0 percentage points less"),
    ],
)
def test_equalised_odds_names_the_wider_error(details: dict[str, float], expected: str) -> None:
    found = result(metric="equalized_odds_difference", value=0.2, interval=[0.1, 0.3], details=details)
    assert headline(found, CREDIT).startswith(expected)


def test_too_little_evidence_is_said_with_the_estimate() -> None:
    said = headline(result(verdict="inconclusive"), CREDIT)
    assert plain(said) == "Women are approved 29 % less often than men. This is too little evidence to judge."


def test_what_cannot_be_estimated_says_why() -> None:
    found = result(metric="fnr_gap", value=None, interval=[None, None], verdict="not_estimable", gap="no_labels")
    assert headline(found, CREDIT) == ("False negative rate gap by sex cannot be estimated: no outcomes are known yet.")
    assert sentence(found, CREDIT, window="7d", judged_on=0).detail == ""


def test_a_suppressed_group_gives_nothing_away() -> None:
    found = result(value=None, interval=None, n=None, suppressed=True)
    assert headline(found, CREDIT) == "Women are not shown: they, or a group beside them, are fewer than 10 people."


def test_windows_that_disagree_are_listed() -> None:
    verdicts = {"24h": "inconclusive", "7d": "breach", "30d": "within"}
    said = sentence(result(), CREDIT, window="7d", judged_on=9, verdicts=verdicts)
    assert "By window: 24 h too few, 7 days breach, 30 days within bounds." in plain(said.detail)


def test_an_unbounded_interval_is_not_called_infinite_per_cent() -> None:
    said = sentence(result(value=3.0, interval=[1.2, None]), CREDIT, window="7d", judged_on=9)
    assert said.detail.startswith("At least 1.20 times as often, with no upper limit")


@pytest.mark.parametrize(("low", "high", "settled"), [(0.68, 0.75, True), (0.68, 0.85, False), (0.68, None, False)])
def test_coverage_says_whether_the_unknown_could_change_the_verdict(
    low: float, high: float | None, settled: bool
) -> None:
    said = coverage_sentence("sex", 0.966, result(), {"low": low, "high": high})
    assert plain(said).startswith("Sex is known for 96.6 % of the decisions.")
    assert said.endswith("the verdict would not change.") is settled


def test_full_coverage_leaves_nothing_open() -> None:
    assert plain(coverage_sentence("sex", 1.0, result(), {"low": 0.7, "high": 0.7})).endswith("of the decisions.")


def test_selective_labels_are_a_warning() -> None:
    quality = {
        "label_coverage": 0.5,
        "label_coverage_by_decision": {"unfavourable": 0.02, "favourable": 0.95},
        "selective_labels": True,
    }
    said, warn = label_sentence(quality, CREDIT)
    assert warn
    assert "95 % of those approved, but for 2.0 % of those declined" in plain(said)
    assert label_sentence({**quality, "selective_labels": False}, CREDIT)[1] is False
    assert label_sentence({"label_coverage": 0.0}, CREDIT)[1] is True


@pytest.mark.parametrize(
    ("attribute", "group", "phrase"),
    [
        ("sex", "Female", "women"),
        ("race", "African-American", "African-American people"),
        ("sex*race", "Female*Black", "Black women"),
        ("age_band", "Less than 25", "people aged less than 25"),
        ("region", "APAC", "people from APAC"),
        ("reporting_region", "APAC", "people from APAC"),
        ("claimant_age", "50 and over", "people aged 50 and over"),
        ("disability", "yes", "people with disability yes"),
        ("race", "unknown", "people of unknown race"),
        ("sex*race*age_band", "Male*Asian*25-45", "Asian men aged 25-45"),
    ],
)
def test_groups_are_named_as_people(attribute: str, group: str, phrase: str) -> None:
    assert group_phrase(attribute, group) == phrase


def test_what_is_measured_over_everybody_or_without_a_reference_names_no_comparison() -> None:
    distance = result(metric="individual_fairness_distance", attribute="", group=None, reference=None, value=0.12)
    assert headline(distance, CREDIT) == "Individual fairness distance is 0.120."
    missing = result(metric="representation_psi", group=None, reference=None, value=None, gap="no_baseline")
    assert headline(missing, CREDIT) == (
        "Representation shift by sex cannot be estimated: nothing was declared to compare it with."
    )
    drifted = result(metric="score_psi", reference=None, value=0.3)
    assert headline(drifted, CREDIT) == "Score shift of women is 0.300."


def test_a_family_that_decides_is_named() -> None:
    asked = result(verdict="inconclusive", decided_by_window="30d family", decided_verdict="within")
    said = sentence(asked, CREDIT, window="30d", judged_on=80)
    assert plain(said.detail).endswith("With the 30 days of its model family: within bounds.")
