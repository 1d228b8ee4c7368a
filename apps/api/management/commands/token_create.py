"""`manage.py token_create`: prints a new API token, alone, on standard output."""

from __future__ import annotations

import getpass
from argparse import ArgumentParser
from typing import Any

from django.core.management.base import BaseCommand, CommandError

from apps.api.services import token_issue
from apps.api.tokens import SCOPES
from apps.common.errors import Refused


class Command(BaseCommand):
    help = "Create an API token and print it. It is shown this once."

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("--name", required=True, help="what the token is for; unique")
        parser.add_argument("--scopes", required=True, help=f"comma-separated, of: {', '.join(SCOPES)}")
        parser.add_argument("--model", default=None, help="bind the token to the model with this slug")
        parser.add_argument("--days", type=int, default=30, help="life in days (default: 30)")

    def handle(self, *args: Any, **options: Any) -> None:
        scopes = [scope.strip() for scope in options["scopes"].split(",") if scope.strip()]
        try:
            token = token_issue(
                actor=f"operator:{getpass.getuser()}",
                name=options["name"],
                scopes=scopes,
                model=options["model"],
                days=options["days"],
            )
        except Refused as refused:
            raise CommandError(f"--{refused.field}: {refused.message}") from None
        self.stdout.write(token)
