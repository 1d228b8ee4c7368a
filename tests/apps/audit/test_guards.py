"""Changing the log by every way that PostgreSQL knows, as every role; and that taking the guards away is noticed."""

from __future__ import annotations

from contextlib import suppress

import psycopg
import pytest
from django.db import DatabaseError, connection, transaction

from apps.audit.guards import TABLES, guard_faults
from biasgov import local
from tests.apps.audit.log import integrate, written
from tests.sides import side

pytestmark = pytest.mark.django_db

TRICKS = {
    "an upsert": "INSERT INTO {0} SELECT * FROM {0} ON CONFLICT ON CONSTRAINT {0}_pkey DO UPDATE SET {1} = {0}.{1}",
    "a merge": "MERGE INTO {0} t USING (SELECT 1) s ON true WHEN MATCHED THEN DELETE",
    "a change within a query": "WITH gone AS (DELETE FROM {0} RETURNING *) SELECT count(*) FROM gone",
    "switching the trigger off": "ALTER TABLE {0} DISABLE TRIGGER {0}_append_only",
    "switching all triggers off": "ALTER TABLE {0} DISABLE TRIGGER ALL",
    "dropping the trigger": "DROP TRIGGER {0}_append_only ON {0}",
    "replacing the trigger's function": "CREATE OR REPLACE FUNCTION append_only() RETURNS trigger LANGUAGE plpgsql AS "
    "$$BEGIN RETURN OLD; END$$",
    "playing a replica": "SET session_replication_role = replica",
    "a rule": "CREATE RULE quiet AS ON INSERT TO {0} DO INSTEAD NOTHING",
    "changing the type of a column": "ALTER TABLE {0} ALTER {1} TYPE text USING 'x'",
    "dropping a column": "ALTER TABLE {0} DROP COLUMN {1}",
    "dropping the table": "DROP TABLE {0} CASCADE",
    "giving it another name": "ALTER TABLE {0} RENAME TO elsewhere",
    "another table of its name in front of it": "CREATE TEMPORARY TABLE {0} (x int)",
    "becoming a partition": "CREATE TABLE whole (LIKE {0}) PARTITION BY LIST ({1})",
    "becoming a child": "CREATE TABLE parent (LIKE {0})",
    "granting oneself": "GRANT UPDATE ON {0} TO CURRENT_USER; UPDATE {0} SET {1} = {1}",
    "row level security": "ALTER TABLE {0} ENABLE ROW LEVEL SECURITY",
    "becoming its owner": "SET ROLE biasgov_owner",
    "locking writers out": "BEGIN; LOCK TABLE {0} IN ACCESS EXCLUSIVE MODE",
    "keeping the sequencer out": "BEGIN; LOCK TABLE audit_pending IN SHARE UPDATE EXCLUSIVE MODE",
    "a lock on its rows": "SELECT * FROM {0} FOR UPDATE",
    "a file of the server": "COPY {0} FROM '/etc/hostname'",
    "a program of the server": "COPY {0} FROM PROGRAM 'true'",
    "turning the numbers back": "SELECT setval(pg_get_serial_sequence('audit_entry', 'id'), 1)",
    "a foreign key that cascades": "ALTER TABLE {0} ADD FOREIGN KEY ({1}) REFERENCES {0} ({1}) ON DELETE CASCADE",
}
ITS_WORK = {
    ("biasgov_migrator", "becoming its owner"),  # how migrations run; what the owner may do is below
    ("biasgov_compute", "keeping the sequencer out"),  # it is the sequencer
}
COLUMNS = dict(zip(TABLES, ("actor", "leaf_hash", "node_hash"), strict=True))


@pytest.mark.parametrize("table", TABLES)
@pytest.mark.parametrize("role", ["biasgov_web", "biasgov_compute", "biasgov_migrator"])
def test_no_role_that_signs_in_may_do_it_by_a_trick(role: str, table: str) -> None:
    done = set()
    with session_of(role) as session:
        for name, trick in TRICKS.items():
            with suppress(psycopg.errors.InsufficientPrivilege):
                session.execute(trick.format(table, COLUMNS[table]).encode())
                done.add((role, name))
            session.execute("ROLLBACK; RESET ROLE")
    assert done - ITS_WORK == set()


