"""The complaints register and the page of one complaint: what they say, what people do there, and who may."""

from __future__ import annotations

import csv
import io
import re
from datetime import timedelta
from typing import Any

import pytest
from django.test import Client
from django.urls import reverse

from apps.common import clock
from apps.dashboards.complaints.views import VERBS
from apps.dashboards.registers import SHOWN_AT_ONCE
from apps.incidents import selectors
from apps.incidents.models import Complaint, Incident
from tests.apps.incidents.test_complaints import recorded
from tests.cast import Cast, signed_in

pytestmark = pytest.mark.django_db


@pytest.fixture
def cast() -> Cast:
    return Cast.assemble()


def register(who: Any, query: str = "") -> str:
    answer = signed_in(who).get(f"{reverse('complaints')}?{query}")
    assert answer.status_code == 200
    return answer.content.decode()


def page(who: Any, complaint: Complaint) -> str:
    answer = signed_in(who).get(reverse("complaint", args=[complaint.pk]))
    assert answer.status_code == 200
    return answer.content.decode()


def act(browser: Client, complaint: Complaint, verb: str, **parts: Any) -> Any:
    return browser.post(reverse("complaint-act", args=[complaint.pk, verb]), parts)


def numbers(html: str) -> list[int]:
    return [int(number) for number in re.findall(r'<a href="/complaints/(\d+)/">', html)]


def test_compliance_records_one_and_answers_it(cast: Cast) -> None:
    browser = signed_in(cast.compliance)
    address = reverse("complaint-new")
    assert "Which model is it about?" in browser.get(address).content.decode()
    assert "To be answered by" in browser.get(f"{address}?model={cast.owned.slug}").content.decode()
    parts = {"model": cast.owned.slug, "source": "regulator", "channel": "letter", "rule": "rg-271-30"}
    refused = browser.post(address, parts | {"summary": "Call +61 412 345 678"})
    assert refused.status_code == 422
    assert "Call +61 412 345 678" in refused.content.decode()
    answer = browser.post(address, parts | {"summary": "Claims of one region wait longer."})
    complaint = Complaint.objects.get()
    assert answer.url == reverse("complaint", args=[complaint.pk])
    assert "To be answered: due in 29" in page(cast.owner, complaint)
    act(browser, complaint, "examine")
    act(browser, complaint, "answer", outcome="partly_upheld", answer="A queue was sorted wrongly.")
    said = page(cast.auditor, complaint)
    assert "Answered: partly upheld." in said
    assert "A queue was sorted wrongly." in said
    again = act(browser, complaint, "answer", outcome="upheld", answer="Twice.")
    assert again.status_code == 422
    assert "This complaint is answered" in again.content.decode()
    act(browser, complaint, "reopen", reason="New facts.")
    act(browser, complaint, "withdraw", reason="By telephone.")
    assert "Taken back." in page(cast.officer, complaint)


def test_an_officer_opens_an_incident_for_one_or_links_it(cast: Cast) -> None:
    first, second, third = (recorded(cast) for _ in range(3))
    browser = signed_in(cast.officer)
    answer = act(browser, first, "open", title="Claims wait", severity="high")
    assert answer.status_code == 302
    incident = Incident.objects.get()
    assert f"/incidents/{incident.pk}/" in page(cast.officer, first)
    said = browser.get(reverse("incident", args=[incident.pk])).content.decode()
    assert f"/complaints/{first.pk}/" in said
    act(browser, second, "link", incident=incident.pk)
    assert len(selectors.complaints_of_incident(incident.pk)) == 2
    for wrong in ("", "x", "99999", "9" * 40):
        assert act(browser, third, "link", incident=wrong).status_code == 422, wrong
    assert act(browser, first, "open", title="Twice", severity="low").status_code == 422
    assert Incident.objects.count() == 1
    assert act(signed_in(cast.compliance), third, "open", title="x", severity="low").status_code == 403


