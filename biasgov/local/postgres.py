"""The embedded PostgreSQL: made, started, asked and stopped without a single script of the wheel's own."""

import os
import shutil
import signal
import subprocess
import time
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from urllib.parse import quote

import psycopg

from biasgov.local.errors import LocalServicesError, last_lines
from biasgov.local.places import PORT, own
from biasgov.local.processes import Account, Mark, as_account, end, environment, launch
from biasgov.local.state import ADMIN, write_private

READY_SECONDS = 120.0
# Backends of a killed postmaster notice its death within about two seconds and hold its shared memory until then.
# A server whose lock file was removed ends itself within a minute.
RETRY_SECONDS = 75.0
STOPPING = [(signal.SIGINT, 60.0), (signal.SIGQUIT, 10.0)]
RETRY_SIGNS = ("lock file", "pre-existing shared memory block")

SETTINGS = {
    "listen_addresses": "",
    "port": str(PORT),
    "unix_socket_permissions": "0700",
    "max_connections": "100",
    "shared_buffers": "256MB",
    "effective_cache_size": "1GB",
    "work_mem": "16MB",
    "maintenance_work_mem": "128MB",
    "random_page_cost": "1.1",
    "wal_compression": "on",
    "max_wal_size": "2GB",
    "checkpoint_timeout": "15min",
    "jit": "off",
    "timezone": "UTC",
    "log_timezone": "UTC",
    # Statements and row contents may speak about people: the log names the error and nothing else.
    "log_min_error_statement": "panic",
    "log_error_verbosity": "terse",
    "log_checkpoints": "off",
}
DURABLE = {"fsync": "on", "synchronous_commit": "on", "full_page_writes": "on"}
# For homes that only ever held tests.
FORGETFUL = {"fsync": "off", "synchronous_commit": "off", "full_page_writes": "off"}


@dataclass(frozen=True, slots=True)
class Cluster:
    """One cluster: its files, its account, its superuser's password."""

    place: Path
    sockets: Path
    account: Account | None
    password: str = field(repr=False)
    durable: bool

    @property
    def data(self) -> Path:
        """The data directory."""
        return self.place / "postgres"

    @property
    def mark(self) -> Mark:
        """How the server is recognised."""
        return Mark("postgres", self.data)

    @property
    def log(self) -> Path:
        """What the server says."""
        return self.place / "postgres.log"

    @property
    def pid(self) -> int | None:
        """The process id of the running server, None if it does not run."""
        return self.mark.pid(self.data / "postmaster.pid")

    def connect(self) -> psycopg.Connection[Any]:
        """A superuser's connection to the maintenance database, in autocommit mode."""
        return psycopg.connect(url(ADMIN, self.password, "postgres", self.sockets), autocommit=True, connect_timeout=5)


def url(role: str, password: str, database: str, sockets: Path) -> str:
    """A libpq URL over the Unix socket. The directory is a parameter because hosts lose their upper case in parsers."""
    return (
        f"postgresql://{quote(role)}:{quote(password, safe='')}@/{quote(database, safe='')}"
        f"?host={quote(str(sockets), safe='')}&port={PORT}"
    )


def ensure_running(cluster: Cluster, initdb: Path, postgres: Path) -> bool:
    """Make the cluster if there is none, start it if it does not run, wait until it answers.

    True if this call started it. Raises LocalServicesError with the server's own last words.
    """
    if cluster.pid is None:
        for stray in cluster.mark.strays():
            end(stray, cluster.mark, STOPPING)
    _initialise(cluster, initdb)
    deadline = time.monotonic() + RETRY_SECONDS
    started = False
    while True:
        pid = cluster.pid
        logged = cluster.log.stat().st_size if cluster.log.exists() else 0
        if pid is None:
            started = True
            _configure(cluster)
            _disown_stale_locks(cluster)
            pid = launch(
                [str(postgres), "-D", str(cluster.data)],
                log=cluster.log,
                account=cluster.account,
                # PostgreSQL takes a lock file that names this process for a stale one.
                env=environment(PG_GRANDPARENT_PID=str(os.getpid())),
            )
        if _wait(cluster, pid):
            return started
        said = last_lines(cluster.log, since=logged)
        if not any(sign in said for sign in RETRY_SIGNS) or time.monotonic() > deadline:
            raise LocalServicesError(f"PostgreSQL did not start. The end of {cluster.log} says:{said}")
        time.sleep(0.2)


