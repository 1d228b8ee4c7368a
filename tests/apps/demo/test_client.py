"""The client against a server that answers as it is told to."""

from __future__ import annotations

import json
import threading
from collections import deque
from datetime import UTC, datetime
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest

from apps.demo import client as module
from apps.demo.client import ApiClient, Sent, ahead, batched
from apps.demo.errors import ApiError


class Server:
    """Answers with (status, headers, body) in turn and remembers what it was asked; 0 hangs up instead."""

    def __init__(self):
        self.answers: deque = deque()
        self.asked: list = []
        server = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def do_POST(self):
                length = int(self.headers.get("Content-Length", 0))
                body = json.loads(self.rfile.read(length) or b"null")
                server.asked.append((self.command, self.path, self.headers["Authorization"], body))
                status, headers, answer = server.answers.popleft()
                if not status:
                    self.close_connection = True
                    return
                content = json.dumps(answer).encode()
                self.send_response(status)
                for name, value in {"Content-Length": str(len(content)), **headers}.items():
                    self.send_header(name, value)
                self.end_headers()
                self.wfile.write(content)

            do_GET = do_PUT = do_POST  # noqa: N815 - the names that http.server looks for

            def log_message(self, *args):
                pass

        self.http = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.http.daemon_threads = True
        self.url = f"http://127.0.0.1:{self.http.server_address[1]}"
        self.thread = threading.Thread(target=self.http.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True)
        self.thread.start()

    def will(self, status, body=None, **headers):
        self.answers.append((status, headers, body if body is not None else {}))

    def stop(self):
        self.http.shutdown()
        self.http.server_close()
        self.thread.join()


@pytest.fixture
def server():
    running = Server()
    yield running
    running.stop()


@pytest.fixture
def pauses(monkeypatch):
    """How long the client would have waited; it does not."""
    found: list[float] = []
    monkeypatch.setattr(module.time, "sleep", found.append)
    return found


@pytest.fixture
def client(server):
    with ApiClient(server.url, "bg_secret") as made:
        yield made


def taken(accepted, duplicates=0, rejected=()):
    return {"accepted": accepted, "duplicates": duplicates, "rejected": list(rejected)}


def test_events_go_in_batches_with_the_token_and_offset_times(server, client, monkeypatch):
    monkeypatch.setattr(module, "ROWS", 2)
    monkeypatch.setattr(batched, "__defaults__", (2,))
    server.will(202, taken(2))
    server.will(202, taken(0, 1))
    rows = [{"event_id": str(n), "occurred_at": datetime(2026, 1, 2, 3, tzinfo=UTC)} for n in range(3)]
    assert list(client.events("m", rows)) == [Sent(2, 0), Sent(0, 1)]
    (method, path, authorization, body), last = server.asked
    assert (method, path, authorization) == ("POST", "/api/v1/models/m/events", "Bearer bg_secret")
    assert body["events"][0] == {"event_id": "0", "occurred_at": "2026-01-02T03:00:00Z"}
    assert [len(body["events"]), len(last[3]["events"])] == [2, 1]


def test_a_rejected_row_stops_the_feed_with_its_reason(server, client):
    server.will(202, taken(1, 0, [{"index": 1, "code": "future", "message": "occurred_at lies in the future."}]))
    with pytest.raises(ApiError, match=r"rejected 1 of 2 rows; row 1: occurred_at lies in the future\."):
        list(client.events("m", [{"event_id": "a"}, {"event_id": "b"}]))


def test_what_is_registered_already_is_no_error(server, client):
    server.will(201)
    server.will(409, {"detail": "There is already a model called 'm'."})
    assert client.model_register({"slug": "m"})
    assert not client.model_register({"slug": "m"})


def test_a_refusal_is_told_in_the_servers_words_and_not_repeated(server, client, pauses):
    server.will(422, {"detail": "slug: too long."})
    with pytest.raises(ApiError, match=r"answered 422: slug: too long\.") as caught:
        client.model_register({"slug": "m"})
    assert caught.value.status == 422
    assert len(server.asked) == 1
    assert pauses == []


def test_a_busy_server_is_asked_again_when_it_says(server, client, pauses):
    server.will(429, {"detail": "Too many calls."}, **{"Retry-After": "7"})
    server.will(503, {"detail": "Starting."})
    server.will(202, {"sealed": 1})
    assert list(client.attributes([{"subject_id": "s", "attributes": {}}])) == [Sent(1)]
    assert pauses[0] == 7
    assert len(pauses) == 2


def test_a_broken_connection_is_opened_again(server, client, pauses):
    server.will(0)
    server.will(202, taken(1))
    assert list(client.labels("m", [{"event_id": "a", "label": 1}])) == [Sent(1)]


def test_a_server_that_stays_broken_is_given_up_with_its_last_words(server, client, pauses):
    for _ in range(module.ATTEMPTS):
        server.will(500, {"detail": "It broke."})
    with pytest.raises(ApiError, match=r"failed 6 times, at last with 500: It broke\."):
        client.call("GET", "/x")
    assert len(pauses) == module.ATTEMPTS - 1


def test_only_401_means_that_the_token_is_unknown(server, client):
    server.will(401, {"detail": "unknown"})
    server.will(200, {"models": []})
    server.will(403, {"detail": "not yours"})
    assert not client.is_welcome()
    assert client.is_welcome()
    with pytest.raises(ApiError, match="403"):
        client.is_welcome()


def test_only_plain_http_addresses_are_taken():
    with pytest.raises(ValueError, match="https://x"):
        ApiClient("https://x", "t")


def test_working_ahead_keeps_order_and_errors():
    def numbers():
        yield from range(1, 5)
        raise RuntimeError("out of numbers")

    found = []
    with pytest.raises(RuntimeError, match="out of numbers"):
        found.extend(iter_into(found, ahead(numbers())))
    assert found == [1, 2, 3, 4]


def iter_into(found, items):
    for item in items:
        found.append(item)
    return []
