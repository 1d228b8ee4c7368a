"""Begins signed tree heads anew, after a backup was restored."""

from __future__ import annotations

import getpass
from argparse import ArgumentParser
from typing import Any

from django.core.management.base import BaseCommand, CommandError

from apps.audit.sealing import heads_begin_anew
from apps.common.errors import Refused
from biasgov.environment import ConfigurationError


class Command(BaseCommand):
    help = (
        "After a backup was restored the log no longer continues the heads that were signed, and nothing is signed. "
        "When people have looked into it, this keeps the old file of heads beside a new one and signs a first head, "
        "which covers an entry with the reason. It refuses while the log continues its last head. Runs on the compute "
        "side."
    )

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("--reason", required=True, help="what was restored, from when, and who looked into it")

    def handle(self, *args: Any, reason: str, **options: Any) -> None:
        try:
            head, aside = heads_begin_anew(actor=f"operator:{getpass.getuser()}", reason=reason)
        except Refused as refused:
            raise CommandError(refused.message) from None
        except ConfigurationError as error:
            raise CommandError(str(error)) from None
        self.stdout.write(f"The first new head covers {head.size:,} entries. The old heads are kept in {aside}.")
