"""The pages in a real browser: accessible, at both widths, in both schemes, by keyboard, without scripts."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any

import pytest
from playwright.sync_api import Browser, Page, expect

from apps.monitoring.selectors import latest_runs
from apps.registry.spec import ModelSpec
from tests.browser.conftest import overflow, violations
from tests.cast import PASSWORD

pytestmark = [pytest.mark.browser, pytest.mark.django_db(transaction=True)]

Opened = Callable[..., Page]


def drawn(page: Page) -> None:
    expect(page.locator("#canvas-trend .main-svg").first).to_be_visible()


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_every_page_is_accessible_and_fits(opened: Opened, hiring: ModelSpec, live_server: Any, scheme: str) -> None:
    run = latest_runs(hiring.id)["7d"].id
    model = f"/models/{hiring.slug}/"
    pages = {
        "/": "Waiting for you",
        "/models/": "Models",
        f"{model}?window=7d&attribute=sex": "less often than men",
        f"{model}?metric=equalised_odds": "Groups",
        f"{model}?metric=calibration&attribute=region": "Do scores mean what they say?",
        f"{model}?attribute=sex*region": "Intersections",
        f"/runs/{run}/": "Compared with the bounds",
        "/health/": "objectives are kept",
        "/reports/": "By model and attribute",
    }
    page = opened("/", scheme=scheme)
    for path, words in pages.items():
        page.set_viewport_size({"width": 1280, "height": 900})
        page.goto(live_server.url + path)
        expect(page.locator("main").get_by_text(words).first).to_be_visible()
        if "?" in path:
            drawn(page)
        for width in (1280, 390):
            page.set_viewport_size({"width": width, "height": 900})
            page.wait_for_timeout(200)
            assert violations(page) == [], (path, width)
            assert overflow(page) <= 0, (path, width)


def test_the_window_is_switched_by_keyboard(opened: Opened, hiring: ModelSpec) -> None:
    page = opened(f"/models/{hiring.slug}/?window=24h&attribute=sex")
    drawn(page)
    switch = page.get_by_role("navigation", name="Window").get_by_role("link", name="30 days")
    switch.focus()
    page.keyboard.press("Enter")
    expect(page).to_have_url(re.compile("window=30d"))
    expect(page.get_by_role("navigation", name="Window").locator("[aria-current]")).to_have_text("30 days")
    expect(page.locator("#window-30d")).to_be_focused()
    drawn(page)
    page.go_back()
    expect(page).to_have_url(re.compile("window=24h"))
    expect(page.get_by_role("heading", level=1)).to_be_visible()


def test_the_switches_work_without_scripts(opened: Opened, hiring: ModelSpec) -> None:
    page = opened(f"/models/{hiring.slug}/?window=24h", scripts=False)
    page.get_by_role("link", name="Equalised odds", exact=True).click()
    expect(page).to_have_url(re.compile("metric=equalised_odds"))
    expect(page.get_by_role("link", name="Equalised odds", exact=True)).to_have_attribute("aria-current", "true")
    expect(page.get_by_text("favourable").first).to_be_visible()


def test_the_portfolio_is_filtered_in_place(opened: Opened, hiring: ModelSpec) -> None:
    page = opened("/")
    page.get_by_role("link", name=re.compile("^Cannot judge")).click()
    expect(page).to_have_url(re.compile("show=unjudged"))
    expect(page.get_by_role("link", name=re.compile("^Cannot judge"))).to_have_attribute("aria-current", "true")
    expect(page.get_by_role("heading", name="Waiting for you")).to_be_visible()


def test_the_chosen_scheme_is_remembered(opened: Opened, hiring: ModelSpec) -> None:
    page = opened(f"/models/{hiring.slug}/")
    drawn(page)
    ground = "getComputedStyle(document.body).backgroundColor"
    before = page.evaluate(ground)
    page.get_by_role("button", name="Dark mode").click()
    assert page.evaluate(ground) != before
    page.reload()
    expect(page.locator("html")).to_have_attribute("data-bs-theme", "dark")
    expect(page.get_by_role("button", name="Light mode")).to_be_visible()


def test_a_chart_can_be_taken_away_as_picture_and_table(opened: Opened, hiring: ModelSpec) -> None:
    page = opened(f"/models/{hiring.slug}/?window=24h&attribute=sex")
    drawn(page)
    with page.expect_download() as picture:
        page.get_by_role("button", name=re.compile("^Picture")).first.click()
    assert picture.value.suggested_filename.endswith(".png")
    with page.expect_download() as table:
        page.get_by_role("link", name=re.compile("^Table")).first.click()
    assert table.value.suggested_filename == f"{hiring.slug}-trend-24h.csv"


def test_acknowledging_from_the_inbox(opened: Opened, hiring: ModelSpec) -> None:
    page = opened("/")
    page.get_by_role("link", name=re.compile("^Open")).first.click()
    page.get_by_role("button", name=re.compile("^Acknowledge")).first.click()
    expect(page.get_by_text("acknowledged in your name")).to_be_visible()


def test_times_are_shown_in_the_readers_zone(browser: Browser, opened: Opened, hiring: ModelSpec) -> None:
    page = opened(f"/models/{hiring.slug}/")
    shown = page.locator("time").first
    expect(shown).to_have_attribute("data-local", "")
    expect(shown).to_have_attribute("title", re.compile(r"\d\d:\d\d UTC$"))


def test_the_menu_opens_on_a_phone(opened: Opened, hiring: ModelSpec) -> None:
    page = opened("/", width=390)
    link = page.get_by_role("navigation", name="Pages").get_by_role("link", name="Health")
    expect(link).to_be_hidden()
    page.get_by_role("button", name="Menu").click()
    link.click()
    expect(page.get_by_role("heading", name="Health")).to_be_visible()


def test_signing_in_and_out(browser: Browser, live_server: Any, officer: Any) -> None:
    context = browser.new_context()
    page = context.new_page()
    page.goto(live_server.url + "/")
    assert violations(page) == []
    page.get_by_label("User name").fill(officer.username)
    page.get_by_label("Password").fill(PASSWORD)
    page.get_by_role("button", name="Sign in", exact=True).click()
    expect(page.get_by_role("heading", level=1)).to_have_text("Hello, Olivia")
    page.get_by_role("button", name="Sign out").click()
    expect(page.get_by_label("User name")).to_be_visible()
    context.close()


def test_a_missing_model_is_explained(browser: Browser, opened: Opened, live_server: Any) -> None:
    page = opened("/health/")
    answer = page.request.get(live_server.url + "/models/none/")
    assert answer.status == 404
    assert "Nothing is here" in answer.text()
