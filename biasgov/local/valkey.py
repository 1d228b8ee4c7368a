"""The embedded Valkey: Celery's broker and the cache. Append-only file synced every second.

A crash of the machine may lose the last second, and a killed server what waited for a slow sync, two seconds at most.
That is harmless here: the broker is only the fast path, and work that must happen is a row in PostgreSQL.
"""

import re
import signal
import socket
import time
from dataclasses import dataclass, field
from pathlib import Path

from biasgov.local.errors import LocalServicesError, last_lines
from biasgov.local.places import own
from biasgov.local.processes import Account, Mark, end, environment, launch
from biasgov.local.state import write_private

HOST = "127.0.0.1"
READY_SECONDS = 60.0
ANSWER_SECONDS = 5.0
PORT_ATTEMPTS = 5
STOPPING = [(signal.SIGTERM, 30.0), (signal.SIGKILL, 5.0)]


@dataclass(frozen=True, slots=True)
class Store:
    """One Valkey: its files, its account, its password."""

    place: Path
    account: Account | None
    password: str = field(repr=False)

    @property
    def configuration(self) -> Path:
        """The configuration file; only there the port is remembered."""
        return self.place / "valkey.conf"

    @property
    def log(self) -> Path:
        """What the server says."""
        return self.place / "valkey.log"

    @property
    def mark(self) -> Mark:
        """How the server is recognised."""
        return Mark("valkey-server", self.configuration)

    @property
    def pid_file(self) -> Path:
        """Where the server's process id is."""
        return self.place / "valkey.pid"

    @property
    def pid(self) -> int | None:
        """The process id of the running server, None if it does not run."""
        return self.mark.pid(self.pid_file)

    @property
    def port(self) -> int | None:
        """The port in the configuration, None if there is none yet."""
        try:
            found = re.search(r"^port (\d+)$", self.configuration.read_text(), re.MULTILINE)
        except FileNotFoundError:
            return None
        return int(found[1]) if found else None


def url(store: Store) -> str:
    """A URL that redis-py and Celery understand alike."""
    return f"redis://:{store.password}@{HOST}:{store.port}/0"


def ensure_running(store: Store, server: Path) -> None:
    """Start the server if it does not run and wait until it answers.

    It keeps its port, unless some other program has it by now. Raises LocalServicesError with the server's own last
    words.
    """
    pid = store.pid
    if pid is not None and _wait(store, pid):
        return
    for stray in store.mark.strays():
        end(stray, store.mark, STOPPING)
    said = ""
    for _ in range(PORT_ATTEMPTS):
        port = store.port
        _configure(store, port if port and _is_free(port) else _free_port())
        logged = store.log.stat().st_size if store.log.exists() else 0
        command = [str(server), str(store.configuration)]
        pid = launch(command, log=store.log, account=store.account, env=environment())
        if _wait(store, pid):
            # The server writes its own only some time after it has begun to answer.
            write_private(store.pid_file, f"{pid}\n", store.account)
            return
        said = last_lines(store.log, since=logged)
        if "Address already in use" not in said:
            break
    raise LocalServicesError(f"Valkey did not start. The end of {store.log} says:{said}")


def answers(store: Store) -> bool:
    """Whether a server that knows our password answers on our port."""
    try:
        with socket.create_connection((HOST, store.port or 0), timeout=ANSWER_SECONDS) as connection:
            connection.sendall(f"AUTH {store.password}\r\nPING\r\n".encode())
            with connection.makefile("rb") as replies:
                return replies.readline() == b"+OK\r\n" and replies.readline() == b"+PONG\r\n"
    except OSError:
        return False


def stop(store: Store) -> None:
    """Stop the server; it writes its append-only file first. Raises LocalServicesError if it stays."""
    pid = store.pid
    if pid is not None and not end(pid, store.mark, STOPPING):
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
        "pidfile": _quoted(str(store.pid_file)),
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


def _wait(store: Store, pid: int) -> bool:
    """Wait until the server answers; False if its process ended."""
    deadline = time.monotonic() + READY_SECONDS
    while not answers(store):
        if not store.mark.on(pid):
            return False
        if time.monotonic() > deadline:
            raise LocalServicesError(
                f"Valkey (process {pid}) runs but does not answer on port {store.port}. Stop it with "
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
