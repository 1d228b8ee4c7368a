"""For how long what a model leaves is kept: a setting of the model, with the reason in the audit log."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass

from django.db import transaction

from apps.audit.services import append
from apps.common.errors import Refused
from apps.registry.declarations import check_text
from apps.registry.models import MonitoredModel, RetentionSetting

SHORTEST = 62
"""Days: the longest window of a moment a month ago, and of the day it is computed again."""
LONGEST = 3650


@dataclass(frozen=True, slots=True)
class Retention:
    """Days for which raw events, the pseudonyms in them, hour cubes and runs are kept."""

    events: int = 400
    pseudonyms: int = 90
    cubes: int = 800
    runs: int = 1830


DEFAULT = Retention()


def retention_set(*, actor: str, model_id: int, retention: Retention, reason: str) -> None:
    """Keep what a model leaves for other periods from now on.

    Raises
    ------
    Refused
        A period is shorter than windows need or longer than ten years, or pseudonyms would outlive their events.
    """
    for name, days in asdict(retention).items():
        if not SHORTEST <= days <= LONGEST:
            raise Refused(name, f"This must be {SHORTEST} to {LONGEST} days.", code="out_of_range")
    if retention.pseudonyms > retention.events:
        raise Refused("pseudonyms", "Pseudonyms stand in events: they cannot be kept for longer.", code="too_long")
    with transaction.atomic():
        model = MonitoredModel.objects.get(pk=model_id)
        RetentionSetting.objects.create(
            model=model, set_by=actor, reason=check_text(reason, "reason", longest=500), **asdict(retention)
        )
        append(
            actor=actor,
            action="model.retention_set",
            subject=f"model:{model.slug}",
            detail={**asdict(retention), "reason": reason},
        )


def retention_of(model_ids: Sequence[int]) -> Mapping[int, Retention]:
    """The periods of each model; one query."""
    newest = (
        RetentionSetting.objects.filter(model_id__in=list(model_ids)).order_by("model_id", "-id").distinct("model_id")
    )
    known = {row.model_id: Retention(row.events, row.pseudonyms, row.cubes, row.runs) for row in newest}
    return {identity: known.get(identity, DEFAULT) for identity in model_ids}
