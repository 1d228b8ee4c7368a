"""Homes for the embedded services, each removed with everything that was started in it."""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from biasgov import local


@pytest.fixture(scope="session")
def shared_home() -> Iterator[Path]:
    """A home that tests share, whatever they do to its servers."""
    home = Path(tempfile.mkdtemp(prefix="bg-")).resolve()
    home.chmod(0o711)
    yield home
    local.remove(home)
    shutil.rmtree(home)


@pytest.fixture
def services(shared_home: Path) -> local.Services:
    """Running services, started again if the test before stopped or killed them."""
    return local.start(shared_home, testing=True)


@pytest.fixture
def home() -> Iterator[Path]:
    """A path for a home that does not exist yet."""
    parent = Path(tempfile.mkdtemp(prefix="bg-")).resolve()
    parent.chmod(0o711)
    yield parent / "home"
    local.remove(parent / "home")
    shutil.rmtree(parent)
