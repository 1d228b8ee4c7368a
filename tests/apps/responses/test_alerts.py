"""Who is told what, when, and how it leaves the house."""

from __future__ import annotations

import json
import random
import threading
from collections import Counter
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import replace
from datetime import datetime, timedelta
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from itertools import pairwise
from typing import Any

import pytest
from django.core.exceptions import PermissionDenied
from django.db import connection

from apps.audit.selectors import entries
from apps.common import clock
from apps.common.errors import Refused
from apps.registry.spec import ModelSpec
from apps.responses import selectors
from apps.responses.announcements import announce
from apps.responses.channels import Letter, channel_of
from apps.responses.delivery import LEASE, MOST_ATTEMPTS, pause_after
from apps.responses.models import Notification, OutboxMessage
from apps.responses.services import deliver, message_resend, notifications_read
from tests.apps.responses.worlds import NOON, answer, answer_hours, look
from tests.cast import Cast, model

HOOK = "json://127.0.0.1:9/hook?token=s3cret"


@pytest.fixture
def cast(db: None) -> Cast:
    return Cast.assemble()


@pytest.fixture
def spec(cast: Cast) -> ModelSpec:
    return cast.owned


@pytest.fixture
def hooked(settings: Any) -> None:
    settings.NOTIFICATION_URLS = [HOOK]


def told(who: Any) -> Notification:
    return selectors.notifications(who).get()


def test_officers_and_the_owner_are_told_and_nobody_else(spec: ModelSpec, cast: Cast) -> None:
    answer(spec, look(spec))
    assert {message.person.username for message in Notification.objects.all()} == {"officer", "owner"}
    assert selectors.unread_count(cast.officer) == 1
    assert notifications_read(person=cast.officer) == 1
    assert (selectors.unread_count(cast.officer), selectors.unread_count(cast.owner)) == (0, 1)


def test_nobody_reads_somebody_elses_notifications(spec: ModelSpec, cast: Cast) -> None:
    answer(spec, look(spec))
    assert notifications_read(person=cast.outsider, ids=[told(cast.officer).pk]) == 0
    assert selectors.unread_count(cast.officer) == 1


def test_one_alert_lists_what_is_new_worst_first_in_plain_words(spec: ModelSpec, cast: Cast) -> None:
    first = look(spec)
    ready = "Claims triage: APAC is missed 63 % more often than NA."
    answer(
        spec,
        first,
        replace(first, metric="fnr_gap", value=0.214, severity="high", sentence=ready),
        replace(first, attribute="sex", group=None, reference=None, severity="low"),
    )
    message = told(cast.officer)
    assert message.title == "Claims triage: 3 new findings, high"
    lines = message.body.splitlines()
    assert lines[0] == f"- {ready} (high)"
    assert lines[1].startswith("- People from APAC are rated critical 29\xa0% less often than people from NA. ")
    assert lines[1].endswith("the bound is 0.80 to 1.25. (medium)")
    assert "the least favoured group has 0.71 times the rate" in lines[2]
    assert message.path == "/models/claims-triage/"


def test_a_long_list_is_cut_and_says_so(spec: ModelSpec, cast: Cast) -> None:
    first = look(spec)
    answer(spec, *(replace(first, group=f"group {n}") for n in range(14)))
    lines = told(cast.officer).body.splitlines()
    assert (len(lines), lines[-1]) == (11, "- and 4 more")


def severe(spec: ModelSpec, hours: int, **changes: Any) -> None:
    answer(spec, look(spec, as_of=NOON + timedelta(hours=hours), **changes))


def test_what_joins_a_known_cause_and_is_no_worse_interrupts_nobody(spec: ModelSpec, cast: Cast, hooked: None) -> None:
    severe(spec, 0)
    severe(spec, 1, metric="fpr_gap")
    first, second = selectors.notifications(cast.officer).order_by("id")
    assert (first.read_at, second.title) == (None, "Claims triage: a further finding of a known cause, medium")
    assert second.read_at is not None
    assert OutboxMessage.objects.count() == 1
    assert selectors.waiting_count(cast.officer) == 1
    assert selectors.waiting_for(cast.officer)[0].number == 2
    assert entries(action="finding.noted").count() == 1


