"""The database roles of biasgov and what they may do to a database as a whole.

Privileges on schemas and tables belong to the migrations; here are only the roles themselves, the database and the
``public`` schema. The same calls prepare the embedded cluster and a PostgreSQL run by somebody else.

===================  ==============================================================================
role                 meaning
===================  ==============================================================================
``biasgov_owner``    owns the database and all in it; cannot sign in
``biasgov_migrator`` signs in to migrate; has nothing of its own until ``SET ROLE biasgov_owner``
``biasgov_web``      the web side
``biasgov_compute``  the compute side
``biasgov_test``     the tests only: may act as each of the above and create databases
===================  ==============================================================================

On an outside PostgreSQL run ``python -m biasgov.roles`` once, with ``ADMIN_DATABASE_URL`` (a superuser's) and
``ROLE_PASSWORDS`` (a JSON object from role to password), each of them or its ``_FILE``, and ``DATABASE_NAME`` if the
database is not to be called ``biasgov``. Running it again with other passwords changes them.
"""

import json
import os
from collections.abc import Mapping
from typing import Any

import psycopg
from psycopg import sql

from biasgov.environment import ConfigurationError, secret

OWNER = "biasgov_owner"
MIGRATOR = "biasgov_migrator"
WEB = "biasgov_web"
COMPUTE = "biasgov_compute"
TEST = "biasgov_test"

SIGN_IN_ROLES = (MIGRATOR, WEB, COMPUTE)


def create_roles(admin_connection: psycopg.Connection[Any], *, passwords: Mapping[str, str], database: str) -> None:
    """Create or correct the roles and the database; harmless when repeated.

    ``admin_connection`` belongs to a superuser, is in autocommit mode and may be on any database of the cluster.
    ``passwords`` maps each of ``SIGN_IN_ROLES``, and ``TEST`` where the tests' role is wanted, to its password; a
    password leaves this process only as a SCRAM verifier. Raises ``ValueError`` for a missing password.
    """
    missing = [role for role in SIGN_IN_ROLES if not passwords.get(role)]
    if missing:
        raise ValueError(f"create_roles needs a password for {', '.join(missing)}")
    with admin_connection.transaction():
        _role(admin_connection, OWNER, "NOLOGIN NOCREATEDB")
        for role in SIGN_IN_ROLES:
            _role(admin_connection, role, "LOGIN NOCREATEDB", passwords[role])
        _member(admin_connection, MIGRATOR, of=OWNER, inherit=False)
        if passwords.get(TEST):
            _role(admin_connection, TEST, "LOGIN CREATEDB", passwords[TEST])
            for role in (OWNER, *SIGN_IN_ROLES):
                _member(admin_connection, TEST, of=role, inherit=role == OWNER)
    prepare_database(admin_connection, database=database)


def prepare_database(admin_connection: psycopg.Connection[Any], *, database: str, template: str | None = None) -> None:
    """Create ``database`` if it is missing, owned by ``OWNER``, and close it and its ``public`` schema to PUBLIC.

    ``template`` names the database to copy when it has to be created. Raises what psycopg raises, for instance
    ``ObjectInUse`` while somebody is connected to the template.
    """
    name = sql.Identifier(database)
    if not database_exists(admin_connection, database):
        copy = sql.SQL(" TEMPLATE {}").format(sql.Identifier(template)) if template else sql.SQL("")
        admin_connection.execute(sql.SQL("CREATE DATABASE {} OWNER {}").format(name, sql.Identifier(OWNER)) + copy)
    connecting = [role for role in (*SIGN_IN_ROLES, TEST) if _role_exists(admin_connection, role)]
    with admin_connection.transaction():
        admin_connection.execute(sql.SQL("ALTER DATABASE {} OWNER TO {}").format(name, sql.Identifier(OWNER)))
        admin_connection.execute(sql.SQL("REVOKE ALL ON DATABASE {} FROM PUBLIC").format(name))
        admin_connection.execute(
            sql.SQL("GRANT CONNECT ON DATABASE {} TO {}").format(
                name, sql.SQL(", ").join(map(sql.Identifier, connecting))
            )
        )
    with _connected_to(admin_connection, database) as inside:
        inside.execute("REVOKE CREATE ON SCHEMA public FROM PUBLIC")


def drop_database(admin_connection: psycopg.Connection[Any], *, database: str) -> None:
    """Drop ``database`` if it exists, ending the sessions in it."""
    admin_connection.execute(sql.SQL("DROP DATABASE IF EXISTS {} WITH (FORCE)").format(sql.Identifier(database)))


def database_exists(connection: psycopg.Connection[Any], database: str) -> bool:
    """Whether the cluster has a database of this name."""
    found = connection.execute("SELECT 1 FROM pg_database WHERE datname = %s", [database])
    return found.fetchone() is not None


def _role_exists(connection: psycopg.Connection[Any], role: str) -> bool:
    return connection.execute("SELECT 1 FROM pg_roles WHERE rolname = %s", [role]).fetchone() is not None


def _role(connection: psycopg.Connection[Any], role: str, options: str, password: str | None = None) -> None:
    name = sql.Identifier(role)
    if not _role_exists(connection, role):
        connection.execute(sql.SQL("CREATE ROLE {}").format(name))
    connection.execute(
        sql.SQL("ALTER ROLE {} NOSUPERUSER NOCREATEROLE NOREPLICATION NOBYPASSRLS {}").format(
            name,
            sql.SQL(options),
        )
    )
    if password is not None:
        verifier = connection.pgconn.encrypt_password(password.encode(), role.encode(), b"scram-sha-256")
        connection.execute(sql.SQL("ALTER ROLE {} PASSWORD {}").format(name, sql.Literal(verifier.decode())))


def _member(connection: psycopg.Connection[Any], role: str, *, of: str, inherit: bool) -> None:
    connection.execute(
        sql.SQL("GRANT {} TO {} WITH INHERIT {}, SET TRUE").format(
            sql.Identifier(of), sql.Identifier(role), sql.SQL("TRUE" if inherit else "FALSE")
        )
    )


def _connected_to(connection: psycopg.Connection[Any], database: str) -> psycopg.Connection[Any]:
    info = connection.info
    return psycopg.connect(info.dsn, password=info.password or None, dbname=database, autocommit=True)


def main() -> None:
    """Prepare an outside PostgreSQL from the environment. Raises ConfigurationError if something is not given."""
    address, given = secret("ADMIN_DATABASE_URL"), secret("ROLE_PASSWORDS")
    if not address or not given:
        raise ConfigurationError("Set ADMIN_DATABASE_URL and ROLE_PASSWORDS, or ADMIN_DATABASE_URL_FILE and so on.")
    try:
        passwords = dict(json.loads(given))
    except (ValueError, TypeError):
        raise ConfigurationError("ROLE_PASSWORDS is not a JSON object from role to password.") from None
    database = os.environ.get("DATABASE_NAME", "biasgov")
    with psycopg.connect(address, autocommit=True) as connection:
        create_roles(connection, passwords=passwords, database=database)
    print(f"Database {database} is ready for {', '.join(SIGN_IN_ROLES)}.")  # noqa: T201


if __name__ == "__main__":
    main()
