"""A serving gateway in miniature: it asks before every decision, and what is blocked goes to a person.

    python docs/examples/gateway.py --url http://localhost:8000 --model security-triage --token-file token.txt \
        --key "$(.venv/bin/python manage.py status_key)" --failing closed

    curl -s localhost:9000/decide -d '{"type": "decline", "features": {"reports": 4}}'

The standard library and `biasgov.client` alone. Replace `score` by your model, and the answer for people by your queue.
"""

from __future__ import annotations

import argparse
import json
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

from biasgov.client import Failing, StatusClient


def score(features: dict[str, Any]) -> float:
    """The model that is served."""
    return min(1.0, 0.1 * float(features.get("reports", 0)))


class Gateway(ThreadingHTTPServer):
    """Decides by the model where the status allows it."""

    daemon_threads = True

    def __init__(self, port: int, status: StatusClient) -> None:
        super().__init__(("127.0.0.1", port), _Handler)
        self.status = status


class _Handler(BaseHTTPRequestHandler):
    server: Gateway

    def do_POST(self) -> None:
        asked = json.loads(self.rfile.read(int(self.headers.get("Content-Length", 0))))
        allowed = self.server.status.check(asked["type"])
        if allowed:
            self._answer(200, {"decision": int(score(asked["features"]) >= 0.5), "by": "model"})
        else:
            self._answer(202, {"decision": None, "by": "a person", "because": allowed.reason, "basis": allowed.basis})

    def do_GET(self) -> None:
        """For your own monitoring: on what the gateway's decisions rest."""
        known = self.server.status.status
        self._answer(200, {"sequence": known.sequence, "tier": known.tier} if known else {"sequence": None})

    def _answer(self, status: int, content: dict[str, Any]) -> None:
        body = json.dumps(content).encode()
        self.send_response(status)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_: Any) -> None:
        return None


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--url", required=True, help="where biasgov answers")
    parser.add_argument("--model", required=True)
    parser.add_argument("--token-file", required=True, type=Path, help="holds a token with the scope read")
    parser.add_argument("--key", required=True, action="append", help="what manage.py status_key prints")
    parser.add_argument("--failing", required=True, choices=[each.value for each in Failing])
    parser.add_argument("--name", default="example-gateway")
    parser.add_argument("--memory", type=Path, help="file that keeps the newest status over a restart")
    parser.add_argument("--port", type=int, default=9000)
    given = parser.parse_args()
    status = StatusClient(
        given.url,
        model=given.model,
        token=given.token_file.read_text().strip(),
        keys=given.key,
        gateway=given.name,
        failing=Failing(given.failing),
        memory=given.memory,
    )
    with status, Gateway(given.port, status) as gateway:
        print(f"deciding on http://127.0.0.1:{gateway.server_address[1]}/decide", flush=True)  # noqa: T201
        gateway.serve_forever()


if __name__ == "__main__":
    main()
