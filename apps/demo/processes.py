"""The demo's own child processes: started together, started again when one dies, ended together."""

from __future__ import annotations

import contextlib
import ctypes
import os
import signal
import subprocess
import sys
import time
from collections import deque
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from apps.demo.errors import ChildError

CHECKOUT: Final = Path(__file__).resolve().parents[2]
DEATHS_ALLOWED: Final = 5
WITHIN: Final = 60.0
PATIENCE: Final = 10.0
LOG_BYTES: Final = 8 * 1024 * 1024
_PR_SET_PDEATHSIG: Final = 1
_LIBC = ctypes.CDLL(None) if sys.platform == "linux" else None


@dataclass(frozen=True, slots=True)
class Command:
    """A program of the demo: its arguments, its whole environment and the file its output goes to."""

    name: str
    arguments: Sequence[str]
    environment: Mapping[str, str]
    log: Path

    def start(self) -> subprocess.Popen[bytes]:
        """Start it in a session of its own (Ctrl-C reaches only us). Call from the main thread.

        On Linux the kernel ends it when we die, however we die.
        """
        if self.log.exists() and self.log.stat().st_size > LOG_BYTES:
            self.log.replace(self.log.with_suffix(".log.1"))
        with self.log.open("ab") as output:
            return subprocess.Popen(  # noqa: S603
                list(self.arguments),
                env=dict(self.environment),
                cwd=CHECKOUT,
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=subprocess.STDOUT,
                start_new_session=True,
                preexec_fn=_end_with_parent if _LIBC is not None else None,
            )

    def last_words(self, lines: int = 12) -> str:
        """The end of its log."""
        try:
            text = self.log.read_text(errors="replace")
        except OSError:
            return f"{self.log} cannot be read."
        return "\n".join([f"The end of {self.log}:", *text.splitlines()[-lines:]])


class Children:
    """The running children, in the order of their start."""

    def __init__(self) -> None:
        self._running: dict[str, tuple[Command, subprocess.Popen[bytes]]] = {}
        self._deaths: dict[str, deque[float]] = {}

    def start(self, command: Command) -> None:
        self._running[command.name] = (command, command.start())
        self._deaths.setdefault(command.name, deque(maxlen=DEATHS_ALLOWED))

    def revive(self) -> list[str]:
        """Start again what has died; the names of these children.

        Raises ChildError if one has died five times within a minute.
        """
        revived = []
        for name, (command, process) in list(self._running.items()):
            if process.poll() is None:
                continue
            _end_group(process, signal.SIGKILL)
            deaths = self._deaths[name]
            deaths.append(time.monotonic())
            if len(deaths) == DEATHS_ALLOWED and deaths[-1] - deaths[0] < WITHIN:
                raise ChildError(f"The {name} process died {DEATHS_ALLOWED} times in a minute. {command.last_words()}")
            self.start(command)
            revived.append(name)
        return revived

    def stop(self) -> None:
        """End all children, the last started first; those that do not end in ten seconds are killed."""
        processes = [process for _, process in reversed(self._running.values())]
        for process in processes:
            if process.poll() is None:
                process.terminate()
        deadline = time.monotonic() + PATIENCE
        for process in processes:
            with contextlib.suppress(subprocess.TimeoutExpired):
                process.wait(max(deadline - time.monotonic(), 0.1))
            _end_group(process, signal.SIGKILL)
            process.wait()
        self._running.clear()


def run_together(commands: Sequence[Command]) -> None:
    """Run commands side by side to their end. Raises ChildError with the words of the first that failed."""
    started = [(command, command.start()) for command in commands]
    try:
        for command, process in started:
            if process.wait() != 0:
                raise ChildError(f"'{command.name}' failed with exit code {process.returncode}. {command.last_words()}")
    finally:
        for _, process in started:
            if process.poll() is None:
                _end_group(process, signal.SIGKILL)
                process.wait()


def _end_group(process: subprocess.Popen[bytes], number: signal.Signals) -> None:
    """Signal whatever is left of the child's session: pool processes may outlive their parent."""
    try:
        os.killpg(process.pid, number)
    except (ProcessLookupError, PermissionError):
        return


def _end_with_parent() -> None:
    if _LIBC is not None:
        _LIBC.prctl(_PR_SET_PDEATHSIG, signal.SIGTERM, 0, 0, 0)
