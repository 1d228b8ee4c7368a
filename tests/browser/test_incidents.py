"""Incidents in a real browser: accessible at both widths and in both schemes, opened and run by keyboard alone."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any

import pytest
from playwright.sync_api import Page, expect

from apps.accounts.models import User
from apps.incidents.models import Complaint, Incident
from apps.incidents.services import complaint_record, incident_open_for_escalation
from apps.pipeline.escalating import evidence_of
from apps.registry.spec import ModelSpec
from apps.responses.selectors import open_findings
from tests.apps.pipeline.world import NOW
from tests.board import members
from tests.browser.conftest import Seat, fits, tab_to
from tests.cast import model

pytestmark = [pytest.mark.browser, pytest.mark.django_db(transaction=True)]

Opened = Callable[..., Page]


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_the_registers_are_accessible_and_fit(
    opened: Opened, hiring: ModelSpec, officer: User, live_server: Any, scheme: str
) -> None:
    # Only groups of a single attribute have a stored history, and so a chart.
    findings = [each for each in open_findings([hiring.id]) if each.group and "*" not in each.attribute][:2]
    done = incident_open_for_escalation(
        model=hiring, findings=findings, cause_key="c", severity="high", evidence=evidence_of(hiring, findings)
    )
    complaint = complaint_record(
        model=hiring,
        actor=officer.actor,
        person=officer,
        source="customer",
        channel="web",
        summary="Never invited.",
        received_at=NOW,
    )
    page = opened("/incidents/", scheme=scheme)
    for path, words in {
        "/incidents/": "Incidents",
        f"/incidents/{done.incident_id}/": "Nobody has looked into this incident yet",
        f"/incidents/{done.incident_id}/edit/": "Describe the incident anew",
        f"/incidents/new/?model={hiring.slug}": "Opened for these findings",
        "/complaints/": "Complaints",
        "/restrictions/": "Restrictions",
        f"/complaints/{complaint.pk}/": "What is complained about",
        f"/models/{hiring.slug}/overrides/": "No override was told yet.",
    }.items():
        page.goto(live_server.url + path)
        expect(page.locator("main").get_by_text(words).first).to_be_visible()
        if path == f"/incidents/{done.incident_id}/":
            expect(page.locator(".canvas .main-svg").first).to_be_visible()
        page.evaluate("document.querySelectorAll('main details').forEach(each => each.open = true)")
        fits(page)


def test_an_officer_acknowledges_a_finding_and_escalates_it_by_keyboard(
    seat: Seat, officer: User, triaged: ModelSpec
) -> None:
    (member, *_) = members(2)
    page = seat(officer, "/")
    tab_to(page, "^Open: (?!Restrict)")
    page.keyboard.press("Enter")
    expect(page.get_by_role("heading", name="Open findings")).to_be_visible()
    tab_to(page, "^Acknowledge: ")
    said = page.evaluate("document.activeElement.textContent").partition(": ")[2]
    page.keyboard.press("Enter")
    expect(page.get_by_text("acknowledged in your name")).to_be_visible()
    fits(page)
    tab_to(page, f"^Open an incident… for: {re.escape(said)}")
    page.keyboard.press("Enter")
    expect(page.get_by_label("In a few words")).to_have_value(re.compile(f"^{re.escape(triaged.name)}: .+ differ by "))
    expect(page.get_by_label("What has happened, to which groups")).to_have_value(said)
    fits(page)
    tab_to(page, "^summary$")
    page.keyboard.press("Control+End")
    page.keyboard.type(" The night shift has no interpreters.")
    tab_to(page, "^Open the incident$")
    page.keyboard.press("Enter")
    expect(page).to_have_url(re.compile(r"/incidents/\d+/$"))
    tab_to(page, "^Start the investigation$")
    page.keyboard.press("Enter")
    expect(page.get_by_text("This incident is being investigated, led by Olivia Okafor").first).to_be_visible()
    fits(page)
    tab_to(page, "^Put it to the board$")
    page.keyboard.press("Enter")
    tab_to(page, "^board-question$")
    page.keyboard.type("May triage go on at night without interpreters?")
    tab_to(page, "^Convene the board$")
    page.keyboard.press("Enter")
    expect(page.get_by_text("The board is convened; its members are told.")).to_be_visible()
    fits(page)
    incident = Incident.objects.get()
    assert (incident.state, incident.lead) == ("investigating", officer)
    assert "no interpreters" in incident.summary
    page.goto(page.url.split("/board/")[0] + f"/models/{triaged.slug}/")
    expect(page.locator(f"#findings a[href='/incidents/{incident.pk}/']").first).to_be_visible()
    told = seat(member, "/")
    told.get_by_role("link", name="Ethics board convened").first.click()
    expect(told.get_by_text("May triage go on at night without interpreters?").first).to_be_visible()


def test_a_double_click_sends_a_form_once_and_shows_what_came_of_it(opened: Opened, officer: User) -> None:
    model()
    page = opened("/complaints/new/?model=claims-triage")
    page.get_by_label("What is complained about").fill("Rated low for no reason that was told.")
    page.get_by_role("button", name="Record it").dblclick()
    expect(page).to_have_url(re.compile(r"/complaints/\d+/$"))
    expect(page.get_by_role("status")).to_have_text(re.compile("Recorded as complaint"))
    assert Complaint.objects.count() == 1
