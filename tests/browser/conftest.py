"""A real browser on a real server: Chromium driven by Playwright; its console is watched for CSP violations."""

from __future__ import annotations

import os
import re
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from django.conf import settings
from playwright.sync_api import Browser, Page, sync_playwright

from apps.accounts.models import User
from apps.common import clock
from apps.registry.spec import ModelSpec
from tests.apps.dashboards.world import triage, watched
from tests.browser.install import installed
from tests.cast import PASSWORD, person, signed_in

AXE = (Path(__file__).parent / "axe" / "axe.min.js").read_text(encoding="utf-8")
TABS_AT_MOST = 120

Seat = Callable[..., Page]


@pytest.fixture(scope="package")
def browser() -> Iterator[Browser]:
    """Chromium; fails, and never skips, where there is none."""
    # Playwright's loop runs in this thread, and Django would refuse the ORM beside it.
    os.environ["DJANGO_ALLOW_ASYNC_UNSAFE"] = "1"
    found = installed()
    if found is None:
        pytest.fail("There is no browser: run `python -m tests.browser.install`.", pytrace=False)
    with sync_playwright() as playwright:
        started = playwright.chromium.launch(executable_path=found, args=["--no-sandbox"])
        yield started
        started.close()
    del os.environ["DJANGO_ALLOW_ASYNC_UNSAFE"]


@pytest.fixture
def officer(live_server: Any) -> User:
    return person("officer")


@pytest.fixture
def hiring(live_server: Any) -> ModelSpec:
    return watched(at=clock.now())


@pytest.fixture
def triaged(live_server: Any) -> ModelSpec:
    return triage(at=clock.now())


@pytest.fixture
def seat(browser: Browser, live_server: Any) -> Iterator[Seat]:
    """`seat(who, path, scheme=, width=)`: a browser of their own for a person; what its console complains of fails."""
    complaints: list[str] = []
    contexts = []

    def take(who: User, path: str, *, scheme: Any = "light", width: int = 1280, **options: Any) -> Page:
        context = browser.new_context(color_scheme=scheme, viewport={"width": width, "height": 900}, **options)
        cookie = signed_in(who).cookies[settings.SESSION_COOKIE_NAME].value
        context.add_cookies([{"name": settings.SESSION_COOKIE_NAME, "value": cookie, "url": live_server.url}])
        contexts.append(context)
        page = context.new_page()
        page.on("console", lambda said: complaints.append(said.text) if said.type in ("error", "warning") else None)
        page.on("pageerror", lambda error: complaints.append(str(error)))
        page.goto(live_server.url + path)
        return page

    yield take
    for context in contexts:
        context.close()
    assert complaints == []


@pytest.fixture
def opened(seat: Seat, officer: User) -> Callable[..., Page]:
    """`opened(path, scheme=, width=, scripts=)`: a page signed in as the officer."""

    def open_page(path: str, *, scripts: bool = True, **options: Any) -> Page:
        return seat(officer, path, java_script_enabled=scripts, **options)

    return open_page


def fits(page: Page) -> None:
    """Accessible and no wider than its window, at both widths."""
    for width in (1280, 390):
        page.set_viewport_size({"width": width, "height": 900})
        page.wait_for_timeout(200)
        assert violations(page) == [], (page.url, width)
        assert overflow(page) <= 0, (page.url, width)
    page.set_viewport_size({"width": 1280, "height": 900})


def confirm(page: Page) -> None:
    """Prove that it is oneself, as a signature asks, by the keyboard."""
    page.get_by_label("Password").focus()
    page.keyboard.type(PASSWORD)
    page.keyboard.press("Enter")


def tab_to(page: Page, words: str) -> None:
    """Press Tab until what is focused says `words`, by its text or its id."""
    focused = "[document.activeElement.textContent.trim(), document.activeElement.id]"
    for _ in range(TABS_AT_MOST):
        page.keyboard.press("Tab")
        if any(re.search(words, each) for each in page.evaluate(focused)):
            return
    pytest.fail(f"no Tab leads to {words!r} on {page.url}")


def violations(page: Page) -> list[str]:
    """What axe-core finds, one line each. Injected by evaluate: a script tag is what the policy forbids."""
    page.evaluate(AXE)
    found = page.evaluate("axe.run().then(answer => answer.violations)")
    return [f"{each['id']}: {node['target']}" for each in found for node in each["nodes"]]


def overflow(page: Page) -> int:
    """Pixels that the page is wider than its window."""
    return page.evaluate("document.documentElement.scrollWidth - window.innerWidth")
