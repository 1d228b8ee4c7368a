"""What the database allows is what the matrix says, and the page that operators read says the same."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from django.conf import settings
from django.core.management import CommandError, call_command
from django.db import DatabaseError, connection, transaction

from biasgov import grants, privileges
from tests.sides import side

pytestmark = pytest.mark.django_db
PAGE = Path(settings.BASE_DIR) / "docs" / "privileges.md"


def test_the_catalogue_allows_what_the_matrix_says_and_nothing_else() -> None:
    found = privileges.catalogue(connection)
    assert found.matrix == privileges.granted()
    assert found.schemas == {role: tuple(sorted(names)) for role, names in grants.SCHEMAS.items()}
    assert found.powers == {grants.WEB: (), grants.COMPUTE: ()}


def test_every_table_of_the_vault_forces_row_level_security_by_policies_of_the_compute_side() -> None:
    secured = privileges.catalogue(connection).secured
    assert {"vault.block", "vault.data_key", "vault.key_floor"} <= set(secured)
    assert all(forced and policies for forced, policies in secured.values()), secured
    with connection.cursor() as cursor:
        cursor.execute("SELECT DISTINCT unnest(roles)::text FROM pg_policies WHERE schemaname = 'vault'")
        assert cursor.fetchall() == [(grants.COMPUTE,)]


def test_the_web_side_reaches_nothing_in_the_schemas_of_the_other() -> None:
    found = privileges.catalogue(connection)
    assert [table for table in found.matrix[grants.WEB] if table.startswith(("vault.", "cube."))] == []


def test_partitions_are_reached_through_their_table_alone() -> None:
    with connection.cursor() as cursor:
        cursor.execute("SELECT relname::text FROM pg_class WHERE relispartition AND relkind = 'r'")
        partitions = {name for (name,) in cursor.fetchall()}
    found = privileges.catalogue(connection)
    assert partitions <= set(found.tables)
    assert all(partitions.isdisjoint(held) for held in found.matrix.values())


@pytest.mark.parametrize(
    "slipped_in",
    [
        "GRANT SELECT ON vault.block TO biasgov_web",
        "GRANT SELECT (body) ON vault.block TO biasgov_web",
        "GRANT DELETE ON audit_entry TO biasgov_compute",
        "GRANT MAINTAIN ON audit_entry TO biasgov_web",
        "GRANT UPDATE ON monitoring_run TO PUBLIC",
        "REVOKE SELECT ON cube.hour_cube FROM biasgov_compute",
    ],
)
def test_a_privilege_from_elsewhere_is_seen(slipped_in: str) -> None:
    with side("owner"), connection.cursor() as cursor:
        cursor.execute(slipped_in)
    assert privileges.catalogue(connection).matrix != privileges.granted()
    with pytest.raises(CommandError, match="not what biasgov/grants"):
        call_command("privileges")


@pytest.mark.parametrize("slipped_in", ["NO FORCE", "DISABLE"])
def test_row_level_security_that_does_not_bind_is_seen(slipped_in: str) -> None:
    with side("owner"), connection.cursor() as cursor:
        cursor.execute(f"ALTER TABLE vault.block {slipped_in} ROW LEVEL SECURITY")
    assert not privileges.catalogue(connection).secured["vault.block"][0]


def test_the_page_is_up_to_date() -> None:
    page = privileges.described(privileges.catalogue(connection))
    assert PAGE.read_text(encoding="utf-8") == page, "run: manage.py privileges --write"
    assert set(re.findall(r"^\| `([^`]+)`", page, re.MULTILINE)) >= set(grants.GRANTS[grants.WEB])


@pytest.mark.parametrize(
    ("table", "columns"),
    [
        ("incidents_incident", "model_id, origin, cause_key, opened_by, began_at, aware_at, opened_at"),
        ("incidents_affected", "incident_id, attribute, window, run_id"),
        ("incidents_clock", "incident_id, rule, added_at"),
        ("incidents_action", "incident_id, case_id, title, owner_id, due_at, added_by"),
        ("incidents_complaint", "model_id, summary, source, rule, received_at, due_at, recorded_by"),
        ("registry_monitoredmodel", "slug, risk_level, favourable_decision, words, features, public_data"),
        ("responses_cause", "model_id, release, opened_at"),
        ("responses_finding", "model_id, metric, attribute, group, opened_at, opened_as_of, opened_run_id"),
        ("responses_gateway", "model_id, token, name, first_seen_at"),
        ("responses_notification", "person_id, title, body, severity, path, detected_at, created_at"),
        ("responses_outboxmessage", "channel, dedup_key, title, body, severity, detected_at, created_at"),
        ("responses_restriction", "model_id, cause_id, blocked_decision_types, reason, breach_at, proposed_at"),
        ("responses_silence", "model_id, finding_id, severity, reason, person_id, set_at, until"),
    ],
)
def test_what_a_row_is_about_is_not_rewritten_by_the_web_side(table: str, columns: str) -> None:
    """Whoever speaks SQL as the web side moves a state on, and changes neither what it is of nor when it began."""
    for column in columns.split(", "):
        denied = pytest.raises(DatabaseError, match="permission denied")
        with side("web"), denied, transaction.atomic(), connection.cursor() as cursor:
            cursor.execute(f'UPDATE {table} SET "{column}" = "{column}"')
