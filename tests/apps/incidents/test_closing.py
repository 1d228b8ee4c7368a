"""Closing with evidence, lessons and a second person; reopening."""

from __future__ import annotations

from collections import Counter
from datetime import timedelta
from functools import partial

import pytest
from django.core.exceptions import PermissionDenied
from django.db import IntegrityError, connection, transaction

from apps.accounts.roles import OFFICER
from apps.accounts.services import person_create
from apps.approvals import services as approvals
from apps.approvals.selectors import ApprovalView, steps
from apps.approvals.selectors import approvals as requests
from apps.common import clock
from apps.common.errors import Refused
from apps.incidents import services
from apps.incidents.models import Incident, RegulatoryClock
from tests.apps.approvals.test_at_once import together
from tests.apps.incidents.test_opening import escalate, open_by_hand
from tests.apps.incidents.test_running import change, tomorrow
from tests.cast import Cast

pytestmark = pytest.mark.django_db


def finished(cast: Cast, **changes: object) -> Incident:
    """An incident with nothing left to do."""
    incident = open_by_hand(cast, **changes)
    return finish(cast, incident)


def finish(cast: Cast, incident: Incident) -> Incident:
    for each in RegulatoryClock.objects.filter(incident=incident):
        services.clock_set_aside(clock_id=each.pk, person=cast.officer, note="Nobody was harmed.")
    incident.refresh_from_db()
    return change(incident, cast.officer, causes=["library_change"], explanation="n_init changed.")


def asked(cast: Cast, incident: Incident) -> ApprovalView:
    return services.incident_closure_request(
        incident_id=incident.pk, person=cast.officer, statement="Parity for 7 days.", lessons="Pin every library."
    )


def signed(view: ApprovalView, who: object) -> ApprovalView:
    return approvals.approval_sign(approval_id=view.id, person=who, digest=view.digest, confirmed_at=clock.now())


def state() -> str:
    return Incident.objects.latest("id").state


def test_a_second_person_closes_it(cast: Cast) -> None:
    incident = finished(cast)
    view = asked(cast, incident)
    assert state() == "closing"
    assert view.content["lessons"] == "Pin every library."
    signed(view, cast.compliance)
    incident.refresh_from_db()
    assert incident.state == "closed"
    assert incident.closed_at is not None
    assert incident.steps.latest("id").actor == cast.compliance.actor


def test_who_asks_does_not_sign(cast: Cast) -> None:
    view = asked(cast, finished(cast))
    with pytest.raises(Refused) as refusal:
        signed(view, cast.officer)
    assert refusal.value.code == "own_request"
    assert state() == "closing"


@pytest.mark.parametrize("part", ["board", "owner", "auditor"])
def test_only_officers_and_compliance_sign(cast: Cast, part: str) -> None:
    view = asked(cast, finished(cast))
    with pytest.raises(PermissionDenied):
        signed(view, getattr(cast, part))


def test_nothing_may_be_open(cast: Cast) -> None:
    incident = open_by_hand(cast)
    for field in ("clocks", "causes"):
        with pytest.raises(Refused) as refusal:
            asked(cast, incident)
        assert refusal.value.field == field
        for each in RegulatoryClock.objects.filter(incident=incident, state="proposed"):
            services.clock_set_aside(clock_id=each.pk, person=cast.officer, note="Nobody was harmed.")
    incident.refresh_from_db()
    change(incident, cast.officer, causes=["label"])
    services.action_add(
        incident_id=incident.pk, person=cast.officer, title="Relabel", owner=cast.owner, due_at=tomorrow()
    )
    with pytest.raises(Refused) as refusal:
        asked(cast, incident)
    assert refusal.value.field == "actions"


@pytest.mark.parametrize("end", ["rejected", "withdrawn", "expired"])
def test_a_request_that_comes_to_nothing_lets_the_incident_go_on(cast: Cast, end: str) -> None:
    view = asked(cast, finished(cast))
    if end == "rejected":
        approvals.approval_reject(approval_id=view.id, person=cast.compliance, reason="No evidence.")
    elif end == "withdrawn":
        approvals.approval_withdraw(approval_id=view.id, person=cast.officer)
    else:
        with clock.frozen(clock.now() + timedelta(days=15)):
            assert approvals.approvals_advance() == 1
    assert state() == "investigating"