@pytest.mark.parametrize(
    "worse",
    [
        {"severity": "high"},
        {"window": "7d"},
        {"attribute": "sex*region", "group": "female*APAC", "reference": "male*NA"},
    ],
    ids=["severity", "rung", "attribute"],
)
def test_what_makes_a_known_cause_worse_is_told_aloud(
    spec: ModelSpec, cast: Cast, hooked: None, worse: dict[str, Any]
) -> None:
    severe(spec, 0)
    severe(spec, 1, metric="fpr_gap", **worse)
    assert selectors.unread_count(cast.officer) == 2
    assert OutboxMessage.objects.count() == 2


def test_a_finding_that_was_noted_is_told_aloud_when_it_grows_worse_than_its_cause(spec: ModelSpec, cast: Cast) -> None:
    severe(spec, 0)
    severe(spec, 1, metric="fpr_gap")
    severe(spec, 2, metric="fpr_gap", severity="critical")
    titles = [message.title for message in selectors.notifications(cast.board)]
    assert titles == ["Claims triage: a finding, critical, escalated to the ethics board"]
    assert selectors.unread_count(cast.officer) == 2


def test_what_comes_back_after_its_cause_was_over_is_told_aloud(spec: ModelSpec, cast: Cast) -> None:
    answer_hours(spec, "breach", *["within"] * 3, "breach")
    assert selectors.unread_count(cast.officer) == 2


def test_history_opens_silently_and_the_first_live_run_alerts_once(spec: ModelSpec, cast: Cast, hooked: None) -> None:
    for days in (3, 2, 1):
        answer(spec, look(spec, as_of=NOON - timedelta(days=days)), at=NOON)
    assert len(selectors.open_findings([spec.id])) == 1
    assert not Notification.objects.exists()
    assert not OutboxMessage.objects.exists()
    answer_hours(spec, "breach", "breach")
    assert selectors.notifications(cast.officer).count() == 1
    assert OutboxMessage.objects.count() == 1


def test_an_old_finding_within_bounds_again_alerts_nobody(spec: ModelSpec) -> None:
    answer(spec, look(spec, as_of=NOON - timedelta(days=1)), at=NOON)
    answer_hours(spec, "within", "inconclusive")
    assert not Notification.objects.exists()


def test_each_channel_gets_the_message_and_no_address_is_stored(spec: ModelSpec, settings: Any) -> None:
    settings.NOTIFICATION_URLS = [HOOK, "mailto://user:pass@example.org"]
    answer(spec, look(spec))
    messages = list(OutboxMessage.objects.order_by("id"))
    assert [message.channel.split("-")[0] for message in messages] == ["json", "mailto"]
    assert len({message.dedup_key for message in messages}) == 1
    stored = str([vars(message) for message in messages])
    assert "s3cret" not in stored
    assert "pass" not in stored
    assert messages[0].body.endswith("/models/claims-triage/")


def times(minutes: int, within: int = 15) -> dict[str, tuple[float, int, int]]:
    """By kind of channel, as of so many minutes after noon: the slowest, how many are judged, how many were late."""
    with clock.frozen(NOON + timedelta(minutes=minutes)):
        found = selectors.delivery_times({"24h": timedelta(hours=24)}, within=timedelta(minutes=within))
    return {each.channel.split("-")[0]: (each.slowest, each.counted, each.late) for each in found}


def test_without_a_channel_the_inbox_is_the_delivery(spec: ModelSpec) -> None:
    answer(spec, look(spec, detected_at=NOON + timedelta(minutes=4)))
    assert times(6) == {"inbox": (60.0, 1, 0)}
    assert times(60 * 25) == {}


