"""The compute side holds keys and, for moments, attributes: none of it may end up in a core file."""

from __future__ import annotations

import resource
from typing import Any

from django.conf import settings
from django.core.checks import CheckMessage, Error


def forbid_core_dumps() -> None:
    """No core file from this process and those it starts; the hard limit too, so nobody below can raise it again."""
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))


def check_core_dumps(**_: Any) -> list[CheckMessage]:
    """A compute process that could write its memory to disk does not start."""
    if settings.SIDE == "compute" and resource.getrlimit(resource.RLIMIT_CORE) != (0, 0):
        return [
            Error(
                "The compute side could write a core file with attributes and keys in it.",
                hint="Start it with 'ulimit -c 0' and find out what raised the limit.",
                id="biasgov.E020",
            )
        ]
    return []
