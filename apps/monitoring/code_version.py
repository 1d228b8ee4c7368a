"""Which code computed a run: results are the same bytes only under the same one."""

from __future__ import annotations

import hashlib
from functools import cache
from importlib.metadata import version
from pathlib import Path

import numpy as np

import biasgov.fairness

FOLDERS = (Path(next(iter(biasgov.fairness.__path__))), Path(__file__).parent)
"""The statistical core, and what makes a run's document of it."""


@cache
def code_version() -> str:
    """Package version, digest of the sources in `FOLDERS`, and numpy's version (its random streams)."""
    content = hashlib.sha256()
    for path in (path for folder in FOLDERS for path in sorted(folder.glob("*.py"))):
        content.update(path.name.encode() + b"\0" + path.read_bytes() + b"\0")
    return f"biasgov {version('biasgov')}, fairness {content.hexdigest()[:16]}, numpy {np.__version__}"
