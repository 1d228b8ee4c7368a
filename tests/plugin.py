"""Runs before Django is set up: starts the embedded services and puts the tests on their own side."""

from __future__ import annotations

import os
from pathlib import Path

import pytest


@pytest.hookimpl(tryfirst=True)
def pytest_load_initial_conftests(early_config: pytest.Config) -> None:
    home = Path(os.environ.get("BIASGOV_HOME") or early_config.rootpath / ".local" / "test")
    # Processes that share the work (`-n 2`) inherit the first one's home, and each has services and keys of its own.
    home /= os.environ.get("PYTEST_XDIST_WORKER", "")
    os.environ["BIASGOV_HOME"] = str(home)
    os.environ["BIASGOV_SIDE"] = "test"
    for name in ("DATABASE_URL", "COMPUTE_DATABASE_URL", "OWNER_DATABASE_URL", "REDIS_URL", "PUBLIC_URL"):
        os.environ.pop(name, None)

    from biasgov import keyring, local

    services = local.start(home, testing=True)
    os.environ["TEST_DATABASE_URL"] = services.test_database_url
    os.environ["REDIS_URL"] = services.redis_url
    keyring.generate(home)
    (home / "static").mkdir(exist_ok=True)
