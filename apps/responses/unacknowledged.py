"""Findings that nobody has acknowledged: what waits for whom, found by the database however many there are."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from django.db.models import Case, Count, F, Min, QuerySet, Value, When, Window
from django.db.models.functions import Coalesce, RowNumber

from apps.accounts.permissions import models_within
from apps.responses.models import Finding
from biasgov.fairness.response_plan import SEVERITIES

ACKNOWLEDGE = "finding.acknowledge"
_CAUSE = Coalesce(F("cause_id"), -F("pk"))
_RANK = Case(*(When(severity=name, then=Value(place)) for place, name in enumerate(SEVERITIES)), default=Value(0))


def unacknowledged(user: Any) -> QuerySet[Finding]:
    """The open findings that this person may acknowledge and that nobody has; in no order."""
    waiting = Finding.objects.filter(state=Finding.State.OPEN, acknowledged_at=None).order_by()
    within = models_within(user, ACKNOWLEDGE)
    return waiting if within is None else waiting.filter(model_id__in=within)


def number_of_causes(user: Any, most: int | None = None) -> int:
    """How many causes they belong to, counted up to `most`. One query beside those for the person's roles."""
    return unacknowledged(user).values(cause_of=_CAUSE).distinct()[:most].count()


def worst_of_causes(user: Any, limit: int) -> dict[int, tuple[int, datetime]]:
    """The worst of them of each cause, worst first and then the oldest: {finding: (findings of its cause, since)}.

    since: when the oldest of the cause's was opened. One query.
    """
    urgency = (F("rank").desc(), F("opened_as_of").asc(), F("pk").asc())
    placed = unacknowledged(user).annotate(
        rank=_RANK,
        place=Window(RowNumber(), partition_by=_CAUSE, order_by=urgency),
        number=Window(Count("pk"), partition_by=_CAUSE),
        since=Window(Min("opened_as_of"), partition_by=_CAUSE),
    )
    first = placed.filter(place=1).order_by(*urgency).values_list("pk", "number", "since")[:limit]
    return {pk: (number, since) for pk, number, since in first}
