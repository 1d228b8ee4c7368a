"""A real browser on a real server: Chromium driven by Playwright; its console is watched for CSP violations."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from django.conf import settings
from playwright.sync_api import Browser, Page, sync_playwright

from apps.accounts.models import User
from apps.common import clock
from apps.registry.spec import ModelSpec
from tests.apps.dashboards.world import watched
from tests.browser.install import installed
from tests.cast import person, signed_in

AXE = (Path(__file__).parent / "axe" / "axe.min.js").read_text(encoding="utf-8")


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
def opened(browser: Browser, live_server: Any, officer: User) -> Iterator[Callable[..., Page]]:
    """`opened(path, scheme=, width=)`: a page signed in as the officer; complaints in its console fail the test."""
    complaints: list[str] = []
    contexts = []
    cookie = signed_in(officer).cookies[settings.SESSION_COOKIE_NAME].value

    def open_page(path: str, *, scheme: str = "light", width: int = 1280, scripts: bool = True) -> Page:
        context = browser.new_context(
            color_scheme=scheme, viewport={"width": width, "height": 900}, java_script_enabled=scripts
        )
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


def violations(page: Page) -> list[str]:
    """What axe-core finds, one line each. Injected by evaluate: a script tag is what the policy forbids."""
    page.evaluate(AXE)
    found = page.evaluate("axe.run().then(answer => answer.violations)")
    return [f"{each['id']}: {node['target']}" for each in found for node in each["nodes"]]


def overflow(page: Page) -> int:
    """Pixels that the page is wider than its window."""
    return page.evaluate("document.documentElement.scrollWidth - window.innerWidth")
