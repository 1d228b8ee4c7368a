"""Which programs make up the running product, and what each of them may know."""

from __future__ import annotations

import os
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Final

from apps.demo.processes import CHECKOUT, Command
from biasgov.local import Services

SIDE_VARIABLES: Final = {
    "web": ("DATABASE_URL", "REDIS_URL"),
    "compute": ("COMPUTE_DATABASE_URL", "REDIS_URL"),
    "owner": ("OWNER_DATABASE_URL",),
}
_SERVICE_VARIABLES: Final = frozenset(
    {"DATABASE_URL", "COMPUTE_DATABASE_URL", "OWNER_DATABASE_URL", "TEST_DATABASE_URL", "REDIS_URL"}
)
COMPUTE_PROCESSES: Final = min(2, os.cpu_count() or 1)


def side_environment(side: str, services: Services, *, port: int, caller: Mapping[str, str]) -> dict[str, str]:
    """The environment of a process of `side` ("web", "compute" or "owner"): the caller's, less the addresses and
    passwords of the other sides. Who signs needs no second factor in the demo, unless the caller asks for it.
    """
    kept = {
        name: value
        for name, value in caller.items()
        if name not in _SERVICE_VARIABLES and name.removesuffix("_FILE") not in _SERVICE_VARIABLES
    }
    known = services.environment()
    asked = {"SIGNERS_NEED_SECOND_FACTOR": "0"} | kept
    return asked | {
        "BIASGOV_HOME": str(services.home),
        "BIASGOV_SIDE": side,
        "DJANGO_SETTINGS_MODULE": "biasgov.settings",
        "PORT": str(port),
        "PYTHONPATH": str(CHECKOUT),
        "PYTHONUNBUFFERED": "1",
        **{name: known[name] for name in SIDE_VARIABLES[side]},
    }


class Programs:
    """The commands of one demo: its services, its port, the folder of its logs."""

    def __init__(self, services: Services, *, port: int, logs: Path) -> None:
        caller = dict(os.environ)
        self._environments = {
            side: side_environment(side, services, port=port, caller=caller) for side in SIDE_VARIABLES
        }
        self._home = services.home
        self._port = port
        self._logs = logs

    def environment(self, side: str) -> dict[str, str]:
        return dict(self._environments[side])

    def setup_database(self) -> Command:
        return self._manage("owner", "setup_database", "--verbosity", "0")

    def collect_static(self) -> Command:
        return self._manage("web", "collectstatic", "--noinput", "--verbosity", "0")

    def web(self) -> Command:
        return self._python(
            "web server", "web", "gunicorn", "biasgov.wsgi:application",
            "--bind", f"127.0.0.1:{self._port}", "--workers", "2", "--threads", "4", "--timeout", "120",
        )  # fmt: skip

    def compute(self) -> Command:
        return self._worker("compute", "compute", COMPUTE_PROCESSES)

    def governance(self) -> Command:
        return self._worker("governance", "web", 1)

    def beat(self) -> Command:
        schedule = self._home / "beat-schedule"
        return self._python("beat", "web", "celery", "-A", "biasgov.celery", "beat", "-s", str(schedule), "--pidfile=")

    def _worker(self, queue: str, side: str, processes: int) -> Command:
        return self._python(
            f"{queue} worker", side, "celery", "-A", "biasgov.celery", "worker", "-Q", queue,
            "-c", str(processes), "-n", f"{queue}@%h", "--without-gossip", "--without-mingle", "-l", "INFO",
        )  # fmt: skip

    def _manage(self, side: str, *arguments: str) -> Command:
        return self._command(f"manage.py {arguments[0]}", side, [str(CHECKOUT / "manage.py"), *arguments])

    def _python(self, name: str, side: str, module: str, *arguments: str) -> Command:
        return self._command(name, side, ["-m", module, *arguments])

    def _command(self, name: str, side: str, arguments: list[str]) -> Command:
        log = self._logs / f"{name.removeprefix('manage.py ').replace(' ', '-')}.log"
        return Command(name, [sys.executable, *arguments], self._environments[side], log)
