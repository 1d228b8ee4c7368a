"""The embedded Valkey: Celery's broker and the cache. Append-only file synced every second.

A crash of the machine may lose the last second, which is harmless here: the broker is only the fast path, and work
that must happen is a row in PostgreSQL. A killed server loses nothing it had acknowledged.
"""

import signal
import socket
import time
from dataclasses import dataclass
from pathlib import Path

import redis

from biasgov.local.errors import LocalServicesError, last_lines
from biasgov.local.places import own
from biasgov.local.processes import Account, end, environment, launch, read_pid, runs_with
from biasgov.local.state import write_private

HOST = "127.0.0.1"
READY_SECONDS = 60.0
PORT_ATTEMPTS = 5


@dataclass(frozen=True, slots=True)
class Store:
    """One Valkey: its files, its account, its password."""

    place: Path
    account: Account | None
    password: str

    @property
    def configuration(self) -> Path:
        """The configuration file; on the command line of its server, which is how that is recognised."""
        return self.place / "valkey.conf"

    @property
    def log(self) -> Path:
        """What the server says."""
        return self.place / "valkey.log"

    @property
    def pid(self) -> int | None:
        """The process id of the running server, None if it does not run."""
        pid = read_pid(self.place / "valkey.pid")
        return pid if pid is not None and runs_with(pid, str(self.configuration)) else None


def url(password: str, port: int) -> str:
    """A URL that redis-py and Celery understand alike."""
    return f"redis://:{password}@{HOST}:{port}/0"


def ensure_running(store: Store, server: Path, port: int) -> int:
    """Start the server if it does not run and wait until it answers; the port it listens on.

    ``port`` is the one used before (0 for none); another one is taken if some other program has it by now. Raises
    LocalServicesError with the server's own last words.
    """
    pid = store.pid
    if pid is not None and port and _wait(store, pid, port):
        return port
    said = ""
    for _ in range(PORT_ATTEMPTS):
        port = port if port and _is_free(port) else _free_port()
        logged = store.log.stat().st_size if store.log.exists() else 0
        _configure(store, port)
        pid = launch(
            [str(server), str(store.configuration)], log=store.log, account=store.account, env=environment()
        )
        if _wait(store, pid, port):
            # Written here as well: the server writes its own only after it has begun to listen.
            write_private(store.place / "valkey.pid", f"{pid}\n", store.account)
            return port
        said = last_lines(store.log, since=logged)
        if "Address already in use" not in said:
            break
    raise LocalServicesError(f"Valkey did not start. The end of {store.log} says:{said}")


def answers(store: Store, port: int) -> bool:
    """Whether a server that knows our password answers on ``port``."""
    client = redis.Redis.from_url(url(store.password, port), socket_timeout=5, socket_connect_timeout=5)
    try:
        return bool(client.ping())
    except redis.RedisError:
        return False
    finally:
        client.close()


def stop(store: Store) -> None:
    """Stop the server; it writes its append-only file first. Raises LocalServicesError if it stays."""
    pid = store.pid
    if pid is None:
        return
    if not end(pid, str(store.configuration), [(signal.SIGTERM, 30.0), (signal.SIGKILL, 5.0)]):
        raise LocalServicesError(f"Valkey (process {pid}) does not stop. See {store.log}.")


def _configure(store: Store, port: int) -> None:
    directory = store.place / "valkey"
    directory.mkdir(mode=0o700, exist_ok=True)
    own(directory, store.account)
    settings = {
        "bind": HOST,
        "port": str(port),
        "protected-mode": "yes",
        "requirepass": _quoted(store.password),
        "dir": _quoted(str(directory)),
        "pidfile": _quoted(str(store.place / "valkey.pid")),
        "daemonize": "no",
        # A rewritten title would hide the path by which the server is recognised.
        "set-proc-title": "no",
        "save": '""',
        "appendonly": "yes",
        "appendfsync": "everysec",
        "maxmemory-policy": "noeviction",
    }
    lines = [f"{name} {value}\n" for name, value in settings.items()]
    write_private(store.configuration, "".join(lines), store.account)


def _quoted(value: str) -> str:
    return '"{}"'.format(value.replace("\\", "\\\\").replace('"', '\\"'))


def _wait(store: Store, pid: int, port: int) -> bool:
    """Wait until the server answers; False if its process ended."""
    deadline = time.monotonic() + READY_SECONDS
    while not answers(store, port):
        if not runs_with(pid, str(store.configuration)):
            return False
        if time.monotonic() > deadline:
            raise LocalServicesError(
                f"Valkey (process {pid}) runs but does not answer on port {port}. Stop it with "
                "`python -m biasgov.local stop` and start again."
            )
        time.sleep(0.02)
    return True


def _is_free(port: int) -> bool:
    with socket.socket() as probe:
        # As the server will do: a connection of its predecessor in TIME_WAIT is no obstacle.
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((HOST, port))
        except OSError:
            return False
    return True


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind((HOST, 0))
        port: int = probe.getsockname()[1]
    return port
