"""From a proposal to the bound in force, in a browser: the owner writes it, it is run over the past, people decide."""

from __future__ import annotations

from typing import Any

import pytest
from playwright.sync_api import Page, expect

from apps.accounts.models import User
from apps.accounts.services import ownership_grant
from apps.board.models import Case
from apps.board.services import cases_advance
from apps.pipeline import backtest
from apps.registry.models import MonitoredModel
from apps.registry.spec import ModelSpec
from apps.thresholds.selectors import newest_version
from biasgov.fairness import budget
from tests.board import members, vote
from tests.browser.conftest import Seat, confirm, fits
from tests.cast import person
from tests.sides import side

pytestmark = [pytest.mark.browser, pytest.mark.django_db(transaction=True)]


@pytest.fixture
def people(live_server: Any, monkeypatch: pytest.MonkeyPatch) -> dict[str, User]:
    monkeypatch.setattr(budget, "STREAMS", 2)
    monkeypatch.setattr(budget, "DELAY_STREAMS", 2)
    return {part: person(part) for part in ("owner", "compliance")}


@pytest.fixture
def spec(people: dict[str, User], triaged: ModelSpec) -> ModelSpec:
    ownership_grant(person=people["owner"], model=MonitoredModel.objects.get(pk=triaged.id), actor="system:tests")
    return triaged


def computed() -> None:
    with side("compute"):
        assert backtest.backtest_next()


def write_by_keyboard(page: Page, name: str, text: str) -> None:
    page.get_by_label(name).first.focus()
    page.keyboard.press("Control+A")
    page.keyboard.type(text)


def test_a_relaxation_beyond_the_limits_is_in_force_when_compliance_has_signed_and_the_board_agreed(
    seat: Seat, people: dict[str, User], spec: ModelSpec
) -> None:
    board = person("board")
    others = [each for each in members(3) if each != board]
    owner = seat(people["owner"], f"/models/{spec.slug}/")
    owner.get_by_role("link", name="thresholds", exact=True).click()
    expect(owner.get_by_text("1 version fits these filters.")).to_be_visible()
    owner.get_by_role("link", name="propose a change").click()
    fits(owner)
    owner.get_by_label("demographic parity ratio, lower bound", exact=True).fill("0.3")
    owner.get_by_label("demographic parity ratio, upper bound", exact=True).fill("3")
    owner.get_by_label("Justification; those who sign").fill("There are no interpreters at night until March.")
    owner.get_by_label("Risk assessment").fill("CLIN-2026-09")
    owner.get_by_role("button", name="Save as a draft").click()
    expect(owner.get_by_text("The back-test is being computed.")).to_be_visible()
    computed()
    expect(owner.get_by_text("alerts of the last 90 days would not have been raised")).to_be_visible(timeout=15_000)
    expect(owner.locator("#canvas-backtest .main-svg").first).to_be_visible()
    owner.get_by_role("button", name="Submit for signature").click()
    expect(owner.get_by_text("waits for signatures").first).to_be_visible()
    expect(owner.get_by_role("link", name="Sign…")).to_have_count(0)
    proposal = owner.url
    owner.goto(proposal.replace("/thresholds/proposals/", "/approvals/") + "sign/")
    confirm(owner)
    expect(owner.get_by_text("There is no signature here that you could give.")).to_be_visible()

    compliance = seat(people["compliance"], "/")
    compliance.get_by_role("link", name="Relax the demographic parity ratio bound").first.click()
    expect(compliance.get_by_text("alerts of the last 90 days would not have been raised")).to_be_visible()
    expect(compliance.get_by_text("needs the board")).to_be_visible()
    fits(compliance)
    compliance.get_by_role("link", name="Sign…").click()
    confirm(compliance)
    expect(compliance.get_by_text("You sign exactly this text")).to_be_visible()
    compliance.get_by_role("button", name="Sign", exact=True).click()
    expect(compliance.get_by_text("Signed in your name.")).to_be_visible()
    assert newest_version(spec.id).version == 1

    assert cases_advance()
    compliance.reload()
    compliance.get_by_role("link", name="the board's case").click()
    compliance.get_by_role("button", name="Open the vote now").click()
    case = Case.objects.get()
    for other, choice in zip(others, ("for", "against"), strict=True):
        vote(case, other, choice)
    page = seat(board, "/")
    page.get_by_role("link", name="Relax the demographic parity ratio bound").first.click()
    expect(page.get_by_text("0.3 to 3, today 0.8 to 1.25")).to_be_visible()
    page.get_by_role("link", name="Read the whole request").click()
    expect(page).to_have_url(proposal)
    fits(page)
    page.get_by_role("link", name="the board's case").click()
    assert newest_version(spec.id).version == 1
    page.get_by_role("link", name="Vote…").click()
    confirm(page)
    expect(page.get_by_role("heading", level=1)).to_have_text("Vote in your name")
    fits(page)
    page.get_by_label("For", exact=True).check()
    page.get_by_label("Your reason").fill("The interpreters' rota begins in March.")
    page.get_by_role("button", name="Give my vote").click()
    expect(page.get_by_text("The board says yes: 2 for, 1 against, nobody abstained.").first).to_be_visible()
    fits(page)
    assert newest_version(spec.id).version == 2
    owner.goto(proposal)
    expect(owner.get_by_text("in effect").first).to_be_visible()
    owner.goto(f"{owner.url.split('/thresholds/')[0]}/thresholds/?model={spec.slug}")
    expect(owner.get_by_text("0.3 to 3")).to_be_visible()


