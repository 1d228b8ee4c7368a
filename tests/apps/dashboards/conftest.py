"""One watched model for all tests of a module: computing it takes seconds, and pages only read it."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
from django.db import connection, transaction

from apps.registry.spec import ModelSpec
from tests.apps.dashboards.world import watched


@pytest.fixture(scope="module")
def world(django_db_setup: None, django_db_blocker: Any) -> Iterator[ModelSpec]:
    """`watched()`, inside a transaction around the tests' own ones, rolled back at the end."""
    around = transaction.atomic()
    # As Django's TestCase marks its own transaction: durable blocks may stand inside.
    around._from_testcase = True
    with django_db_blocker.unblock(), around:
        with connection.cursor() as cursor:
            cursor.execute("SET ROLE biasgov_web")
        yield watched()
        transaction.set_rollback(True)
