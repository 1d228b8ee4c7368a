"""Prints a link by which a person sets a password: for the first administrator, or one who is locked out."""

from __future__ import annotations

import getpass
from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser

from apps.accounts.invitations import VALID_FOR, invitation_issue
from apps.accounts.models import User
from apps.accounts.second_factors import second_factors_remove
from apps.common.errors import Refused


class Command(BaseCommand):
    help = (
        "Prints a link by which a person sets a password, alone on standard output. "
        f"It counts once, for {VALID_FOR.days} days."
    )

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("username")
        parser.add_argument(
            "--without-second-factor", action="store_true", help="also take away the second factors, which were lost"
        )

    def handle(self, *args: Any, **options: Any) -> None:
        actor = f"operator:{getpass.getuser()}"
        try:
            person = User.objects.get(username=options["username"])
            address = invitation_issue(person=person, actor=actor)
        except User.DoesNotExist:
            raise CommandError(f"There is nobody called {options['username']!r}.") from None
        except Refused as refused:
            raise CommandError(refused.message) from None
        if options["without_second_factor"]:
            second_factors_remove(person=person, actor=actor)
        self.stdout.write(address)
