"""Who may do what in a fresh database, and who may not come in."""

from __future__ import annotations

import psycopg
import pytest
import redis
from celery import Celery
from psycopg import errors

from biasgov import local, roles


def replaced_password(url: str) -> str:
    before, _, after = url.partition("@")
    return before.rsplit(":", 1)[0] + ":wrong@" + after


@pytest.mark.parametrize("name", ["admin_url", "database_url", "compute_database_url", "owner_database_url"])
def test_wrong_password_is_refused(services: local.Services, name: str) -> None:
    with pytest.raises(psycopg.OperationalError, match="password authentication failed"):
        psycopg.connect(replaced_password(getattr(services, name)))


@pytest.mark.parametrize(
    ("name", "role"),
    [
        ("database_url", roles.WEB),
        ("compute_database_url", roles.COMPUTE),
        ("owner_database_url", roles.MIGRATOR),
        ("test_database_url", roles.TEST),
    ],
)
def test_each_url_signs_in_as_its_role(services: local.Services, name: str, role: str) -> None:
    with psycopg.connect(getattr(services, name)) as connection:
        current = connection.execute("SELECT current_user::text, current_database()::text").fetchone()
    assert current == (role, "biasgov")


@pytest.mark.parametrize("name", ["database_url", "compute_database_url", "owner_database_url"])
def test_no_role_creates_tables_by_itself(services: local.Services, name: str) -> None:
    with psycopg.connect(getattr(services, name)) as connection, pytest.raises(errors.InsufficientPrivilege):
        connection.execute("CREATE TABLE public.intruder (id int)")


@pytest.mark.parametrize("role", [roles.OWNER, roles.COMPUTE, "postgres"])
def test_web_cannot_become_another_role(services: local.Services, role: str) -> None:
    with psycopg.connect(services.database_url) as connection, pytest.raises(errors.InsufficientPrivilege):
        connection.execute(f"SET ROLE {role}")


def test_migrator_creates_as_owner(services: local.Services) -> None:
    with psycopg.connect(services.owner_database_url) as connection:
        connection.execute(f"SET ROLE {roles.OWNER}")
        connection.execute("CREATE TABLE public.made (id int)")
        owner = connection.execute("SELECT tableowner::text FROM pg_tables WHERE tablename = 'made'").fetchone()
        connection.rollback()
    assert owner == (roles.OWNER,)


def test_test_role_acts_as_every_side_with_its_privileges_only(services: local.Services) -> None:
    assert services.test_database_url is not None
    with psycopg.connect(services.test_database_url, autocommit=True) as connection:
        for role in (roles.OWNER, *roles.SIGN_IN_ROLES):
            connection.execute(f"SET ROLE {role}")
        connection.execute(f"SET ROLE {roles.WEB}")
        with pytest.raises(errors.InsufficientPrivilege):
            connection.execute("CREATE TABLE public.intruder (id int)")


def test_nobody_but_the_administrator_bypasses_row_level_security(services: local.Services) -> None:
    with psycopg.connect(services.admin_url) as connection:
        mighty = connection.execute(
            "SELECT rolname::text FROM pg_roles WHERE (rolsuper OR rolbypassrls OR rolcreaterole OR rolreplication)"
            " AND rolname NOT LIKE 'pg\\_%'"
        ).fetchall()
    assert mighty == [("postgres",)]


def test_roles_of_the_public_may_not_connect(services: local.Services) -> None:
    with psycopg.connect(services.admin_url, autocommit=True) as admin:
        admin.execute("CREATE ROLE stranger LOGIN PASSWORD 'stranger'")
        stranger = services.database_url.replace(services.database_url.split("@")[0], "postgresql://stranger:stranger")
        with pytest.raises(psycopg.OperationalError, match="permission denied for database"):
            psycopg.connect(stranger)
        admin.execute("DROP ROLE stranger")


def test_create_roles_again_rotates_a_password(services: local.Services) -> None:
    with psycopg.connect(services.admin_url, autocommit=True) as admin:
        given = {role: psycopg.conninfo.conninfo_to_dict(url)["password"] for role, url in urls(services).items()}
        roles.create_roles(admin, passwords=given | {roles.WEB: "wrong"}, database="biasgov")
        psycopg.connect(replaced_password(services.database_url)).close()
        roles.create_roles(admin, passwords=given, database="biasgov")
    psycopg.connect(services.database_url).close()


def test_create_roles_wants_every_password(services: local.Services) -> None:
    admin = psycopg.connect(services.admin_url, autocommit=True)
    with admin, pytest.raises(ValueError, match=roles.COMPUTE):
        roles.create_roles(admin, passwords={roles.WEB: "a", roles.MIGRATOR: "b"}, database="biasgov")


def test_password_never_reaches_the_server(services: local.Services) -> None:
    with psycopg.connect(services.admin_url) as admin:
        stored = admin.execute("SELECT rolpassword FROM pg_authid WHERE rolcanlogin").fetchall()
    assert all(verifier.startswith("SCRAM-SHA-256$") for (verifier,) in stored)


def test_database_from_a_template_has_its_tables_and_its_own_doors(services: local.Services) -> None:
    first = local.create_database(services, "Tests 1")
    with psycopg.connect(first.owner_database_url) as connection:
        connection.execute(f"SET ROLE {roles.OWNER}")
        connection.execute("CREATE TABLE made AS SELECT 7 AS answer")
        connection.execute(f"GRANT SELECT ON made TO {roles.WEB}")
    second = local.create_database(services, "tests-2", template="Tests 1")
    visitor = psycopg.connect(second.database_url)
    assert visitor.execute("SELECT answer FROM made").fetchone() == (7,)
    for name in ("Tests 1", "tests-2", "tests-2"):
        local.drop_database(services, name)
    with pytest.raises(errors.AdminShutdown):
        visitor.execute("SELECT 1")
    visitor.close()
    with pytest.raises(psycopg.OperationalError, match="does not exist"):
        psycopg.connect(first.database_url)


def test_server_is_set_for_trust(services: local.Services) -> None:
    wanted = {
        "data_checksums": "on",
        "jit": "off",
        "listen_addresses": "",
        "password_encryption": "scram-sha-256",
        "server_encoding": "UTF8",
        "timezone": "UTC",
        "wal_compression": "pglz",
    }
    with psycopg.connect(services.admin_url) as admin:
        found = {name: admin.execute(f"SHOW {name}").fetchone()[0] for name in wanted}
        assert found == wanted
        assert admin.execute("SELECT upper('ñ'), 'ä' < 'b'").fetchone() == ("Ñ", False)


def test_valkey_wants_the_password(services: local.Services) -> None:
    for url in (
        services.redis_url.replace(services.redis_url.split("@")[0], "redis://:wrong"),
        "redis://" + services.redis_url.split("@")[1],
    ):
        with redis.Redis.from_url(url) as client, pytest.raises(redis.AuthenticationError):
            client.ping()


def test_one_url_serves_redis_and_celery(services: local.Services) -> None:
    app = Celery(broker=services.redis_url, set_as_current=False)
    with app.connection_for_write() as connection, connection.SimpleQueue("letters") as queue:
        queue.put({"answer": 42})
        with redis.Redis.from_url(services.redis_url) as client:
            assert client.llen("letters") == 1
        assert queue.get(timeout=5).payload == {"answer": 42}
    app.close()


def urls(services: local.Services) -> dict[str, str]:
    return {
        roles.WEB: services.database_url,
        roles.COMPUTE: services.compute_database_url,
        roles.MIGRATOR: services.owner_database_url,
    }
