"""The board in the browser's eyes: cases, voting, minutes; and what everybody else sees of it."""

from __future__ import annotations

from datetime import timedelta

import pytest
from django.test import Client
from django.urls import reverse

from apps.accounts.services import person_create
from apps.approvals.selectors import ApprovalView
from apps.board import selectors, services
from apps.board.models import Case, Vote
from apps.common import clock
from apps.dashboards.providers import PROVIDERS
from apps.dashboards.waiting import waiting_count
from apps.incidents.models import Incident
from apps.incidents.selectors import actions_of_case
from tests.apps.approvals.conftest import Effects
from tests.apps.board.conftest import cast as _cast
from tests.apps.board.conftest import effects as _effects
from tests.apps.board.conftest import incident as _incident
from tests.apps.board.conftest import request_ as _request
from tests.board import by_the_board, convened, impartial, opened, vote
from tests.cast import Cast, confirmed, signed_in

pytestmark = pytest.mark.django_db

cast, effects, incident, request_ = _cast, _effects, _incident, _request
PAGES = ("case", "case-minutes", "case-minutes-pdf")
ACTIONS = (
    "case-question",
    "case-paper",
    "case-condition",
    "case-open",
    "case-conflict",
    "case-vote",
)


def page(client: Client, name: str, *args: object, **query: str) -> str:
    answer = client.get(reverse(name, args=args), query)
    assert answer.status_code == 200, answer.status_code
    return answer.content.decode()


def voting(incident: Incident) -> Case:
    """The incident's case with its vote open now."""
    return opened("incident", incident.pk)


def test_the_list_says_yours_of_every_case_that_it_shows(incident: Incident, cast: Cast) -> None:
    case = voting(incident)
    with clock.frozen(case.opened_at):
        assert selectors.votes_waiting_for(cast.board, limit=0) == ()
        assert selectors.cases_waiting_for(cast.board, [case.pk, 10**9]) == {case.pk}
        assert selectors.cases_waiting_for(cast.officer, [case.pk]) == frozenset()
        vote(case, cast.board)
        assert selectors.cases_waiting_for(cast.board, [case.pk]) == frozenset()


def test_a_vote_waits_in_the_inbox_of_members_alone(incident: Incident, cast: Cast) -> None:
    case = voting(incident)
    with clock.frozen(case.opened_at):
        assert reverse("case", args=[case.pk]) in page(signed_in(cast.board), "inbox")
        assert "Board" in page(signed_in(cast.officer), "inbox")
        for other in (cast.officer, cast.compliance, cast.owner, cast.steward):
            assert reverse("case", args=[case.pk]) not in page(signed_in(other), "inbox")
        vote(case, cast.board)
        assert "Vote</strong>" not in page(signed_in(cast.board), "inbox")


def test_a_member_reads_votes_and_is_told_so(incident: Incident, cast: Cast) -> None:
    case = voting(incident)
    with clock.frozen(case.opened_at):
        browser = confirmed(signed_in(cast.board))
        read = page(browser, "case", case.pk)
        assert "0 of 3 members who may vote have voted; the quorum is 2, 2 more must vote." in read
        asked = page(browser, "case-vote", case.pk)
        assert case.digest in asked
        address = reverse("case-vote", args=[case.pk])
        given = {"choice": "for", "reason": "The plan is <b>sound</b>.", "digest": case.digest}
        empty = browser.post(address, {**given, "reason": ""})
        assert "Give your reason" in empty.content.decode()
        stale = browser.post(address, {**given, "digest": "0" * 64}, follow=True)
        assert "not what the board votes on" in stale.content.decode()
        done = browser.post(address, given, follow=True).content.decode()
        assert "Your vote is given" in done
        assert "The plan is &lt;b&gt;sound&lt;/b&gt;." in done
        again = browser.post(address, given, follow=True).content.decode()
        assert "a vote is given once" in again
        assert Vote.objects.count() == 1


def test_before_the_decision_others_see_who_has_voted_and_not_what(incident: Incident, cast: Cast) -> None:
    case = voting(incident)
    first, second, third = impartial(case)
    vote(case, first, "against", "It harms people.")
    with clock.frozen(case.opened_at):
        for who in (second, cast.officer, cast.auditor):
            read = page(signed_in(who), "case", case.pk)
            assert "has voted" in read
            assert "It harms people." not in read
        vote(case, second)
        vote(case, third)
        read = page(signed_in(cast.auditor), "case", case.pk)
    assert "It harms people." in read
    assert "The board says yes: 2 for, 1 against, nobody abstained." in read


