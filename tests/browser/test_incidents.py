"""Incidents in a real browser: accessible at both widths and in both schemes, opened and run by keyboard alone."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any

import pytest
from playwright.sync_api import Page, expect

from apps.accounts.models import User
from apps.incidents.models import Incident
from apps.incidents.services import complaint_record, incident_open_for_escalation
from apps.pipeline.escalating import evidence_of
from apps.registry.spec import ModelSpec
from apps.responses.selectors import open_findings
from tests.apps.pipeline.world import NOW
from tests.browser.conftest import overflow, violations
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
        f"/complaints/{complaint.pk}/": "What is complained about",
        f"/models/{hiring.slug}/overrides/": "No override was told yet.",
    }.items():
        page.goto(live_server.url + path)
        expect(page.locator("main").get_by_text(words).first).to_be_visible()
        if path == f"/incidents/{done.incident_id}/":
            expect(page.locator(".canvas .main-svg").first).to_be_visible()
        page.evaluate("document.querySelectorAll('main details').forEach(each => each.open = true)")
        for width in (1280, 390):
            page.set_viewport_size({"width": width, "height": 900})
            page.wait_for_timeout(200)
            assert violations(page) == [], (path, width)
            assert overflow(page) <= 0, (path, width)


def test_an_incident_is_opened_and_investigated_by_keyboard(opened: Opened, officer: User) -> None:
    model()
    page = opened("/incidents/new/?model=claims-triage")
    page.get_by_label("In a few words").focus()
    page.keyboard.type("Claims of one region wait longer")
    page.keyboard.press("Tab")
    page.keyboard.type("Seen in the weekly figures.")
    _tab_to(page, "Open the incident")
    page.keyboard.press("Enter")
    expect(page).to_have_url(re.compile(r"/incidents/\d+/$"))
    _tab_to(page, "Start the investigation")
    page.keyboard.press("Enter")
    expect(page.get_by_text("This incident is being investigated, led by Olivia Okafor").first).to_be_visible()
    assert Incident.objects.get().state == "investigating"


def _tab_to(page: Page, name: str) -> None:
    """Go on by the Tab key until the button of that name has the focus."""
    button = page.get_by_role("button", name=name)
    for _ in range(60):
        if button.evaluate("each => each === document.activeElement"):
            return
        page.keyboard.press("Tab")
    raise AssertionError(f"{name!r} cannot be reached by keyboard")
