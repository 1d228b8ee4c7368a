"""The board votes, by keyboard alone: from the Inbox to the minutes."""

from __future__ import annotations

import re
from typing import Any

import pytest
from playwright.sync_api import expect

from apps.board import services
from apps.board.models import Case
from apps.incidents.models import Incident
from tests.apps.incidents.test_opening import escalate
from tests.board import members, vote
from tests.browser.conftest import Seat, confirm, fits, tab_to
from tests.cast import Cast

pytestmark = [pytest.mark.browser, pytest.mark.django_db(transaction=True)]


@pytest.fixture
def cast(live_server: Any) -> Cast:
    made = Cast.assemble()
    members(3)
    return made


@pytest.fixture
def case(cast: Cast) -> Case:
    """A case about an escalated incident, with a paper and a condition, its vote open."""
    Incident.objects.get(pk=escalate(cast, "APAC").incident_id)
    services.cases_advance()
    found = Case.objects.get()
    services.paper_add(
        case_id=found.pk, person=cast.officer, title="Root cause", text="n_init changed.", link="/models/claims-triage/"
    )
    services.condition_add(case_id=found.pk, person=cast.board, title="Pin every library", owner=cast.owner, hours=16)
    services.voting_open(case_id=found.pk, person=cast.compliance)
    found.refresh_from_db()
    return found


def test_the_board_votes_by_keyboard_alone(case: Case, cast: Cast, seat: Seat, tmp_path: Any) -> None:
    second, third = [each for each in members(3) if each != cast.board]
    vote(case, second)
    vote(case, third, "abstain", "I came late.")
    page = seat(cast.board, "/")
    tab_to(page, "^Open: Claims triage")
    page.keyboard.press("Enter")
    expect(page.get_by_text("2 of 3 members who may vote have voted")).to_be_visible()
    tab_to(page, "^Vote…$")
    page.keyboard.press("Enter")
    expect(page).to_have_url(re.compile("/confirm"))
    expect(page.get_by_label("Password")).to_be_visible()
    confirm(page)
    expect(page.get_by_role("heading", level=1)).to_have_text("Vote in your name")
    tab_to(page, "^choice-for$")
    page.keyboard.press("Space")
    tab_to(page, "^vote-reason$")
    page.keyboard.type("The plan is sound.")
    tab_to(page, "^Give my vote$")
    page.keyboard.press("Enter")
    expect(page.get_by_text("Your vote is given.")).to_be_visible()
    expect(page.get_by_text("The board says yes: 2 for, 0 against, 1 abstained.").first).to_be_visible()
    tab_to(page, "^Minutes$")
    page.keyboard.press("Enter")
    expect(page.get_by_role("cell", name="I came late.")).to_be_visible()
    tab_to(page, "^Minutes as PDF$")
    with page.expect_download() as download:
        page.keyboard.press("Enter")
    assert download.value.suggested_filename == f"board-case-{case.pk}-minutes.pdf"
    case.refresh_from_db()
    assert (case.state, case.outcome) == ("decided", "carried")


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_the_boards_pages_are_accessible_and_fit(
    case: Case, cast: Cast, seat: Seat, live_server: Any, scheme: str
) -> None:
    page = seat(cast.compliance, "/board/", scheme=scheme)

    def check(path: str, words: str) -> None:
        page.goto(live_server.url + path)
        expect(page.locator("main").get_by_text(words).first).to_be_visible()
        for detail in page.locator("main details summary").all():
            detail.click()
        fits(page)

    check("/board/", "How the board decides")
    check(f"/board/{case.pk}/", "What the board is asked")
    for person in members(3):
        vote(case, person)
    check(f"/board/{case.pk}/", "The board says yes")
    check(f"/board/{case.pk}/minutes/", "Members and votes")
