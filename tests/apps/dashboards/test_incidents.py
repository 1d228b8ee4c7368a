"""The register of incidents and the page of one: what they say, what people do there, and who may."""

from __future__ import annotations

import csv
import hashlib
import io
import re
from datetime import timedelta
from typing import Any

import pytest
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.urls import reverse

from apps.approvals.selectors import approvals
from apps.approvals.services import approval_sign
from apps.common import clock
from apps.dashboards.incidents.doing import VERBS
from apps.dashboards.registers import SHOWN_AT_ONCE
from apps.incidents import selectors, services
from apps.incidents.models import Incident
from apps.incidents.services import Group
from apps.responses.models import Cause
from apps.responses.selectors import open_findings
from apps.thresholds.services import policy_publish
from tests.apps.dashboards.world import CARE
from tests.apps.incidents.test_closing import asked, finish, finished
from tests.apps.incidents.test_opening import escalate, open_by_hand
from tests.apps.incidents.test_running import tomorrow
from tests.cast import Cast, model, signed_in

pytestmark = pytest.mark.django_db


@pytest.fixture
def cast() -> Cast:
    return Cast.assemble()


@pytest.fixture
def incident(cast: Cast) -> Incident:
    return Incident.objects.get(pk=escalate(cast, "APAC").incident_id)


def page(who: Any, incident: Incident) -> str:
    answer = signed_in(who).get(reverse("incident", args=[incident.pk]))
    assert answer.status_code == 200
    return answer.content.decode()


def register(who: Any, query: str = "") -> str:
    answer = signed_in(who).get(f"{reverse('incidents')}?{query}")
    assert answer.status_code == 200
    return answer.content.decode()


def act(browser: Client, incident: Incident, verb: str, seen: int | None = None, **parts: Any) -> Any:
    """Send a form of the incident's page, as read now."""
    incident.refresh_from_db()
    sent = {"seen": incident.revision if seen is None else seen, **parts}
    return browser.post(reverse("incident-act", args=[incident.pk, verb]), sent)


def detail(incident: Incident) -> selectors.IncidentDetail:
    found = selectors.incident_detail(incident.pk)
    assert found is not None
    return found


def numbers(html: str) -> list[int]:
    return [int(number) for number in re.findall(r'<a href="/incidents/(\d+)/">', html)]


def test_people_are_named_as_people_know_them(
    cast: Cast, incident: Incident, django_assert_max_num_queries: Any
) -> None:
    browser = signed_in(cast.officer)
    act(browser, incident, "move", event="investigation_started")
    address = reverse("incident", args=[incident.pk])
    said = browser.get(address).content.decode()
    assert f"<strong>{cast.officer.display_name}</strong> started the investigation" in said
    assert "<strong>officer</strong>" not in said
    with CaptureQueriesContext(connection) as before:
        browser.get(address)
    queries = len(before)
    for number in range(3):
        act(browser, incident, "note", text=f"Note {number}.")
        act(signed_in(cast.owner), incident, "note", text="And another.")
    with django_assert_max_num_queries(queries):
        assert f"<strong>{cast.owner.display_name}</strong> noted" in browser.get(address).content.decode()


def test_an_officer_chooses_findings_for_an_incident_of_their_own(cast: Cast, incident: Incident) -> None:
    escalate(cast, "EMEA", run_id=72)
    Cause.objects.update(incident_id=incident.pk)
    finding = open_findings([cast.owned.id])[-1]
    assert f'name="finding" value="{finding.id}"' in page(cast.officer, incident)
    assert 'name="finding"' not in page(cast.compliance, incident)
    browser = signed_in(cast.officer)
    begun = browser.get(reverse("incident-new"), {"model": cast.owned.slug, "finding": finding.id})
    assert f'belongs to <a href="{reverse("incident", args=[incident.pk])}">' in begun.content.decode()
    sent = {"model": cast.owned.slug, "findings": finding.id, **begun.context["given"]}
    unread = browser.post(reverse("incident-new"), sent)
    assert (unread.status_code, "Send it again" in unread.content.decode()) == (422, True)
    assert Incident.objects.count() == 1
    sent["leaving"] = incident.pk
    opened = browser.post(reverse("incident-new"), sent, follow=True).context["page"]
    assert [each.id for each in opened.findings.first] == [finding.id]
    said = page(cast.officer, incident)
    assert f'taken up in <a href="{reverse("incident", args=[opened.detail.row.id])}">' in said
    assert "took findings up in another incident" in said