def test_the_time_to_delivery_is_kept(spec: ModelSpec, hooked: None) -> None:
    answer(spec, look(spec, detected_at=NOON + timedelta(minutes=4)))
    assert times(6) == {"inbox": (60.0, 1, 0), "json": (120.0, 0, 0)}
    assert times(18)["json"] == (840.0, 0, 0)
    assert times(19)["json"] == (900.0, 1, 1)
    with clock.frozen(NOON + timedelta(minutes=9)):
        assert deliver(send=lambda url, letter: "") == 1
    assert times(19) == {"inbox": (60.0, 1, 0), "json": (300.0, 1, 0)}
    assert times(19, within=5)["json"] == (300.0, 1, 1)


def test_a_refused_message_is_tried_again_later_and_later(spec: ModelSpec, hooked: None) -> None:
    answer(spec, look(spec))
    moment, attempts = NOON + timedelta(minutes=5), []

    def refuse(url: str, letter: Letter) -> str:
        attempts.append((clock_at, letter.dedup_key))
        return "no"

    clock_at = moment
    for _ in range(8 * 60):
        clock_at = moment
        with clock.frozen(moment):
            assert deliver(send=refuse) == 0
        moment += timedelta(seconds=30)
    gaps = [(after[0] - before[0]).total_seconds() for before, after in pairwise(attempts)]
    assert len(attempts) == MOST_ATTEMPTS
    assert len({key for _, key in attempts}) == 1
    assert gaps == sorted(gaps)
    assert [pause_after(n).total_seconds() for n in (1, 2, 3, 24)] == [1, 1.35, 1.8225, 600]
    (dead,) = selectors.dead_letters()
    assert (dead.state, dead.last_error, dead.attempts) == ("dead", "no", MOST_ATTEMPTS)
    assert entries(action="message.died").count() == 1


def test_a_dead_letter_can_be_sent_again_by_those_who_may(spec: ModelSpec, cast: Cast, hooked: None) -> None:
    answer(spec, look(spec))
    OutboxMessage.objects.update(state="dead", attempts=MOST_ATTEMPTS)
    (dead,) = selectors.dead_letters()
    with pytest.raises(PermissionDenied):
        message_resend(message_id=dead.pk, person=cast.auditor)
    message_resend(message_id=dead.pk, person=cast.officer)
    with pytest.raises(Refused):
        message_resend(message_id=dead.pk, person=cast.officer)
    assert deliver(send=lambda url, letter: "") == 1
    assert entries(action="message.resent").get().actor == "user:officer"


def test_a_channel_that_was_taken_away_does_not_stop_the_others(spec: ModelSpec, settings: Any) -> None:
    settings.NOTIFICATION_URLS = [HOOK, "json://127.0.0.1:9/other"]
    answer(spec, look(spec))
    settings.NOTIFICATION_URLS = ["json://127.0.0.1:9/other"]
    assert deliver(send=lambda url, letter: "") == 1
    (left,) = OutboxMessage.objects.filter(state="pending")
    assert (left.channel, left.last_error) == (channel_of(HOOK), "The channel is no longer configured.")


def test_an_error_in_a_channel_is_said_without_its_words(spec: ModelSpec, hooked: None) -> None:
    answer(spec, look(spec))

    def fail(url: str, letter: Letter) -> str:
        raise RuntimeError(url)

    assert deliver(send=fail) == 0
    assert OutboxMessage.objects.get().last_error == "Sending failed: RuntimeError."


def test_a_deliverer_that_died_is_replaced_when_its_lease_ends(spec: ModelSpec, hooked: None) -> None:
    answer(spec, look(spec))
    start = NOON + timedelta(minutes=6)

    class Killed(BaseException):
        pass

    def die(url: str, letter: Letter) -> str:
        raise Killed

    received: list[str] = []

    def take(url: str, letter: Letter) -> str:
        received.append(letter.dedup_key)
        return ""

    with clock.frozen(start), pytest.raises(Killed):
        deliver(send=die)
    with clock.frozen(start + LEASE / 2):
        assert deliver(send=take) == 0
    with clock.frozen(start + LEASE + timedelta(seconds=1)):
        assert deliver(send=take) == 1
    assert received == [OutboxMessage.objects.get().dedup_key]


