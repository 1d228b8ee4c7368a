"""Entering the vault's tables: row level security shows nothing without a stated purpose.

Whoever reads for monitoring and whoever stores an upload exclude each other. Otherwise an hour could be counted with
the attributes of before, from events that the upload, marking hours to be counted again, did not see yet: nobody
would ever mark it. Storing also divides blocks, which neither readers nor whoever seals or erases may meet half way.
Those do not exclude each other: they change what is in a block and lock its row. Whoever makes or wraps data keys
excludes everybody: a reader that has read the keys must not meet a block under a later one.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, Literal

import psycopg
from django.db import connection, transaction
from psycopg.rows import tuple_row

Purpose = Literal["monitoring", "upload", "erasure", "keys", "rotation", "access"]

# Of a table that only the compute side may lock: an advisory lock could be held by anybody. Neither hinders a dump.
_MODES = {
    "monitoring": "SHARE",
    "access": "SHARE",
    "rotation": "SHARE",
    "erasure": "SHARE",
    "upload": "EXCLUSIVE",
    "keys": "EXCLUSIVE",
}


@contextmanager
def entering(purpose: Purpose) -> Iterator[psycopg.Cursor[tuple[Any, ...]]]:
    """A cursor on the vault in a transaction with that purpose; the purpose ends with the block.

    The cursor binds on the server, so that blocks never become part of a statement's text (or of a log of it).
    """
    with transaction.atomic():
        with connection.cursor() as outer:
            outer.execute("SELECT set_config('biasgov.purpose', %s, true)", [purpose])
            if purpose in _MODES:
                outer.execute(f"LOCK TABLE vault.entering IN {_MODES[purpose]} MODE")
        with psycopg.Cursor(connection.connection, row_factory=tuple_row) as cursor:
            yield cursor
        with connection.cursor() as outer:
            outer.execute("SELECT set_config('biasgov.purpose', '', true)")
