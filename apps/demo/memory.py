"""What the demo of one home remembers from run to run: ``demo.json``, readable by its owner only."""

from __future__ import annotations

import os
import secrets
import tempfile
from datetime import UTC, datetime
from pathlib import Path

import msgspec

from apps.demo.errors import MemoryDamagedError


class DemoMemory(msgspec.Struct):
    """What must not change between two runs.

    `anchor`: the moment the demo was set up, from which all its dates are counted. `password`: of all demo people of
    this home. `fed_until`: per model, the moment up to which its stream has been sent; `ended_at`: where it ends, if
    it does. `installation` names the database that this is about, and `prepared` the code and files that it was
    prepared for. `story_told`: whether its people have done what the story has them do.
    """

    anchor: datetime
    password: str
    token: str = ""
    fed_until: dict[str, datetime] = {}
    ended_at: dict[str, datetime] = {}
    attributes_sent: list[str] = []
    installation: str = ""
    prepared: str = ""
    story_told: bool = False


def recall(home: Path, installation: str) -> DemoMemory:
    """The memory of `home`; a fresh one, anchored now, where there is none or its database is another one.

    Raises MemoryDamagedError.
    """
    file = home / "demo.json"
    fresh = DemoMemory(anchor=datetime.now(UTC), password=secrets.token_urlsafe(12), installation=installation)
    try:
        kept = msgspec.json.decode(file.read_bytes(), type=DemoMemory)
        return kept if kept.installation == installation else fresh
    except FileNotFoundError:
        return fresh
    except msgspec.DecodeError as error:
        raise MemoryDamagedError(
            f"{file} is damaged ({error}). Remove it together with the rest of {home} to begin anew."
        ) from error


def keep(home: Path, memory: DemoMemory) -> None:
    """Replace the memory of `home` as a whole (mode 0600)."""
    descriptor, temporary = tempfile.mkstemp(dir=home, prefix=".demo.json.")
    try:
        with os.fdopen(descriptor, "wb") as stream:
            stream.write(msgspec.json.format(msgspec.json.encode(memory)) + b"\n")
        os.replace(temporary, home / "demo.json")
    except BaseException:
        Path(temporary).unlink(missing_ok=True)
        raise