def test_a_tightening_is_written_and_signed_by_the_keyboard_alone(
    seat: Seat, people: dict[str, User], spec: ModelSpec
) -> None:
    owner = seat(people["owner"], f"/thresholds/{spec.slug}/propose/")
    write_by_keyboard(owner, "equalised odds difference, upper bound", "0.04")
    write_by_keyboard(owner, "Justification; those who sign", "Interpreters are on call: less is possible.")
    owner.keyboard.press("Tab")
    owner.get_by_role("button", name="Save as a draft").focus()
    owner.keyboard.press("Enter")
    expect(owner.get_by_text("The back-test is being computed.")).to_be_visible()
    computed()
    owner.reload()
    owner.get_by_role("button", name="Submit for signature").focus()
    owner.keyboard.press("Enter")
    expect(owner.get_by_text("waits for signatures").first).to_be_visible()
    path = owner.url.split("/", 3)[3]

    compliance = seat(people["compliance"], f"/{path}")
    compliance.get_by_role("link", name="Sign…").focus()
    compliance.keyboard.press("Enter")
    confirm(compliance)
    compliance.get_by_role("button", name="Sign", exact=True).focus()
    compliance.keyboard.press("Enter")
    expect(compliance.get_by_text("in effect").first).to_be_visible()
    assert newest_version(spec.id).version == 2
    compliance.goto(compliance.url.split("/thresholds")[0] + "/thresholds/")
    expect(compliance.get_by_text("at most 0.04")).to_be_visible()
    fits(compliance)


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_the_other_pages_are_accessible_and_fit(
    seat: Seat, people: dict[str, User], spec: ModelSpec, scheme: str
) -> None:
    page = seat(people["owner"], "/thresholds/", scheme=scheme)
    version = newest_version(spec.id).id
    paths = [f"versions/{version}/", *(f"{spec.slug}/{each}" for each in ("review/", "assessments/", "propose/"))]
    for path in paths:
        page.goto(page.url.split("/thresholds/")[0] + "/thresholds/" + path)
        page.evaluate("document.querySelectorAll('details').forEach(each => each.open = true)")
        fits(page)


def test_a_proposal_is_written_and_read_without_scripts(seat: Seat, people: dict[str, User], spec: ModelSpec) -> None:
    page = seat(people["owner"], f"/thresholds/{spec.slug}/propose/", java_script_enabled=False)
    page.get_by_label("equalised odds difference, upper bound", exact=True).fill("0.04")
    page.get_by_label("Justification; those who sign").fill("Less is possible.")
    page.get_by_role("button", name="Save as a draft").click()
    computed()
    page.get_by_role("link", name="Look again").click()
    page.get_by_text("Show the table", exact=False).first.click()
    expect(page.get_by_role("button", name="Submit for signature")).to_be_visible()
