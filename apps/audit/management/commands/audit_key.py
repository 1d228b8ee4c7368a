"""Prints the public key by which the audit log's signed tree heads are checked."""

from __future__ import annotations

from typing import Any

from django.core.management.base import BaseCommand, CommandError

from apps.audit.keys import public_key
from biasgov.audit.bundle import pem_of
from biasgov.environment import ConfigurationError


class Command(BaseCommand):
    help = "Prints the audit log's public key (PEM); give it to auditors once, by another way than the exports."

    def handle(self, *args: Any, **options: Any) -> None:
        try:
            self.stdout.write(pem_of(public_key()), ending="")
        except ConfigurationError as error:
            raise CommandError(str(error)) from None
