"""Requests in the browser's eyes: read by those concerned, signed as read, hidden from everybody else."""

from __future__ import annotations

from datetime import timedelta

import pytest
from django.test import Client
from django.urls import reverse

from apps.accounts.roles import COMPLIANCE
from apps.accounts.services import person_deactivate, role_revoke
from apps.approvals import selectors
from apps.approvals.services import approval_change, approval_submit
from apps.common import clock
from tests.apps.approvals.conftest import Effects
from tests.apps.approvals.test_signing import asked, drafted, sign
from tests.cast import Cast, confirmed, signed_in

pytestmark = pytest.mark.django_db

ACTIONS = ("approval-sign", "approval-reject", "approval-submit", "approval-withdraw", "approval-remark")


def page(client: Client, name: str, *args: object) -> str:
    answer = client.get(reverse(name, args=args))
    assert answer.status_code == 200, answer.status_code
    return answer.content.decode()


def test_a_request_waits_in_the_inbox_of_its_signer_alone(cast: Cast, effects: Effects) -> None:
    view = asked(cast)
    assert "Relax the bound" in page(signed_in(cast.compliance), "inbox")
    assert "1 thing waits" in page(signed_in(cast.compliance), "inbox")
    for other in (cast.owner, cast.officer, cast.steward):
        assert "Relax the bound" not in page(signed_in(other), "inbox")
    assert "you may sign" in page(signed_in(cast.compliance), "approval", view.id)
    assert "asked for it, therefore cannot sign" in page(signed_in(cast.owner), "approval", view.id)


def test_what_is_signed_is_what_was_read(cast: Cast, effects: Effects) -> None:
    view = asked(cast)
    browser = confirmed(signed_in(cast.compliance))
    assert view.digest in page(browser, "approval-sign", view.id)
    answer = browser.post(reverse("approval-sign", args=[view.id]), {"digest": "0" * 64}, follow=True)
    assert "changed since you read it" in answer.content.decode()
    assert selectors.approval(view.id).state == "submitted"
    answer = browser.post(reverse("approval-sign", args=[view.id]), {"digest": view.digest}, follow=True)
    assert "Signed in your name" in answer.content.decode()
    assert selectors.approval(view.id).state == "effective"
    again = browser.post(reverse("approval-sign", args=[view.id]), {"digest": view.digest}, follow=True)
    assert "only a submitted one can be signed" in again.content.decode()
    assert len(effects) == 1


def test_signing_asks_who_one_is_first(cast: Cast, effects: Effects) -> None:
    view = asked(cast)
    browser = signed_in(cast.compliance)
    address = reverse("approval-sign", args=[view.id])
    assert browser.get(address).url.startswith(reverse("confirm"))
    assert browser.post(address, {"digest": view.digest}).url.startswith(reverse("confirm"))
    assert selectors.approval(view.id).state == "submitted"


@pytest.mark.parametrize("what", ["the role", "the person", "the time", "the confirmation"])
def test_what_is_lost_between_page_and_signature_is_missing_from_it(cast: Cast, effects: Effects, what: str) -> None:
    """The page is open and read; then the role is taken, the person leaves, or too much time passes."""
    view = asked(cast)
    browser = confirmed(signed_in(cast.compliance))
    assert view.digest in page(browser, "approval-sign", view.id)
    moment = clock.now()
    if what == "the role":
        role_revoke(person=cast.compliance, role=COMPLIANCE, actor="system:tests")
    elif what == "the person":
        person_deactivate(person=cast.compliance, actor="system:tests")
    else:
        moment += timedelta(days=7, seconds=1) if what == "the time" else timedelta(minutes=5, seconds=1)
    with clock.frozen(moment):
        if what == "the time":
            browser = confirmed(signed_in(cast.compliance), moment)
        answer = browser.post(reverse("approval-sign", args=[view.id]), {"digest": view.digest})
    assert answer.status_code in (302, 403)
    assert effects == []
    found = selectors.approval(view.id)
    assert (found.state, found.signatures) == ("submitted", ())


