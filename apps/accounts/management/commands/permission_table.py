"""Prints the permission matrix as the documentation shows it."""

from __future__ import annotations

from typing import Any

from django.core.management.base import BaseCommand

from apps.accounts.permission_table import document


class Command(BaseCommand):
    help = "Prints the permission matrix in Markdown. docs/permissions.md is this output."
    requires_system_checks = ()

    def handle(self, *args: Any, **options: Any) -> None:
        self.stdout.write(document(), ending="")
