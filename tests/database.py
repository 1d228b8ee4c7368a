"""The test database: migrated and granted exactly as a real one, and copied from a template as long as that is current.

Migrating takes most of the time of a short run. The template keeps, as its comment, a digest of all that shapes it, so
that a run after a change of a model, a migration, a grant or a library migrates anew, and any other run copies.
"""

from __future__ import annotations

import hashlib
import time
from pathlib import Path
from typing import Any

import psycopg
from django.conf import settings
from django.db import connection
from django.db.models.signals import pre_migrate
from django.test.utils import setup_databases
from psycopg import sql

from biasgov import governed, grants

ROOT = Path(__file__).parent.parent
SHAPED_BY = (
    "requirements/*.lock",
    "pyproject.toml",
    "tests/database.py",
    "biasgov/*.py",
    "apps/*/apps.py",
    "apps/*/models.py",
    "apps/*/models/*.py",
    "apps/*/migrations/*.py",
    "apps/accounts/roles.py",
)


def create() -> tuple[str, str]:
    """Make the test database and its template; their names. The connection uses the test database from then on."""
    name = connection.creation._get_test_db_name()
    template, digest = f"{name}_template", _digest()
    if _comment(template) == digest:
        copy(template, name)
        settings.DATABASES["default"]["NAME"] = connection.settings_dict["NAME"] = name
        return name, template
    pre_migrate.connect(_prepare)
    setup_databases(verbosity=0, interactive=False)
    with connection.cursor() as cursor:
        cursor.execute("SET ROLE biasgov_owner")
    grants.apply(connection)
    governed.apply(connection)
    copy(name, template)
    with _admin() as admin:
        statement = sql.SQL("COMMENT ON DATABASE {} IS {}").format(sql.Identifier(template), sql.Literal(digest))
        admin.execute("SET ROLE biasgov_owner")
        admin.execute(statement)
    return name, template


def copy(source: str, target: str) -> None:
    """Replace database `target` by a copy of `source`: truncation would be refused by the audit log."""
    connection.close()
    drop(target)
    with _admin() as admin:
        admin.execute(
            sql.SQL("CREATE DATABASE {} TEMPLATE {} OWNER biasgov_owner STRATEGY file_copy").format(
                sql.Identifier(target), sql.Identifier(source)
            )
        )
        # What a role may do to the database itself is not copied with it.
        admin.execute("SET ROLE biasgov_owner")
        admin.execute(sql.SQL("REVOKE CREATE, TEMPORARY ON DATABASE {} FROM PUBLIC").format(sql.Identifier(target)))


def drop(name: str) -> None:
    """Drop a database with whoever is in it; an autovacuum worker cannot be ended by our role and is waited for."""
    statement = sql.SQL("DROP DATABASE IF EXISTS {} WITH (FORCE)").format(sql.Identifier(name))
    for left in reversed(range(100)):
        try:
            with _admin() as admin:
                admin.execute(statement)
            return
        except (psycopg.errors.InsufficientPrivilege, psycopg.errors.ObjectInUse):
            if not left:
                raise
            time.sleep(0.1)


def _admin() -> psycopg.Connection[Any]:
    return psycopg.connect(settings.DATABASE_URL, autocommit=True)


def _comment(name: str) -> str | None:
    """The comment of a database; None if it has none or does not exist."""
    with _admin() as admin:
        query = "SELECT shobj_description(oid, 'pg_database') FROM pg_database WHERE datname = %s"
        row = admin.execute(query, [name]).fetchone()
    return row[0] if row else None


def _digest() -> str:
    digest = hashlib.sha256()
    for pattern in SHAPED_BY:
        for path in sorted(ROOT.glob(pattern)):
            digest.update(f"{path.relative_to(ROOT)}\n".encode() + path.read_bytes())
    return digest.hexdigest()


def _prepare(**_: Any) -> None:
    """Hand the new database to biasgov_owner, as `biasgov.roles` does for a real one."""
    name = connection.settings_dict["NAME"]
    with connection.cursor() as cursor:
        cursor.execute("RESET ROLE")
        cursor.execute(f'ALTER DATABASE "{name}" OWNER TO biasgov_owner')
        cursor.execute("SET ROLE biasgov_owner")
        for schema in ("vault", "cube"):
            cursor.execute(f"CREATE SCHEMA IF NOT EXISTS {schema}")
