"""Inviting somebody, and becoming somebody, in a real browser."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any

import pytest
from django.conf import settings
from playwright.sync_api import Browser, Page, expect

from apps.accounts.models import User
from tests.browser.conftest import overflow, violations
from tests.cast import Cast, confirmed, signed_in

pytestmark = [pytest.mark.browser, pytest.mark.django_db(transaction=True)]

NEW = "seven paper boats at dusk"


@pytest.fixture
def cast(live_server: Any) -> Cast:
    return Cast.assemble()


@pytest.fixture
def admin(browser: Browser, live_server: Any, cast: Cast) -> Iterator[Page]:
    """A page of the administrator, who has just confirmed."""
    client = confirmed(signed_in(cast.administrator))
    context = browser.new_context()
    cookie = client.cookies[settings.SESSION_COOKIE_NAME].value
    context.add_cookies([{"name": settings.SESSION_COOKIE_NAME, "value": cookie, "url": live_server.url}])
    yield context.new_page()
    context.close()


def test_who_is_invited_sets_a_password_and_signs_in(
    browser: Browser, live_server: Any, admin: Page, settings: Any
) -> None:
    settings.PUBLIC_URL = live_server.url
    admin.goto(live_server.url + "/people/")
    admin.get_by_role("link", name="Invite somebody").click()
    admin.get_by_label("Full name").fill("Nia Novak")
    admin.get_by_label("User name").fill("nia")
    admin.get_by_label("Role", exact=True).select_option("Data steward")
    admin.get_by_label("Why").fill("New in the team.")
    admin.get_by_role("button", name="Invite").click()
    address = admin.get_by_role("textbox").input_value()

    context = browser.new_context()
    page = context.new_page()
    page.goto(address)
    page.get_by_label("New password").fill(NEW)
    page.get_by_label("The same again").fill(NEW)
    page.get_by_role("button", name="Set the password").click()
    expect(page.get_by_text("Your password is set")).to_be_visible()
    page.get_by_label("User name").fill("nia")
    page.get_by_label("Password").fill(NEW)
    page.get_by_role("button", name="Sign in", exact=True).click()
    expect(page.get_by_role("heading", level=1)).to_have_text("Hello, Nia")
    context.close()

    admin.get_by_role("link", name="I have handed it over").click()
    expect(admin.get_by_text("Set.")).to_be_visible()


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_the_pages_about_people_are_accessible_and_fit(live_server: Any, cast: Cast, admin: Page, scheme: str) -> None:
    admin.emulate_media(color_scheme=scheme)  # type: ignore[arg-type]
    person = f"/people/{cast.owner.pk}/"
    for path, words in {
        "/people/": "Mona Meyer",
        "/people/?show=left": "Nobody has left",
        "/people/invite/": "Full name",
        person: "Models that they own",
        f"{person}roles/": "Only for these models",
        f"{person}leave/": "signed out everywhere",
        "/permissions/": "sign a change of thresholds",
        "/tokens/": "No token counts now",
        "/tokens/new/": "send decisions",
        "/invitation/nothing/": "This link does not count",
    }.items():
        for width in (1280, 390):
            admin.set_viewport_size({"width": width, "height": 900})
            admin.goto(live_server.url + path)
            expect(admin.locator("main").get_by_text(words).first).to_be_visible()
            assert violations(admin) == [], (path, width)
            assert overflow(admin) <= 0, (path, width)


def test_a_role_is_given_by_keyboard_alone(live_server: Any, cast: Cast, admin: Page) -> None:
    admin.goto(f"{live_server.url}/people/{cast.outsider.pk}/")
    admin.get_by_role("link", name=re.compile("^Give a role")).focus()
    admin.keyboard.press("Enter")
    admin.get_by_label("Role", exact=True).focus()
    admin.keyboard.type("Data")
    for _ in range(10):
        admin.keyboard.press("Tab")
        if admin.get_by_label("Why").evaluate("each => each === document.activeElement"):
            break
    admin.keyboard.type("Takes over from Stan.")
    admin.keyboard.press("Tab")
    admin.keyboard.press("Enter")
    expect(admin.get_by_text("Done, and kept in the audit log")).to_be_visible()
    assert list(User.objects.get(pk=cast.outsider.pk).groups.values_list("name", flat=True)) == ["data_steward"]
