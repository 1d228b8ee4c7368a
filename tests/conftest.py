"""What every test shares: a migrated database with the real privileges, and the web side's role by default."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
from django.db import connection
from django.test import TransactionTestCase

from tests import database


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """The long files first: processes that share the work then end at about the same time."""
    items.sort(key=lambda item: item.get_closest_marker("browser") is None)


@pytest.fixture(scope="session")
def django_db_setup(django_test_environment: None, django_db_blocker: Any) -> Iterator[None]:
    """The test database, and each test that commits begins with a fresh copy of it."""
    with django_db_blocker.unblock(), pytest.MonkeyPatch.context() as patch:
        name, template = database.create()
        patch.setattr(TransactionTestCase, "_fixture_teardown", lambda self: database.copy(template, name))
        yield
        connection.close()
        database.drop(name)


@pytest.fixture(autouse=True)
def _nothing_kept() -> None:
    """What a process keeps of rows that never change is of another database here: ids begin anew with every copy."""
    from apps.monitoring import runs
    from apps.registry import selectors
    from apps.thresholds import versions

    for kept in (runs._kept, selectors._kept, versions._kept):
        kept.clear()


@pytest.fixture(autouse=True)
def _web_side(request: pytest.FixtureRequest) -> Iterator[None]:
    """Every database test starts as the web side; `tests.sides.side` switches."""
    marker = request.node.get_closest_marker("django_db")
    wanted = {"db", "transactional_db", "live_server", "client", "admin_client"} & set(request.fixturenames)
    if marker is None and not wanted:
        yield
        return
    lasting = (marker is not None and marker.kwargs.get("transaction")) or wanted & {
        "transactional_db",
        "live_server",
    }
    request.getfixturevalue("transactional_db" if lasting else "db")
    with connection.cursor() as cursor:
        cursor.execute("SET ROLE biasgov_web")
    yield
    if connection.connection and not connection.needs_rollback:
        with connection.cursor() as cursor:
            cursor.execute("RESET ROLE")