def answers(cluster: Cluster) -> bool:
    """Whether the server accepts connections now."""
    try:
        cluster.connect().close()
    except psycopg.OperationalError:
        return False
    return True


def make_durable(cluster: Cluster) -> None:
    """Give a running cluster that was started for tests the durability that others are promised."""
    _configure(cluster)
    with cluster.connect() as connection:
        connection.execute("SELECT pg_reload_conf()")
        connection.execute("CHECKPOINT")
    os.sync()


def stop(cluster: Cluster) -> None:
    """Stop the server: sessions are ended and everything is written. Raises LocalServicesError if it stays."""
    pid = cluster.pid
    if pid is None:
        return
    if not end(pid, cluster.mark, STOPPING):
        raise LocalServicesError(
            f"PostgreSQL (process {pid}) does not stop. See {cluster.log}; `kill -KILL {pid}` loses nothing that "
            "was committed."
        )


def _initialise(cluster: Cluster, initdb: Path) -> None:
    if cluster.data.exists():
        return
    fresh = cluster.place / "postgres.new"
    shutil.rmtree(fresh, ignore_errors=True)
    fresh.mkdir(mode=0o700)
    own(fresh, cluster.account)
    password_file = cluster.place / "initdb.password"
    write_private(password_file, cluster.password + "\n", cluster.account)
    try:
        made = subprocess.run(  # noqa: S603
            [
                str(initdb),
                f"--pgdata={fresh}",
                f"--username={ADMIN}",
                f"--pwfile={password_file}",
                "--auth=scram-sha-256",
                "--encoding=UTF8",
                "--locale=C",
                "--locale-provider=builtin",
                "--builtin-locale=C.UTF-8",
                "--data-checksums",
                *([] if cluster.durable else ["--no-sync"]),
            ],
            capture_output=True,
            text=True,
            check=False,
            env=environment(),
            **as_account(cluster.account),
        )
    finally:
        password_file.unlink(missing_ok=True)
    if made.returncode != 0:
        raise LocalServicesError(
            f"PostgreSQL's initdb failed in {cluster.place}: {made.stderr.strip() or made.stdout.strip()}"
        )
    write_private(fresh / "pg_hba.conf", "local all all scram-sha-256\n", cluster.account)
    settings = (fresh / "postgresql.conf").read_text()
    write_private(fresh / "postgresql.conf", settings + "\ninclude 'biasgov.conf'\n", cluster.account)
    fresh.rename(cluster.data)


def _configure(cluster: Cluster) -> None:
    # The setting is a list of names, in which double quotes protect commas and spaces.
    sockets = '"{}"'.format(str(cluster.sockets).replace('"', '""'))
    settings = SETTINGS | (DURABLE if cluster.durable else FORGETFUL) | {"unix_socket_directories": sockets}
    lines = [f"{name} = '{_quoted(value)}'\n" for name, value in settings.items()]
    write_private(cluster.data / "biasgov.conf", "".join(lines), cluster.account)


def _quoted(value: str) -> str:
    return value.replace("\\", "\\\\").replace("'", "''")


def _disown_stale_locks(cluster: Cluster) -> None:
    """Keep lock files whose process id now belongs to another program from blocking the start.

    They are not removed but made to name this process: the other lines let PostgreSQL find backends that outlived
    a killed server and still use its shared memory.
    """
    for lock in (cluster.data / "postmaster.pid", cluster.sockets / f".s.PGSQL.{PORT}.lock"):
        try:
            _, separator, rest = lock.read_text().partition("\n")
        except FileNotFoundError:
            continue
        write_private(lock, f"{os.getpid()}{separator}{rest}", cluster.account)


def _wait(cluster: Cluster, pid: int) -> bool:
    """Wait until the server accepts connections; False if its process ended."""
    deadline = time.monotonic() + READY_SECONDS
    while True:
        try:
            cluster.connect().close()
            return True
        except psycopg.OperationalError as error:
            if "password authentication failed" in str(error):
                raise LocalServicesError(
                    f"PostgreSQL in {cluster.place} refuses the password in state.json: they do not belong "
                    "together. Restore the state.json of this cluster."
                ) from None
            if not cluster.mark.on(pid):
                return False
            if time.monotonic() > deadline:
                raise LocalServicesError(
                    f"PostgreSQL (process {pid}) runs but does not answer: {str(error).strip()}. Stop it with "
                    "`python -m biasgov.local stop` and start again."
                ) from None
        time.sleep(0.02)
