"""Receivers of messages that tests run on this machine: a web server and a mail server."""

from __future__ import annotations

import socketserver
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from email import message_from_bytes
from email.message import Message
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any


class Hook:
    """A web server that keeps what it is sent and answers with `status`."""

    def __init__(self, status: int = 204) -> None:
        self.status = status
        self.received: list[tuple[dict[str, str], bytes]] = []
        self.url = ""


@contextmanager
def hook(status: int = 204) -> Iterator[Hook]:
    kept = Hook(status)

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["Content-Length"]))
            kept.received.append((dict(self.headers), body))
            self.send_response(kept.status)
            if kept.status in (301, 302, 307, 308):
                self.send_header("Location", f"{kept.url}/elsewhere")
            self.send_header("Content-Length", "0")
            self.end_headers()

        def log_message(self, *_: Any) -> None:
            pass

    with _serving(ThreadingHTTPServer(("127.0.0.1", 0), Handler)) as port:
        kept.url = f"http://127.0.0.1:{port}/hook"
        yield kept


@contextmanager
def dripping() -> Iterator[str]:
    """The address of a web server that never falls silent and never answers: a byte at a time, as long as it is up."""
    down = threading.Event()

    class Handler(socketserver.BaseRequestHandler):
        def handle(self) -> None:
            with suppress(OSError):
                self.request.sendall(b"HTTP/1.1 200 OK\r\nX-Long: ")
                while not down.wait(0.05):
                    self.request.sendall(b"x")

    with _serving(socketserver.ThreadingTCPServer(("127.0.0.1", 0), Handler)) as port:
        try:
            yield f"http://127.0.0.1:{port}/hook"
        finally:
            down.set()


@contextmanager
def mail_server() -> Iterator[tuple[int, list[Message]]]:
    """Its port, and the letters that it took (RFC 5321, as much of it as a client needs)."""
    letters: list[Message] = []

    class Handler(socketserver.StreamRequestHandler):
        def handle(self) -> None:
            self.wfile.write(b"220 here\r\n")
            for line in iter(self.rfile.readline, b""):
                verb = line.strip().upper().split(b" ")[0]
                if verb == b"DATA":
                    self.wfile.write(b"354 go on\r\n")
                    letters.append(message_from_bytes(b"".join(iter(self.rfile.readline, b".\r\n"))))
                self.wfile.write(b"221 bye\r\n" if verb == b"QUIT" else b"250 ok\r\n")
                if verb == b"QUIT":
                    return

    with _serving(socketserver.ThreadingTCPServer(("127.0.0.1", 0), Handler)) as port:
        yield port, letters


@contextmanager
def _serving(server: Any) -> Iterator[int]:
    with server:
        server.daemon_threads = True
        thread = threading.Thread(target=server.serve_forever, args=(0.02,), daemon=True)
        thread.start()
        try:
            yield server.server_address[1]
        finally:
            server.shutdown()
            thread.join()
