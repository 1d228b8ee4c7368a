"""Holding alerts back: for a while, with a reason, and never what has grown worse."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any

import pytest
from django.core.exceptions import PermissionDenied
from django.db import DatabaseError, transaction
from django.http import Http404

from apps.audit.selectors import entries
from apps.common import clock
from apps.common.errors import Refused
from apps.registry.spec import ModelSpec
from apps.responses import selectors
from apps.responses.models import Silence
from apps.responses.services import silence_end, silence_set
from apps.responses.silences import silences_of
from tests.apps.responses.worlds import HOUR, NOON, answer_hours
from tests.cast import Cast

UNTIL = NOON + 10 * HOUR


@pytest.fixture
def cast(db: None) -> Cast:
    return Cast.assemble()


@pytest.fixture
def spec(cast: Cast) -> ModelSpec:
    return cast.owned


def silenced(spec: ModelSpec, cast: Cast, until: datetime = UNTIL, **changes: Any) -> int:
    with clock.frozen(NOON + timedelta(minutes=10)):
        return silence_set(
            **{"model_id": spec.id, "until": until, "reason": "Known fault.", "person": cast.officer} | changes
        ).pk


def alerts(cast: Cast) -> int:
    return selectors.notifications(cast.officer).count()


def test_what_is_no_worse_waits_for_the_end(spec: ModelSpec, cast: Cast) -> None:
    answer_hours(spec, "breach")
    silenced(spec, cast)
    answer_hours(spec, "breach", "breach", start=NOON + HOUR)
    answer_hours(spec, "breach", start=NOON + 3 * HOUR, group="EMEA")
    assert alerts(cast) == 1
    answer_hours(spec, "breach", start=UNTIL, group="EMEA")
    assert alerts(cast) == 2


def test_the_ladder_climbs_in_silence(spec: ModelSpec, cast: Cast) -> None:
    answer_hours(spec, "breach")
    silenced(spec, cast)
    answer_hours(spec, "breach", "breach", start=NOON + HOUR)
    assert selectors.findings_of(spec.id)[0].tier == "monitor-enhanced"


def test_a_rise_in_severity_is_never_silenced(spec: ModelSpec, cast: Cast) -> None:
    answer_hours(spec, "breach", severity="medium")
    silenced(spec, cast)
    answer_hours(spec, "breach", start=NOON + HOUR, severity="high")
    assert alerts(cast) == 2


def test_restrictions_and_escalations_are_never_silenced(spec: ModelSpec, cast: Cast) -> None:
    answer_hours(spec, "breach", severity="critical")
    silenced(spec, cast)
    answer_hours(spec, "breach", start=NOON + HOUR, severity="low", window="30d", group="EMEA")
    assert alerts(cast) == 2


def test_a_silence_of_one_finding_leaves_the_others_loud(spec: ModelSpec, cast: Cast) -> None:
    answer_hours(spec, "breach")
    (first,) = selectors.findings_of(spec.id)
    silenced(spec, cast, finding_id=first.id)
    answer_hours(spec, "breach", start=NOON + HOUR, group="EMEA")
    assert alerts(cast) == 2
    answer_hours(spec, "breach", start=NOON + 2 * HOUR)
    assert alerts(cast) == 2


def test_a_silence_can_be_ended_once_before_its_time(spec: ModelSpec, cast: Cast) -> None:
    answer_hours(spec, "breach")
    number = silenced(spec, cast)
    with clock.frozen(NOON + HOUR):
        assert [each.reason for each in silences_of(spec.id)] == ["Known fault."]
        silence_end(silence_id=number, person=cast.officer)
        assert silences_of(spec.id) == ()
        with pytest.raises(Refused) as ended:
            silence_end(silence_id=number, person=cast.officer)
    assert ended.value.code == "ended"
    assert [entry.action for entry in entries(action="silence.")] == ["silence.ended", "silence.set"]


@pytest.mark.parametrize(
    "changes",
    [
        {"reason": "  "},
        {"until": NOON - HOUR},
        {"until": NOON + timedelta(days=31)},
        {"until": datetime(2026, 5, 4, 23)},  # noqa: DTZ001 - what a form without a zone would give
        {"finding_id": 0},
    ],
)
def test_a_silence_needs_a_reason_an_end_and_something_to_silence(
    spec: ModelSpec, cast: Cast, changes: dict[str, Any]
) -> None:
    answer_hours(spec, "breach")
    with pytest.raises(Refused):
        silenced(spec, cast, **changes)


def test_nobody_but_the_officer_silences(spec: ModelSpec, cast: Cast) -> None:
    for who, refusal in ((cast.owner, PermissionDenied), (cast.auditor, PermissionDenied), (cast.outsider, Http404)):
        with pytest.raises(refusal):
            silenced(spec, cast, person=who)


def test_no_silence_is_without_end_by_sql_either(spec: ModelSpec, cast: Cast) -> None:
    with pytest.raises(DatabaseError, match="responses_silence_is_short"), transaction.atomic():
        Silence.objects.create(
            model_id=spec.id,
            severity="critical",
            reason="No.",
            person=cast.officer,
            set_at=NOON,
            until=NOON + timedelta(days=31),
        )
