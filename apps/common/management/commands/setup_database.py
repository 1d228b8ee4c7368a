"""Makes a database ready for both sides: schemas, migrations, privileges. Safe to run again."""

from __future__ import annotations

from typing import Any

from django.core.management import call_command
from django.core.management.base import BaseCommand, CommandParser
from django.db import connection, transaction

from biasgov import governed, grants


class Command(BaseCommand):
    help = (
        "Creates the schemas, runs the migrations as biasgov_owner and applies the privilege matrix of "
        "biasgov/grants.py. The login roles come from the embedded services, or once from "
        "'python -m biasgov.roles' on an outside PostgreSQL."
    )

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("--grants-only", action="store_true", help="apply the privilege matrix and stop")

    def handle(self, *args: Any, grants_only: bool = False, **options: Any) -> None:
        if not grants_only:
            with connection.cursor() as cursor:
                for schema in ("vault", "cube"):
                    cursor.execute(f"CREATE SCHEMA IF NOT EXISTS {schema}")
            call_command("migrate", interactive=False, verbosity=options["verbosity"])
        with transaction.atomic():
            grants.apply(connection)
            governed.apply(connection)
        if options["verbosity"]:
            self.stdout.write("Database ready: migrations applied, privileges set for biasgov_web and biasgov_compute.")
