"""Says what PostgreSQL allows the two sides, and whether that is what the matrix in biasgov/grants.py says."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from django.conf import settings
from django.core.management.base import BaseCommand, CommandError, CommandParser
from django.db import connection

from biasgov import privileges


class Command(BaseCommand):
    help = (
        "Prints the privileges of both sides as the database's catalogue has them, and fails where they are not "
        "those of biasgov/grants.py."
    )

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("--write", action="store_true", help="write docs/privileges.md instead of printing")

    def handle(self, *args: Any, write: bool = False, **options: Any) -> None:
        found = privileges.catalogue(connection)
        if found.matrix != privileges.granted():
            raise CommandError("The database is not what biasgov/grants.py says; run setup_database --grants-only.")
        page = privileges.described(found)
        if write:
            Path(settings.BASE_DIR, "docs", "privileges.md").write_text(page, encoding="utf-8")
        else:
            self.stdout.write(page)
