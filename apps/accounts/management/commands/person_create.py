"""Creates a person: the way to the first administrator."""

from __future__ import annotations

import secrets
import sys
from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser

from apps.accounts.roles import ROLES
from apps.accounts.services import person_create
from apps.common.errors import Refused


class Command(BaseCommand):
    help = (
        "Creates a person with roles. The password is read from standard input with --password-stdin; otherwise one "
        "is made up and printed, once, alone on standard output."
    )

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("username")
        parser.add_argument("--name", default="", help="full name")
        parser.add_argument("--email", default="")
        parser.add_argument("--role", action="append", default=[], choices=list(ROLES), dest="roles")
        parser.add_argument("--password-stdin", action="store_true")

    def handle(self, *args: Any, **options: Any) -> None:
        given = sys.stdin.readline().rstrip("\n") if options["password_stdin"] else None
        password = secrets.token_urlsafe(15) if given is None else given
        try:
            person = person_create(
                username=options["username"],
                name=options["name"],
                email=options["email"],
                roles=options["roles"],
                password=password,
                actor="system:person_create",
            )
        except Refused as refused:
            raise CommandError(str(refused)) from None
        self.stderr.write(f"Created {person.display_name} ({', '.join(options['roles']) or 'no role'}).")
        if given is None:
            self.stdout.write(password)
