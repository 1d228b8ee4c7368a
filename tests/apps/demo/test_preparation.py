"""A home is prepared again exactly when its database, the code or the static files are others."""

from __future__ import annotations

import os
from dataclasses import replace
from pathlib import Path

import pytest

from apps.demo.preparation import digest_of_checkout, installation
from biasgov.local import Services


@pytest.fixture
def checkout(tmp_path):
    for name in ("apps/a/migrations/0001.py", "biasgov/grants.py", "static/css/a.css", "docs/a.md"):
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_text("x")
    return tmp_path


@pytest.mark.parametrize("name", ["apps/a/migrations/0001.py", "biasgov/grants.py", "static/css/a.css"])
def test_a_changed_file_changes_the_digest(checkout, name):
    before = digest_of_checkout(checkout)
    assert digest_of_checkout(checkout) == before
    state = os.stat(checkout / name)
    os.utime(checkout / name, ns=(state.st_atime_ns, state.st_mtime_ns + 1))
    assert digest_of_checkout(checkout) != before


def test_a_new_file_changes_the_digest_and_compiled_code_or_documents_do_not(checkout):
    before = digest_of_checkout(checkout)
    (checkout / "docs" / "b.md").write_text("y")
    (checkout / "apps" / "__pycache__").mkdir()
    (checkout / "apps" / "__pycache__" / "a.pyc").write_text("y")
    assert digest_of_checkout(checkout) == before
    (checkout / "apps" / "b.py").write_text("y")
    assert digest_of_checkout(checkout) != before


def test_the_installation_is_that_of_the_database_and_not_of_its_address():
    url = "postgresql://biasgov_web:{}@/biasgov?host={}"
    here = Services(
        home=Path("/home"),
        admin_url="",
        database_url=url.format("one", "/run/a"),
        compute_database_url="",
        owner_database_url="",
        redis_url="",
    )
    assert installation(here) == installation(replace(here, database_url=url.format("one", "/run/b")))
    assert installation(here) != installation(replace(here, database_url=url.format("two", "/run/a")))
    assert "one" not in installation(here)
