"""Publishes a policy file: a model's first version, or in an emergency a stricter one without a signature."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from django.core.exceptions import ObjectDoesNotExist, PermissionDenied
from django.core.management.base import BaseCommand, CommandError, CommandParser
from django.http import Http404

from apps.accounts.selectors import person
from apps.common.errors import Refused
from apps.registry.selectors import model_spec
from apps.thresholds.selectors import PolicyInForce
from apps.thresholds.services import policy_publish, policy_publish_emergency
from biasgov.fairness.policy import Policy


class Command(BaseCommand):
    help = (
        "Publishes a threshold policy (a JSON file: bounds, alpha, confidence, minimum_group, minimum_cell, "
        "minimum_share, severity_bands, ladder; what is absent takes its default) as a model's first version, "
        "effective at once. Later versions are proposed on the Thresholds page and signed. With --emergency and "
        "--reason a version that tightens, and relaxes nothing, takes effect without a signature: the audit log and "
        "the register say so, and its review is due within a week."
    )

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("--model", required=True, help="slug of the model")
        parser.add_argument("--file", required=True, type=Path)
        parser.add_argument("--assessment", required=True, help="reference of the risk assessment behind it")
        parser.add_argument("--by", required=True, help="user name of who publishes")
        parser.add_argument("--justification", default="", help="of a first version")
        parser.add_argument("--emergency", action="store_true", help="a stricter later version, without a signature")
        parser.add_argument("--reason", default="", help="why the emergency cannot wait for a signature")

    def handle(self, *args: Any, **options: Any) -> None:
        try:
            published = _publish(_read(options["file"]), options)
        except ObjectDoesNotExist as error:
            raise CommandError(str(error)) from None
        except (Http404, PermissionDenied):
            raise CommandError(f"--by: {options['by']} may not propose thresholds for this model.") from None
        except Refused as refused:
            raise CommandError(str(refused)) from None
        self.stdout.write(
            f"Version {published.version} of {options['model']} is in force ({published.digest[:12]})."
            + (f" It bears no signature; review it by {published.review_due}." if options["emergency"] else "")
        )


def _publish(policy: Policy, options: dict[str, Any]) -> PolicyInForce:
    spec, publisher = model_spec(options["model"]), person(options["by"])
    if options["emergency"]:
        return policy_publish_emergency(
            model_id=spec.id,
            policy=policy,
            assessment_reference=options["assessment"],
            reason=options["reason"],
            person=publisher,
        )
    return policy_publish(
        model_id=spec.id,
        policy=policy,
        assessment_reference=options["assessment"],
        justification=options["justification"],
        actor=publisher.actor,
    )


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
