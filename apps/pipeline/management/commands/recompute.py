"""Computes stored runs again and compares the bytes."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser
from tqdm import tqdm

from apps.monitoring import selectors as monitoring
from apps.monitoring import services
from apps.monitoring.windows import LENGTHS
from apps.registry import selectors as registry


class Command(BaseCommand):
    help = (
        "Computes runs again from the cubes as they are now and compares the documents byte by byte. Nothing is "
        "stored. 'inputs_changed' means that late events, labels or attributes have replaced cubes since; "
        "'code_changed' that another version of the statistical core computed the run. Exit code 1 if a run differs "
        "with the same inputs and the same code. Runs on the compute side."
    )

    def add_arguments(self, parser: CommandParser) -> None:
        which = parser.add_mutually_exclusive_group(required=True)
        which.add_argument("--run", type=int, metavar="ID")
        which.add_argument("--model", metavar="SLUG", help="the newest revision of every moment of the model")

    def handle(self, *args: Any, run: int | None, model: str | None, **options: Any) -> None:
        ids = list(self._of_model(model)) if model else self._one(run)
        found: Counter[str] = Counter()
        for identity in tqdm(ids, desc="recomputing", unit="run", disable=not options["verbosity"] or len(ids) == 1):
            again = services.run_recompute(run_id=identity)
            found[again.outcome] += 1
            if again.outcome != "same":
                self.stdout.write(
                    f"run {identity}: {again.outcome}, stored {again.stored_digest}, now {again.recomputed_digest}"
                )
        self.stdout.write(", ".join(f"{number} {outcome}" for outcome, number in sorted(found.items())) or "no runs")
        if found["different"]:
            raise CommandError(f"{found['different']} runs differ although inputs and code are the same.", returncode=1)

    def _one(self, run: int | None) -> list[int]:
        if run is None or monitoring.run(run) is None:
            raise CommandError(f"There is no run {run}.")
        return [run]

    def _of_model(self, slug: str) -> Iterator[int]:
        spec = next((each for each in registry.all_specs() if each.slug == slug), None)
        if spec is None:
            raise CommandError(f"There is no model called {slug}.")
        for window in LENGTHS:
            cursor: str | None = None
            while True:
                page = monitoring.runs(spec.id, window, cursor=cursor, limit=1000)
                yield from (row.id for row in page.rows)
                cursor = page.next_cursor
                if cursor is None:
                    break
