"""Lets go of what was kept long enough, or says what would go."""

from __future__ import annotations

from typing import Any

from django.core.management.base import BaseCommand, CommandParser

from apps.pipeline import retention


class Command(BaseCommand):
    help = (
        "Lets go of raw events, pseudonyms, cubes and runs that were kept for their model's period; what an open "
        "incident needs is held. Runs on the compute side, once a day by itself."
    )

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("--dry-run", action="store_true", help="say what would go and change nothing")

    def handle(self, *args: Any, dry_run: bool, **options: Any) -> None:
        plan = retention.retention_plan()
        for each in plan:
            what = "held by an open incident" if each.held else "would go" if dry_run else "goes"
            self.stdout.write(
                f"{each.kind} of {', '.join(each.models)} before {each.before:%Y-%m-%d}: {each.amount:,}, {what}"
            )
        if not plan:
            self.stdout.write("Nothing was kept for longer than its period.")
        elif not dry_run:
            self.stdout.write(f"{retention.retention_apply()} done.")
