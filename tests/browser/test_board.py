"""The board votes, by keyboard alone: from the Inbox to the minutes."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from django.conf import settings
from playwright.sync_api import Browser, Page, expect

from apps.accounts.models import User
from apps.board import services
from apps.board.models import Case
from apps.incidents.models import Incident
from tests.apps.incidents.test_opening import escalate
from tests.board import members, vote
from tests.browser.conftest import overflow, violations
from tests.cast import PASSWORD, Cast, signed_in

pytestmark = [pytest.mark.browser, pytest.mark.django_db(transaction=True)]

Opened = Callable[..., Page]
TABS_AT_MOST = 80


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


@pytest.fixture
def opened_as(browser: Browser, live_server: Any) -> Iterator[Opened]:
    """`opened_as(person, path, scheme=, width=)`; complaints in a page's console fail the test."""
    complaints: list[str] = []
    contexts = []

    def open_page(who: User, path: str, *, scheme: str = "light", width: int = 1280) -> Page:
        cookie = signed_in(who).cookies[settings.SESSION_COOKIE_NAME].value
        context = browser.new_context(color_scheme=scheme, viewport={"width": width, "height": 900})
        context.add_cookies([{"name": settings.SESSION_COOKIE_NAME, "value": cookie, "url": live_server.url}])
        contexts.append(context)
        page = context.new_page()
        page.on("console", lambda said: complaints.append(said.text) if said.type in ("error", "warning") else None)
        page.on("pageerror", lambda error: complaints.append(str(error)))
        page.goto(live_server.url + path)
        return page

    yield open_page
    for context in contexts:
        context.close()
    assert complaints == []


def tab_to(page: Page, words: str) -> None:
    """Press Tab until what is focused says `words`, by its text, label or name."""
    focused = "(document.activeElement.textContent || document.activeElement.id || '').trim()"
    for _ in range(TABS_AT_MOST):
        page.keyboard.press("Tab")
        if re.search(words, page.evaluate(focused)):
            return
    pytest.fail(f"no Tab leads to {words!r}")


def test_the_board_votes_by_keyboard_alone(case: Case, cast: Cast, opened_as: Opened, tmp_path: Any) -> None:
    second, third = [each for each in members(3) if each != cast.board]
    vote(case, second)
    vote(case, third, "abstain", "I came late.")
    page = opened_as(cast.board, "/")
    tab_to(page, "^Open: Claims triage")
    page.keyboard.press("Enter")
    expect(page.get_by_text("2 of 3 members who may vote have voted")).to_be_visible()
    tab_to(page, "^Vote…$")
    page.keyboard.press("Enter")
    expect(page).to_have_url(re.compile("/confirm"))
    expect(page.get_by_label("Password")).to_be_visible()
    page.get_by_label("Password").focus()
    page.keyboard.type(PASSWORD)
    page.keyboard.press("Enter")
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
    case: Case, cast: Cast, opened_as: Opened, live_server: Any, scheme: str
) -> None:
    page = opened_as(cast.compliance, "/board/", scheme=scheme)

    def check(path: str, words: str) -> None:
        page.set_viewport_size({"width": 1280, "height": 900})
        page.goto(live_server.url + path)
        expect(page.locator("main").get_by_text(words).first).to_be_visible()
        for detail in page.locator("main details summary").all():
            detail.click()
        for width in (1280, 390):
            page.set_viewport_size({"width": width, "height": 900})
            page.wait_for_timeout(200)
            assert violations(page) == [], (path, width)
            assert overflow(page) <= 0, (path, width)

    check("/board/", "How the board decides")
    check(f"/board/{case.pk}/", "What the board is asked")
    for person in members(3):
        vote(case, person)
    check(f"/board/{case.pk}/", "The board says yes")
    check(f"/board/{case.pk}/minutes/", "Members and votes")
