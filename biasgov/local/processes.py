"""Starting, recognising and ending a server process.

A process id in a file says little: the server may be long gone and its number given to another program. A process
counts as our server only if its command line carries the program and the path that we started it with.
"""

import os
import pwd
import signal
import subprocess
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from biasgov.local.errors import LocalServicesError

PROC = Path("/proc")
LOG_BYTES = 16 * 1024 * 1024
# $! is the server's number; the shell ends at once, so the server is nobody's child and never a zombie of ours.
DETACH = '"$@" >&2 & echo $!'


@dataclass(frozen=True, slots=True)
class Account:
    """The system account that the servers run as."""

    name: str
    uid: int
    gid: int


@dataclass(frozen=True, slots=True)
class Mark:
    """How a server is recognised: its program's name and a path, both on its command line."""

    program: str
    path: Path

    def on(self, pid: int) -> bool:
        """Whether process ``pid`` is alive and this server."""
        if pid <= 1:
            return False
        if not (PROC / "self" / "cmdline").exists():
            command = ["/bin/ps", "-ww", "-o", "command=", "-p", str(pid)]
            listed = subprocess.run(command, capture_output=True, text=True, check=False).stdout  # noqa: S603
            return self.program in listed and str(self.path) in listed
        try:
            arguments = (PROC / str(pid) / "cmdline").read_bytes().split(b"\0")
        except OSError:
            return False
        # An ended process that nobody has collected yet has an empty command line.
        names = {os.path.basename(argument) for argument in arguments}
        return os.fsencode(self.program) in names and os.fsencode(self.path) in arguments

    def pid(self, file: Path) -> int | None:
        """The process id in the first line of ``file`` if it is this server's."""
        try:
            pid = int(file.read_text().split("\n", 1)[0])
        except (OSError, ValueError):
            return None
        return pid if self.on(pid) else None

    def strays(self) -> list[int]:
        """Servers of this mark whose process id file is lost, for instance because the home was removed.

        Only those that see the same file system: in a container the same path is another place. None where the
        system has no ``/proc``.
        """
        found = []
        for entry in PROC.glob("[0-9]*"):
            try:
                if self.on(int(entry.name)) and os.path.samefile(entry / "root", "/"):
                    found.append(int(entry.name))
            except OSError:
                continue
        return found


def service_account() -> Account | None:
    """The account to drop to, or None if we are not root and the servers run as ourselves.

    PostgreSQL refuses to run as root. ``BIASGOV_SERVICES_USER`` names the account; otherwise it is Debian's
    ``postgres`` if there is one, then ``nobody``. No account is created: that is the administrator's business.
    """
    if os.geteuid() != 0:
        return None
    asked = os.environ.get("BIASGOV_SERVICES_USER")
    for name in (asked,) if asked else ("postgres", "nobody"):
        try:
            entry = pwd.getpwnam(name)
        except KeyError:
            continue
        if entry.pw_uid != 0:
            return Account(name, entry.pw_uid, entry.pw_gid)
    raise LocalServicesError(
        f"PostgreSQL does not run as root and there is no usable system account {asked or 'postgres or nobody'}. "
        "Set BIASGOV_SERVICES_USER to an account other than root, or start biasgov as an ordinary user."
    )


def as_account(account: Account | None) -> dict[str, Any]:
    """The arguments of ``subprocess`` that make a child run as ``account``, with none of our groups."""
    common: dict[str, Any] = {"cwd": "/", "umask": 0o077, "stdin": subprocess.DEVNULL}
    if account is not None:
        common |= {"user": account.uid, "group": account.gid, "extra_groups": []}
    return common


def environment(**extra: str) -> dict[str, str]:
    """A small environment: nothing of the caller's may steer a server."""
    return {"PATH": os.environ.get("PATH", os.defpath), "LC_ALL": "C", "TZ": "UTC", **extra}


def launch(command: Sequence[str], *, log: Path, account: Account | None, env: Mapping[str, str]) -> int:
    """Start ``command`` in a session of its own (Ctrl-C does not reach it), output to ``log``; its process id."""
    if log.exists() and log.stat().st_size > LOG_BYTES:
        log.replace(log.with_name(f"{log.name}.1"))
    descriptor = os.open(log, os.O_WRONLY | os.O_APPEND | os.O_CREAT | os.O_NOFOLLOW, 0o600)
    with os.fdopen(descriptor, "wb") as stream:
        if account is not None:
            os.fchown(descriptor, account.uid, account.gid)
        started = subprocess.run(  # noqa: S603
            ["/bin/sh", "-c", DETACH, "sh", *command],
            stdout=subprocess.PIPE,
            stderr=stream,
            start_new_session=True,
            check=True,
            env=env,
            **as_account(account),
        )
    return int(started.stdout)


def end(pid: int, mark: Mark, steps: Sequence[tuple[signal.Signals, float]]) -> bool:
    """Send the signals of ``steps`` in turn, waiting the given seconds after each; True once the server is gone."""
    for number, seconds in steps:
        deadline = time.monotonic() + seconds
        if mark.on(pid):
            try:
                os.kill(pid, number)
            except ProcessLookupError:
                return True
        while mark.on(pid):
            if time.monotonic() > deadline:
                break
            time.sleep(0.01)
        else:
            return True
    return False
