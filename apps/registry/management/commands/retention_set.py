"""Sets for how long what a model leaves is kept."""

from __future__ import annotations

from dataclasses import fields, replace
from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser

from apps.common.errors import Refused
from apps.registry.retention import Retention, retention_of, retention_set
from apps.registry.selectors import model_id_of


class Command(BaseCommand):
    help = "Sets the days for which a model's raw events, pseudonyms, cubes and runs are kept. Runs on the web side."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("--model", required=True, metavar="SLUG")
        parser.add_argument("--reason", required=True, help="why; it stands in the audit log")
        for each in fields(Retention):
            parser.add_argument(f"--{each.name}", type=int, metavar="DAYS")

    def handle(self, *args: Any, model: str, reason: str, **options: Any) -> None:
        identity = model_id_of(model)
        if identity is None:
            raise CommandError(f"There is no model called {model}.")
        given = {each.name: options[each.name] for each in fields(Retention) if options[each.name] is not None}
        wanted = replace(retention_of([identity])[identity], **given)
        try:
            retention_set(actor="operator:command line", model_id=identity, retention=wanted, reason=reason)
        except Refused as refused:
            raise CommandError(f"{refused.field}: {refused.message}") from None
        self.stdout.write(f"{model}: {wanted}")
