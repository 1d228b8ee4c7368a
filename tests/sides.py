"""Acting as one side of the house inside a test's transaction."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from django.db import connection

ROLES = {"web": "biasgov_web", "compute": "biasgov_compute", "owner": "biasgov_owner"}


@contextmanager
def side(name: str) -> Iterator[None]:
    """Hold the database role of `name` ("web", "compute" or "owner") inside the block."""
    with connection.cursor() as cursor:
        cursor.execute("SELECT current_user")
        (before,) = cursor.fetchone()
        cursor.execute(f"SET ROLE {ROLES[name]}")
    try:
        yield
    finally:
        if connection.connection and not connection.needs_rollback:
            with connection.cursor() as cursor:
                cursor.execute(f"SET ROLE {before}")
