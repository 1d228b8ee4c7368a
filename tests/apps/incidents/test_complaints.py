"""The complaints register: deadlines, outcomes, incidents, and nobody's name."""

from __future__ import annotations

from datetime import timedelta

import pytest
from django.core.exceptions import PermissionDenied
from django.http import Http404

from apps.common import clock
from apps.common.errors import Refused
from apps.incidents import selectors, services
from apps.incidents.models import Complaint, Incident, IncidentLink
from apps.incidents.selectors import ComplaintFilter
from tests.apps.incidents.test_opening import open_by_hand
from tests.cast import Cast, model

pytestmark = pytest.mark.django_db


def recorded(cast: Cast, **changes: object) -> Complaint:
    fields = {
        "model": cast.owned,
        "person": cast.compliance,
        "source": "customer",
        "channel": "phone",
        "summary": "A claim from Singapore has waited for nine weeks.",
        "received_at": clock.now() - timedelta(days=3),
        "attribute": "region",
    }
    who = (fields | changes)["person"]
    return services.complaint_record(**({"actor": who.actor} | fields | changes))


def test_the_deadline_follows_from_the_rule(cast: Cast) -> None:
    received = clock.now() - timedelta(days=3)
    assert recorded(cast, received_at=received).due_at == received + timedelta(days=30)
    longer = recorded(cast, received_at=received, rule="rg-271-45")
    assert longer.due_at == received + timedelta(days=45)
    row = selectors.complaint(longer.pk)
    assert row.rule.citation.name == "ASIC RG 271"


@pytest.mark.parametrize(
    ("changes", "field"),
    [
        ({"summary": "Write to ana@example.org"}, "summary"),
        ({"summary": "Call +61 2 9999 1234"}, "summary"),
        ({"reference": "ana@example.org"}, "reference"),
        ({"summary": ""}, "summary"),
        ({"attribute": "shoe size"}, "attribute"),
        ({"source": "neighbour"}, "source"),
        ({"channel": "pigeon"}, "channel"),
        ({"rule": "aia-73-2"}, "rule"),
        ({"received_at": clock.now() + timedelta(days=2)}, "received_at"),
    ],
)
def test_what_is_missing_wrong_or_personal_is_refused(cast: Cast, changes: dict[str, object], field: str) -> None:
    with pytest.raises(Refused) as refusal:
        recorded(cast, **changes)
    assert refusal.value.field == field
    assert not Complaint.objects.exists()


def test_officers_and_compliance_record_and_others_read(cast: Cast) -> None:
    recorded(cast, person=cast.officer)
    for part in ("board", "owner", "auditor"):
        with pytest.raises(PermissionDenied):
            recorded(cast, person=getattr(cast, part))
    with pytest.raises(Http404):
        recorded(cast, person=cast.outsider)


def test_its_life(cast: Cast) -> None:
    number = recorded(cast).pk
    who = {"complaint_id": number, "person": cast.compliance}
    services.complaint_examine(**who)
    with pytest.raises(Refused) as refusal:
        services.complaint_examine(**who)
    assert refusal.value.code == "state"
    services.complaint_answer(**who, outcome="upheld", answer="The claim was put first in the queue.")
    with pytest.raises(Refused):
        services.complaint_withdraw(**who, reason="By phone.")
    services.complaint_reopen(**who, reason="A second letter.")
    row = selectors.complaint(number)
    assert (row.state, row.outcome, row.answered_at) == ("examined", "", None)
    assert [step.event for step in selectors.complaint_steps(number)] == [
        "recorded",
        "examination_started",
        "answered",
        "reopened",
    ]


def test_it_can_open_an_incident_whose_clocks_start_when_it_was_received(cast: Cast) -> None:
    complaint = recorded(cast)
    with pytest.raises(PermissionDenied):
        services.complaint_open_incident(
            complaint_id=complaint.pk, person=cast.compliance, model=cast.owned, title="Waits", severity="medium"
        )
    shared = {"complaint_id": complaint.pk, "person": cast.officer, "model": cast.owned}
    incident = services.complaint_open_incident(**shared, title="Waits", severity="medium")
    assert incident.origin == "complaint"
    assert incident.aware_at == complaint.received_at
    assert IncidentLink.objects.get(kind="complaint").target == str(complaint.pk)
    with pytest.raises(Refused) as refusal:
        services.complaint_open_incident(**shared, title="Waits", severity="medium")
    assert refusal.value.code == "exists"
    assert Incident.objects.count() == 1


def test_it_joins_an_incident_of_its_own_model_only(cast: Cast) -> None:
    other = open_by_hand(cast, model=model("lending"))
    own = open_by_hand(cast)
    complaint = recorded(cast)
    shared = {"complaint_id": complaint.pk, "person": cast.officer}
    with pytest.raises(Refused) as refusal:
        services.complaint_link(**shared, incident_id=other.pk)
    assert refusal.value.code == "other_model"
    services.complaint_link(**shared, incident_id=own.pk)
    assert [row.id for row in selectors.complaints_of_incident(own.pk)] == [complaint.pk]


def test_complaints_since_a_moment_are_counted_without_those_taken_back(cast: Cast) -> None:
    since = clock.now() - timedelta(days=10)
    recorded(cast, received_at=since - timedelta(seconds=1))
    recorded(cast, received_at=since)
    taken_back = recorded(cast)
    recorded(cast, model=model("lending"), attribute="")
    services.complaint_withdraw(complaint_id=taken_back.pk, person=cast.compliance, reason="By phone.")
    assert selectors.complaints_since(cast.owned.id, since) == 1


def test_finding_complaints(cast: Cast) -> None:
    late = recorded(cast, received_at=clock.now() - timedelta(days=40), reference="CRM-77")
    recorded(cast, summary="The letter was in the wrong language.", source="ombudsman")
    everything = selectors.complaints(ComplaintFilter())
    assert len(everything) == 2
    assert [row.id for row in selectors.complaints_due(until=clock.now())] == [late.pk]
    assert len(selectors.complaints(ComplaintFilter(text="letters"))) == 1
    assert len(selectors.complaints(ComplaintFilter(source="ombudsman"))) == 1
    assert [row.id for row in selectors.complaints(ComplaintFilter(text=f"#{late.pk}"))] == [late.pk]
    assert selectors.complaints(ComplaintFilter(), visible=[]) == ()
    assert selectors.complaint_counts(ComplaintFilter(states=("answered",)))["received"] == 2
