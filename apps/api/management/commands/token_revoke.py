"""`manage.py token_revoke`: ends an API token now."""

from __future__ import annotations

import getpass
from argparse import ArgumentParser
from typing import Any

from django.core.management.base import BaseCommand, CommandError

from apps.api.services import token_revoke


class Command(BaseCommand):
    help = "End an API token. It stops working within five seconds."

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("--name", required=True, help="the name that it was created with")

    def handle(self, *args: Any, **options: Any) -> None:
        if not token_revoke(actor=f"operator:{getpass.getuser()}", name=options["name"]):
            raise CommandError(f"There is no live token called {options['name']!r}.")
        self.stdout.write(f"The token {options['name']} is revoked.")