def test_voting_asks_who_one_is_first(incident: Incident, cast: Cast) -> None:
    case = voting(incident)
    browser = signed_in(cast.board)
    address = reverse("case-vote", args=[case.pk])
    for answer in (browser.get(address), browser.post(address, {"choice": "for", "digest": case.digest})):
        assert answer.url.startswith(reverse("confirm"))
    with clock.frozen(case.opened_at):
        old = confirmed(signed_in(cast.board), case.opened_at - timedelta(minutes=6))
        assert old.post(address, {"choice": "for"}).url.startswith(reverse("confirm"))
    assert not Vote.objects.exists()


def test_a_case_decided_meanwhile_takes_no_vote(incident: Incident, cast: Cast) -> None:
    case = voting(incident)
    first, second, third = impartial(case)
    with clock.frozen(case.opened_at):
        browser = confirmed(signed_in(first))
        assert "Give my vote" in page(browser, "case-vote", case.pk)
        vote(case, second)
        vote(case, third)
        services.conflict_declare(case_id=case.pk, person=first, reason="I hold shares.")
        given = {"choice": "for", "reason": "So.", "digest": case.digest}
        answer = browser.post(reverse("case-vote", args=[case.pk]), given, follow=True)
    assert "conflict of interest" in answer.content.decode()
    assert Vote.objects.count() == 2


def test_papers_and_conditions_are_gathered_and_the_vote_opened(incident: Incident, cast: Cast) -> None:
    case = convened("incident", incident.pk)
    officer, compliance, member = map(signed_in, (cast.officer, cast.compliance, cast.board))
    paper = {"title": "Root cause", "text": "n_init changed.", "link": "/models/claims-triage/"}
    assert (
        "The paper is before the board"
        in officer.post(reverse("case-paper", args=[case.pk]), paper, follow=True).content.decode()
    )
    bad = officer.post(reverse("case-paper", args=[case.pk]), {**paper, "link": "javascript:x"}, follow=True)
    assert "A link begins with" in bad.content.decode()
    condition = {"title": "Pin the library", "owner": "owner", "hours": "16"}
    address = reverse("case-condition", args=[case.pk])
    for changes, said in (
        ({}, "part of what is voted on"),
        ({"owner": "nobody"}, "Choose who has to do it"),
        ({"owner": "steward"}, "may not see actions"),
        ({"hours": "x"}, "between 1 and 2,000"),
    ):
        assert said in member.post(address, {**condition, **changes}, follow=True).content.decode()
    assert officer.post(address, condition).status_code == 403
    question = {"question": "May it go on?"}
    assert officer.post(reverse("case-question", args=[case.pk]), question).status_code == 403
    compliance.post(reverse("case-question", args=[case.pk]), question)
    read = page(member, "case", case.pk)
    for words in ("May it go on?", "Root cause", "Pin the library", "1 paper and 1 condition so far"):
        assert words in read
    assert "Open the vote now" not in read
    assert "Open the vote now" in page(compliance, "case", case.pk)
    compliance.post(reverse("case-open", args=[case.pk]))
    assert "0 of 3 members" in page(member, "case", case.pk)


def test_a_conflict_is_declared_and_ends_the_members_part(incident: Incident, cast: Cast) -> None:
    case = voting(incident)
    browser = confirmed(signed_in(cast.board))
    browser.post(reverse("case-conflict", args=[case.pk]), {"reason": "My sister built it."})
    read = page(browser, "case", case.pk)
    assert "You have a conflict of interest" in read
    assert reverse("case-vote", args=[case.pk]) not in read
    assert "0 of 2 members" in read