def test_the_page_says_how_it_stands_what_was_frozen_and_whom_it_concerns(cast: Cast, incident: Incident) -> None:
    said = page(cast.officer, incident)
    for words in (
        "Nobody has looked into this incident yet. Next: “Notify a material operational risk incident”",
        "less often than people from NA",
        "812",
        "CPS 230",
        "Run 71, 24 h until 4 May 2026, ",
        "as it stood when it was frozen",
        "Start the investigation",
    ):
        assert words in said, words


def test_small_groups_are_said_to_be_small_and_not_counted(cast: Cast, incident: Incident) -> None:
    act(signed_in(cast.officer), incident, "group", group="sex=female", people="7", source="by hand")
    said = page(cast.officer, incident)
    assert "fewer than 10" in said
    assert ">7<" not in said


def test_frozen_evidence_is_handed_out_byte_for_byte(cast: Cast, incident: Incident) -> None:
    browser = signed_in(cast.auditor)
    for each in selectors.evidence_of(incident.pk):
        answer = browser.get(reverse("incident-evidence", args=[incident.pk, each.id]))
        assert hashlib.sha256(answer.content).hexdigest() == each.digest
    chart = next(each for each in selectors.evidence_of(incident.pk) if each.kind == "chart")
    rows = list(
        csv.reader(
            io.StringIO(browser.get(reverse("incident-evidence-csv", args=[incident.pk, chart.id])).content.decode())
        )
    )
    assert rows[1][2:6] == ["0.71", "0.66", "0.75", "breach"]
    other = open_by_hand(cast)
    assert browser.get(reverse("incident-evidence", args=[other.pk, chart.id])).status_code == 404


def test_an_incident_is_run_from_its_page_to_its_closure(cast: Cast, incident: Incident) -> None:
    browser = signed_in(cast.officer)
    act(browser, incident, "move", event="investigation_started")
    act(browser, incident, "note", text="Looks like n_init.")
    act(browser, incident, "action", title="Pin it", owner=cast.owner.pk, due_at="2099-01-01T12:00")
    act(
        browser,
        incident,
        "cost",
        kind="hours",
        description="Team",
        quantity="12",
        unit_amount="95.50",
        currency="aud",
        incurred_on="2026-01-02",
    )
    act(browser, incident, "clock", rule="cps-230-33")
    (clock_row,) = [each for each in detail(incident).clocks if each.key == "cps-230-33"]
    report = f"{clock.now():%Y-%m-%dT%H:%M:%S}"
    act(browser, incident, "clock_report", clock=clock_row.id, reported_at=report, note="APRA, ref 1")
    for each in detail(incident).clocks:
        act(browser, incident, "clock_set_aside", clock=each.id, note="Nobody was harmed.")
    said = page(cast.officer, incident)
    for words in ("Looks like n_init.", "1,146 AUD", "reported", "Pin it", "1 action is open", "Nobody was harmed."):
        assert words in said, words
    (action,) = detail(incident).actions
    act(signed_in(cast.owner), incident, "action_end", action=action.id, end="done", outcome="Release 2.3.2")
    incident.refresh_from_db()
    answer = browser.post(
        reverse("incident-edit", args=[incident.pk]),
        {
            "seen": incident.revision,
            "title": incident.title,
            "summary": incident.summary,
            "severity": "high",
            "lead": cast.officer.pk,
            "causes": ["library_change", "sampling"],
            "explanation": "The default changed.",
        },
    )
    assert answer.status_code == 302
    act(browser, incident, "close", statement="Parity for a week.", lessons="Pin libraries.")
    (request,) = approvals(subject=f"incident:{incident.pk}")
    assert f"/approvals/{request.id}/" in page(cast.compliance, incident)
    approval_sign(approval_id=request.id, person=cast.compliance, digest=request.digest, confirmed_at=clock.now())
    said = page(cast.officer, incident)
    assert "This incident is closed: sampling, library or environment." in said
    act(browser, incident, "reopen", reason="It came back.")
    assert "is being investigated, led by Olivia Okafor" in page(cast.officer, incident)


