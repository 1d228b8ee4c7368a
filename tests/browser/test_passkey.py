"""A passkey from its registration to a signature, made and used by Chromium's virtual authenticator."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
from playwright.sync_api import Browser, Page, expect

from apps.accounts.models import User
from apps.accounts.second_factors import PASSKEY, has_second_factor, kinds_held
from apps.audit.selectors import entries
from tests.cast import PASSWORD

pytestmark = [pytest.mark.browser, pytest.mark.django_db(transaction=True)]

TOUCH_ID = {
    "protocol": "ctap2",
    "transport": "internal",
    "hasResidentKey": True,
    "hasUserVerification": True,
    "isUserVerified": True,
    "automaticPresenceSimulation": True,
}


class Device:
    """A browser with an authenticator of its own, as a laptop with a fingerprint reader has one."""

    def __init__(self, page: Page) -> None:
        self.page = page
        self._session = page.context.new_cdp_session(page)
        self._session.send("WebAuthn.enable")
        self._id = self._session.send("WebAuthn.addVirtualAuthenticator", {"options": TOUCH_ID})["authenticatorId"]

    def credentials(self) -> list[dict[str, Any]]:
        return self._session.send("WebAuthn.getCredentials", {"authenticatorId": self._id})["credentials"]

    def unlocks(self, does: bool) -> None:
        """Whether the next finger is the right one."""
        self._session.send("WebAuthn.setUserVerified", {"authenticatorId": self._id, "isUserVerified": does})


@pytest.fixture
def device(browser: Browser, live_server: Any, officer: User) -> Iterator[Device]:
    """The officer's device, on the page after sign-in by password."""
    context = browser.new_context()
    made = Device(context.new_page())
    made.page.goto(live_server.url + "/account/")
    made.page.get_by_label("User name").fill(officer.username)
    made.page.get_by_label("Password").fill(PASSWORD)
    made.page.get_by_role("button", name="Sign in", exact=True).click()
    expect(made.page.get_by_role("heading", level=1)).to_have_text("Your account")
    yield made
    context.close()


def registered(device: Device) -> None:
    page = device.page
    page.get_by_role("link", name="Add a passkey").click()
    page.get_by_label("Password").fill(PASSWORD)
    page.get_by_role("button", name="Confirm with the password").click()
    page.get_by_label("Name, so that you know it again").fill("Laptop")
    page.get_by_role("button", name="Add", exact=True).click()
    expect(page.get_by_role("heading", name="Recovery codes")).to_be_visible()


def signed_out(device: Device) -> None:
    device.page.get_by_role("button", name="Sign out").click()
    expect(device.page.get_by_label("User name")).to_be_visible()


def test_a_passkey_is_registered_and_signs_in_alone(device: Device, officer: User) -> None:
    registered(device)
    assert has_second_factor(officer)
    (kept,) = device.credentials()
    assert (kept["rpId"], kept["isResidentCredential"]) == ("localhost", True)
    signed_out(device)
    device.page.get_by_role("button", name="Sign in with a passkey").click()
    expect(device.page.get_by_role("heading", level=1)).to_have_text("Hello, Olivia")
    assert entries(action="person.signed_in")[0].detail == {"by": ["passkey"]}
    (used,) = device.credentials()
    assert used["signCount"] > kept["signCount"]


def test_after_the_password_the_passkey_is_asked_for(device: Device, officer: User) -> None:
    registered(device)
    signed_out(device)
    page = device.page
    page.get_by_label("User name").fill(officer.username)
    page.get_by_label("Password").fill(PASSWORD)
    page.get_by_role("button", name="Sign in", exact=True).click()
    page.get_by_role("button", name="Use a passkey").click()
    expect(page.get_by_role("heading", level=1)).to_have_text("Hello, Olivia")
    assert entries(action="person.signed_in")[0].detail == {"by": ["password", "passkey"]}


def test_the_wrong_finger_opens_nothing_and_says_so(device: Device, officer: User) -> None:
    registered(device)
    signed_out(device)
    device.unlocks(False)
    device.page.get_by_role("button", name="Sign in with a passkey").click()
    expect(device.page.get_by_role("alert")).to_be_visible()
    expect(device.page.get_by_label("User name")).to_be_visible()


def test_a_passkey_confirms_who_one_is_and_is_removed(device: Device, live_server: Any, officer: User) -> None:
    registered(device)
    page = device.page
    signed_out(device)
    page.get_by_role("button", name="Sign in with a passkey").click()
    expect(page.get_by_role("heading", level=1)).to_have_text("Hello, Olivia")
    page.goto(live_server.url + "/account/")
    page.get_by_role("link", name="Remove Laptop").click()
    page.get_by_role("button", name="Confirm with a passkey").click()
    page.get_by_role("button", name="Remove it").click()
    expect(page.get_by_role("heading", level=1)).to_have_text("Your account")
    assert PASSKEY not in kinds_held(officer)
    said = [each.action for each in entries(subject=officer.actor)[:3]]
    assert said[:2] == ["second_factor.removed", "person.confirmed"]
