"""Makes the keys of both sides, once."""

from __future__ import annotations

from typing import Any

from django.conf import settings
from django.core.management.base import BaseCommand

from biasgov import keyring


class Command(BaseCommand):
    help = (
        "Makes the keys that are not there yet under BIASGOV_HOME/keys, readable by their owner only: 'shared', 'web' "
        "and 'compute' are folders of their own, so that each side is given only what it may hold. Existing keys are "
        "never touched, and no key is ever printed."
    )
    requires_system_checks = ()

    def handle(self, *args: Any, **options: Any) -> None:
        written = keyring.generate(settings.HOME)
        for path in written:
            self.stdout.write(f"made {path}")
        if not written:
            self.stdout.write(f"All keys are there already, under {settings.HOME / 'keys'}.")
