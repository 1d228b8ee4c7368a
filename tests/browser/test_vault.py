"""A steward's two journeys in a real browser: a file into the vault, and one look at one person's values."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from django.conf import settings
from django.db import connection
from playwright.sync_api import Browser, Error, Page, expect

from apps.accounts.models import User
from apps.pipeline import disclosures
from apps.pipeline import services as pipeline
from apps.vault import services as vault
from tests.apps.pipeline.world import company
from tests.browser.conftest import overflow, violations
from tests.cast import PASSWORD, person, signed_in

pytestmark = [pytest.mark.browser, pytest.mark.django_db(transaction=True)]


@pytest.fixture
def seat(browser: Browser, live_server: Any) -> Iterator[Callable[..., Page]]:
    """`seat(who, path)`: a browser of their own for a person, at a page."""
    complaints: list[str] = []
    contexts = []

    def take(who: User, path: str, **options: Any) -> Page:
        context = browser.new_context(viewport={"width": 1280, "height": 900}, **options)
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


def compute(work: Callable[[], Any]) -> Any:
    """Let the compute side do its part."""
    with connection.cursor() as cursor:
        cursor.execute("SET ROLE biasgov_compute")
        try:
            return work()
        finally:
            cursor.execute("SET ROLE biasgov_web")


def fits(page: Page) -> None:
    for width in (1280, 390):
        page.set_viewport_size({"width": width, "height": 900})
        page.wait_for_timeout(100)
        assert violations(page) == []
        assert overflow(page) <= 0
    page.set_viewport_size({"width": 1280, "height": 900})


def confirm(page: Page) -> None:
    page.get_by_label("Password").fill(PASSWORD)
    page.get_by_role("button", name="Confirm with the password").click()


def uploaded(page: Page, folder: Path) -> None:
    file = folder / "people.csv"
    file.write_text("subject_id,sex,region\nana,female,west\nben,male,\n")
    page.get_by_label("Form of the file").select_option("csv")
    page.get_by_role("button", name="New upload").click()
    expect(page.get_by_role("heading", level=1)).to_have_text("Upload, CSV")
    fits(page)
    page.get_by_label(re.compile("A CSV file in UTF-8")).set_input_files(file)
    page.get_by_role("button", name="Upload", exact=True).click()


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_a_file_goes_into_the_vault(scheme: str, seat: Callable[..., Page], live_server: Any, tmp_path: Path) -> None:
    company()
    page = seat(person("steward"), "/vault/", color_scheme=scheme)
    fits(page)
    uploaded(page, tmp_path)
    expect(page.get_by_text("waits for the compute side")).to_be_visible()
    assert compute(pipeline.open_uploads) == 1
    # The page asks by itself.
    expect(page.get_by_text("2 stored, 0 of them in the place of earlier ones.")).to_be_visible()
    fits(page)
    page.goto(live_server.url + "/vault/")
    expect(page.get_by_text("The vault holds protected attributes of 2 people")).to_be_visible()
    fits(page)


def test_a_steward_asks_compliance_signs_and_the_steward_looks_once(
    seat: Callable[..., Page], live_server: Any
) -> None:
    company()
    steward, compliance = person("steward"), person("compliance")
    vault.attributes_upload(actor="token:tests", subjects=[("ana", {"sex": "female", "region": "west"})])
    compute(pipeline.open_uploads)

    asking = seat(steward, "/vault/")
    asking.get_by_role("link", name="Ask to see named people…").click()
    fits(asking)
    asking.get_by_label(re.compile("^Whom")).fill("ana")
    asking.get_by_label(re.compile("^Purpose")).fill("She says that her record is wrong; a count cannot tell.")
    asking.get_by_label("Legal basis").select_option("gdpr-16")
    asking.get_by_role("button", name="Ask compliance").click()
    expect(asking.get_by_text("It begins with compliance's signature.")).to_be_visible()
    fits(asking)

    signing = seat(compliance, "/")
    signing.get_by_role("link", name="See the attributes of 1 person").first.click()
    expect(signing.get_by_text("She says that her record is wrong")).to_be_visible()
    signing.get_by_role("link", name="Sign…").click()
    confirm(signing)
    signing.get_by_role("button", name="Sign", exact=True).click()
    expect(signing.get_by_text("Signed in your name.")).to_be_visible()
    expect(signing.get_by_role("button", name="Open the values")).to_have_count(0)

    asking.reload()
    asking.get_by_role("button", name="Open the values").click()
    confirm(asking)
    asking.get_by_role("button", name="Open the values").click()
    expect(asking.get_by_text("The compute side opens the values for this browser")).to_be_visible()
    assert compute(vault.accesses_answer) == 1
    fits(asking)
    asking.get_by_role("button", name="Show them now, once").click()
    expect(asking.get_by_text("female")).to_be_visible()
    expect(asking.get_by_text("west")).to_be_visible()
    fits(asking)

    asking.goto(live_server.url + "/vault/")
    expect(asking.get_by_text("looked at")).to_be_visible()
    with pytest.raises(Error, match="ERR_CACHE_MISS"):
        asking.go_back()
    expect(asking.get_by_text("female")).to_have_count(0)
    assert disclosures.disclosures_announce() == 2
    signing.goto(live_server.url + "/")
    expect(signing.get_by_role("link", name="Attributes of 1 person were shown to Stan Sato")).to_be_visible()