def test_minutes_as_page_and_file(incident: Incident, cast: Cast) -> None:
    case = convened("incident", incident.pk)
    services.paper_add(case_id=case.pk, person=cast.officer, title="Ursache", text="Größe Δ ≥ 0, 東京")
    services.condition_add(case_id=case.pk, person=cast.board, title="Pin it", owner=cast.owner, hours=8)
    services.voting_open(case_id=case.pk, person=cast.compliance)
    browser = signed_in(cast.auditor)
    assert browser.get(reverse("case-minutes", args=[case.pk])).status_code == 404
    first, second, third = impartial(case)
    vote(case, first, "for", "Sound.")
    vote(case, second, "abstain", "I came late.")
    vote(case, third, "for", "Agreed.")
    read = page(browser, "case-minutes", case.pk)
    for words in ("The board says yes: 2 for, 0 against, 1 abstained.", "I came late.", "Pin it", case.digest):
        assert words in read
    answer = browser.get(reverse("case-minutes-pdf", args=[case.pk]))
    assert answer["Content-Type"] == "application/pdf"
    assert answer["Content-Disposition"] == f'attachment; filename="board-case-{case.pk}-minutes.pdf"'
    assert answer.content.startswith(b"%PDF-")
    assert answer.content == browser.get(reverse("case-minutes-pdf", args=[case.pk])).content


def test_a_request_leads_to_its_case_and_offers_no_signature_to_members(
    request_: ApprovalView, cast: Cast, effects: Effects
) -> None:
    case = convened("approval", request_.id)
    read = page(signed_in(cast.board), "approval", request_.id)
    assert reverse("case", args=[case.pk]) in read
    assert "not decided yet" in read
    assert reverse("approval-sign", args=[request_.id]) not in read
    assert reverse("approval", args=[request_.id]) in page(signed_in(cast.board), "case", case.pk)
    by_the_board(request_)
    assert "signed by the board" in page(signed_in(cast.board), "approval", request_.id)


def test_the_board_is_convened_and_its_rules_asked_for_by_hand(cast: Cast, incident: Incident) -> None:
    officer, compliance = signed_in(cast.officer), signed_in(cast.compliance)
    done = officer.post(reverse("case-convene"), {"incident": str(incident.pk)}, follow=True)
    assert "The board is convened" in done.content.decode()
    for number, said in ((str(incident.pk), "is open"), ("0", "There is no incident"), ("x", "Give the number")):
        assert said in officer.post(reverse("case-convene"), {"incident": number}, follow=True).content.decode()
    asked = {"incident": str(incident.pk), "from": "incident"}
    refused = officer.post(reverse("case-convene"), asked, follow=True)
    assert refused.redirect_chain[-1][0] == reverse("incident", args=[incident.pk])
    assert "is open" in refused.content.decode()
    rules = {
        "quorum_share": "60",
        "quorum_least": "2",
        "chair": "board",
        "papers_hours": "8",
        "voting_hours": "24",
        "reason": "A chair.",
    }
    assert officer.post(reverse("board-rules"), rules).status_code == 403
    refused = compliance.post(reverse("board-rules"), {**rules, "quorum_least": "1"}, follow=True)
    assert "whole number from 2" in refused.content.decode()
    asked = compliance.post(reverse("board-rules"), rules, follow=True).content.decode()
    assert "The board votes on it in a case of its own" in asked
    assert "Rules of the ethics board" in asked


@pytest.mark.parametrize("part", ["owner", "steward", "administrator", "outsider"])
def test_the_board_is_closed_to_others(incident: Incident, cast: Cast, part: str) -> None:
    case = voting(incident)
    browser = confirmed(signed_in(getattr(cast, part)))
    assert browser.get(reverse("board")).status_code == 403
    for name in PAGES:
        assert browser.get(reverse(name, args=[case.pk])).status_code == 403, name
    for name in ACTIONS:
        assert browser.post(reverse(name, args=[case.pk]), {"reason": "x"}).status_code == 403, name
    for name in ("case-convene", "board-rules"):
        assert browser.post(reverse(name)).status_code == 403, name
    assert browser.post(reverse("case-condition-drop", args=[case.pk, 1])).status_code == 403


def test_an_auditor_of_some_models_and_a_stranger_see_nothing_of_it(incident: Incident, cast: Cast) -> None:
    case = voting(incident)
    narrow = person_create(username="narrow", actor="system:tests", roles=["auditor"], scope=[cast.owned])
    for name, args in (("board", []), ("case", [case.pk])):
        assert signed_in(narrow).get(reverse(name, args=args)).status_code == 403
        assert Client().get(reverse(name, args=args)).url.startswith(reverse("login"))


