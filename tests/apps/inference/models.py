"""Makers of models, events and labels for tests of the event log."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

from apps.common import clock
from apps.inference.shapes import Event, Label
from apps.registry.declarations import AttributeDeclaration
from apps.registry.selectors import model_spec_by_id
from apps.registry.services import model_register, version_register
from apps.registry.spec import ModelSpec

ACTOR = "token:tests"


def registered(slug: str, *, versions: tuple[str, ...] = ("1.0",)) -> ModelSpec:
    """A model with the attributes sex and region."""
    spec = model_register(
        actor=ACTOR,
        slug=slug,
        name=slug.title(),
        industry="employment",
        purpose="Chooses whom to invite.",
        risk_level="high",
        attributes=[
            AttributeDeclaration("sex", ("female", "male"), "male", ("region",)),
            AttributeDeclaration("region", ("north", "south", "west"), "north"),
        ],
        favourable_decision=1,
        owner="Recruiting",
    )
    for version in versions:
        version_register(actor=ACTOR, model_id=spec.id, version=version, environment={})
    return model_spec_by_id(spec.id)


def hour_ago() -> datetime:
    """Twenty past the hour before this one."""
    return clock.hour_floor(datetime.now(UTC)) - timedelta(minutes=40)


def event(number: int, **changes: Any) -> Event:
    """Event number `number`, an hour ago unless said otherwise."""
    fields: dict[str, Any] = {
        "event_id": f"event-{number}",
        "subject_id": f"person-{number % 7}",
        "occurred_at": hour_ago() + timedelta(seconds=number % 600),
        "version": "1.0",
        "decision": number % 2,
    }
    return Event(**(fields | changes))


def label(number: int, value: int, **changes: Any) -> Label:
    """The outcome of event number `number`, observed now."""
    fields: dict[str, Any] = {"event_id": f"event-{number}", "label": value, "observed_at": datetime.now(UTC)}
    return Label(**(fields | changes))
