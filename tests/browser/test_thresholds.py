"""From a proposal to its signature, in a browser: the owner writes it, it is run over the past, compliance signs."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import pytest
from django.conf import settings
from playwright.sync_api import Browser, Page, expect

from apps.accounts.models import User
from apps.accounts.services import ownership_grant
from apps.common import clock
from apps.pipeline import backtest
from apps.registry.models import MonitoredModel
from apps.registry.spec import ModelSpec
from apps.thresholds.selectors import newest_version
from biasgov.fairness import budget
from tests.apps.dashboards.world import watched
from tests.browser.conftest import overflow, violations
from tests.cast import PASSWORD, person, signed_in
from tests.sides import side

pytestmark = [pytest.mark.browser, pytest.mark.django_db(transaction=True)]

As = Callable[..., Page]


@pytest.fixture
def people(live_server: Any, monkeypatch: pytest.MonkeyPatch) -> dict[str, User]:
    monkeypatch.setattr(budget, "STREAMS", 2)
    monkeypatch.setattr(budget, "DELAY_STREAMS", 2)
    return {part: person(part) for part in ("owner", "compliance")}


@pytest.fixture
def spec(people: dict[str, User]) -> ModelSpec:
    found = watched(at=clock.now())
    ownership_grant(person=people["owner"], model=MonitoredModel.objects.get(pk=found.id), actor="system:tests")
    return found


@pytest.fixture
def seen_by(browser: Browser, live_server: Any, people: dict[str, User]) -> Iterator[As]:
    """`seen_by(part, path)`: a page in the browser of that person; complaints in its console fail the test."""
    complaints: list[str] = []
    contexts = []

    def open_page(part: str, path: str, **options: Any) -> Page:
        context = browser.new_context(viewport={"width": 1280, "height": 900}, **options)
        cookie = signed_in(people[part]).cookies[settings.SESSION_COOKIE_NAME].value
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


def computed() -> None:
    with side("compute"):
        assert backtest.backtest_next()


def fits(page: Page) -> None:
    """Accessible and no wider than its window, at both widths."""
    for width in (1280, 390):
        page.set_viewport_size({"width": width, "height": 900})
        page.wait_for_timeout(200)
        assert violations(page) == [], (page.url, width)
        assert overflow(page) <= 0, (page.url, width)
    page.set_viewport_size({"width": 1280, "height": 900})


def write_by_keyboard(page: Page, name: str, text: str) -> None:
    page.get_by_label(name).first.focus()
    page.keyboard.press("Control+A")
    page.keyboard.type(text)


def confirm(page: Page) -> None:
    """Prove that it is oneself, as a signature asks, by the keyboard."""
    page.get_by_label("Password").focus()
    page.keyboard.type(PASSWORD)
    page.keyboard.press("Enter")


def test_the_owner_proposes_a_relaxation_and_compliance_reads_the_back_test_and_signs(
    seen_by: As, spec: ModelSpec
) -> None:
    owner = seen_by("owner", f"/thresholds/{spec.slug}/propose/")
    fits(owner)
    owner.get_by_label("demographic parity ratio, lower bound", exact=True).fill("0.3")
    owner.get_by_label("demographic parity ratio, upper bound", exact=True).fill("3")
    owner.get_by_label("Justification; those who sign").fill("The pilot had no such forms.")
    owner.get_by_label("Risk assessment").fill("RA-2026-031")
    owner.get_by_role("button", name="Save as a draft").click()
    expect(owner.get_by_text("The back-test is being computed.")).to_be_visible()
    computed()
    expect(owner.get_by_text("alerts of the last 90 days would not have been raised")).to_be_visible(timeout=15_000)
    expect(owner.locator("#canvas-backtest .main-svg").first).to_be_visible()
    owner.get_by_role("button", name="Submit for signature").click()
    expect(owner.get_by_text("waits for signatures").first).to_be_visible()
    expect(owner.get_by_role("link", name="Sign…")).to_have_count(0)
    owner.goto(owner.url.replace("/thresholds/proposals/", "/approvals/") + "sign/")
    confirm(owner)
    expect(owner.get_by_text("There is no signature here that you could give.")).to_be_visible()

    compliance = seen_by("compliance", "/")
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


def test_a_tightening_is_written_and_signed_by_the_keyboard_alone(seen_by: As, spec: ModelSpec) -> None:
    owner = seen_by("owner", f"/thresholds/{spec.slug}/propose/")
    write_by_keyboard(owner, "equalised odds difference, upper bound", "0.04")
    write_by_keyboard(owner, "Justification; those who sign", "The pilot shows that less is possible.")
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

    compliance = seen_by("compliance", f"/{path}")
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
def test_the_other_pages_are_accessible_and_fit(seen_by: As, spec: ModelSpec, scheme: str) -> None:
    page = seen_by("owner", "/thresholds/", color_scheme=scheme)
    version = newest_version(spec.id).id
    paths = [f"versions/{version}/", *(f"{spec.slug}/{each}" for each in ("review/", "assessments/", "propose/"))]
    for path in paths:
        page.goto(page.url.split("/thresholds/")[0] + "/thresholds/" + path)
        page.evaluate("document.querySelectorAll('details').forEach(each => each.open = true)")
        fits(page)


def test_a_proposal_is_written_and_read_without_scripts(seen_by: As, spec: ModelSpec) -> None:
    page = seen_by("owner", f"/thresholds/{spec.slug}/propose/", java_script_enabled=False)
    page.get_by_label("equalised odds difference, upper bound", exact=True).fill("0.04")
    page.get_by_label("Justification; those who sign").fill("Less is possible.")
    page.get_by_role("button", name="Save as a draft").click()
    computed()
    page.get_by_role("link", name="Look again").click()
    page.get_by_text("Show the table", exact=False).first.click()
    expect(page.get_by_role("button", name="Submit for signature")).to_be_visible()
