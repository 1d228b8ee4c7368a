"""What every test shares: a migrated database with the real privileges, and the web side's role by default."""

from __future__ import annotations

import time
from collections.abc import Iterator
from typing import Any

import psycopg
import pytest
from django.conf import settings
from django.db import connection
from django.db.models.signals import pre_migrate
from django.test import TransactionTestCase
from django.test.utils import setup_databases
from psycopg import sql

from biasgov import governed, grants


def _prepare(**_: Any) -> None:
    """Hand the new database to biasgov_owner, as `biasgov.roles` does for a real one."""
    name = connection.settings_dict["NAME"]
    with connection.cursor() as cursor:
        cursor.execute("RESET ROLE")
        cursor.execute(f'ALTER DATABASE "{name}" OWNER TO biasgov_owner')
        cursor.execute("SET ROLE biasgov_owner")
        for schema in ("vault", "cube"):
            cursor.execute(f"CREATE SCHEMA IF NOT EXISTS {schema}")


def _copy_database(source: str, target: str) -> None:
    """Replace database `target` by a copy of `source`: truncation would be refused by the audit log."""
    connection.close()
    _drop_database(target)
    with psycopg.connect(settings.DATABASE_URL, autocommit=True) as admin:
        admin.execute(
            sql.SQL("CREATE DATABASE {} TEMPLATE {} OWNER biasgov_owner STRATEGY file_copy").format(
                sql.Identifier(target), sql.Identifier(source)
            )
        )


def _drop_database(name: str) -> None:
    """Drop a database with whoever is in it; an autovacuum worker cannot be ended by our role and is waited for."""
    statement = sql.SQL("DROP DATABASE IF EXISTS {} WITH (FORCE)").format(sql.Identifier(name))
    for left in reversed(range(100)):
        try:
            with psycopg.connect(settings.DATABASE_URL, autocommit=True) as admin:
                admin.execute(statement)
            return
        except (psycopg.errors.InsufficientPrivilege, psycopg.errors.ObjectInUse):
            if not left:
                raise
            time.sleep(0.1)


@pytest.fixture(scope="session")
def django_db_setup(django_test_environment: None, django_db_blocker: Any) -> Iterator[None]:
    """The test database: owned by biasgov_owner, migrated and granted exactly as a real one."""
    with django_db_blocker.unblock(), pytest.MonkeyPatch.context() as patch:
        pre_migrate.connect(_prepare)
        setup_databases(verbosity=0, interactive=False)
        with connection.cursor() as cursor:
            cursor.execute("SET ROLE biasgov_owner")
        grants.apply(connection)
        governed.apply(connection)
        name = connection.settings_dict["NAME"]
        template = f"{name}_template"
        _copy_database(name, template)
        patch.setattr(TransactionTestCase, "_fixture_teardown", lambda self: _copy_database(template, name))
        yield
        connection.close()
        _drop_database(name)
        _drop_database(template)


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