@pytest.mark.parametrize("part", ["owner", "board", "auditor"])
def test_those_who_only_look_change_nothing(cast: Cast, part: str) -> None:
    complaint = recorded(cast)
    who = getattr(cast, part)
    assert "<textarea" not in page(who, complaint)
    for verb in VERBS:
        parts = {"outcome": "upheld", "answer": "x", "reason": "x", "incident": "1", "title": "x", "severity": "low"}
        assert act(signed_in(who), complaint, verb, **parts).status_code == 403, verb
    assert signed_in(who).get(reverse("complaint-new")).status_code == 403


@pytest.mark.parametrize("part", ["outsider", "steward", "administrator"])
def test_outsiders_get_nowhere(cast: Cast, part: str) -> None:
    complaint = recorded(cast)
    browser = signed_in(getattr(cast, part))
    for address in (reverse("complaints"), reverse("complaint", args=[complaint.pk]), reverse("complaints-csv")):
        assert browser.get(address).status_code == 403
        assert Client().get(address).url.startswith(reverse("login"))
    for verb in VERBS:
        assert act(browser, complaint, verb).status_code == 403
    assert browser.get(reverse("complaint-new")).status_code == 403


def test_the_register_is_filtered_and_searched(cast: Cast) -> None:
    first = recorded(cast, summary="The postcode decided.", source="regulator", attribute="")
    second = recorded(cast, received_at=clock.now() - timedelta(days=28))
    who = cast.officer
    assert numbers(register(who)) == [second.pk, first.pk]
    assert numbers(register(who, "text=postcodes")) == [first.pk]
    assert numbers(register(who, "source=regulator")) == [first.pk]
    assert numbers(register(who, "attribute=region")) == [second.pk]
    assert numbers(register(who, "deadline=week")) == [second.pk]
    assert numbers(register(who, "show=answered")) == []
    assert "No complaint matches." in register(who, "text=nothing")
    assert numbers(register(who, "before=x&text=%00&model=none")) == [second.pk, first.pk]
    assert numbers(register(who, f"before={second.pk}")) == [first.pk]


def test_the_register_is_read_page_by_page(cast: Cast) -> None:
    all_of_them = [recorded(cast).pk for _ in range(SHOWN_AT_ONCE + 2)]
    first = register(cast.officer)
    (following,) = re.findall(r'href="\?([^"]*)" rel="next"', first)
    assert numbers(first) + numbers(register(cast.officer, following.replace("&amp;", "&"))) == all_of_them[::-1]


def test_an_empty_register_says_what_to_do(cast: Cast) -> None:
    assert "Record what customers" in register(cast.compliance)
    assert "Compliance and the responsible AI officers record" in register(cast.auditor)


def test_the_file_runs_no_formula_and_filters_are_kept(cast: Cast) -> None:
    recorded(cast, summary="=1+1", reference="@x")
    answer = signed_in(cast.officer).get(reverse("complaints-csv"))
    (row,) = csv.DictReader(io.StringIO(answer.getvalue().decode()))
    assert (row["summary"], row["reference"]) == ("'=1+1", "'@x")
    browser = signed_in(cast.officer)
    browser.post(reverse("complaint-view-save"), {"name": "Late", "query": "deadline=passed"})
    (view,) = selectors.saved_views(cast.officer.pk, "complaints")
    assert view.query == "deadline=passed"
    assert signed_in(cast.owner).post(reverse("complaint-view-forget", args=[view.pk])).status_code == 404
    assert browser.post(reverse("complaint-view-forget", args=[view.pk])).status_code == 302


def test_what_is_due_waits_in_the_inbox_of_those_who_answer(cast: Cast) -> None:
    recorded(cast, received_at=clock.now() - timedelta(days=29))
    for who, asked in ((cast.officer, True), (cast.compliance, True), (cast.owner, False), (cast.auditor, False)):
        said = signed_in(who).get(reverse("inbox")).content.decode()
        assert ("Answer" in said and ", complaint " in said) is asked, who
