"""Publishes a policy file as a model's next version, without a second person's signature."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from django.core.exceptions import ObjectDoesNotExist
from django.core.management.base import BaseCommand, CommandError, CommandParser

from apps.accounts.selectors import person
from apps.common.errors import Refused
from apps.registry.selectors import model_spec
from apps.thresholds.services import policy_publish
from biasgov.fairness.policy import Policy


class Command(BaseCommand):
    help = (
        "Publishes a threshold policy (a JSON file: bounds, alpha, confidence, minimum_group, minimum_cell, "
        "minimum_share, severity_bands, ladder; what is absent takes its default) as the next version, effective at "
        "once."
    )

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("--model", required=True, help="slug of the model")
        parser.add_argument("--file", required=True, type=Path)
        parser.add_argument("--assessment", required=True, help="reference of the risk assessment behind it")
        parser.add_argument("--by", required=True, help="user name of who publishes")
        parser.add_argument("--justification", default="")

    def handle(self, *args: Any, **options: Any) -> None:
        policy = _read(options["file"])
        try:
            spec, publisher = model_spec(options["model"]), person(options["by"])
        except ObjectDoesNotExist as error:
            raise CommandError(str(error)) from None
        try:
            published = policy_publish(
                model_id=spec.id,
                policy=policy,
                assessment_reference=options["assessment"],
                justification=options["justification"],
                actor=publisher.actor,
            )
        except Refused as refused:
            raise CommandError(str(refused)) from None
        self.stdout.write(f"Version {published.version} of {spec.slug} is in force ({published.digest[:12]}).")


def _read(file: Path) -> Policy:
    try:
        content = json.loads(file.read_text())
        if not isinstance(content, dict):
            raise ValueError("it is no JSON object")
        return Policy.from_dict(content)
    except OSError as error:
        raise CommandError(f"--file: {file} cannot be read: {error.strerror}") from None
    except (ValueError, TypeError, AttributeError) as error:
        raise CommandError(f"--file: {file} holds no policy: {error}") from None
