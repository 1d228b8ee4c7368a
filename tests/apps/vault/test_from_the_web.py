"""With the web side's own password, on a connection of its own: the ways into the vault and the cubes."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import psycopg
import pytest
from django.conf import settings
from django.db import connection
from psycopg import errors, sql

from apps.pipeline import services as pipeline
from apps.vault import services
from apps.vault.purpose import entering
from biasgov import local
from tests.apps.pipeline.world import ACTOR, company
from tests.sides import side

pytestmark = pytest.mark.django_db
committed = pytest.mark.django_db(transaction=True)
Web = psycopg.Connection[Any]


@pytest.fixture
def web(db: None) -> Iterator[Web]:
    """Signed in as the web side."""
    address = local.start(settings.HOME, testing=True).database_url
    with psycopg.connect(address, dbname=connection.settings_dict["NAME"], autocommit=True) as found:
        yield found


def fill() -> None:
    """Have the compute side hold somebody's attributes."""
    company()
    services.attributes_upload(actor=ACTOR, subjects=[("ana", {"sex": "female"})])
    with side("compute"):
        pipeline.open_uploads()


DENIED = {
    "the other role": "SET ROLE biasgov_compute",
    "the owner's role": "SET ROLE biasgov_owner",
    "the other session": "SET SESSION AUTHORIZATION biasgov_compute",
    "a purpose": "SELECT set_config('biasgov.purpose', 'keys', false), (SELECT count(*) FROM vault.block)",
    "a plan": "EXPLAIN ANALYZE SELECT body FROM vault.block",
    "a lock": "DO $$ BEGIN LOCK TABLE vault.block IN ACCESS SHARE MODE; END $$",
    "a copy out": "COPY vault.block TO STDOUT",
    "a copy of a query": "COPY (SELECT body FROM vault.block) TO STDOUT",
    "a program": "COPY (SELECT 1) TO PROGRAM 'id'",
    "a file in": "COPY django_session (session_key) FROM '/etc/passwd'",
    "a file read": "SELECT pg_read_file('/etc/passwd')",
    "a file as bytes": "SELECT pg_read_binary_file('PG_VERSION')",
    "a folder": "SELECT pg_ls_dir('.')",
    "an imported object": "SELECT lo_import('/etc/passwd')",
    "an exported object": "SELECT lo_export(1, '/tmp/biasgov-object')",
    "samples of columns": "SELECT stavalues1 FROM pg_statistic",
    "the verifiers": "SELECT rolpassword FROM pg_authid",
    "the configuration": "SELECT * FROM pg_hba_file_rules",
    "a temporary table": "CREATE TEMPORARY TABLE block (body bytea)",
    "a table": "CREATE TABLE public.mine (body bytea)",
    "a view": "CREATE VIEW public.mine AS SELECT body FROM vault.block",
    "a schema": "CREATE SCHEMA mine",
    "a function": "CREATE FUNCTION public.mine() RETURNS int LANGUAGE sql AS 'SELECT 1'",
    "a trigger": "CREATE TRIGGER mine BEFORE UPDATE ON vault_upload EXECUTE FUNCTION vault_access_moves()",
    "a rule": "CREATE RULE mine AS ON INSERT TO vault_upload DO ALSO NOTHING",
    "a policy": "CREATE POLICY mine ON vault.block FOR SELECT TO biasgov_web USING (true)",
    "a block of code": "DO $$ BEGIN PERFORM body FROM vault.block; END $$",
    "a reference": "CREATE TABLE public.mine (version integer REFERENCES vault.data_key)",
    "a publication": "CREATE PUBLICATION mine FOR ALL TABLES",
    "the log of changes": "SELECT pg_create_logical_replication_slot('mine', 'test_decoding')",
    "an empty log": "SELECT pg_switch_wal()",
    "somebody's end": "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE usename <> current_user",
    "a grant": "GRANT SELECT ON vault.block TO biasgov_web",
    "another's settings": "ALTER ROLE biasgov_compute SET log_statement = 'all'",
    "the server's settings": "ALTER SYSTEM SET log_min_duration_statement = 0",
}


@pytest.mark.parametrize("statement", DENIED.values(), ids=DENIED.keys())
def test_nothing_leads_in(web: Web, statement: str) -> None:
    with pytest.raises(errors.InsufficientPrivilege):
        web.execute(statement)


def test_no_relation_and_no_function_of_the_closed_schemas_answers(web: Web) -> None:
    schemas = sql.SQL("n.nspname IN ('vault', 'cube')")
    relations = web.execute(
        sql.SQL(
            "SELECT n.nspname, c.relname FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace"
            " WHERE {} AND c.relkind IN ('r', 'p', 'v', 'm', 'S', 'f')"
        ).format(schemas)
    ).fetchall()
    functions = web.execute(
        sql.SQL(
            "SELECT n.nspname, p.proname FROM pg_proc p JOIN pg_namespace n ON n.oid = p.pronamespace WHERE {}"
        ).format(schemas)
    ).fetchall()
    assert {name for _, name in relations} >= {"block", "data_key", "key_floor", "hour_cube", "told_edge", "digest_key"}
    assert functions
    for form, names in (("SELECT * FROM {}.{}", relations), ("SELECT {}.{}()", functions)):
        for name in names:
            with pytest.raises(errors.InsufficientPrivilege, match="permission denied for schema"):
                web.execute(sql.SQL(form).format(*map(sql.Identifier, name)))


@committed
def test_what_the_server_says_of_others_holds_nothing_of_theirs(web: Web) -> None:
    """Statistics of columns, and statements that run."""
    fill()
    statistics = "SELECT count(*) FROM pg_stats WHERE schemaname IN ('vault', 'cube')"
    with side("owner"), connection.cursor() as cursor:
        cursor.execute("ANALYZE vault.data_key")
        cursor.execute("ANALYZE vault.key_floor")
    assert web.execute(statistics).fetchone() == (0,)
    with side("compute"), entering("keys") as theirs:
        theirs.execute("SELECT 'a statement of the compute side', count(*) FROM vault.block")
        running = web.execute("SELECT query FROM pg_stat_activity WHERE usename <> current_user").fetchall()
    assert {query for (query,) in running} <= {"<insufficient privilege>", None, ""}


@committed
def test_a_large_object_of_the_other_side_is_not_read(web: Web) -> None:
    with side("compute"), connection.cursor() as cursor:
        cursor.execute("SELECT lo_from_bytea(0, 'female')")
        (number,) = cursor.fetchone()
    with pytest.raises(errors.InsufficientPrivilege):
        web.execute("SELECT lo_get(%s)", [number])
