"""A server of status documents on this machine, for tests of what a gateway makes of them."""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from biasgov.client.status import Restriction, Status, key_id

NOON = datetime(2026, 5, 4, 12, tzinfo=UTC)
KEY = Ed25519PrivateKey.from_private_bytes(bytes(range(32)))
PUBLIC = KEY.public_key().public_bytes_raw().hex()
BLOCKED = Restriction(7, ("decline",), NOON, "Too many are missed.")


def document(key: Ed25519PrivateKey = KEY, **changes: Any) -> dict[str, Any]:
    """A signed status of the model claims, number 3, valid for five minutes from noon."""
    fields: dict[str, Any] = {
        "model": "claims",
        "tier": "none",
        "restriction": None,
        "sequence": 3,
        "issued_at": NOON,
        "valid_until": NOON + timedelta(minutes=5),
        "key_id": key_id(key.public_key()),
    }
    return Status(**(fields | changes)).document(key)


class StatusServer(ThreadingHTTPServer):
    """Answers with `given`, or with an HTTP status if it is a number; remembers what it was asked."""

    daemon_threads = True

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self.given: Any = document()
        self.asked: list[str | None] = []
        self.acknowledged: list[dict[str, Any]] = []
        self.acknowledging = 200

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.server_address[1]}"


class _Handler(BaseHTTPRequestHandler):
    server: StatusServer

    def do_GET(self) -> None:
        given, known = self.server.given, self.headers.get("If-None-Match")
        self.server.asked.append(known)
        if isinstance(given, int):
            self._answer(given, {})
        elif isinstance(given, dict) and known == f'"{given.get("etag")}"':
            self.send_response(304)
            self.end_headers()
        else:
            self._answer(200, given)

    def do_POST(self) -> None:
        body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        if self.server.acknowledging == 200:
            self.server.acknowledged.append(body)
        self._answer(self.server.acknowledging, {})

    def _answer(self, status: int, content: Any) -> None:
        body = content if isinstance(content, bytes) else json.dumps(content).encode()
        self.send_response(status)
        self.send_header("Content-Length", str(len(body)))
        if status == 302:
            self.send_header("Location", f"{self.server.url}/elsewhere")
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_: Any) -> None:
        return None


@contextmanager
def serving() -> Iterator[StatusServer]:
    with StatusServer() as server:
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02})
        thread.start()
        try:
            yield server
        finally:
            server.shutdown()
            thread.join()