def session_of(role: str) -> psycopg.Connection[object]:
    """A session that signed in as `role`: the tests' own may become every role."""
    services = local.running()
    assert services is not None
    urls = {
        "biasgov_web": services.database_url,
        "biasgov_compute": services.compute_database_url,
        "biasgov_migrator": services.owner_database_url,
        "superuser": services.admin_url,
    }
    return psycopg.connect(
        urls[role], dbname=connection.settings_dict["NAME"], autocommit=True, options="-c lock_timeout=5s"
    )


@pytest.mark.parametrize("table", TABLES)
@pytest.mark.parametrize("change", ["UPDATE {0} SET {1} = {1}", "DELETE FROM {0}", "TRUNCATE {0} CASCADE"])
def test_playing_a_replica_does_not_help_a_superuser(table: str, change: str) -> None:
    with session_of("superuser") as session:
        session.execute("SET session_replication_role = replica")
        with pytest.raises(psycopg.errors.IntegrityError, match="what is written there stays"):
            session.execute(change.format(table, COLUMNS[table]).encode())


ROUNDABOUT = {
    "a parent": "CREATE TABLE parent (LIKE audit_entry); ALTER TABLE audit_entry INHERIT parent",
    "a whole that it is a part of": "CREATE TABLE parent (LIKE audit_entry) PARTITION BY RANGE (id);"
    "ALTER TABLE audit_entry ALTER id DROP IDENTITY;"
    "ALTER TABLE parent ATTACH PARTITION audit_entry FOR VALUES FROM (MINVALUE) TO (MAXVALUE)",
}


@pytest.mark.parametrize("way", ROUNDABOUT)
@pytest.mark.parametrize("change", ["UPDATE parent SET actor = 'x'", "DELETE FROM parent"])
def test_the_owner_does_not_get_round_the_triggers_through_another_table(way: str, change: str) -> None:
    written(3)
    integrate()
    with side("owner"), connection.cursor() as cursor:
        cursor.execute("SET CONSTRAINTS ALL IMMEDIATE")
        cursor.execute(ROUNDABOUT[way])
        with pytest.raises(DatabaseError, match="what is written there stays"), transaction.atomic():
            cursor.execute(change)
    assert any("is tied to the table parent" in fault for fault in guard_faults())


TAKEN_AWAY = {
    "ALTER TABLE audit_entry DISABLE TRIGGER audit_entry_append_only": "is switched off",
    "ALTER TABLE audit_leaf ENABLE REPLICA TRIGGER audit_leaf_rows_append_only": "is switched off",
    "ALTER TABLE audit_node ENABLE TRIGGER audit_node_append_only": "is switched off",
    "DROP TRIGGER audit_entry_queued ON audit_entry": "has lost its trigger audit_entry_queued",
    "DROP TRIGGER audit_node_append_only ON audit_node": "has lost its trigger audit_node_append_only",
    "CREATE OR REPLACE FUNCTION append_only() RETURNS trigger LANGUAGE plpgsql AS $$BEGIN RETURN OLD; END$$": (
        "the function append_only was replaced"
    ),
    "CREATE FUNCTION swallow() RETURNS trigger LANGUAGE plpgsql AS $$BEGIN RETURN NULL; END$$;"
    "CREATE TRIGGER a BEFORE INSERT ON audit_entry FOR EACH ROW EXECUTE FUNCTION swallow()": "the foreign trigger a",
    "CREATE RULE quiet AS ON INSERT TO audit_entry DO INSTEAD NOTHING": "has the rule quiet",
    "ALTER TABLE audit_entry ENABLE ROW LEVEL SECURITY": "hides rows by row level security",
    "GRANT UPDATE ON audit_leaf TO biasgov_web": "may be changed by biasgov_web (UPDATE)",
    "GRANT TRUNCATE ON audit_node TO PUBLIC": "may be changed by - (TRUNCATE)",
}


def test_the_guards_are_whole_as_the_migrations_make_them() -> None:
    assert guard_faults() == ()


@pytest.mark.parametrize("statement", TAKEN_AWAY)
def test_taking_a_guard_away_is_noticed(statement: str) -> None:
    with side("owner"), connection.cursor() as cursor:
        cursor.execute("SET CONSTRAINTS ALL IMMEDIATE")
        cursor.execute(statement)
    (fault,) = guard_faults()
    assert TAKEN_AWAY[statement] in fault
