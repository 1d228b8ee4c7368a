"""Entering the vault's tables: row level security shows nothing without a stated purpose."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, Literal

import psycopg
from django.db import connection, transaction
from psycopg.rows import tuple_row

Purpose = Literal["monitoring", "upload", "erasure"]


@contextmanager
def entering(purpose: Purpose) -> Iterator[psycopg.Cursor[tuple[Any, ...]]]:
    """A cursor on the vault in a transaction with that purpose; the purpose ends with the block.

    The cursor binds on the server, so that records never become part of a statement's text (or of a log of it).
    """
    with transaction.atomic():
        with connection.cursor() as outer:
            outer.execute("SELECT set_config('biasgov.purpose', %s, true)", [purpose])
        with psycopg.Cursor(connection.connection, row_factory=tuple_row) as cursor:
            yield cursor
        with connection.cursor() as outer:
            outer.execute("SELECT set_config('biasgov.purpose', '', true)")
