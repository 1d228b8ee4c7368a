"""What the governance wing asks of the data wing, and that it arrives."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import timedelta

import pytest
from django.core.exceptions import PermissionDenied
from django.db import DatabaseError, transaction

from apps.accounts.models import User
from apps.board.selectors import cases
from apps.common import clock
from apps.common.errors import Refused
from apps.incidents.models import Incident
from apps.monitoring.models import CloserLook, LatestEvaluation
from apps.monitoring.services import cadence_set
from apps.pipeline import answering, services, tasks
from apps.pipeline.escalating import incident_open_by_hand
from apps.registry.spec import ModelSpec
from apps.responses import selectors as responses
from apps.responses.models import Cause
from biasgov.fairness.policy import Bound, Policy
from biasgov.fairness.response_plan import ResponsePlan
from tests.apps.pipeline.world import NOW, company, compute, people, send_attributes, send_events
from tests.cast import Cast
from tests.sides import side

UNFAIR = Policy(bounds={"demographic_parity_ratio": Bound(0.8, 1.25)}, ladder=ResponsePlan(enhanced_minutes=15))


@pytest.fixture
def spec(db: None) -> Iterator[ModelSpec]:
    Cast.assemble()
    with clock.frozen(NOW):
        yield company(policy=UNFAIR)


def evaluated_at(spec: ModelSpec) -> object:
    with side("owner"):
        return LatestEvaluation.objects.get(model_id=spec.id).evaluated_at


def test_an_escalation_opens_one_incident_with_its_evidence_and_knows_its_number(spec: ModelSpec) -> None:
    frame = people(800)
    send_attributes(frame)
    send_events(spec, frame)
    compute()
    answering.answer_waiting()
    escalated = [found for found in responses.open_findings([spec.id]) if found.tier == "escalate"]
    causes = Cause.objects.filter(pk__in={found.cause_id for found in escalated})
    assert {cause.incident_id for cause in causes} == set(Incident.objects.values_list("pk", flat=True))
    with clock.frozen(NOW + timedelta(days=60)):
        answering.deadlines_enforce()
    assert Incident.objects.count() == Cause.objects.exclude(escalated_at=None).count()


def escalated(spec: ModelSpec) -> Incident:
    """The incident of the model's first escalation."""
    frame = people(800)
    send_attributes(frame)
    send_events(spec, frame)
    compute()
    answering.answer_waiting()
    return Incident.objects.earliest("id")


def test_an_officer_takes_findings_out_into_an_incident_of_their_own(spec: ModelSpec) -> None:
    first = escalated(spec)
    officer = User.objects.get(username="officer")
    together = [each for each in responses.open_findings([spec.id]) if each.cause_id is not None]
    mine = [each for each in together if f"cause:{each.cause_id}" == first.cause_key]
    assert len(mine) > 1
    chosen = next(each for each in mine if each.tier == "escalate")
    given = {
        "title": "Another matter",
        "summary": "It is the feed.",
        "severity": "high",
        "run_ids": (),
        "leaving": (first.pk,),
    }
    with pytest.raises(PermissionDenied):
        incident_open_by_hand(model=spec, person=User.objects.get(username="auditor"), findings=[chosen], **given)
    number = incident_open_by_hand(model=spec, person=officer, findings=[chosen], **given)
    opened = Incident.objects.get(pk=number)
    assert (opened.lead, opened.origin) == (officer, "escalation")
    assert opened.cause_key == f"cause:{responses.finding(chosen.id).cause_id}" != first.cause_key
    left = first.steps.get(event="finding_separated")
    assert (left.actor, left.detail) == (officer.actor, {"findings": [chosen.id], "incident": number})
    assert opened.evidence.exists()
    with pytest.raises(Refused, match="belong to another incident"):
        incident_open_by_hand(model=spec, person=officer, findings=[chosen], **given)
    unknown = {**given, "leaving": (number,), "run_ids": (10**9,)}
    with pytest.raises(Refused, match="no run"):
        incident_open_by_hand(model=spec, person=officer, findings=[chosen], **unknown)
    assert responses.causes([responses.finding(chosen.id)]).popitem()[1].incident == number


def test_the_schedule_puts_every_escalation_before_the_board_once(spec: ModelSpec) -> None:
    frame = people(800)
    send_attributes(frame)
    send_events(spec, frame)
    compute()
    answering.answer_waiting()
    for _ in range(3):
        tasks.advance_board()
    assert {case.subject_id for case in cases(kind="incident")} == set(Incident.objects.values_list("pk", flat=True))
    assert len(cases()) == Incident.objects.count() > 0


def test_a_breach_that_only_the_present_hour_shows_is_answered_within_it(spec: ModelSpec) -> None:
    """Its moment is the end of the hour, which is still to come."""
    frame = people(800)
    frame["at"] = frame["at"].map(lambda at: NOW - (NOW - at) / 60)
    send_attributes(frame)
    send_events(spec, frame)
    compute()
    assert answering.answer_waiting() == 1
    assert "escalate" in {found.tier for found in responses.open_findings([spec.id])}
    assert Incident.objects.get().began_at == NOW


def at_minute(minute: int) -> None:
    """One round of the schedule that minute of the hour, on the compute side."""
    with clock.frozen(NOW.replace(minute=minute)), side("compute"):
        services.evaluate_due()


def test_a_finding_that_is_watched_closer_is_evaluated_every_quarter_of_an_hour(spec: ModelSpec) -> None:
    frame = people(800)
    send_attributes(frame)
    send_events(spec, frame)
    compute()
    answering.answer_waiting()
    assert {found.tier for found in responses.open_findings([spec.id])} >= {"escalate"}
    assert CloserLook.objects.get().minutes == 15
    at_minute(34)
    assert evaluated_at(spec) == NOW
    at_minute(35)
    assert evaluated_at(spec) == NOW.replace(minute=35)
    at_minute(49)
    assert evaluated_at(spec) == NOW.replace(minute=35)
    at_minute(50)
    assert evaluated_at(spec) == NOW.replace(minute=50)


def test_without_the_wish_the_hour_is_the_contract(spec: ModelSpec) -> None:
    send_events(spec, people(50))
    compute()
    cadence_set(model_id=spec.id, every=timedelta(minutes=15))
    cadence_set(model_id=spec.id, every=None)
    at_minute(59)
    assert evaluated_at(spec) == NOW


def test_the_compute_side_reads_the_wish_and_cannot_make_it(spec: ModelSpec) -> None:
    with side("compute"), pytest.raises(DatabaseError, match="permission denied"), transaction.atomic():
        cadence_set(model_id=spec.id, every=timedelta(minutes=15))


def test_a_deadline_that_passes_is_found_by_the_schedule(spec: ModelSpec) -> None:
    frame = people(800)
    send_attributes(frame)
    send_events(spec, frame)
    compute()
    answering.answer_waiting()
    assert answering.deadlines_enforce() == 0
    with clock.frozen(NOW + timedelta(days=60)):
        assert answering.deadlines_enforce() == 1
        assert answering.deadlines_enforce() == 0
    assert {found.tier for found in responses.open_findings([spec.id])} == {"escalate"}
