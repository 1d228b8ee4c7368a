"""The whole product in a home of its own, to be killed: gunicorn, both workers, beat, PostgreSQL and Valkey."""

from __future__ import annotations

import http.client
import json
import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import psutil
import psycopg

from apps.demo.commands import Programs
from apps.demo.processes import CHECKOUT, Children, run_together
from biasgov import keyring, local
from tests.local.test_services import gone, server_pids

PATIENCE = 300.0
PREPARE = """
import django
django.setup()
from apps.accounts.roles import OFFICER
from apps.accounts.services import person_create
from apps.api.services import token_issue
from tests.apps.pipeline.world import company
company()
person_create(username="officer", actor="system:tests", roles=[OFFICER])
print(token_issue(actor="system:tests", name="flow", scopes=["events:write", "attributes:write"], model=None, days=1))
"""


class House:
    """Everything running; `token` may send events and attributes of the model hiring."""

    def __init__(self, home: Path, settings: Mapping[str, str]) -> None:
        self.home = home
        self.services = local.start(home)
        keyring.generate(home)
        (home / "logs").mkdir(mode=0o700)
        with socket.socket() as probe:
            probe.bind(("127.0.0.1", 0))
            self.port = int(probe.getsockname()[1])
        programs = Programs(self.services, port=self.port, logs=home / "logs")
        run_together([programs.setup_database()])
        prepare = [sys.executable, "-c", PREPARE]
        web = programs.environment("web")
        done = subprocess.run(prepare, env=web, cwd=CHECKOUT, capture_output=True, text=True, check=False)
        assert done.returncode == 0, done.stderr[-3000:]
        self.token = done.stdout.split()[-1]
        self.children = Children()
        for command in (programs.web(), programs.compute(), programs.governance(), programs.beat()):
            self.children.start(replace(command, environment={**command.environment, **settings}))

    def stop(self) -> None:
        self.children.stop()
        local.remove(self.home)

    def kill(self, what: str) -> None:
        """SIGKILL one of the programs, or a server, and start it again."""
        pids = self._pids(what)
        assert pids, what
        for pid in pids:
            os.kill(pid, signal.SIGKILL)
        assert all(gone(pid) for pid in pids)
        local.start(self.home)
        self.children.revive()

    def _pids(self, what: str) -> list[int]:
        servers = dict(zip(("postgres", "valkey"), server_pids(self.home), strict=True))
        if what in servers:
            return [servers[what]]
        return [each.pid for each in psutil.Process().children(recursive=True) if what in each.cmdline()]

    def send(self, method: str, address: str, body: Any) -> int:
        """The status of a request; 0 where there was no answer."""
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=60)
        headers = {"Authorization": f"Bearer {self.token}", "Content-Type": "application/json"}
        try:
            connection.request(method, f"/api/v1/{address}", json.dumps(body), headers)
            return connection.getresponse().status
        except (OSError, http.client.HTTPException):
            return 0
        finally:
            connection.close()

    def sent(self, method: str, address: str, body: Any) -> None:
        """Send until it is accepted, as a program would that must not lose anything."""
        deadline = time.monotonic() + PATIENCE
        while (status := self.send(method, address, body)) not in (200, 202):
            assert status in (0, 429, 500, 502, 503), status
            assert time.monotonic() < deadline, "nobody takes it"
            time.sleep(0.3)

    def rows(self, query: str) -> list[tuple[Any, ...]]:
        with psycopg.connect(self.services.admin_url, dbname="biasgov") as connection:
            return connection.execute(query).fetchall()

    def until(self, reached: Callable[[], bool], what: str) -> None:
        deadline = time.monotonic() + PATIENCE
        while not reached():
            assert time.monotonic() < deadline, what
            self.children.revive()
            time.sleep(0.5)
