"""Homes for the embedded services, each removed with everything that was started in it."""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from biasgov import local


@pytest.fixture(scope="module")
def services() -> Iterator[local.Services]:
    """Running services that the tests of a module share; a test that kills a server starts it again."""
    home = Path(tempfile.mkdtemp(prefix="bg-")).resolve()
    home.chmod(0o711)
    yield local.start(home, testing=True)
    local.remove(home)
    shutil.rmtree(home)


@pytest.fixture
def home() -> Iterator[Path]:
    """A path for a home that does not exist yet."""
    parent = Path(tempfile.mkdtemp(prefix="bg-")).resolve()
    parent.chmod(0o711)
    yield parent / "home"
    local.remove(parent / "home")
    shutil.rmtree(parent)