def test_what_was_refused_is_kept_in_its_form(cast: Cast, incident: Incident) -> None:
    answer = act(
        signed_in(cast.officer),
        incident,
        "cost",
        kind="penalty",
        description="A <long> story",
        quantity="1",
        unit_amount="much",
        currency="AUD",
        incurred_on="2026-01-02",
    )
    said = answer.content.decode()
    assert answer.status_code == 422
    assert "Give an amount, such as 1250.50." in said
    assert 'value="A &lt;long&gt; story"' in said
    assert not detail(incident).costs


@pytest.mark.parametrize(
    ("verb", "parts"),
    [
        ("action", {"title": "x", "owner": "9" * 40, "due_at": "2099-01-01T12:00"}),
        ("action", {"title": "x", "owner": "1", "due_at": "yesterday"}),
        ("clock", {"rule": "aia-73-3", "started_at": "0001-01-01T00:00+14:00", "note": "x"}),
        ("action", {"title": "x\0", "owner": "1", "due_at": "2099-01-01T12:00"}),
        (
            "cost",
            {
                "kind": "penalty",
                "description": "x",
                "quantity": "1",
                "unit_amount": "NaN",
                "currency": "AUD",
                "incurred_on": "2026-01-02",
            },
        ),
        (
            "cost",
            {
                "kind": "penalty",
                "description": "x",
                "quantity": "1e99",
                "unit_amount": "1",
                "currency": "AUD",
                "incurred_on": "2026-01-02",
            },
        ),
        (
            "cost",
            {
                "kind": "penalty",
                "description": "x",
                "quantity": "1",
                "unit_amount": "1",
                "currency": "AUD",
                "incurred_on": "0",
            },
        ),
        ("group", {"group": "sex", "people": "3"}),
        ("group", {"group": "sex=female", "people": "-3", "source": "x"}),
        ("link", {"kind": "case", "target": "1"}),
        ("link", {"kind": "run", "target": "99999"}),
        ("link", {"kind": "version", "target": "9.9"}),
        ("link", {"kind": "incident", "target": "x" * 200}),
        ("freeze", {"runs": "12, x"}),
        ("freeze", {"runs": ""}),
        ("freeze", {"runs": "4242"}),
        ("clock", {"rule": "nothing"}),
        ("clock", {"rule": "aia-73-2", "started_at": "2020-01-01T00:00", "note": ""}),
        ("move", {"event": "closed"}),
        ("note", {"text": " "}),
        ("note", {"text": "a\0b"}),
        ("close", {"statement": "x", "lessons": "y"}),
        ("reopen", {"reason": "x"}),
    ],
)
def test_bad_input_is_refused_with_the_page_and_changes_nothing(
    cast: Cast, incident: Incident, verb: str, parts: dict[str, str]
) -> None:
    before = incident.revision
    answer = act(signed_in(cast.officer), incident, verb, **parts)
    assert answer.status_code == 422, answer.content.decode()[:200]
    assert 'class="message error"' in answer.content.decode()
    incident.refresh_from_db()
    assert incident.revision == before


def test_a_form_that_is_sent_twice_acts_once_and_says_so(cast: Cast, incident: Incident) -> None:
    browser = signed_in(cast.officer)
    line = {
        "kind": "penalty",
        "description": "SLA",
        "quantity": "1",
        "unit_amount": "5",
        "currency": "AUD",
        "incurred_on": "2026-01-02",
    }
    seen = incident.revision
    assert act(browser, incident, "cost", seen=seen, **line).status_code == 302
    again = act(browser, incident, "cost", seen=seen, **line)
    assert again.status_code == 422
    assert "This incident has changed since you opened it." in again.content.decode()
    assert len(detail(incident).costs) == 1


def test_two_who_describe_it_at_once_are_told(cast: Cast, incident: Incident) -> None:
    address, parts = (
        reverse("incident-edit", args=[incident.pk]),
        {"seen": incident.revision, "summary": "S", "severity": "low", "lead": "", "explanation": "", "title": "First"},
    )
    browser = signed_in(cast.officer)
    assert browser.post(address, parts).status_code == 302
    answer = browser.post(address, parts | {"title": "Second"})
    said = answer.content.decode()
    assert answer.status_code == 422
    assert "has changed since you opened it" in said
    assert 'value="Second"' in said
    incident.refresh_from_db()
    assert incident.title == "First"
    assert f'name="seen" value="{incident.revision}"' in said


