"""A steward's two journeys in a real browser: a file into the vault, and one look at one person's values."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Error, Page, expect

from apps.pipeline import disclosures
from apps.pipeline import services as pipeline
from apps.vault import services as vault
from tests.apps.dashboards.world import clinic
from tests.browser.conftest import Seat, confirm, fits
from tests.cast import person
from tests.sides import side

pytestmark = [pytest.mark.browser, pytest.mark.django_db(transaction=True)]


def uploaded(page: Page, folder: Path) -> None:
    file = folder / "people.csv"
    file.write_text("subject_id,language,age_band\nana,other,65 and over\nben,english,\n")
    page.get_by_label("Form of the file").select_option("csv")
    page.get_by_role("button", name="New upload").click()
    expect(page.get_by_role("heading", level=1)).to_have_text("Upload, CSV")
    fits(page)
    page.get_by_label(re.compile("A CSV file in UTF-8")).set_input_files(file)
    page.get_by_role("button", name="Upload", exact=True).click()


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_a_file_goes_into_the_vault(scheme: str, seat: Seat, live_server: Any, tmp_path: Path) -> None:
    clinic()
    page = seat(person("steward"), "/vault/", scheme=scheme)
    fits(page)
    uploaded(page, tmp_path)
    expect(page.get_by_text("waits for the compute side")).to_be_visible()
    with side("compute"):
        assert pipeline.open_uploads() == 1
    # The page asks by itself.
    expect(page.get_by_text("2 stored, 0 of them in the place of earlier ones.")).to_be_visible()
    fits(page)
    page.goto(live_server.url + "/vault/erasures/")
    expect(page.get_by_role("button", name="Erase")).to_be_visible()
    fits(page)
    page.goto(live_server.url + "/vault/")
    expect(page.get_by_text("The vault holds protected attributes of 2 people")).to_be_visible()
    fits(page)


def test_a_steward_asks_compliance_signs_and_the_steward_looks_once(seat: Seat, live_server: Any) -> None:
    clinic()
    steward, compliance = person("steward"), person("compliance")
    vault.attributes_upload(actor="token:tests", subjects=[("ana", {"language": "other", "age_band": "65 and over"})])
    with side("compute"):
        pipeline.open_uploads()

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
    with side("compute"):
        assert vault.accesses_answer() == 1
    fits(asking)
    asking.get_by_role("button", name="Show them now, once").click()
    expect(asking.get_by_role("cell", name="other")).to_be_visible()
    expect(asking.get_by_text("65 and over")).to_be_visible()
    fits(asking)

    asking.goto(live_server.url + "/vault/")
    expect(asking.get_by_text("looked at")).to_be_visible()
    with pytest.raises(Error, match="ERR_CACHE_MISS"):
        asking.go_back()
    expect(asking.get_by_text("65 and over")).to_have_count(0)
    assert disclosures.disclosures_announce() == 2
    signing.goto(live_server.url + "/")
    expect(signing.get_by_role("link", name="Attributes of 1 person were shown to Stan Sato")).to_be_visible()