@pytest.mark.django_db(transaction=True)
def test_a_slow_deliverer_does_not_take_back_what_a_faster_one_did(settings: Any) -> None:
    settings.NOTIFICATION_URLS = [HOOK]
    cast = Cast.assemble()
    answer(cast.owned, look(cast.owned))
    start = NOON + timedelta(minutes=6)

    def overtaken(url: str, letter: Letter) -> str:
        try:
            with clock.frozen(start + LEASE + timedelta(seconds=1)):
                assert deliver(send=lambda url, letter: "") == 1
        finally:
            connection.close()
        return "no answer for more than two minutes"

    with clock.frozen(start):
        assert deliver(send=overtaken) == 0
    message = OutboxMessage.objects.get()
    assert (message.state, message.last_error) == ("sent", "")


class Receiver(ThreadingHTTPServer):
    """A web hook that takes every second message, at random, and remembers what it took."""

    daemon_threads = True

    def __init__(self, refuse: float) -> None:
        super().__init__(("127.0.0.1", 0), _Hook)
        self.refuse, self.random, self.taken = refuse, random.Random(7), Counter[str]()
        self.bodies: list[dict[str, Any]] = []
        self.lock = threading.Lock()

    @property
    def url(self) -> str:
        return f"json://127.0.0.1:{self.server_address[1]}/alerts"


class _Hook(BaseHTTPRequestHandler):
    server: Receiver

    def do_POST(self) -> None:
        body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        with self.server.lock:
            refused = self.server.random.random() < self.server.refuse
            if not refused:
                self.server.taken[body["dedup_key"]] += 1
                self.server.bodies.append(body)
        self.send_response(503 if refused else 200)
        self.end_headers()

    def log_message(self, *args: Any) -> None:
        return None


@contextmanager
def receiver(refuse: float) -> Iterator[Receiver]:
    with Receiver(refuse) as server:
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05})
        thread.start()
        try:
            yield server
        finally:
            server.shutdown()
            thread.join()


@pytest.mark.filterwarnings("ignore:'imghdr' is deprecated:DeprecationWarning")
@pytest.mark.django_db(transaction=True)
def test_everything_arrives_once_at_a_receiver_that_refuses_half(settings: Any) -> None:
    Cast.assemble()
    with receiver(0.5) as server:
        settings.NOTIFICATION_URLS = [server.url]
        specs = [model(f"model-{n}") for n in range(24)]
        for spec in specs:
            answer(spec, look(spec))
        keys = set(OutboxMessage.objects.values_list("dedup_key", flat=True))

        def deliverer(moment: datetime) -> int:
            try:
                with connection.cursor() as cursor:
                    cursor.execute("SET ROLE biasgov_web")
                with clock.frozen(moment):
                    return deliver()
            finally:
                connection.close()

        moment, delivered = NOON + timedelta(minutes=6), 0
        for _ in range(MOST_ATTEMPTS):
            with ThreadPoolExecutor(3) as pool:
                delivered += sum(pool.map(deliverer, [moment] * 3))
            moment += timedelta(minutes=10, seconds=1)
        assert delivered == 24
        assert server.taken == Counter(dict.fromkeys(keys, 1))
        assert set(OutboxMessage.objects.values_list("state", flat=True)) == {"sent"}
        body = server.bodies[0]
    assert f"Key: {body['dedup_key']}" in body["message"]
    assert "new finding" in body["title"]


def test_an_announcement_is_made_once_for_its_key(spec: ModelSpec, cast: Cast, hooked: None) -> None:
    for _ in range(2):
        announce(
            model=spec,
            key="alarm-1",
            title="Claims triage: stale",
            body="No evaluation for 2 hours.",
            severity="high",
            path="/health/",
            detected_at=NOON,
        )
    assert told(cast.officer).path == "/health/"
    assert OutboxMessage.objects.get().body.endswith("/health/")