def test_many_links_are_told_by_kind_and_the_long_lists_are_folded(cast: Cast, incident: Incident) -> None:
    for number in range(5):
        services.incident_link(incident_id=incident.pk, person=cast.officer, kind="run", target=str(800 + number))
    said = page(cast.officer, incident)
    assert "6 runs</h3>" in said
    assert "1 version of the thresholds</h3>" in said
    folded = said.partition("3 more")[2].partition("</details>")[0]
    assert re.findall(r"Run (\d+)</a>", folded) == ["802", "803", "804"]


def test_thresholds_that_are_linked_lead_to_their_own_page(cast: Cast, incident: Incident) -> None:
    published = policy_publish(model_id=cast.owned.id, policy=CARE, assessment_reference="RA-2026-031", actor="token:x")
    assert act(signed_in(cast.officer), incident, "link", kind="threshold", target="1").status_code == 302
    said = page(cast.officer, incident)
    assert f'<a href="{reverse("threshold-version", args=[published.id])}">Threshold 1</a>' in said
    assert "Threshold policy version 1, assessment RA-2026-031" in said


def test_an_officer_opens_one_by_hand_with_the_findings_it_is_about(cast: Cast, incident: Incident) -> None:
    browser = signed_in(cast.officer)
    address = reverse("incident-new")
    assert "Which model is it about?" in browser.get(address).content.decode()
    asked_for = browser.get(f"{address}?model={cast.owned.slug}").content.decode()
    assert "less often than people from NA" in asked_for
    (finding,) = re.findall(r'name="findings" value="(\d+)"', asked_for)
    parts = {"model": cast.owned.slug, "title": "T", "summary": "S", "severity": "high", "findings": finding}
    kept = browser.post(address, parts | {"aware_at": "2099-01-01T00:00"})
    assert kept.status_code == 422
    assert "Nobody can have become aware of it in the future." in kept.content.decode()
    answer = browser.post(address, parts)
    opened = Incident.objects.latest("id")
    assert answer.url == reverse("incident", args=[opened.pk])
    assert opened.lead == cast.officer
    assert [each.kind for each in detail(opened).links] == ["finding"]
    assert [each.group for each in detail(opened).affected] == ["APAC"]
    assert browser.get(f"{address}?model=nothing").status_code == 404
    assert browser.post(address, parts | {"model": ""}).status_code == 404


def test_owners_plan_and_finish_but_do_not_run_it(cast: Cast, incident: Incident) -> None:
    said = page(cast.owner, incident)
    assert "Add an action" in said
    assert "Your note" in said
    for hidden in ("Book a cost", "Start the investigation", "Ask for closure", "Freeze further runs", ">Edit<"):
        assert hidden not in said
    browser = signed_in(cast.owner)
    assert (
        act(browser, incident, "action", title="x", owner=cast.owner.pk, due_at="2099-01-01T12:00").status_code == 302
    )
    for verb in ("move", "cost", "group", "close"):
        parts = {
            "event": "investigation_started",
            "kind": "penalty",
            "description": "x",
            "quantity": "1",
            "unit_amount": "1",
        }
        parts |= {"currency": "AUD", "incurred_on": "2026-01-02", "group": "sex=male", "statement": "x", "lessons": "y"}
        assert act(browser, incident, verb, **parts).status_code == 403, verb


@pytest.mark.parametrize("part", ["compliance", "board", "auditor"])
def test_those_who_only_look_change_nothing(cast: Cast, incident: Incident, part: str) -> None:
    who = getattr(cast, part)
    said = page(who, incident)
    assert "<textarea" not in said
    assert act(signed_in(who), incident, "note", text="x").status_code == 403
    assert signed_in(who).get(reverse("incident-edit", args=[incident.pk])).status_code == 403
    assert signed_in(who).get(reverse("incident-new")).status_code == 403