def test_what_happened_names_people_and_says_where_signatures_were_lost(cast: Cast, effects: Effects) -> None:
    view = drafted(cast)
    text = {"approval_id": view.id, "person": cast.owner, "title": "Relax it", "reason": "So."}
    approval_change(content={"bound": 0.04, "far": True}, **text)
    approval_submit(approval_id=view.id, person=cast.owner)
    said = page(signed_in(cast.compliance), "approval", view.id)
    assert "<strong>Mona Meyer</strong> changed</div>" in said
    assert "earlier signatures count no more" not in said
    sign(selectors.approval(view.id), cast.compliance)
    approval_change(content={"bound": 0.05, "far": True}, **text)
    said = page(signed_in(cast.compliance), "approval", view.id)
    assert said.count("<strong>Mona Meyer</strong> changed: earlier signatures count no more</div>") == 1


def test_a_requester_finds_no_way_to_sign(cast: Cast, effects: Effects) -> None:
    view = asked(cast)
    browser = confirmed(signed_in(cast.owner))
    assert reverse("approval-sign", args=[view.id]) not in page(browser, "approval", view.id)
    answer = browser.post(reverse("approval-sign", args=[view.id]), {"digest": view.digest}, follow=True)
    assert "Nobody decides on their own request" in answer.content.decode()
    answer = browser.post(reverse("approval-reject", args=[view.id]), {"reason": "x"}, follow=True)
    assert "Nobody decides on their own request" in answer.content.decode()
    assert selectors.approval(view.id).state == "submitted"


def test_a_rejection_is_read_by_the_requester(cast: Cast, effects: Effects) -> None:
    view = asked(cast)
    browser = signed_in(cast.compliance)
    empty = browser.post(reverse("approval-reject", args=[view.id]), {"reason": ""}, follow=True)
    assert "Say why" in empty.content.decode()
    browser.post(reverse("approval-reject", args=[view.id]), {"reason": "No <b>evidence</b>."})
    read = page(signed_in(cast.owner), "approval", view.id)
    assert "No &lt;b&gt;evidence&lt;/b&gt;." in read
    assert "rejected" in read


def test_a_draft_is_submitted_and_taken_back_by_its_author(cast: Cast, effects: Effects) -> None:
    view = drafted(cast)
    browser = signed_in(cast.owner)
    assert "Submit for signature" in page(browser, "approval", view.id)
    browser.post(reverse("approval-submit", args=[view.id]))
    assert selectors.approval(view.id).state == "submitted"
    browser.post(reverse("approval-withdraw", args=[view.id]))
    assert selectors.approval(view.id).state == "withdrawn"
    listed = browser.get(reverse("approvals"), {"show": "all"}).content.decode()
    assert "withdrawn" in listed
    assert "Relax the bound" not in page(browser, "approvals")


def test_for_everybody_else_it_does_not_exist(cast: Cast, effects: Effects) -> None:
    view = asked(cast)
    for who in (cast.steward, cast.administrator):
        browser = confirmed(signed_in(who))
        assert browser.get(reverse("approval", args=[view.id])).status_code == 404
        for name in ACTIONS:
            given = {"digest": view.digest, "reason": "x", "text": "x"}
            assert browser.post(reverse(name, args=[view.id]), given).status_code == 404, name
        assert "Relax the bound" not in browser.get(reverse("approvals"), {"show": "all"}).content.decode()
    outsider = confirmed(signed_in(cast.outsider))
    for name in ("approval", *ACTIONS):
        assert outsider.post(reverse(name, args=[view.id])).status_code in (403, 405), name
    assert Client().get(reverse("approval", args=[view.id])).url.startswith(reverse("login"))
    assert selectors.approval(view.id).state == "submitted"


def test_what_changes_something_needs_post(cast: Cast, effects: Effects) -> None:
    view = asked(cast)
    for name in ACTIONS[1:]:
        assert signed_in(cast.compliance).get(reverse(name, args=[view.id])).status_code == 405


def test_a_long_list_is_paged(cast: Cast, effects: Effects, django_assert_max_num_queries) -> None:
    for _ in range(55):
        drafted(cast)
    browser = signed_in(cast.auditor)
    with django_assert_max_num_queries(16):
        first = browser.get(reverse("approvals"))
    assert first.content.decode().count("Relax the bound") == 50
    older = first.content.decode().split("before=")[1].split('"')[0]
    assert browser.get(reverse("approvals"), {"before": older}).content.decode().count("Relax the bound") == 5
    assert browser.get(reverse("approvals"), {"before": "x"}).status_code == 200
