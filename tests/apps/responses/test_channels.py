"""Signed webhooks and people's own mail, delivered to receivers that really listen; digests and preferences."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from django.core.checks import run_checks

from apps.audit.selectors import entries
from apps.common import clock
from apps.common.errors import Refused
from apps.registry.spec import ModelSpec
from apps.responses import delivery
from apps.responses.announcements import announce
from apps.responses.channels import channel_of_person
from apps.responses.delivery import MOST_ATTEMPTS
from apps.responses.models import OutboxMessage
from apps.responses.selectors import channel_rows, delivery_times
from apps.responses.services import deliver, digests_write, preference_set
from biasgov.client.webhooks import WebhookError, check
from tests.apps.responses.receivers import dripping, hook, mail_server
from tests.cast import Cast

SECRET = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"
MORNING = datetime(2026, 3, 2, 8, 0, tzinfo=UTC)

pytestmark = pytest.mark.django_db


@pytest.fixture
def cast() -> Cast:
    return Cast.assemble()


@pytest.fixture
def mailed(settings: Any) -> None:
    settings.EMAIL_CONFIGURED = True


def tell(spec: ModelSpec, key: str, severity: str = "medium", title: str = "Something happened") -> None:
    announce(
        model=spec,
        key=key,
        title=title,
        body="For APAC it happens 29 % less often.",
        severity=severity,
        path="/models/claims-triage/",
        detected_at=clock.now(),
    )


def recipients() -> set[str]:
    return set(OutboxMessage.objects.values_list("channel", flat=True))


def test_a_webhook_is_signed_so_that_its_receiver_can_check_it(cast: Cast, settings: Any) -> None:
    with hook() as receiver:
        settings.NOTIFICATION_URLS, settings.WEBHOOK_SECRET = [f"signed+{receiver.url}"], SECRET
        tell(cast.owned, "a-key", "high")
        assert deliver() == 1
    ((headers, body),) = receiver.received
    assert check(secret=SECRET, headers=headers, body=body) == "a-key"
    with pytest.raises(WebhookError):
        check(secret=SECRET, headers=headers, body=body.replace(b"29", b"2"))
    content = json.loads(body)
    assert (content["severity"], content["title"]) == ("high", "Something happened")
    assert content["body"].endswith("/models/claims-triage/")


@pytest.mark.parametrize(("status", "said"), [(500, "500"), (404, "404"), (410, "410"), (302, "302"), (308, "308")])
def test_a_webhook_that_is_not_taken_is_sent_again_and_never_elsewhere(
    cast: Cast, settings: Any, status: int, said: str
) -> None:
    with hook(status) as receiver:
        settings.NOTIFICATION_URLS, settings.WEBHOOK_SECRET = [f"signed+{receiver.url}"], SECRET
        tell(cast.owned, "a-key")
        assert deliver() == 0
        assert len(receiver.received) == 1
    message = OutboxMessage.objects.get()
    assert (message.state, message.last_error) == ("pending", f"The receiver answered {said}.")


@pytest.mark.filterwarnings("ignore:'imghdr' is deprecated:DeprecationWarning")
def test_no_receiver_leads_a_message_elsewhere(cast: Cast, settings: Any) -> None:
    with hook(307) as receiver:
        settings.NOTIFICATION_URLS = [receiver.url.replace("http://", "json://")]
        tell(cast.owned, "a-key")
        assert deliver() == 0
    assert len(receiver.received) == 1


def test_a_receiver_that_never_comes_to_an_end_holds_nothing_up(
    cast: Cast, settings: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It sends a byte now and then for as long as the test lasts, so no time-out of a socket ends the waiting."""
    monkeypatch.setattr(delivery, "PATIENCE", 0.5)
    with hook() as receiver, dripping() as endless:
        settings.NOTIFICATION_URLS, settings.WEBHOOK_SECRET = [f"signed+{endless}", f"signed+{receiver.url}"], SECRET
        tell(cast.owned, "a-key")
        assert deliver() == 1
        late = OutboxMessage.objects.get(state="pending")
    assert (late.last_error, late.lease, late.attempts) == (delivery.TOO_SLOW, None, 1)


