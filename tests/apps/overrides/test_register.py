"""The register of overrides: what is written down, what is refused, and that each event counts once."""

from __future__ import annotations

from datetime import datetime, timedelta
from functools import partial

import pytest
from django.db import DatabaseError, connection, transaction

from apps.audit.selectors import entries
from apps.common import clock
from apps.inference.services import events_ingest
from apps.inference.shapes import Override as CarriedOverride
from apps.overrides import selectors
from apps.overrides.models import Override
from apps.overrides.services import Given, overrides_record, overrides_record_of_events
from apps.registry.spec import ModelSpec
from tests.apps.approvals.test_at_once import together
from tests.apps.inference.models import ACTOR, event, registered
from tests.sides import side

pytestmark = pytest.mark.django_db


def logged(spec: ModelSpec, number: int, decision: int = 1, **changes: object) -> str:
    """An event in the log, by its id."""
    sent = event(number, decision=decision, **changes)
    assert events_ingest(spec=spec, events=[sent], actor=ACTOR).accepted == 1
    return sent.event_id


def record(spec: ModelSpec, *given: Given):
    return overrides_record(spec=spec, overrides=given, actor=ACTOR)


@pytest.fixture
def spec(db: None) -> ModelSpec:
    return registered("hiring")


def test_an_override_names_the_event_who_when_and_why(spec: ModelSpec) -> None:
    event_id, at = logged(spec, 1), clock.now()
    receipt = record(spec, Given(event_id, "agent-7", 0, at, "hardship", "Recent notice"))
    assert (receipt.accepted, receipt.duplicates, receipt.rejected) == (1, 0, [])
    (row,) = selectors.overrides(spec.id)
    assert (row.from_decision, row.to_decision, row.category) == (1, 0, "hardship")
    assert (row.by, row.overridden_at) == ("agent-7", at)
    assert selectors.counts_by_category(spec.id) == {"hardship": 1}
    (entry,) = entries(action="override.recorded")
    assert entry.subject == "model:hiring"


@pytest.mark.parametrize(
    ("changes", "code", "field"),
    [
        ({"event_id": "nobody"}, "unknown_event", "event_id"),
        ({"decision": 1}, "same_decision", "decision"),
        ({"category": "mood"}, "unknown_category", "category"),
        ({"at": datetime.fromisoformat("2999-01-01T00:00:00+00:00")}, "time_in_future", "at"),
        ({"at": datetime.fromisoformat("2001-01-01T00:00:00+00:00")}, "time_too_early", "at"),
        ({"by": "a\0b"}, "invalid_by", "by"),
        ({"by": "  "}, "invalid_by", "by"),
        ({"reason": "told ann@example.org"}, "personal", "reason"),
    ],
)
def test_what_is_wrong_is_refused_and_the_good_rows_stay(
    spec: ModelSpec, changes: dict[str, object], code: str, field: str
) -> None:
    first, second = logged(spec, 1), logged(spec, 2)
    fields = {"event_id": first, "by": "agent-7", "decision": 0}
    receipt = record(spec, Given(**(fields | changes)), Given(second, "agent-7", 0))
    assert receipt.accepted == 1
    assert [(each.index, each.code, each.field) for each in receipt.rejected] == [(0, code, field)]


def test_the_first_override_of_an_event_stands(spec: ModelSpec) -> None:
    event_id = logged(spec, 1)
    assert record(spec, Given(event_id, "a", 0), Given(event_id, "b", 0)).duplicates == 1
    again = record(spec, Given(event_id, "c", 0))
    assert (again.accepted, again.duplicates) == (0, 1)
    assert Override.objects.get().by == "a"
    assert len(entries(action="override.recorded")) == 1


def test_overrides_that_came_with_events_are_in_it(spec: ModelSpec) -> None:
    carried = CarriedOverride(by="agent-1", decision=0, reason="Notice")
    same = CarriedOverride(by="agent-1", decision=1, reason="Agreed")
    events = [event(1, override=carried), event(3, override=same), event(5)]
    events_ingest(spec=spec, events=events, actor=ACTOR)
    assert overrides_record_of_events(spec=spec, events=events, actor=ACTOR) == 1
    assert overrides_record_of_events(spec=spec, events=events, actor=ACTOR) == 0
    (row,) = selectors.overrides(spec.id)
    assert (row.category, row.reason, row.overridden_at) == ("unstated", "Notice", row.occurred_at)


def test_a_model_does_not_see_anothers_events(spec: ModelSpec) -> None:
    event_id = logged(spec, 1)
    assert record(registered("lending"), Given(event_id, "a", 0)).rejected[0].code == "unknown_event"


def test_what_is_written_down_stays(spec: ModelSpec) -> None:
    record(spec, Given(logged(spec, 1), "a", 0))
    for who in ("web", "compute", "owner"):
        for statement in ("UPDATE overrides_override SET by = 'b'", "DELETE FROM overrides_override"):
            with side(who), pytest.raises(DatabaseError), transaction.atomic(), connection.cursor() as cursor:
                cursor.execute(statement)


def test_pages_follow_each_other(spec: ModelSpec) -> None:
    record(spec, *(Given(logged(spec, n), "a", 0) for n in range(5)))
    first = selectors.overrides(spec.id, limit=3)
    second = selectors.overrides(spec.id, before_id=first[-1].id, limit=3)
    assert [row.id for row in first + second] == sorted((row.id for row in first + second), reverse=True)
    assert len(first + second) == 5
    assert selectors.overrides(spec.id, category="policy") == ()
    assert selectors.models_with_overrides(clock.now() - timedelta(days=1), clock.now()) == [spec.id]


@pytest.mark.django_db(transaction=True)
def test_of_many_who_tell_the_same_at_once_one_is_written_down() -> None:
    spec = registered("hiring")
    ids = [logged(spec, n) for n in range(3)]
    given = [Given(each, "agent-7", 0) for each in ids]
    outcomes = together(
        [partial(overrides_record, spec=spec, overrides=given[::step], actor=ACTOR) for step in (1, -1) * 10]
    )
    assert outcomes["done"] == 20
    assert Override.objects.count() == 3
    assert sum(entry.detail["overrides"] for entry in entries(action="override.recorded")) == 3