def addresses(incident: Incident) -> list[str]:
    number, (first, *_) = incident.pk, selectors.evidence_of(incident.pk)
    return [
        reverse("incident", args=[number]),
        reverse("incident-evidence", args=[number, first.id]),
        reverse("incident-evidence-csv", args=[number, first.id]),
    ]


def test_outsiders_and_other_owners_get_nowhere(cast: Cast, incident: Incident) -> None:
    other = model("other", owner="somebody")
    from apps.accounts.services import ownership_grant
    from apps.registry.models import MonitoredModel

    ownership_grant(person=cast.outsider, model=MonitoredModel.objects.get(pk=other.id), actor="system:tests")
    for who, code in ((cast.outsider, 404), (cast.steward, 403), (cast.administrator, 403)):
        browser = signed_in(who)
        for address in addresses(incident):
            assert browser.get(address).status_code == code, (who, address)
        for verb in VERBS:
            assert act(browser, incident, verb).status_code == code, (who, verb)
        assert browser.get(reverse("incident-edit", args=[incident.pk])).status_code in (403, 404)
    assert numbers(register(cast.outsider)) == []
    assert numbers(register(cast.owner)) == [incident.pk]
    for address in (*addresses(incident), reverse("incidents"), reverse("incident-new")):
        assert Client().get(address).url.startswith(reverse("login"))


def test_the_register_is_filtered_searched_and_ordered(cast: Cast, incident: Incident) -> None:
    late = open_by_hand(cast, title="Postcodes stand in for origin", severity="low", causes=["proxy"])
    closed = finished(cast, title="Scores drifted", severity="critical")
    view = asked(cast, closed)
    approval_sign(approval_id=view.id, person=cast.compliance, digest=view.digest, confirmed_at=clock.now())
    who = cast.officer
    assert numbers(register(who)) == [late.pk, incident.pk]
    assert numbers(register(who, "show=all")) == [closed.pk, late.pk, incident.pk]
    assert numbers(register(who, "show=closed")) == [closed.pk]
    assert numbers(register(who, "text=postcode")) == [late.pk]
    assert numbers(register(who, f"text=%23{late.pk}")) == [late.pk]
    assert numbers(register(who, "cause=proxy")) == [late.pk]
    assert numbers(register(who, "severity=critical")) == [incident.pk]
    assert numbers(register(who, "origin=person")) == [late.pk]
    assert numbers(register(who, "mine=1")) == [late.pk]
    assert numbers(register(who, "order=severest")) == [incident.pk, late.pk]
    assert numbers(register(who, "deadline=passed")) == []
    with clock.frozen(clock.now() + timedelta(days=4)):
        assert numbers(register(who, "deadline=passed")) == [late.pk, incident.pk]
        assert "overdue by" in register(who)
    assert "No incident matches." in register(who, "text=nothing+of+the+kind")


@pytest.mark.parametrize(
    "query",
    ["text=%00", "text=%22", "text=-", "text=((!%26|", "after=9-1", "after=1-" + "9" * 40, "since=2026-99-99",
     "show=x", "model=x", "deadline=x", "order=x", "severity=x", "cause=x", "text=" + "9" * 300],
)  # fmt: skip
def test_an_address_that_makes_no_sense_narrows_nothing_or_finds_nothing(
    cast: Cast, incident: Incident, query: str
) -> None:
    assert set(numbers(register(cast.officer, query))) <= {incident.pk}


def test_the_register_is_read_page_by_page(cast: Cast) -> None:
    opened = [open_by_hand(cast, title=f"Number {n}").pk for n in range(SHOWN_AT_ONCE + 3)]
    first = register(cast.officer)
    (following,) = re.findall(r'href="\?([^"]*)" rel="next"', first)
    second = register(cast.officer, following.replace("&amp;", "&"))
    assert numbers(first) + numbers(second) == opened[::-1]
    assert 'rel="next"' not in second


def test_an_empty_register_says_how_incidents_come_about(cast: Cast) -> None:
    assert "No incident was opened yet." in register(cast.officer)