def test_without_a_secret_nothing_unsigned_leaves(cast: Cast, settings: Any) -> None:
    with hook() as receiver:
        settings.NOTIFICATION_URLS, settings.WEBHOOK_SECRET = [f"signed+{receiver.url}"], ""
        tell(cast.owned, "a-key")
        assert deliver() == 0
    assert receiver.received == []


@pytest.mark.parametrize(("secret", "count"), [("", 1), ("whsec_c2hvcnQ=", 1), ("no base64", 1), (SECRET, 0)])
def test_a_secret_that_cannot_sign_is_found_before_anything_starts(settings: Any, secret: str, count: int) -> None:
    settings.NOTIFICATION_URLS, settings.WEBHOOK_SECRET = ["signed+https://example.org/hook"], secret
    found = [each for each in run_checks(tags=["security"]) if each.id == "biasgov.E004"]
    assert len(found) == count
    assert not secret or secret not in str(found)


def test_people_are_mailed_at_their_own_address(cast: Cast, settings: Any, mailed: None) -> None:
    with mail_server() as (port, letters):
        settings.EMAIL_BACKEND = "django.core.mail.backends.smtp.EmailBackend"
        settings.EMAIL_HOST, settings.EMAIL_PORT, settings.EMAIL_USE_TLS = "127.0.0.1", port, False
        tell(cast.owned, "a-key", title="Two\nlines")
        assert deliver() == 2
    assert {letter["To"] for letter in letters} == {"officer@example.org", "owner@example.org"}
    assert {letter["Subject"] for letter in letters} == {"[biasgov] Two lines"}
    assert len({letter["Message-ID"] for letter in letters}) == 2
    assert "/models/claims-triage/" in str(letters[0].get_payload())


def test_who_left_or_has_no_address_any_more_is_not_mailed(cast: Cast, mailed: None, mailoutbox: list[Any]) -> None:
    tell(cast.owned, "a-key")
    cast.officer.is_active = False
    cast.officer.save(update_fields=["is_active"])
    assert deliver() == 1
    assert [letter.to for letter in mailoutbox] == [["owner@example.org"]]
    left = OutboxMessage.objects.get(channel=channel_of_person(cast.officer.pk))
    assert left.last_error == "The channel is no longer configured."


def test_each_person_chooses_how_they_are_mailed(cast: Cast, mailed: None) -> None:
    preference_set(person=cast.officer, mail="each", at_least="high")
    tell(cast.owned, "mild", "medium")
    assert recipients() == {channel_of_person(cast.owner.pk)}
    tell(cast.owned, "grave", "critical")
    preference_set(person=cast.owner, mail="never", at_least="low")
    tell(cast.owned, "graver", "critical")
    assert list(OutboxMessage.objects.filter(dedup_key="grave").order_by("channel")) != []
    assert set(OutboxMessage.objects.filter(dedup_key="graver").values_list("channel", flat=True)) == {
        channel_of_person(cast.officer.pk)
    }


def test_a_choice_that_there_is_not_is_refused_and_one_that_there_is_is_logged(cast: Cast) -> None:
    for mail, at_least in (("hourly", "low"), ("each", "fatal")):
        with pytest.raises(Refused):
            preference_set(person=cast.officer, mail=mail, at_least=at_least)
    preference_set(person=cast.officer, mail="daily", at_least="low")
    (entry,) = [each for each in entries() if each.action == "preference.changed"]
    assert (entry.actor, entry.detail) == (cast.officer.actor, {"mail": "daily", "at_least": "low"})


