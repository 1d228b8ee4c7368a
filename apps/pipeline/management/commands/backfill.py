"""Evaluates a model's windows at regular moments of the past."""

from __future__ import annotations

from argparse import ArgumentTypeError
from datetime import UTC, datetime, timedelta
from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser
from tqdm import tqdm

from apps.common import clock
from apps.monitoring import services as monitoring
from apps.pipeline import services as pipeline
from apps.registry import selectors as registry

UNITS = {"h": timedelta(hours=1), "d": timedelta(days=1)}


def moment(text: str) -> datetime:
    """A date, or a date and time (UTC unless it says otherwise)."""
    try:
        at = datetime.fromisoformat(text)
    except ValueError:
        raise ArgumentTypeError(f"{text!r} is no date like 2026-03-01 or 2026-03-01T12:00+11:00") from None
    return at if at.tzinfo else at.replace(tzinfo=UTC)


def step(text: str) -> timedelta:
    """A number of hours (6h) or days (1d)."""
    number, unit = text[:-1], text[-1:]
    if not number.isdigit() or int(number) == 0 or unit not in UNITS:
        raise ArgumentTypeError(f"{text!r} is no step like 6h, 24h or 7d")
    return int(number) * UNITS[unit]


class Command(BaseCommand):
    help = (
        "Counts what is waiting to be counted, then evaluates the 24 h, 7 d and 30 d windows that end at --from, "
        "--from + --step, ... up to --to. Moments whose runs would not change get no new revision, so a backfill can "
        "be repeated or interrupted at will. Runs on the compute side."
    )

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("--model", required=True, metavar="SLUG")
        parser.add_argument("--from", required=True, type=moment, dest="start", metavar="DATE")
        parser.add_argument("--to", required=True, type=moment, dest="end", metavar="DATE")
        parser.add_argument("--step", type=step, default=UNITS["d"], metavar="24h", help="6h, 24h, 7d ... (24h)")

    def handle(self, *args: Any, model: str, start: datetime, end: datetime, step: timedelta, **options: Any) -> None:
        spec = next((each for each in registry.all_specs() if each.slug == model), None)
        if spec is None:
            raise CommandError(f"There is no model called {model}.")
        start, end = clock.hour_ceiling(start), min(end, clock.now())
        moments = [start + place * step for place in range(int((end - start) / step) + 1)] if start <= end else []
        if not moments:
            raise CommandError("There is no past moment between --from and --to.")
        quiet = not options["verbosity"]
        with tqdm(desc="counting what waits", unit=" rounds", disable=quiet) as bar:
            while pipeline.sweep():
                bar.update()
        for at in tqdm(moments, desc=f"evaluating {model}", unit="moment", disable=quiet):
            monitoring.evaluations_mark_due(model_id=spec.id, moments=[at], at_once=True)
            pipeline.evaluate(deadline=pipeline.soon())
