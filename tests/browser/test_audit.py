"""An auditor's journey: from the state of the log to the proof of an entry, and to an export checked elsewhere."""

from __future__ import annotations

import re
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Page, expect

from apps.audit.verification import verification_continue
from apps.common import clock
from apps.responses.selectors import open_findings
from apps.responses.services import finding_acknowledge
from biasgov.cli import main
from tests.apps.audit.log import sealed, written
from tests.apps.dashboards.world import triage
from tests.browser.conftest import Seat, fits
from tests.cast import Cast

pytestmark = [pytest.mark.browser, pytest.mark.django_db(transaction=True)]


@pytest.fixture
def cast(live_server: Any, settings: Any, tmp_path: Path) -> Cast:
    settings.AUDIT_TREE_HEADS = tmp_path / "audit" / "tree-heads.jsonl"
    return Cast.assemble()


@pytest.fixture
def log(cast: Cast) -> Cast:
    """A signed log in which Olivia acknowledged a finding."""
    written(60, actor="system:compute", action="run.stored", subject="model:claims-triage")
    written(actor="user:officer", action="finding.acknowledged", subject="finding:7", model="claims-triage")
    return signed(cast)


def signed(cast: Cast) -> Cast:
    """Order and sign what stands in the log, a minute ago: the next head may be signed now."""
    with clock.frozen(clock.now() - timedelta(minutes=1)):
        assert sealed()
    return cast


def saved(page: Page, name: str, role: str, folder: Path) -> Path:
    with page.expect_download() as taken:
        page.get_by_role(role, name=name, exact=True).click()
    path = folder / taken.value.suggested_filename
    taken.value.save_as(path)
    return path


def test_an_auditor_finds_an_entry_and_checks_the_log_on_their_own_machine(
    cast: Cast, seat: Seat, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    spec = triage(at=clock.now())
    finding = open_findings([spec.id])[0]
    finding_acknowledge(finding_id=finding.id, person=cast.officer)
    signed(cast)
    page = seat(cast.auditor, "/audit/")
    page.get_by_role("button", name="Check the whole log now").click()
    expect(page.get_by_text("A check runs")).to_be_visible()
    while verification_continue(seconds=60):
        pass
    expect(page.get_by_text("Nothing in the log was changed since it was signed.")).to_be_visible(timeout=15_000)

    page.get_by_label("Who", exact=True).fill("officer")
    page.get_by_label("What", exact=True).select_option(label="findings")
    page.get_by_role("button", name="Show", exact=True).press("Enter")
    expect(page).to_have_url(re.compile(r"who=officer&kind=finding\."))
    expect(page.locator("#entries tbody tr")).to_have_count(1)
    expect(page.locator("#entries")).to_contain_text(f"Olivia Okafor acknowledged finding {finding.id}.")
    part = saved(page, "Export these entries with their proofs", "button", tmp_path)

    page.get_by_role("link", name=re.compile("^no\\.")).click()
    expect(page.get_by_role("heading", level=1)).to_have_text(f"Olivia Okafor acknowledged finding {finding.id}.")
    expect(page.get_by_text("proved", exact=True)).to_be_visible()
    one = saved(page, "Take it away with its proof", "button", tmp_path)

    page.get_by_role("navigation", name="Breadcrumb").get_by_role("link", name="Audit log").click()
    whole = saved(page, "Export the whole log", "button", tmp_path)
    page.get_by_text("For checking it yourself").click()
    key, heads = (saved(page, name, "link", tmp_path) for name in ("Public key", "Signed tree heads"))
    for path in (part, one, whole):
        assert main(["verify-audit", str(path), "--key", str(key), "--heads", str(heads)]) == 0
    whole.write_bytes(whole.read_bytes().replace(b"user:officer", b"user:auditor", 1))
    capsys.readouterr()
    assert main(["verify-audit", str(whole), "--key", str(key)]) == 1
    assert "is not what was logged" in capsys.readouterr().out


def test_the_log_is_filtered_and_exported_without_scripts(log: Cast, seat: Seat, tmp_path: Path) -> None:
    page = seat(log.auditor, "/audit/", java_script_enabled=False)
    page.get_by_label("To what").fill("finding:7")
    page.get_by_role("button", name="Show", exact=True).click()
    expect(page.locator("#entries tbody tr")).to_have_count(1)
    assert saved(page, "Export these entries with their proofs", "button", tmp_path).stat().st_size


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_the_logs_pages_are_accessible_and_fit(log: Cast, seat: Seat, live_server: Any, scheme: str) -> None:
    page = seat(log.auditor, "/audit/", scheme=scheme)
    for address in ("/audit/", "/audit/?who=nobody&text=xy", "/audit/?who=officer&kind=finding."):
        page.goto(live_server.url + address)
        fits(page)
    page.get_by_role("link", name=re.compile("^no\\.")).first.click()
    page.get_by_text("The proof", exact=True).click()
    fits(page)
