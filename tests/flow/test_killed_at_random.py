"""Everything is killed, over and over, while events come in: each counts exactly once, and each alert arrives."""

from __future__ import annotations

import random
import shutil
import tempfile
import threading
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from biasgov.client.webhooks import check
from tests.apps.responses.receivers import Hook, hook
from tests.flow.house import House

pytestmark = pytest.mark.flow
SECRET = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"
ROUNDS, BATCH, PEOPLE = 2, 40, 400
VICTIMS = ("compute", "governance", "beat", "biasgov.wsgi:application", "postgres", "valkey")


@pytest.fixture
def receiver() -> Iterator[Hook]:
    with hook() as found:
        yield found


@pytest.fixture
def house(receiver: Hook) -> Iterator[House]:
    home = Path(tempfile.mkdtemp(prefix="bg-")).resolve()
    home.chmod(0o711)
    settings = {"NOTIFICATION_URLS": f"signed+{receiver.url}", "WEBHOOK_SECRET": SECRET}
    found = House(home, settings | {"API_RATE_PER_MINUTE": "1000000"})
    try:
        yield found
    finally:
        found.stop()
        shutil.rmtree(home)


def sex(person: int) -> str:
    return ("female", "male")[person % 2]


def event(number: int, drawn: random.Random) -> dict[str, Any]:
    """One of the last three hours; women are decided for half as often."""
    person = drawn.randrange(PEOPLE)
    return {
        "event_id": f"event {number}",
        "subject_id": f"person {person}",
        "occurred_at": (datetime.now(UTC) - timedelta(seconds=drawn.uniform(60, 3 * 3600))).isoformat(),
        "version": "1.0",
        "decision": int(drawn.random() < {"female": 0.3, "male": 0.7}[sex(person)]),
    }


def test_no_event_is_lost_or_counted_twice_and_every_alert_arrives(house: House, receiver: Hook) -> None:
    drawn, over = random.Random(11), threading.Event()
    accepted = 0

    def load() -> None:
        nonlocal accepted
        people = [{"subject_id": f"person {n}", "attributes": {"sex": sex(n), "region": "west"}} for n in range(PEOPLE)]
        house.sent("PUT", "attributes", {"subjects": people})
        while not over.is_set():
            events = [event(accepted + place, drawn) for place in range(BATCH)]
            house.sent("POST", "models/hiring/events", {"events": events})
            accepted += BATCH

    chaos = random.Random(7)
    with ThreadPoolExecutor(1) as sender:
        sending = sender.submit(load)
        try:
            for _ in range(ROUNDS):
                for victim in chaos.sample(VICTIMS, len(VICTIMS)):
                    before = accepted
                    house.until(lambda before=before: accepted > before or sending.done(), "events are taken again")
                    time.sleep(chaos.uniform(0, 3))
                    house.kill(victim)
        finally:
            over.set()
        sending.result()
    waiting = "SELECT (SELECT count(*) FROM inference_dirty_hour), (SELECT count(*) FROM vault_upload_part)"
    house.until(lambda: house.rows(waiting) == [(0, 0)], "the work that was left is done")
    assert house.rows("SELECT count(*)::int, count(DISTINCT event_key)::int FROM inference_event") == [(accepted,) * 2]
    assert house.rows("SELECT sum(n)::int FROM cube.hour_cube") == [(accepted,)]

    def told() -> set[str]:
        return {check(secret=SECRET, headers=headers, body=body) for headers, body in receiver.received}

    def announced() -> set[str]:
        return {key for (key,) in house.rows("SELECT dedup_key FROM responses_outboxmessage")}

    findings = "SELECT count(*)::int FROM responses_finding WHERE attribute = 'sex'"
    house.until(lambda: house.rows(findings) != [(0,)], "the breach is found")
    house.until(lambda: announced() != set() and told() >= announced(), "every alert is delivered")
