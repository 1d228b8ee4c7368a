"""Opens every block of the vault and says what is wrong with it."""

from __future__ import annotations

from collections import Counter
from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser

from apps.vault.mending import damaged_empty, vault_check


class Command(BaseCommand):
    help = (
        "Opens every block of the vault and says how many are damaged, missing or in another's place. Reads and "
        "uploads that need one of them stop until it is restored from a backup, or emptied here. Runs on the compute "
        "side."
    )

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument(
            "--empty",
            action="store_true",
            help="put empty blocks in their place: their people are unknown until their attributes are uploaded again",
        )

    def handle(self, *args: Any, empty: bool, **options: Any) -> None:
        state = damaged_empty() if empty else vault_check()
        self.stdout.write(f"{state.sound:,} blocks are sound.")
        for fault, times in sorted(Counter(state.faults).items()):
            self.stdout.write(f"{times:,} x {fault}")
        if not (state.faults or state.gaps):
            return
        said = (
            f"{len(state.faults):,} blocks with {state.people:,} people cannot be read, {state.gaps:,} ranges are bare"
        )
        if not empty:
            raise CommandError(f"{said}: restore them from a backup, or run this again with --empty.")
        self.stdout.write(f"{said}; they are empty now. Upload the attributes of everybody again.")
