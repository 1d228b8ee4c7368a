"""A gateway's client: what it answers, what it refuses to believe, and when it acknowledges."""

from __future__ import annotations

import json
import sys
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from biasgov.client import Failing, StatusClient
from tests.client.server import BLOCKED, NOON, PUBLIC, StatusServer, document, serving

MINUTE = timedelta(minutes=1)


class Clock:
    def __init__(self) -> None:
        self.now = NOON

    def __call__(self) -> datetime:
        return self.now


@pytest.fixture
def server() -> Iterator[StatusServer]:
    with serving() as running:
        yield running


@pytest.fixture
def clock() -> Clock:
    return Clock()


def client(server: StatusServer, clock: Clock, failing: Failing = Failing.CLOSED, **changes: Any) -> StatusClient:
    given: dict[str, Any] = {"model": "claims", "token": "bg_x", "keys": [PUBLIC], "gateway": "eu-1", "leeway": 0}
    return StatusClient(server.url, failing=failing, clock=clock, **(given | changes))


def test_what_is_restricted_is_blocked_and_the_rest_is_not(server: StatusServer, clock: Clock) -> None:
    server.given = document(tier="restrict", restriction=BLOCKED)
    asking = client(server, clock)
    assert asking.refresh()
    blocked, allowed = asking.check("decline"), asking.check("approve")
    assert (bool(blocked), blocked.reason, blocked.restriction_id) == (False, "Too many are missed.", 7)
    assert (bool(allowed), allowed.basis, allowed.sequence) == (True, "status", 3)


def test_before_the_first_status_the_declared_mode_decides(server: StatusServer, clock: Clock) -> None:
    assert not client(server, clock, Failing.CLOSED).check("approve")
    assert client(server, clock, Failing.OPEN).check("approve").basis == "failing open"


def test_after_the_last_valid_status_the_declared_mode_decides(server: StatusServer, clock: Clock) -> None:
    closed, opened = client(server, clock, Failing.CLOSED), client(server, clock, Failing.OPEN)
    for each in (closed, opened):
        each.refresh()
        assert each.check("approve").basis == "status"
    clock.now = NOON + 6 * MINUTE
    assert not closed.check("approve")
    assert opened.check("approve")


def test_failing_open_never_forgets_a_restriction(server: StatusServer, clock: Clock) -> None:
    server.given = document(tier="restrict", restriction=BLOCKED)
    asking = client(server, clock, Failing.OPEN)
    asking.refresh()
    clock.now = NOON + 60 * MINUTE
    server.given = 503
    assert not asking.refresh()
    assert asking.check("decline").basis == "last restriction"
    assert not asking.check("decline")
    assert asking.check("approve")


def test_an_unchanged_status_is_not_sent_again(server: StatusServer, clock: Clock) -> None:
    asking = client(server, clock)
    for _ in range(3):
        assert asking.refresh()
    assert server.asked == [None, f'"{document()["etag"]}"', f'"{document()["etag"]}"']
    assert server.acknowledged == [{"gateway": "eu-1", "sequence": 3}]


def test_a_status_is_acknowledged_once_and_after_a_failure_again(server: StatusServer, clock: Clock) -> None:
    asking = client(server, clock)
    server.acknowledging = 503
    assert asking.refresh()
    server.acknowledging = 200
    asking.refresh()
    server.given = document(sequence=4, tier="alert")
    asking.refresh()
    assert [each["sequence"] for each in server.acknowledged] == [3, 4]


OLD = document(sequence=2)
UNTRUSTED = [
    pytest.param(OLD, id="an old green one is replayed"),
    pytest.param(document(issued_at=NOON - MINUTE), id="of the same number, but older"),
    pytest.param(document(valid_until=NOON - MINUTE), id="no longer valid"),
    pytest.param(document(issued_at=NOON + MINUTE, sequence=9), id="from the future"),
    pytest.param(document(model="lending", sequence=9), id="of another model"),
    pytest.param(document(Ed25519PrivateKey.generate(), sequence=9), id="by another key"),
    pytest.param(document(sequence=9) | {"restriction": None, "sequence": 10}, id="changed on the way"),
    pytest.param([], id="no document"),
    pytest.param(b"<html>", id="no JSON"),
    pytest.param(b" " * 300_000, id="too large"),
    pytest.param(302, id="sent elsewhere"),
    pytest.param(500, id="an error"),
]


@pytest.mark.parametrize("given", UNTRUSTED)
def test_what_cannot_be_relied_on_changes_nothing(server: StatusServer, clock: Clock, given: Any) -> None:
    server.given = document(tier="restrict", restriction=BLOCKED)
    asking = client(server, clock)
    asking.refresh()
    server.given = given
    asking.refresh()
    assert not asking.check("decline")
    assert asking.check("decline").sequence == 3
    assert len(server.acknowledged) == 1


def test_a_restart_refuses_an_older_status_and_remembers_the_restriction(
    server: StatusServer, clock: Clock, tmp_path: Path
) -> None:
    memory = tmp_path / "status.json"
    server.given = document(tier="restrict", restriction=BLOCKED)
    client(server, clock, memory=memory).refresh()
    server.given = OLD
    again = client(server, clock, Failing.OPEN, memory=memory)
    clock.now = NOON + 60 * MINUTE
    assert not again.check("decline")
    assert not again.refresh()
    assert not again.check("decline")


def test_a_memory_that_was_tampered_with_is_refused(server: StatusServer, clock: Clock, tmp_path: Path) -> None:
    memory = tmp_path / "status.json"
    memory.write_text(json.dumps(document() | {"sequence": 0}))
    with pytest.raises(ValueError, match="signature is wrong"):
        client(server, clock, memory=memory)


def test_a_client_without_a_key_does_not_start(server: StatusServer, clock: Clock) -> None:
    with pytest.raises(ValueError, match="trusts no key"):
        client(server, clock, keys=[])


def test_it_keeps_itself_fresh_in_the_background_and_stops(server: StatusServer, clock: Clock) -> None:
    with client(server, clock, refresh=0.02) as asking:
        assert asking.check("decline")
        server.given = document(sequence=4, tier="restrict", restriction=BLOCKED)
        seen = threading.Event()
        for _ in range(500):
            if not asking.check("decline"):
                break
            seen.wait(0.01)
        assert not asking.check("decline")
        asking.start()
    assert not [each for each in threading.enumerate() if each.name == "status of claims"]
    assert not asking.check("decline")


def test_a_change_under_many_threads_is_seen_whole(server: StatusServer, clock: Clock) -> None:
    asking = client(server, clock)
    statuses = [document(sequence=number, restriction=BLOCKED if number % 2 else None) for number in range(4, 60)]
    asking.refresh()
    done = threading.Event()

    def watch() -> set[tuple[int | None, bool]]:
        seen = set()
        while not done.is_set():
            answer = asking.check("decline")
            seen.add((answer.sequence, answer.allowed))
        return seen

    interval = sys.getswitchinterval()
    sys.setswitchinterval(1e-5)
    try:
        with ThreadPoolExecutor(4) as pool:
            watchers = [pool.submit(watch) for _ in range(4)]
            for status in statuses:
                server.given = status
                asking.refresh()
            done.set()
            seen = set().union(*(each.result(timeout=30) for each in watchers))
    finally:
        sys.setswitchinterval(interval)
    assert len(seen) > 1
    assert all(allowed == (number % 2 == 0) for number, allowed in seen if number and number > 3)
