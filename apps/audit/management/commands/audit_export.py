"""Writes an export of the audit log that `biasgov verify-audit` checks offline."""

from __future__ import annotations

import getpass
import os
from argparse import ArgumentParser
from pathlib import Path
from typing import Any

from django.core.management.base import BaseCommand, CommandError
from tqdm import tqdm

from apps.audit.exporting import log_export
from apps.common.errors import Refused
from biasgov.environment import ConfigurationError


class Command(BaseCommand):
    help = (
        "Writes the whole log up to its last signed head, with its heads, their time stamps and the public key, as "
        "JSON Lines. Check it with 'biasgov verify-audit FILE --key KEY'. Runs on the web side."
    )

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("file", type=Path, help="written anew; must not exist")

    def handle(self, *args: Any, file: Path, **options: Any) -> None:
        part = file.with_name(f".{file.name}.part")
        try:
            if file.exists():
                raise CommandError(f"{file} exists already.")
            lines = log_export(actor=f"operator:{getpass.getuser()}")
            with (
                open(os.open(part, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o640), "wb") as out,
                tqdm(desc="exporting", unit="B", unit_scale=True, disable=not options["verbosity"]) as bar,
            ):
                for content in lines:
                    bar.update(out.write(content))
            part.rename(file)
        except Refused as refused:
            raise CommandError(refused.message) from None
        except (ConfigurationError, OSError) as error:
            raise CommandError(str(error)) from None
