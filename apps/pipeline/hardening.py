"""The compute side holds keys and, for moments, attributes: none of it may end up in a core file or be read by others.

The limit on core files does not bind a kernel that pipes them to a program (core(5)), so on Linux the process is also
made undumpable. That shuts its memory and its environment in ``/proc`` to other processes of the same user, too.
"""

from __future__ import annotations

import ctypes
import resource
import sys
from typing import Any

from django.conf import settings
from django.core.checks import CheckMessage, Error

_GET_DUMPABLE, _SET_DUMPABLE = 3, 4  # linux/prctl.h


def forbid_core_dumps() -> None:
    """No core file from this process and those it forks; the hard limit too, so nobody below can raise it again."""
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    if sys.platform == "linux":
        _prctl(_SET_DUMPABLE, 0)


def check_core_dumps(**_: Any) -> list[CheckMessage]:
    """A compute process that could write its memory to disk does not start."""
    if settings.SIDE == "compute" and (resource.getrlimit(resource.RLIMIT_CORE) != (0, 0) or _dumpable()):
        return [
            Error(
                "The compute side could write a core file with attributes and keys in it.",
                hint="Start it with 'ulimit -c 0' and find out what raised the limit.",
                id="biasgov.E020",
            )
        ]
    return []


def _dumpable() -> bool:
    return sys.platform == "linux" and _prctl(_GET_DUMPABLE, 0) != 0


def _prctl(option: int, value: int) -> int:
    return int(ctypes.CDLL(None, use_errno=True).prctl(option, value, 0, 0, 0))
