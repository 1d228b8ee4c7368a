"""Prints the public key by which serving gateways check status documents."""

from __future__ import annotations

from typing import Any

from django.core.management.base import BaseCommand, CommandError

from apps.responses.selectors import status_public_key
from biasgov.environment import ConfigurationError


class Command(BaseCommand):
    help = "Prints the public key by which gateways check the status of models; give it to them once, by a safe way."

    def handle(self, *args: Any, **options: Any) -> None:
        try:
            self.stdout.write(status_public_key())
        except ConfigurationError as error:
            raise CommandError(str(error)) from None