def test_while_closure_is_asked_for_the_content_stays(cast: Cast) -> None:
    incident = finished(cast)
    asked(cast, incident)
    incident.refresh_from_db()
    with pytest.raises(Refused, match="stays as it is"):
        change(incident, cast.officer, title="Other")
    with pytest.raises(Refused, match="remark on the request"):
        services.incident_note(incident_id=incident.pk, person=cast.officer, text="One more thing.")


def test_a_further_finding_ends_the_request(cast: Cast) -> None:
    done = escalate(cast, "APAC")
    view = asked(cast, finish(cast, Incident.objects.get(pk=done.incident_id)))
    escalate(cast, "NA", run_id=72)
    assert state() == "investigating"
    with pytest.raises(Refused):
        signed(view, cast.compliance)
    assert state() == "investigating"
    ended = requests(subject=view.subject)
    assert [each.state for each in ended] == ["withdrawn"]
    assert steps(view.id)[-1].text == "A further finding of the same cause was attached."
    again = asked(cast, Incident.objects.get(pk=done.incident_id))
    signed(again, cast.compliance)
    assert state() == "closed"


def test_reopening_needs_a_reason_and_a_free_cause(cast: Cast) -> None:
    done = escalate(cast, "APAC")
    incident = finish(cast, Incident.objects.get(pk=done.incident_id))
    signed(asked(cast, incident), cast.compliance)
    again = escalate(cast, "NA", run_id=72)
    assert again.opened
    reopen = partial(services.incident_reopen, incident_id=incident.pk, person=cast.officer)
    with pytest.raises(Refused, match="taken up again"):
        reopen(reason=" ")
    with pytest.raises(Refused) as refusal:
        reopen(reason="It came back.")
    assert refusal.value.code == "exists"
    second = finish(cast, Incident.objects.get(pk=again.incident_id))
    signed(asked(cast, second), cast.compliance)
    assert reopen(reason="It came back.").state == "investigating"
    incident.refresh_from_db()
    assert incident.closed_at is None
    assert incident.reopened_at is not None


def test_a_draft_around_the_page_cannot_close_an_incident(cast: Cast) -> None:
    incident = open_by_hand(cast)
    for content in ({"incident": incident.pk, "revision": 1}, {}, {"incident": "1 OR 1"}):
        with pytest.raises(Refused) as refusal:
            approvals.approval_draft(
                kind="incident_closure",
                model_id=cast.owned.id,
                subject=f"incident:{incident.pk}",
                title="Close",
                content=content,
                reason="So.",
                person=cast.officer,
            )
        assert refusal.value.code == "content"


def test_the_table_refuses_a_closure_without_a_signature(cast: Cast) -> None:
    incident = finished(cast)
    asked(cast, incident)
    with connection.cursor() as cursor:
        for statement in (
            "UPDATE incidents_incident SET state = 'closed', closed_at = now()",
            "UPDATE incidents_incident SET lessons = 'none'",
        ):
            with pytest.raises(IntegrityError), transaction.atomic():
                cursor.execute(statement)
    assert state() == "closing"


@pytest.mark.django_db(transaction=True)
def test_of_many_who_ask_sign_and_reject_at_once_one_story_remains() -> None:
    cast = Cast.assemble()
    incident = finished(cast)
    officers = [person_create(username=f"o{n}", actor="system:tests", roles=[OFFICER]) for n in range(9)]
    ask = partial(services.incident_closure_request, incident_id=incident.pk, statement="Over.", lessons="Pin.")
    assert together([partial(ask, person=each) for each in officers]) == Counter(done=1, state=8)
    (view,) = requests(subject=f"incident:{incident.pk}")
    given = {"approval_id": view.id, "digest": view.digest, "confirmed_at": clock.now()}
    others = [each for each in officers if each.pk != view.requester_id]
    outcomes = together(
        [
            *(partial(approvals.approval_sign, person=each, **given) for each in others),
            partial(approvals.approval_reject, approval_id=view.id, person=cast.compliance, reason="No."),
        ]
    )
    assert outcomes == Counter(done=1, state=8)
    incident.refresh_from_db()
    assert incident.state in ("closed", "investigating")
    ends = incident.steps.filter(event__in=["closed", "closure_refused"]).count()
    assert ends == 1
