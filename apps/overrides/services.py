"""Writing overrides down, in batches as programs send them: each event once, good rows even if others are refused."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from django.db import connection, transaction

from apps.audit import services as audit
from apps.common import clock
from apps.common.contacts import REFUSAL, holds_contact
from apps.inference.selectors import NamedEvent, events_named
from apps.inference.shapes import Event, Receipt, Rejection
from apps.overrides.categories import CATEGORIES, UNSTATED
from apps.overrides.models import Override
from apps.registry.spec import ModelSpec

_LOCK_CLASS = 0x6F766572  # "over"; the second number of the lock is the model
_CONTROL = re.compile(r"[\x00-\x08\x0b-\x1f\x7f]")


@dataclass(frozen=True, slots=True)
class Given:
    """An override as it is told: the event's id, who decided what, when and why. at: None is when the model did."""

    event_id: str
    by: str
    decision: int
    at: datetime | None = None
    category: str = UNSTATED
    reason: str = ""


@transaction.atomic
def overrides_record(*, spec: ModelSpec, overrides: Sequence[Given], actor: str) -> Receipt:
    """Write down what people have decided otherwise than the model.

    A row is refused for an event that the log does not have (``unknown_event``), where the decision is the model's own
    (``same_decision``), or for what is wrong in it. One whose event was overridden before is a duplicate: the first
    one stands.
    """
    events = events_named(spec.id, [each.event_id for each in overrides])
    rejected: list[Rejection] = []
    rows: dict[UUID, Override] = {}
    good = 0
    for index, (given, event) in enumerate(zip(overrides, events, strict=True)):
        problem = _problem(given, event)
        if problem is not None or event is None:
            rejected.append(Rejection(index, *(problem or _UNKNOWN)))
            continue
        good += 1
        rows.setdefault(event.key, _row(spec, given, event, actor))
    fresh = _store(spec, rows)
    if fresh:
        audit.append(
            actor=actor, action="override.recorded", subject=f"model:{spec.slug}", detail={"overrides": len(fresh)}
        )
    return Receipt(len(fresh), good - len(fresh), rejected)


def overrides_record_of_events(*, spec: ModelSpec, events: Sequence[Event], actor: str) -> int:
    """Write down the overrides that came with events; returns how many were new. Where none came this costs nothing."""
    given = [
        Given(each.event_id, each.override.by, each.override.decision, reason=each.override.reason)
        for each in events
        if each.override
    ]
    return overrides_record(spec=spec, overrides=given, actor=actor).accepted if given else 0


def _store(spec: ModelSpec, rows: Mapping[UUID, Override]) -> list[Override]:
    """Store the rows that are not there yet; batches of one model wait for each other, so that each row counts once."""
    with connection.cursor() as cursor:
        cursor.execute("SELECT pg_advisory_xact_lock(%s, %s)", [_LOCK_CLASS, spec.id])
    known = set(Override.objects.filter(model_id=spec.id, event_key__in=rows).values_list("event_key", flat=True))
    return Override.objects.bulk_create([row for key, row in rows.items() if key not in known])


def _row(spec: ModelSpec, given: Given, event: NamedEvent, actor: str) -> Override:
    return Override(
        model_id=spec.id,
        event_key=event.key,
        occurred_at=event.occurred_at,
        from_decision=event.decision,
        to_decision=given.decision,
        category=given.category,
        reason=given.reason.strip(),
        by=given.by.strip(),
        overridden_at=given.at or event.occurred_at,
        recorded_by=actor,
        recorded_at=clock.now(),
    )


_UNKNOWN = ("unknown_event", "The event log has no such event of this model.", "event_id")


def _problem(given: Given, event: NamedEvent | None) -> tuple[str, str, str] | None:
    """Code, message and field of what is wrong with a row; None where nothing is."""
    if event is None:
        return _UNKNOWN
    if given.category not in CATEGORIES:
        return "unknown_category", f"This is none of {', '.join(CATEGORIES)}.", "category"
    if given.decision == event.decision:
        return "same_decision", "The model had decided the same.", "decision"
    if given.at is not None and given.at > clock.now():
        return "time_in_future", "This time is in the future.", "at"
    if given.at is not None and given.at < event.occurred_at:
        return "time_too_early", "The model had not decided yet.", "at"
    for field, text in (("by", given.by), ("reason", given.reason)):
        if _CONTROL.search(text) or (field == "by" and not text.strip()):
            return f"invalid_{field}", "Say it in printable characters.", field
        if holds_contact(text):
            return "personal", REFUSAL, field
    return None
