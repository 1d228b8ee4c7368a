"""The pages about messages: one's own, and what became of those that left the house."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest
from django.urls import reverse

from apps.audit.selectors import entries
from apps.common import clock
from apps.responses import selectors
from apps.responses.announcements import announce
from apps.responses.models import Notification, OutboxMessage
from tests.cast import Cast, signed_in

pytestmark = pytest.mark.django_db


@pytest.fixture
def cast() -> Cast:
    return Cast.assemble()


def tell(cast: Cast, count: int = 1) -> None:
    for number in range(count):
        announce(
            model=cast.owned,
            key=f"key-{number}",
            title=f"Message number {number}.",
            body="Something <b>happened</b>.",
            severity="high",
            path="/models/claims-triage/",
            detected_at=clock.now(),
        )


@pytest.fixture
def dead(cast: Cast, settings: Any) -> OutboxMessage:
    settings.NOTIFICATION_URLS = ["json://127.0.0.1:9/hook?token=s3cret"]
    tell(cast)
    OutboxMessage.objects.update(state="dead", attempts=36, last_error="The receiver did not take the message.")
    return OutboxMessage.objects.get()


def shown(who: Any, name: str, query: str = "") -> str:
    answer = signed_in(who).get(reverse(name) + query)
    assert answer.status_code == 200
    return answer.content.decode()


def test_a_person_sees_their_own_messages_and_no_others(cast: Cast) -> None:
    tell(cast)
    page = shown(cast.officer, "notifications")
    assert "Message number 0." in page
    assert "<b>happened" not in page
    assert "Message number 0." not in shown(cast.compliance, "notifications")


def test_many_messages_are_paged_and_all_are_reached(cast: Cast, django_assert_max_num_queries: Any) -> None:
    tell(cast, 120)
    with django_assert_max_num_queries(40):
        first = shown(cast.officer, "notifications")
    assert first.count("Message number") == 50
    seen, query = 0, ""
    for _ in range(4):
        page = shown(cast.officer, "notifications", query)
        seen += page.count("Message number")
        if "?before=" not in page:
            break
        query = "?before=" + page.partition("?before=")[2].partition('"')[0]
    assert seen == 120


@pytest.mark.parametrize("before", ["x", "-1", "9" * 40, "\u0661"])
def test_a_page_that_there_is_not_is_the_first(cast: Cast, before: str) -> None:
    tell(cast)
    assert "Message number 0." in shown(cast.officer, "notifications", f"?before={before}")


def test_all_own_messages_are_marked_as_read(cast: Cast) -> None:
    tell(cast, 3)
    assert signed_in(cast.officer).post(reverse("notifications-read")).status_code == 302
    assert (selectors.unread_count(cast.officer), selectors.unread_count(cast.owner)) == (0, 3)
    assert Notification.objects.filter(person=cast.officer).exclude(read_at=None).count() == 3


def test_the_preference_is_kept_and_shown(cast: Cast) -> None:
    address = reverse("mail-preference")
    signed_in(cast.officer).post(address, {"mail": "daily", "at_least": "high"})
    assert selectors.preference_of(cast.officer) == selectors.Preference("daily", "high")
    assert '<option value="daily" selected>' in shown(cast.officer, "notifications")
    signed_in(cast.officer).post(address, {"mail": "hourly", "at_least": "high"})
    assert selectors.preference_of(cast.officer).mail == "daily"
    assert selectors.preference_of(cast.owner) == selectors.Preference()


def test_dead_messages_are_seen_and_sent_again(cast: Cast, dead: OutboxMessage) -> None:
    page = shown(cast.officer, "deliveries")
    assert "1 message could not be delivered and was given up." in page
    assert "Message number 0." in page
    assert "s3cret" not in page
    signed_in(cast.officer).post(reverse("message-resend", args=[dead.pk]))
    dead.refresh_from_db()
    assert (dead.state, dead.attempts) == ("pending", 0)
    assert "Nothing was given up." in shown(cast.officer, "deliveries")


def test_an_administrator_sends_again_without_reading_what_is_said(cast: Cast, dead: OutboxMessage) -> None:
    page = shown(cast.administrator, "deliveries")
    assert "Message number 0." not in page
    assert f"Message {dead.pk}" in page


@pytest.mark.parametrize("who", ["outsider", "owner", "compliance", "auditor", "steward", "board"])
def test_who_has_no_business_with_deliveries_gets_nowhere(cast: Cast, dead: OutboxMessage, who: str) -> None:
    client = signed_in(getattr(cast, who))
    assert client.get(reverse("deliveries")).status_code == 403
    assert client.post(reverse("message-resend", args=[dead.pk])).status_code == 403
    dead.refresh_from_db()
    assert dead.state == "dead"


def test_sending_again_what_is_not_dead_says_so(cast: Cast, dead: OutboxMessage) -> None:
    client = signed_in(cast.officer)
    for _ in range(2):
        answer = client.post(reverse("message-resend", args=[dead.pk]), follow=True)
    assert "is not among the dead ones" in answer.content.decode()


def test_what_was_given_up_waits_for_those_who_may_send_it_again(cast: Cast, dead: OutboxMessage) -> None:
    for who in (cast.officer, cast.administrator):
        page = shown(who, "inbox")
        assert "1 message could not be delivered and was given up." in page
        assert f'href="{reverse("deliveries")}"' in page
    assert "could not be delivered" not in shown(cast.compliance, "inbox")
    with clock.frozen(clock.now() + timedelta(days=8)):
        assert "could not be delivered" not in shown(cast.officer, "inbox")


def test_all_of_a_mended_channel_are_sent_again_at_once_and_no_others(cast: Cast, settings: Any) -> None:
    settings.NOTIFICATION_URLS = ["json://127.0.0.1:9/hook", "form://127.0.0.1:9/hook"]
    tell(cast, 3)
    OutboxMessage.objects.create(
        channel=f"person-{cast.owner.pk}", dedup_key="k", title="T", body="B", detected_at=clock.now()
    )
    OutboxMessage.objects.update(state="dead", attempts=36)
    json_channel = OutboxMessage.objects.filter(channel__startswith="json-").values_list("channel", flat=True)[0]
    assert shown(cast.officer, "deliveries").count("Send all again") == 2
    client = signed_in(cast.officer)
    for channel in (json_channel, "person"):
        client.post(reverse("messages-resend"), {"channel": channel})
    waiting = set(OutboxMessage.objects.filter(state="pending", attempts=0).values_list("channel", flat=True))
    assert waiting == {json_channel, f"person-{cast.owner.pk}"}
    assert OutboxMessage.objects.filter(state="dead").count() == 3
    assert [each.detail for each in entries(action="message.all_resent")] == [{"messages": 1}, {"messages": 3}]
    again = client.post(reverse("messages-resend"), {"channel": json_channel}, follow=True)
    assert "No message of that channel is among the dead ones." in again.content.decode()
    assert signed_in(cast.compliance).post(reverse("messages-resend"), {"channel": "person"}).status_code == 403
