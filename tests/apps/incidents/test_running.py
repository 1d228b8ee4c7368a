"""Running an incident: states, changes, actions, clocks and money."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta
from decimal import Decimal

import pytest
from django.core.exceptions import PermissionDenied
from django.db import DatabaseError, IntegrityError, connection, transaction
from django.http import Http404

from apps.accounts.models import User
from apps.common import clock
from apps.common.errors import Refused
from apps.incidents import selectors, services, states
from apps.incidents.models import Action, CostLine, Incident, RegulatoryClock
from tests.apps.incidents.test_opening import open_by_hand
from tests.cast import Cast
from tests.sides import side

pytestmark = pytest.mark.django_db


def tomorrow() -> object:
    return clock.now() + timedelta(days=1)


def verbs(cast: Cast, incident: Incident, who: User) -> dict[str, Callable[[], object]]:
    """Everything that runs an incident, by this person."""
    shared = {"incident_id": incident.pk, "person": who}
    clock_id = RegulatoryClock.objects.filter(incident=incident).first().pk
    today = clock.now().date()
    return {
        "move": lambda: services.incident_move(**shared, event="investigation_started"),
        "change": lambda: change(incident, who),
        "group": lambda: services.incident_group_set(
            **shared, model=cast.owned, group=services.Group("region", "APAC", 40, "counted")
        ),
        "link": lambda: services.incident_link(**shared, kind="run", target="7"),
        "evidence": lambda: services.incident_evidence_add(**shared, evidence=services.NONE),
        "clock": lambda: services.clock_start(**shared, rule="aia-73-3"),
        "set aside": lambda: services.clock_set_aside(clock_id=clock_id, person=who, note="No."),
        "cost": lambda: services.cost_book(
            **shared, kind="penalty", description="SLA", unit_amount=Decimal(1), currency="AUD", incurred_on=today
        ),
        "close": lambda: services.incident_closure_request(**shared, statement="Over.", lessons="Pin."),
    }


def change(incident: Incident, who: User, **changes: object) -> Incident:
    fields = {
        "incident_id": incident.pk,
        "person": who,
        "seen": incident.revision,
        "title": incident.title,
        "summary": incident.summary,
        "severity": incident.severity,
        "lead": incident.lead,
        "causes": incident.causes,
        "explanation": incident.explanation,
    }
    return services.incident_change(**(fields | changes))


def test_the_table_has_every_state_and_ends_nowhere() -> None:
    reached = set(states.STEPS.values())
    left = {before for before, _ in states.STEPS}
    assert reached == set(states.ALL)
    assert left == {states.ABSENT, *states.ALL}


@pytest.mark.parametrize("part", ["compliance", "board", "owner", "auditor"])
def test_who_sees_it_does_not_run_it(cast: Cast, part: str) -> None:
    incident = open_by_hand(cast)
    for name, verb in verbs(cast, incident, getattr(cast, part)).items():
        with pytest.raises(PermissionDenied):
            verb()
        assert Incident.objects.get().revision == 1, name


@pytest.mark.parametrize("part", ["outsider", "steward", "administrator"])
def test_strangers_are_told_nothing(cast: Cast, part: str) -> None:
    incident = open_by_hand(cast)
    for verb in verbs(cast, incident, getattr(cast, part)).values():
        with pytest.raises(Http404):
            verb()


def test_nobody_overwrites_what_they_have_not_seen(cast: Cast) -> None:
    incident = open_by_hand(cast)
    changed = change(incident, cast.officer, title="Another title", causes=["library_change", "sampling"])
    assert changed.causes == ["sampling", "library_change"]
    with pytest.raises(Refused) as refusal:
        change(incident, cast.officer, title="A third title")
    assert refusal.value.code == "changed"
    assert Incident.objects.get().title == "Another title"


@pytest.mark.parametrize(
    ("changes", "field"),
    [({"causes": ["bad luck"]}, "causes"), ({"severity": "worse"}, "severity"), ({"summary": ""}, "summary")],
)
def test_wrong_changes_are_refused(cast: Cast, changes: dict[str, object], field: str) -> None:
    incident = open_by_hand(cast)
    with pytest.raises(Refused) as refusal:
        change(incident, cast.officer, **changes)
    assert refusal.value.field == field


def test_only_who_runs_incidents_can_lead_one(cast: Cast) -> None:
    with pytest.raises(Refused, match="may not run"):
        change(open_by_hand(cast), cast.officer, lead=cast.auditor)


def test_an_owner_plans_and_does_the_remediation(cast: Cast) -> None:
    incident = open_by_hand(cast)
    action = services.action_add(
        incident_id=incident.pk, person=cast.owner, title="Pin n_init", owner=cast.owner, due_at=tomorrow()
    )
    assert selectors.next_due([incident.pk])[incident.pk].what == "action"
    services.action_end(action_id=action.pk, person=cast.owner, done=True, outcome="Pull request 41.")
    with pytest.raises(Refused) as refusal:
        services.action_end(action_id=action.pk, person=cast.owner, done=True, outcome="Again.")
    assert refusal.value.code == "state"
    assert Action.objects.get().ended_by == cast.owner.actor


def test_who_has_to_do_it_may_say_that_it_is_done_but_not_drop_it(cast: Cast) -> None:
    incident = open_by_hand(cast)
    action = services.action_add(
        incident_id=incident.pk, person=cast.officer, title="Ask legal", owner=cast.compliance, due_at=tomorrow()
    )
    with pytest.raises(PermissionDenied):
        services.action_end(action_id=action.pk, person=cast.compliance, done=False, outcome="No.")
    with pytest.raises(PermissionDenied):
        services.action_end(action_id=action.pk, person=cast.auditor, done=True, outcome="Done.")
    services.action_end(action_id=action.pk, person=cast.compliance, done=True, outcome="Asked, file 9.")


def test_an_action_needs_an_owner_who_may_see_the_incident_and_a_deadline_to_come(cast: Cast) -> None:
    incident = open_by_hand(cast)
    shared = {"incident_id": incident.pk, "person": cast.officer, "title": "Look"}
    with pytest.raises(Refused, match="may not see"):
        services.action_add(**shared, owner=cast.outsider, due_at=tomorrow())
    with pytest.raises(Refused, match="past"):
        services.action_add(**shared, owner=cast.officer, due_at=clock.now())


def test_a_clock_runs_from_becoming_aware_and_says_so_when_it_does_not(cast: Cast) -> None:
    aware = clock.now() - timedelta(hours=50)
    incident = open_by_hand(cast, aware_at=aware)
    started = services.clock_start(incident_id=incident.pk, person=cast.officer, rule="cps-230-33")
    assert (started.state, started.due_at) == ("running", aware + timedelta(hours=72))
    later = aware + timedelta(hours=2)
    with pytest.raises(Refused, match="does not start"):
        services.clock_start(incident_id=incident.pk, person=cast.officer, rule="aia-73-3", started_at=later)
    added = services.clock_start(
        incident_id=incident.pk, person=cast.officer, rule="aia-73-3", started_at=later, note="Legal said so then."
    )
    assert added.due_at == later + timedelta(days=2)


def test_a_clock_ends_by_a_report_or_with_a_reason(cast: Cast) -> None:
    incident = open_by_hand(cast, aware_at=clock.now() - timedelta(hours=80))
    late, other = RegulatoryClock.objects.filter(incident=incident).order_by("due_at")
    with pytest.raises(Refused) as refusal:
        services.clock_report(clock_id=late.pk, person=cast.officer, reported_at=clock.now(), note="APRA, ref. 4.")
    assert refusal.value.code == "state"
    services.clock_start(incident_id=incident.pk, person=cast.officer, rule=late.rule)
    early = late.started_at - timedelta(seconds=1)
    with pytest.raises(Refused, match="between"):
        services.clock_report(clock_id=late.pk, person=cast.officer, reported_at=early, note="APRA.")
    services.clock_report(clock_id=late.pk, person=cast.officer, reported_at=clock.now(), note="APRA, ref. 4.")
    with pytest.raises(Refused, match="does not apply"):
        services.clock_set_aside(clock_id=other.pk, person=cast.officer, note=" ")
    services.clock_set_aside(clock_id=other.pk, person=cast.officer, note="No right is infringed.")
    assert [each.state for each in selectors.incident_detail(incident.pk).clocks] == ["reported", "set_aside"]
    assert selectors.next_due([incident.pk]) == {}


def test_money_is_exact_and_currencies_are_never_added_up(cast: Cast) -> None:
    incident = open_by_hand(cast)
    shared = {"incident_id": incident.pk, "person": cast.officer, "incurred_on": clock.now().date()}
    book = services.cost_book
    book(**shared, kind="penalty", description="SLA credits", unit_amount=Decimal("2100000"), currency="USD")
    book(
        **shared,
        kind="hours",
        description="Engineering",
        quantity=Decimal("3000.5"),
        unit_amount=Decimal("113.33"),
        currency="USD",
    )
    book(
        **shared,
        kind="churn",
        description="Contracts",
        quantity=Decimal(19),
        unit_amount=Decimal("0.1"),
        currency="AUD",
    )
    detail = selectors.incident_detail(incident.pk)
    assert selectors.by_currency(detail.totals) == {"AUD": Decimal("1.90"), "USD": Decimal("2440046.67")}


def test_a_wrong_line_is_taken_back_once_by_another(cast: Cast) -> None:
    incident = open_by_hand(cast)
    line = services.cost_book(
        incident_id=incident.pk,
        person=cast.officer,
        kind="penalty",
        description="Twice",
        unit_amount=Decimal("10"),
        currency="AUD",
        incurred_on=clock.now().date(),
    )
    back = services.cost_reverse(line_id=line.pk, person=cast.officer, reason="Booked twice")
    for wrong in (line.pk, back.pk):
        with pytest.raises(Refused, match="taken back"):
            services.cost_reverse(line_id=wrong, person=cast.officer, reason="Again")
    assert selectors.by_currency(selectors.totals([incident.pk])[incident.pk]) == {"AUD": Decimal(0)}


@pytest.mark.parametrize(
    ("changes", "field"),
    [
        ({"unit_amount": Decimal("NaN")}, "unit_amount"),
        ({"unit_amount": Decimal("-5")}, "unit_amount"),
        ({"unit_amount": Decimal("1e30")}, "unit_amount"),
        ({"quantity": Decimal("0.001")}, "quantity"),
        ({"quantity": Decimal("999999999999"), "unit_amount": Decimal("99999999999999")}, "unit_amount"),
        ({"currency": "aud"}, "currency"),
        ({"kind": "gift"}, "kind"),
        ({"description": ""}, "description"),
        ({"incurred_on": clock.now().date() + timedelta(days=2)}, "incurred_on"),
    ],
)
def test_what_the_ledger_cannot_hold_is_refused(cast: Cast, changes: dict[str, object], field: str) -> None:
    incident = open_by_hand(cast)
    fields = {
        "incident_id": incident.pk,
        "person": cast.officer,
        "kind": "penalty",
        "description": "SLA",
        "unit_amount": Decimal("10"),
        "currency": "AUD",
        "incurred_on": clock.now().date(),
    }
    with pytest.raises(Refused) as refusal:
        services.cost_book(**(fields | changes))
    assert refusal.value.field == field
    assert not CostLine.objects.exists()


def test_the_table_refuses_a_sum_that_does_not_add_up(cast: Cast) -> None:
    incident = open_by_hand(cast)
    with pytest.raises(IntegrityError), transaction.atomic():
        CostLine.objects.create(
            incident=incident,
            kind="penalty",
            description="x",
            quantity=2,
            unit_amount=5,
            amount=11,
            currency="AUD",
            incurred_on=clock.now().date(),
            booked_by="user:x",
        )


@pytest.mark.parametrize(
    "statement",
    [
        "UPDATE incidents_cost SET amount = 0",
        "DELETE FROM incidents_complaint",
        "DELETE FROM incidents_action",
        "DELETE FROM incidents_clock",
        "TRUNCATE incidents_affected",
    ],
)
def test_the_owner_of_the_tables_cannot_rewrite_them_either(cast: Cast, statement: str) -> None:
    with connection.cursor() as cursor, transaction.atomic():
        cursor.execute("SET LOCAL ROLE biasgov_owner")
        with pytest.raises(DatabaseError, match="is refused"), transaction.atomic():
            cursor.execute(statement)


def test_no_clock_runs_longer_than_its_rule_by_sql_either(cast: Cast) -> None:
    open_by_hand(cast)
    longer = pytest.raises(DatabaseError, match="runs as long as its rule says")
    with side("web"), longer, transaction.atomic(), connection.cursor() as cursor:
        cursor.execute("UPDATE incidents_clock SET due_at = due_at + interval '30 days'")


@pytest.mark.parametrize(
    ("statement", "what"),
    [
        ("UPDATE incidents_action SET state = 'open', outcome = '', ended_at = NULL", "incidents_action"),
        ("UPDATE incidents_clock SET state = 'running', reported_at = NULL", "incidents_clock"),
    ],
)
def test_what_has_ended_is_not_begun_again_by_sql(cast: Cast, statement: str, what: str) -> None:
    incident = open_by_hand(cast)
    action = services.action_add(
        incident_id=incident.pk,
        person=cast.officer,
        title="Mend the feed",
        owner=cast.owner,
        due_at=clock.now() + timedelta(days=2),
    )
    services.action_end(action_id=action.pk, person=cast.owner, done=True, outcome="Mended, see the run of today.")
    for each in RegulatoryClock.objects.filter(incident=incident):
        services.clock_start(incident_id=incident.pk, person=cast.officer, rule=each.rule)
        services.clock_report(clock_id=each.pk, person=cast.officer, reported_at=clock.now(), note="By mail, ref. 7.")
    stays = pytest.raises(DatabaseError, match=f"of {what} has ended and stays")
    with side("web"), stays, transaction.atomic(), connection.cursor() as cursor:
        cursor.execute(statement)


def test_notes_go_into_the_timeline(cast: Cast) -> None:
    incident = open_by_hand(cast)
    services.incident_note(incident_id=incident.pk, person=cast.owner, text="The feed is back.")
    services.incident_move(incident_id=incident.pk, person=cast.officer, event="investigation_started")
    detail = selectors.incident_detail(incident.pk)
    assert [(step.event, step.actor) for step in detail.steps] == [
        ("opened", cast.officer.actor),
        ("noted", cast.owner.actor),
        ("investigation_started", cast.officer.actor),
    ]
    with pytest.raises(PermissionDenied):
        services.incident_note(incident_id=incident.pk, person=cast.auditor, text="I was here.")
