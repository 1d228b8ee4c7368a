"""The citations: complete, honest about who checked them, and never out of date unnoticed."""

from __future__ import annotations

from datetime import date, timedelta

import pytest

from apps.common import clock
from apps.registry.declarations import INDUSTRIES
from apps.thresholds.citations import CHECK_EVERY, CITATIONS, Citation, basis_of


@pytest.mark.parametrize("key", CITATIONS)
def test_a_citation_has_been_checked_within_180_days(key: str) -> None:
    assert not CITATIONS[key].due_again(clock.now().date()), f"compare {key} with its source and set checked_on"


def test_a_check_is_due_after_180_days_and_not_before() -> None:
    row = Citation("Act", "1", "s 1", "Something.", "in force", checked_on=date(2026, 1, 1))
    assert not row.due_again(date(2026, 1, 1) + CHECK_EVERY)
    assert row.due_again(date(2026, 1, 1) + CHECK_EVERY + timedelta(days=1))


@pytest.mark.parametrize("key", CITATIONS)
def test_a_citation_is_complete_and_not_checked_in_the_future(key: str) -> None:
    row = CITATIONS[key]
    assert row.instrument
    assert row.version
    assert row.text
    assert row.status
    assert row.checked_on <= clock.now().date()


def test_citations_known_to_be_wrong_are_not_made() -> None:
    names = {row.name for row in CITATIONS.values()}
    assert "EU AI Act, Art. 9(8)" in names
    assert not names & {"EU AI Act, Art. 9(7)", "NIST AI RMF, MEASURE 2.5"}
    assert all("2 working days" not in row.text for row in CITATIONS.values())


def test_no_application_date_of_the_ai_act_is_taken_for_certain() -> None:
    acts = [row for row in CITATIONS.values() if row.instrument == "EU AI Act"]
    assert acts
    assert all(row.effective_from is None and "lawyer" in row.status for row in acts)


@pytest.mark.parametrize("industry", INDUSTRIES)
def test_every_industry_rests_on_known_citations(industry: str) -> None:
    assert basis_of(industry)
    assert set(basis_of(industry)) <= set(CITATIONS)