def test_readers_only_read(incident: Incident, cast: Cast) -> None:
    case = voting(incident)
    for who in (cast.auditor, cast.officer, cast.compliance):
        browser = confirmed(signed_in(who))
        read = page(browser, "case", case.pk)
        assert "Vote…" not in read
        assert browser.post(reverse("case-vote", args=[case.pk]), {"choice": "for"}).status_code == 403
        assert browser.post(reverse("case-conflict", args=[case.pk]), {"reason": "x"}).status_code == 403
    for name in ACTIONS[:-1]:
        assert signed_in(cast.board).get(reverse(name, args=[case.pk])).status_code == 405


def test_what_is_not_there_is_not_found(cast: Cast) -> None:
    browser = confirmed(signed_in(cast.board))
    for name in (*PAGES, "case-vote"):
        assert browser.get(reverse(name, args=[7])).status_code == 404
    assert browser.post(reverse("case-paper", args=[7]), {"title": "x", "text": "x"}).status_code == 404


def test_a_long_list_is_paged_with_few_queries(cast: Cast, django_assert_max_num_queries) -> None:
    now = clock.now()
    Case.objects.bulk_create(
        Case(
            kind="incident",
            subject_id=number,
            model_id=cast.owned.id,
            title=f"Put to the board {number}",
            question="Go on?",
            rules={},
            convened_by="system:board",
            papers_until=now,
        )
        for number in range(55)
    )
    browser = signed_in(cast.auditor)
    with django_assert_max_num_queries(16):
        first = browser.get(reverse("board")).content.decode()
    assert first.count("Put to the board") == 50
    older = first.split("before=")[1].split('"')[0]
    assert page(browser, "board", before=older).count("Put to the board") == 5
    assert page(browser, "board", before="x", show="all").count("Put to the board") == 50


def test_a_condition_about_a_request_waits_for_its_owner_and_is_met(
    request_: ApprovalView, cast: Cast, effects: Effects
) -> None:
    case = convened("approval", request_.id)
    services.condition_add(case_id=case.pk, person=cast.board, title="Report weekly", owner=cast.owner, hours=40)
    by_the_board(request_)
    (action,) = actions_of_case(case.pk)
    address = reverse("board-condition", args=[action.id])
    owner = signed_in(cast.owner)
    assert page(owner, "inbox").count(address) == 1
    assert waiting_count(cast.owner, PROVIDERS, most=100) == 1
    read = page(owner, "board-condition", action.id)
    assert "Report weekly" in read
    assert reverse("case", args=[case.pk]) not in read
    assert "Say what was done" in owner.post(address, {"end": "done", "outcome": " "}, follow=True).content.decode()
    owner.post(address, {"end": "done", "outcome": "Every Monday, run 71."})
    assert address not in page(owner, "inbox")
    assert "Every Monday, run 71." in page(signed_in(cast.board), "case", case.pk)
    for part, status in (("steward", 404), ("administrator", 404), ("outsider", 403)):
        assert signed_in(getattr(cast, part)).get(address).status_code == status, part
    assert "already" in owner.post(address, {"end": "done", "outcome": "x"}, follow=True).content.decode()
    reader = signed_in(cast.auditor)
    assert "It is done" not in page(reader, "board-condition", action.id)
    assert reader.post(address, {"end": "done", "outcome": "x"}).status_code == 403


def test_an_incidents_page_shows_its_cases_and_puts_it_to_the_board(incident: Incident, cast: Cast) -> None:
    officer, owner = signed_in(cast.officer), signed_in(cast.owner)
    assert "Put it to the board" in page(officer, "incident", incident.pk)
    assert "Put it to the board" not in page(owner, "incident", incident.pk)
    case = voting(incident)
    read = page(officer, "incident", incident.pk)
    assert reverse("case", args=[case.pk]) in read
    assert "voting is open" in read
    assert "Put it to the board" not in read
    assert reverse("case", args=[case.pk]) not in page(owner, "incident", incident.pk)
    for person in impartial(case):
        vote(case, person)
    read = page(owner, "incident", incident.pk)
    assert "decided: yes" in read
    assert "The board says yes" in read
