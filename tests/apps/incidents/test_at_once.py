"""Two hundred changes of the same incident at once: one effect each, and everybody else is told how it stands."""

from __future__ import annotations

from collections import Counter
from decimal import Decimal
from functools import partial

import pytest

from apps.approvals import services as approvals
from apps.approvals.selectors import approval
from apps.audit.selectors import entries
from apps.common import clock
from apps.incidents import selectors, services
from apps.incidents.models import Incident
from apps.incidents.services import incident_open_for_escalation
from tests.apps.incidents.conftest import breached, given
from tests.apps.incidents.test_closing import asked, finish
from tests.apps.incidents.test_opening import CAUSE, escalate, open_by_hand
from tests.apps.incidents.test_running import change, tomorrow
from tests.apps.responses.test_at_once import officers, together
from tests.cast import Cast

pytestmark = pytest.mark.django_db(transaction=True)


def test_two_hundred_who_start_the_investigation_start_it_once() -> None:
    cast, people = Cast.assemble(), officers(40)
    incident = open_by_hand(cast)
    start = partial(services.incident_move, incident_id=incident.pk, event="investigation_started")
    assert together({"start": [partial(start, person=each) for each in people * 5]})["start"] == Counter(
        done=1, state=199
    )
    assert Incident.objects.get().revision == incident.revision + 1
    assert Incident.objects.get().steps.filter(event="investigation_started").count() == 1
    assert len(entries(action="incident.investigation_started")) == 1


def test_changes_notes_and_ends_of_the_same_things_at_once() -> None:
    cast, people = Cast.assemble(), officers(40)
    incident = open_by_hand(cast)
    shared = {"incident_id": incident.pk, "person": cast.officer}
    action = services.action_add(**shared, title="Roll back", owner=cast.owner, due_at=tomorrow())
    line = services.cost_book(
        **shared,
        kind="penalty",
        description="SLA",
        unit_amount=Decimal(7),
        currency="AUD",
        incurred_on=clock.now().date(),
    )
    running = services.clock_start(**shared, rule="aia-73-2")
    incident.refresh_from_db()
    end = partial(services.action_end, action_id=action.pk, outcome="Done: see release 2.4.")
    report = partial(services.clock_report, clock_id=running.pk, reported_at=clock.now(), note="To the regulator.")
    back = partial(services.cost_reverse, line_id=line.pk, reason="Wrong year.")
    note = partial(services.incident_note, incident_id=incident.pk, text="Seen.")
    outcomes = together(
        {
            "change": [partial(change, incident, each, title=f"By {each.username}") for each in people],
            "end": [partial(end, person=each, done=n % 2 == 0) for n, each in enumerate(people)],
            "report": [partial(report, person=each) for each in people],
            "take back": [partial(back, person=each) for each in people],
            "note": [partial(note, person=each) for each in people],
        }
    )
    assert outcomes["change"]["done"] <= 1
    assert set(outcomes["change"]) <= {"done", "changed"}
    for name in ("end", "report", "take back"):
        assert outcomes[name] == Counter(done=1, state=39), name
    assert outcomes["note"] == Counter(done=40)
    detail = selectors.incident_detail(incident.pk)
    assert detail is not None
    assert [money.amount for money in detail.totals] == [Decimal(0)]
    assert len(detail.steps) == incident.steps.count() == detail.row.revision
    told = Counter(step.event for step in detail.steps)
    assert told["noted"] == 40
    assert told["clock_reported"] == told["cost_taken_back"] == told["action_done"] + told["action_dropped"] == 1


def test_a_finding_that_comes_while_many_sign_leaves_one_story() -> None:
    cast, people = Cast.assemble(), officers(49)
    incident = finish(cast, Incident.objects.get(pk=escalate(cast, "APAC").incident_id))
    view = asked(cast, incident)
    further = breached(cast, "NA", run_id=72)
    sign = partial(approvals.approval_sign, approval_id=view.id, digest=view.digest, confirmed_at=clock.now())
    reject = partial(approvals.approval_reject, approval_id=view.id, reason="No.")
    attach = partial(
        incident_open_for_escalation,
        model=cast.owned,
        findings=further,
        cause_key=CAUSE,
        severity="critical",
        evidence=given(("APAC", 812), ("NA", 2900), run_id=72),
    )
    outcomes = together(
        {
            "sign": [partial(sign, person=each) for each in people],
            "reject": [partial(reject, person=each) for each in people],
            "attach": [attach] * 102,
        }
    )
    assert outcomes["attach"] == Counter(done=102)
    ended = outcomes["sign"]["done"] + outcomes["reject"]["done"]
    assert ended <= 1
    assert set(outcomes["sign"]) | set(outcomes["reject"]) <= {"done", "state"}
    request = approval(view.id)
    assert request is not None
    assert request.state in ({"effective", "rejected"} if ended else {"withdrawn"})
    numbers = Incident.objects.filter(cause_key=CAUSE).count()
    assert numbers == (2 if request.state == "effective" else 1)
    newest = Incident.objects.latest("id")
    assert newest.steps.filter(event__in=["finding_escalated", "opened"]).count() == 3 - numbers
