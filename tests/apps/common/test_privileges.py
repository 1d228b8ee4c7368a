"""What the database allows is what the matrix says, and the page that operators read says the same."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from django.conf import settings
from django.core.management import CommandError, call_command
from django.db import connection

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