def test_the_digest_has_a_days_messages_once_worst_first(cast: Cast, mailed: None, mailoutbox: list[Any]) -> None:
    with clock.frozen(MORNING - timedelta(days=2)):
        preference_set(person=cast.officer, mail="daily", at_least="low")
        preference_set(person=cast.owner, mail="never", at_least="low")
    with clock.frozen(MORNING - timedelta(days=1)):
        tell(cast.owned, "one", "low", "A mild one")
        tell(cast.owned, "two", "critical", "A grave one")
    assert recipients() == set()
    with clock.frozen(MORNING.replace(hour=6)):
        assert digests_write() == 0
    with clock.frozen(MORNING):
        assert (digests_write(), digests_write()) == (1, 0)
        assert deliver() == 1
    (letter,) = mailoutbox
    assert letter.subject == "[biasgov] 2 new messages"
    assert letter.body.index("A grave one") < letter.body.index("A mild one")
    with clock.frozen(MORNING):
        late = delivery_times({"30d": timedelta(days=30)}, within=timedelta(minutes=15))
    assert {each.channel: each.late for each in late} == {"inbox": 0}


def test_what_was_detected_in_a_short_window_counts_in_the_longer_ones(cast: Cast) -> None:
    windows = {"24h": timedelta(days=1), "30d": timedelta(days=30), "7d": timedelta(days=7)}
    for days in (0, 2, 9, 40):
        with clock.frozen(MORNING - timedelta(days=days)):
            tell(cast.owned, f"{days} days ago")
    with clock.frozen(MORNING):
        found = delivery_times(windows, within=timedelta(minutes=15))
    assert {each.window: each.counted for each in found if each.channel == "inbox"} == {"24h": 1, "7d": 2, "30d": 3}


def test_a_day_without_news_has_no_digest_and_none_is_told_twice(cast: Cast, mailed: None) -> None:
    with clock.frozen(MORNING - timedelta(days=2)):
        preference_set(person=cast.officer, mail="daily", at_least="low")
    with clock.frozen(MORNING - timedelta(days=1)):
        tell(cast.owned, "one")
    with clock.frozen(MORNING):
        assert digests_write() == 1
    with clock.frozen(MORNING + timedelta(days=1)):
        assert digests_write() == 0
    with clock.frozen(MORNING + timedelta(days=1, minutes=1)):
        tell(cast.owned, "two")
    with clock.frozen(MORNING + timedelta(days=2)):
        assert digests_write() == 1
    assert OutboxMessage.objects.order_by("id").last().title == "1 new message"  # type: ignore[union-attr]


def test_nobody_gets_a_digest_of_what_came_before_they_asked_for_it(cast: Cast, mailed: None) -> None:
    with clock.frozen(MORNING - timedelta(days=2)):
        tell(cast.owned, "old")
    with clock.frozen(MORNING - timedelta(days=1)):
        preference_set(person=cast.officer, mail="daily", at_least="low")
    with clock.frozen(MORNING):
        assert digests_write() == 0


def test_the_channels_of_a_week_are_counted_and_timed(cast: Cast, settings: Any, mailed: None) -> None:
    settings.NOTIFICATION_URLS = ["json://127.0.0.1:9/hook"]
    with clock.frozen(MORNING):
        tell(cast.owned, "one")
        tell(cast.owned, "two")
    with clock.frozen(MORNING + timedelta(seconds=30)):
        assert deliver(send=lambda address, letter: "" if address.startswith("mail:") else "no") == 4
    OutboxMessage.objects.filter(dedup_key="one", state="pending").update(attempts=MOST_ATTEMPTS)
    with clock.frozen(MORNING + timedelta(minutes=5)):
        deliver(send=lambda address, letter: "no")
        hooked, own = channel_rows(MORNING - timedelta(days=7))
        assert channel_rows(MORNING + timedelta(minutes=1)) == ()
    assert (own.channel, own.sent, own.waiting, own.dead, own.median, own.p99) == ("person", 4, 0, 0, 30.0, 30.0)
    assert (hooked.sent, hooked.waiting, hooked.dead, hooked.median) == (0, 1, 1, None)