def test_the_file_has_the_same_incidents_and_runs_no_formula(
    cast: Cast, incident: Incident, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("apps.dashboards.incidents.listing.EXPORTED_AT_ONCE", 2)
    titles = ['=HYPERLINK("http://evil")', "+1", "-1", "@SUM(A1)", "\tx", 'He said "no"']
    for title in titles:
        open_by_hand(cast, title=title, severity="low")
    answer = signed_in(cast.officer).get(f"{reverse('incidents-csv')}?severity=low")
    rows = list(csv.DictReader(io.StringIO(answer.getvalue().decode())))
    assert [row["title"] for row in rows] == [
        'He said "no"', "x", "'@SUM(A1)", "'-1", "'+1", "'=HYPERLINK(\"http://evil\")",
    ]  # fmt: skip
    assert rows[0]["next deadline"]


def test_a_filter_is_kept_under_a_name_by_its_owner_alone(cast: Cast, incident: Incident) -> None:
    browser = signed_in(cast.officer)
    answer = browser.post(reverse("incident-view-save"), {"name": "Mine", "query": "severity=critical&evil=%0d%0ax"})
    assert answer.url == f"{reverse('incidents')}?severity=critical"
    assert ">Mine</a>" in register(cast.officer)
    assert ">Mine</a>" not in register(cast.owner)
    (view,) = selectors.saved_views(cast.officer.pk, "incidents")
    forget = reverse("incident-view-forget", args=[view.pk])
    assert signed_in(cast.owner).post(forget).status_code == 404
    browser.post(forget)
    assert ">Mine</a>" not in register(cast.officer)


def test_an_alert_of_an_incident_leads_to_it(cast: Cast, incident: Incident) -> None:
    browser = signed_in(cast.officer)
    assert reverse("incident", args=[incident.pk]) in browser.get(reverse("inbox")).content.decode()


def test_the_inbox_asks_for_what_is_due_of_those_who_answer_for_it(cast: Cast, incident: Incident) -> None:
    services.action_add(
        incident_id=incident.pk, person=cast.officer, title="Pin it", owner=cast.owner, due_at=tomorrow()
    )
    officer, owner = (signed_in(who).get(reverse("inbox")).content.decode() for who in (cast.officer, cast.owner))
    assert f"incident {incident.pk}: a regulatory clock" in officer
    assert "a regulatory clock" not in owner
    assert "Pin it" in owner
    assert "Pin it" not in officer
    with clock.frozen(clock.now() + timedelta(days=30)):
        assert "overdue" in signed_in(cast.owner).get(reverse("inbox")).content.decode()
    for each in detail(incident).clocks:
        services.clock_set_aside(clock_id=each.id, person=cast.officer, note="Nobody was harmed.")
    services.action_end(action_id=detail(incident).actions[0].id, person=cast.owner, done=True, outcome="Done.")
    for who in (cast.officer, cast.owner):
        said = signed_in(who).get(reverse("inbox")).content.decode()
        assert "a regulatory clock" not in said
        assert "Pin it" not in said


def test_the_page_takes_the_same_number_of_queries_however_much_there_is(
    cast: Cast, incident: Incident, django_assert_max_num_queries: Any
) -> None:
    shared = {"incident_id": incident.pk, "person": cast.officer}
    for number in range(40):
        services.action_add(**shared, title=f"Do {number}", owner=cast.owner, due_at=tomorrow())
        services.incident_note(**shared, text=f"Seen {number}")
        services.incident_link(**shared, kind="run", target=str(number))
    services.incident_group_set(**shared, model=cast.owned, group=Group("sex", "male", 40, "counted"))
    browser = signed_in(cast.officer)
    with django_assert_max_num_queries(40):
        browser.get(reverse("incident", args=[incident.pk]))
    with django_assert_max_num_queries(25):
        browser.get(reverse("incidents"))


def test_evidence_that_was_tampered_with_is_not_shown(cast: Cast, incident: Incident, monkeypatch: Any) -> None:
    def broken(ids: object) -> dict[int, bytes]:
        raise ValueError("Evidence 1 does not match its digest.")

    monkeypatch.setattr("apps.dashboards.incidents.evidence.evidence_documents", broken)
    said = page(cast.officer, incident)
    assert "does not match its digest." in said
    assert "data-figure" not in said


def test_what_hinders_closure_is_said_before_anybody_asks(cast: Cast, incident: Incident) -> None:
    assert "no root cause is named" in page(cast.officer, incident)
    finish(cast, incident)
    assert "Ask for closure" in page(cast.officer, incident)
