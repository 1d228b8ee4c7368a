"""What a home remembers: the places, ports and passwords of its services, and the lock that guards them."""

import fcntl
import hashlib
import json
import os
import secrets
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import Any

from biasgov import roles
from biasgov.local.errors import LocalServicesError
from biasgov.local.processes import Account

FORMAT = 1
ADMIN = "postgres"
VALKEY = "valkey"
PATHS = ("place", "sockets")
LOCK_SECONDS = 180.0


@dataclass(frozen=True, slots=True)
class State:
    """The contents of ``state.json`` (mode 0600: it holds the passwords).

    ``place`` holds the servers' files, ``sockets`` PostgreSQL's socket; both are stored relative to the home where they
    are in it, so that a home can be moved. ``durable`` is True for ever once the home
    was started for anything but tests. ``prepared`` lists the databases whose roles and grants are complete.
    """

    place: Path
    sockets: Path
    database: str
    durable: bool
    passwords: dict[str, str] = field(repr=False)
    prepared: tuple[str, ...] = ()
    format: int = FORMAT

    def with_test_role(self) -> "State":
        """The same with a password for the tests' role."""
        if roles.TEST in self.passwords:
            return self
        return replace(self, passwords=self.passwords | {roles.TEST: _password()}, prepared=())


def default_home() -> Path:
    """``BIASGOV_HOME``, or ``.local`` in the checkout (in the current directory, where there is no checkout)."""
    named = os.environ.get("BIASGOV_HOME")
    if named:
        return Path(named).expanduser()
    checkout = Path(__file__).resolve().parents[2]
    return (checkout if (checkout / "pyproject.toml").exists() else Path.cwd()) / ".local"


def new_state(place: Path, sockets: Path, database: str) -> State:
    """A fresh state with random passwords of 192 bits."""
    names = (ADMIN, VALKEY, *roles.SIGN_IN_ROLES)
    return State(place, sockets, database, False, {name: _password() for name in names})


def load(home: Path) -> State | None:
    """The state of ``home``, or None if it never was started. Raises LocalServicesError if it cannot be read."""
    file = home / "state.json"
    try:
        stored: dict[str, Any] = json.loads(file.read_text())
        if stored["format"] != FORMAT:
            raise LocalServicesError(
                f"{file} was written by another version of biasgov (format {stored['format']}, known is {FORMAT})."
            )
        paths = {name: home / stored[name] for name in PATHS}
        return State(**(stored | paths | {"prepared": tuple(stored["prepared"])}))
    except FileNotFoundError:
        return None
    except PermissionError:
        raise LocalServicesError(
            f"{file} belongs to another user. Start biasgov as that user, or set BIASGOV_HOME to a directory of "
            "your own."
        ) from None
    except (ValueError, KeyError, TypeError) as error:
        raise LocalServicesError(
            f"{file} is damaged ({error}). Restore it, or remove {home} to begin anew without its data."
        ) from error


def save(home: Path, state: State) -> None:
    """Replace ``state.json`` as a whole."""
    paths = {name: _relative(getattr(state, name), home) for name in PATHS}
    write_private(home / "state.json", json.dumps(asdict(state) | paths, indent=2) + "\n")


def forget(home: Path) -> None:
    """Remove ``state.json`` (the lock stays: removing it would let two processes hold it)."""
    (home / "state.json").unlink(missing_ok=True)


def write_private(file: Path, text: str, account: Account | None = None) -> None:
    """Write ``file`` (mode 0600, owned by ``account``) so that a crash leaves the old or the new one, never half.

    Renaming over the target also means that a symbolic link planted there is replaced and not followed.
    """
    descriptor, temporary = tempfile.mkstemp(dir=file.parent, prefix=f".{file.name}.")
    try:
        with os.fdopen(descriptor, "w") as stream:
            stream.write(text)
            stream.flush()
            os.fsync(descriptor)
            if account is not None:
                os.fchown(descriptor, account.uid, account.gid)
        os.replace(temporary, file)
    except BaseException:
        Path(temporary).unlink(missing_ok=True)
        raise


@contextmanager
def locked(home: Path) -> Iterator[None]:
    """Hold the home's lock: one start or stop at a time, over all processes. The kernel frees it on any death."""
    descriptor = os.open(home / "lock", os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW, 0o600)
    try:
        deadline = time.monotonic() + LOCK_SECONDS
        while True:
            try:
                fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
                break
            except BlockingIOError:
                if time.monotonic() > deadline:
                    raise LocalServicesError(
                        f"Another start or stop has been busy in {home} for {LOCK_SECONDS:.0f} seconds. "
                        "End that process and try again."
                    ) from None
                time.sleep(0.05)
        yield
    finally:
        os.close(descriptor)


def digest(home: Path) -> str:
    """A short name for ``home``, for directories that cannot be inside it."""
    return hashlib.sha256(os.fsencode(home)).hexdigest()[:16]


def _relative(path: Path, home: Path) -> str:
    return str(path.relative_to(home) if path.is_relative_to(home) else path)


def _password() -> str:
    return secrets.token_urlsafe(24)
