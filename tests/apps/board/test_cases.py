"""The life of a case: convened by the schedule, papers until the vote opens, one vote each, decided once."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest
from django.core.exceptions import PermissionDenied
from django.db import connection, transaction
from django.db.utils import DatabaseError, IntegrityError

from apps.accounts.roles import BOARD
from apps.accounts.services import person_create, person_deactivate, role_grant, role_revoke
from apps.audit.selectors import entries
from apps.board import selectors, services
from apps.board.models import Case, Condition, Conflict, Paper, Seat, Vote
from apps.common import clock
from apps.common.errors import Refused
from apps.incidents import selectors as incidents
from apps.incidents.models import Incident
from apps.incidents.services import incident_closure_request
from apps.responses.models import Notification
from tests.apps.accounts.factors import set_up_app
from tests.apps.incidents.test_closing import finish
from tests.apps.incidents.test_opening import CAUSE, escalate, open_by_hand
from tests.board import convened, impartial, opened, vote
from tests.cast import Cast, signed_in
from tests.sides import side

pytestmark = pytest.mark.django_db


def code(work: object) -> str:
    with pytest.raises(Refused) as refused:
        work()  # type: ignore[operator]
    return refused.value.code


def paper(case: Case, cast: Cast, **changes: object) -> Paper:
    given = {"case_id": case.pk, "person": cast.officer, "title": "Root cause", "text": "n_init changed.", **changes}
    return services.paper_add(**given)


def condition(case: Case, cast: Cast, **changes: object) -> Condition:
    given = {"case_id": case.pk, "person": cast.board, "title": "Pin the library", "owner": cast.owner, "hours": 16}
    return services.condition_add(**{**given, **changes})


def test_every_escalation_is_put_to_the_board_once(incident: Incident, cast: Cast) -> None:
    by_hand = open_by_hand(cast)
    assert services.cases_advance() == 1
    assert services.cases_advance() == 0
    case = Case.objects.get()
    assert (case.kind, case.subject_id, case.state) == ("incident", incident.pk, "convened")
    assert {seat.person.username for seat in Seat.objects.all()} == {"board", "board-1", "board-2"}
    assert not selectors.cases_about("incident", by_hand.pk)
    told = Notification.objects.filter(dedup_key=f"case-{case.pk}-convened")
    assert {each.person.username for each in told} == {"board", "board-1", "board-2"}


def test_what_escalates_after_the_decision_is_put_to_the_board_again(incident: Incident, cast: Cast) -> None:
    case = opened("incident", incident.pk)
    for person in impartial(case):
        vote(case, person)
    assert services.cases_advance() == 0
    escalate(cast, "LATAM", run_id=74, anew=False)
    assert services.cases_advance() == 0
    escalate(cast, "NA", run_id=72)
    again = convened("incident", incident.pk)
    assert (again.pk > case.pk, again.key) == (True, f"after-{case.pk}")
    escalate(cast, "EMEA", run_id=73)
    assert services.cases_advance() == 0
    assert [each.state for each in selectors.cases_about("incident", incident.pk)] == ["convened", "decided"]


def test_an_escalation_reaches_the_board_though_people_had_opened_the_incident(cast: Cast) -> None:
    by_hand = open_by_hand(cast, cause_key=CAUSE)
    assert services.cases_advance() == 0
    assert not escalate(cast, "APAC").opened
    assert convened("incident", by_hand.pk).subject_id == by_hand.pk


def test_people_put_other_incidents_to_it(cast: Cast) -> None:
    by_hand = open_by_hand(cast)
    case = services.case_convene(kind="incident", subject_id=by_hand.pk, person=cast.compliance, question="Go on?")
    assert case.question == "Go on?"
    given = {"kind": "incident", "subject_id": by_hand.pk}
    assert code(lambda: services.case_convene(**given, person=cast.officer)) == "exists"
    with pytest.raises(PermissionDenied):
        services.case_convene(**given, person=cast.board)
    assert code(lambda: services.case_convene(kind="incident", subject_id=0, person=cast.officer)) == "unknown"
    assert code(lambda: services.case_convene(kind="approval", subject_id=1, person=cast.officer)) == "by_itself"
    assert code(lambda: services.case_convene(kind="coup", subject_id=1, person=cast.officer)) == "unknown_kind"


def test_what_is_voted_on_stays_as_it_is(incident: Incident, cast: Cast) -> None:
    case = convened("incident", incident.pk)
    paper(case, cast)
    dropped = condition(case, cast, title="Tell the press")
    services.condition_drop(case_id=case.pk, condition_id=dropped.pk, person=cast.board)
    condition(case, cast)
    services.voting_open(case_id=case.pk, person=cast.compliance)
    case.refresh_from_db()
    assert len(case.digest) == 64
    for late in (
        lambda: paper(case, cast),
        lambda: condition(case, cast),
        lambda: services.condition_drop(case_id=case.pk, condition_id=dropped.pk, person=cast.board),
        lambda: services.question_change(case_id=case.pk, person=cast.compliance, question="Else?"),
        lambda: services.voting_open(case_id=case.pk, person=cast.compliance),
    ):
        assert code(late) == "state"
    view = selectors.case(case.pk)
    assert [each.title for each in view.conditions] == ["Pin the library"]
    assert dict(view.facts)["severity"] == "critical"


@pytest.mark.parametrize(
    ("statement", "said"),
    [
        ("UPDATE board_case SET question = 'Else?'", "stays as it is"),
        ("UPDATE board_case SET digest = repeat('0', 64)", "stays as it is"),
        ("UPDATE board_case SET vote_until = now()", "stays as it is"),
        ("UPDATE board_case SET rules = '{}'", "permission denied"),
        ("UPDATE board_case SET state = 'convened'", "does not go from voting"),
        (
            "INSERT INTO board_paper (case_id, title, text, link, added_by, added_at)"
            " SELECT id, 'Late', 'Late', '', 'user:x', now() FROM board_case",
            "stays as it is",
        ),
        ("UPDATE board_condition SET dropped_by = 'user:x'", "stays as it is"),
        ("DELETE FROM board_vote", "permission denied"),
        ("UPDATE board_vote SET choice = 'against'", "permission denied"),
        ("DELETE FROM board_conflict", "permission denied"),
        ("DELETE FROM board_case", "permission denied"),
        (
            "UPDATE board_case SET state = 'decided', outcome = 'carried', ended_at = vote_until",
            "lacks its quorum",
        ),
    ],
)
def test_sql_as_the_web_side_gets_nowhere(incident: Incident, cast: Cast, statement: str, said: str) -> None:
    case = convened("incident", incident.pk)
    condition(case, cast)
    services.voting_open(case_id=case.pk, person=cast.compliance)
    vote(case, cast.board)
    with pytest.raises(DatabaseError, match=said), transaction.atomic(), connection.cursor() as cursor:
        cursor.execute(statement)


def test_even_the_owner_of_the_tables_takes_no_vote_out(incident: Incident, cast: Cast) -> None:
    case = opened("incident", incident.pk)
    vote(case, cast.board)
    with connection.cursor() as cursor:
        cursor.execute("SET CONSTRAINTS ALL IMMEDIATE")
    for table in ("board_vote", "board_seat", "board_conflict", "board_paper", "board_step", "board_case"):
        with (
            side("owner"),
            pytest.raises(DatabaseError, match="is refused"),
            transaction.atomic(),
            connection.cursor() as cursor,
        ):
            cursor.execute(f"DELETE FROM {table}")


def test_a_decision_may_not_say_what_the_votes_do_not(incident: Incident, cast: Cast) -> None:
    case = opened("incident", incident.pk)
    first, second, _ = impartial(case)
    vote(case, first)
    vote(case, second, "against")
    for outcome, moment, said in (
        ("carried", "vote_until", "not what the votes"),
        ("failed", "opened_at", "goes on"),
    ):
        with pytest.raises(IntegrityError, match=said), transaction.atomic(), connection.cursor() as cursor:
            cursor.execute(f"UPDATE board_case SET state = 'decided', outcome = %s, ended_at = {moment}", [outcome])


def test_the_last_vote_decides_and_conditions_become_actions(incident: Incident, cast: Cast) -> None:
    case = convened("incident", incident.pk)
    condition(case, cast)
    services.voting_open(case_id=case.pk, person=cast.compliance)
    first, second, third = impartial(case)
    vote(case, first)
    vote(case, second, "abstain", "I came late.")
    assert case.state == "voting"
    vote(case, third)
    assert (case.state, case.outcome) == ("decided", "carried")
    (action,) = incidents.actions_of_case(case.pk)
    assert (action.title, action.owner_id, action.incident_id) == ("Pin the library", cast.owner.pk, incident.pk)
    assert action.due_at > clock.now()
    detail = incidents.incident_detail(incident.pk)
    assert [step.event for step in detail.steps][-3:] == ["linked", "board_decided", "action_added"]
    assert Notification.objects.filter(dedup_key=f"case-{case.pk}-decided", person=cast.owner).exists()
    said = [entry.action for entry in entries(subject=f"case:{case.pk}")]
    assert said[0] == "case.decided"
    assert said.count("case.vote_cast") == 3


def test_a_no_makes_no_actions(incident: Incident, cast: Cast) -> None:
    case = convened("incident", incident.pk)
    condition(case, cast)
    services.voting_open(case_id=case.pk, person=cast.compliance)
    for person in impartial(case):
        vote(case, person, "against")
    assert case.outcome == "failed"
    assert incidents.actions_of_case(case.pk) == ()


def test_a_condition_whose_owner_has_left_goes_to_who_leads_the_incident(cast: Cast) -> None:
    incident = open_by_hand(cast)
    case = services.case_convene(kind="incident", subject_id=incident.pk, person=cast.officer)
    condition(case, cast)
    services.voting_open(case_id=case.pk, person=cast.compliance)
    person_deactivate(person=cast.owner, actor="system:tests")
    for person in impartial(case):
        vote(case, person)
    (action,) = incidents.actions_of_case(case.pk)
    assert action.owner_id == cast.officer.pk


def test_a_vote_is_given_once_on_what_was_read_by_who_has_confirmed(incident: Incident, cast: Cast) -> None:
    case = opened("incident", incident.pk)
    given = {"case_id": case.pk, "person": cast.board, "choice": "for", "reason": "So.", "digest": case.digest}
    with clock.frozen(case.opened_at):
        now = clock.now()
        for changes, expected in (
            ({"confirmed_at": None}, "not_confirmed"),
            ({"confirmed_at": now - timedelta(minutes=6)}, "not_confirmed"),
            ({"digest": "0" * 64}, "changed"),
            ({"choice": "perhaps"}, "invalid"),
            ({"reason": "  "}, "missing"),
        ):
            changed = {**given, "confirmed_at": now, **changes}
            assert code(lambda changed=changed: services.vote_cast(**changed)) == expected
        services.vote_cast(**given, confirmed_at=now)
        assert code(lambda: services.vote_cast(**given, confirmed_at=now)) == "voted"
    assert Vote.objects.count() == 1
    with pytest.raises(IntegrityError, match="board_one_vote_each"), transaction.atomic():
        Vote.objects.create(
            case=case, person=cast.board, choice="for", reason="x", digest=case.digest, confirmed_at=clock.now()
        )


def test_a_vote_needs_a_second_factor_where_the_house_asks_for_one(
    incident: Incident, cast: Cast, settings: Any
) -> None:
    settings.SIGNERS_NEED_SECOND_FACTOR = True
    case = opened("incident", incident.pk)
    assert code(lambda: vote(case, cast.board)) == "second_factor"
    set_up_app(signed_in(cast.board))
    vote(case, cast.board)
    assert Vote.objects.count() == 1


@pytest.mark.parametrize("part", ["officer", "compliance", "owner", "auditor", "steward", "administrator", "outsider"])
def test_who_is_no_member_has_no_vote(incident: Incident, cast: Cast, part: str) -> None:
    case = opened("incident", incident.pk)
    with pytest.raises(PermissionDenied):
        vote(case, getattr(cast, part))
    with pytest.raises(PermissionDenied):
        services.conflict_declare(case_id=case.pk, person=getattr(cast, part), reason="x")
    if part not in ("officer", "compliance"):
        with pytest.raises(PermissionDenied):
            services.paper_add(case_id=case.pk, person=getattr(cast, part), title="x", text="x")
    if part != "compliance":
        with pytest.raises(PermissionDenied):
            services.voting_open(case_id=case.pk, person=getattr(cast, part))
    with pytest.raises(IntegrityError, match="has no vote"), transaction.atomic():
        Vote.objects.create(
            case=case,
            person=getattr(cast, part),
            choice="for",
            reason="x",
            digest=case.digest,
            confirmed_at=case.opened_at,
            cast_at=case.opened_at,
        )


def test_a_member_with_a_conflict_reads_and_takes_no_part(incident: Incident, cast: Cast) -> None:
    case = convened("incident", incident.pk)
    services.conflict_declare(case_id=case.pk, person=cast.board, reason="My sister wrote the model.")
    assert code(lambda: services.conflict_declare(case_id=case.pk, person=cast.board, reason="x")) == "conflict"
    assert code(lambda: paper(case, cast, person=cast.board)) == "conflict"
    case = opened("incident", incident.pk)
    assert code(lambda: vote(case, cast.board)) == "conflict"
    with pytest.raises(IntegrityError, match="has no vote"), transaction.atomic():
        Vote.objects.create(
            case=case,
            person=cast.board,
            choice="for",
            reason="x",
            digest=case.digest,
            confirmed_at=case.opened_at,
            cast_at=case.opened_at,
        )
    for person in impartial(case):
        vote(case, person)
    assert case.tally["eligible"] == 2
    assert case.outcome == "carried"


def test_a_conflict_that_is_declared_late_takes_the_vote_along(incident: Incident, cast: Cast) -> None:
    case = opened("incident", incident.pk)
    vote(case, cast.board, "against")
    services.conflict_declare(case_id=case.pk, person=cast.board, reason="I hold shares.")
    for person in impartial(case):
        vote(case, person)
    assert (case.tally["for"], case.tally["against"], case.tally["eligible"]) == (2, 0, 2)
    assert [each["standing"] for each in case.tally["members"]] == ["conflict", "member", "member"]


def test_a_late_conflict_may_be_what_decides(incident: Incident, cast: Cast) -> None:
    case = opened("incident", incident.pk)
    first, second, third = impartial(case)
    vote(case, first)
    vote(case, second)
    services.conflict_declare(case_id=case.pk, person=third, reason="I hold shares.")
    case.refresh_from_db()
    assert case.state == "decided"


def test_a_member_who_loses_the_role_while_voting_counts_no_more(incident: Incident, cast: Cast) -> None:
    case = opened("incident", incident.pk)
    first, second, third = impartial(case)
    vote(case, first, "against")
    role_revoke(person=first, role=BOARD, actor="system:tests")
    with pytest.raises(PermissionDenied):
        vote(case, first)
    vote(case, second)
    vote(case, third)
    assert (case.state, case.outcome, case.tally["eligible"]) == ("decided", "carried", 2)
    assert case.tally["members"][0]["standing"] == "left"


def test_a_member_whose_term_ends_while_voting_counts_no_more(incident: Incident, cast: Cast) -> None:
    case = opened("incident", incident.pk)
    first, second, _ = impartial(case)
    role_grant(person=first, role=BOARD, actor="system:tests", until=case.opened_at + timedelta(minutes=1))
    vote(case, first)
    vote(case, second, "against")
    with clock.frozen(case.vote_until + timedelta(hours=1)):
        assert selectors.case(case.pk).count.voted == 1
        assert services.cases_advance() == 1
        case.refresh_from_db()
    assert case.state == "voting"


def test_at_the_end_the_quorum_decides_without_the_others(incident: Incident, cast: Cast) -> None:
    case = opened("incident", incident.pk)
    first, second, third = impartial(case)
    vote(case, first)
    vote(case, second)
    assert services.cases_advance() == 0
    with clock.frozen(case.vote_until):
        assert code(lambda: vote(case, third)) == "ended"
        assert services.cases_advance() == 1
    case.refresh_from_db()
    assert (case.state, case.tally["eligible"], case.tally["for"]) == ("decided", 3, 2)


def test_without_a_quorum_the_vote_stays_open_and_people_are_told(incident: Incident, cast: Cast) -> None:
    case = opened("incident", incident.pk)
    first, second, _ = impartial(case)
    vote(case, first)
    with clock.frozen(case.remind_at):
        assert services.cases_advance() == 1
        assert services.cases_advance() == 0
    assert Notification.objects.filter(title__contains="vote ends soon").count() == 3
    with clock.frozen(case.vote_until):
        services.cases_advance()
        assert services.cases_advance() == 0
    late = Notification.objects.filter(title__contains="overdue")
    assert {each.person.username for each in late} >= {"board", "officer", "compliance"}
    with clock.frozen(case.vote_until + timedelta(hours=1)):
        vote(case, second)
        services.cases_advance()
    case.refresh_from_db()
    assert case.state == "decided"


def test_members_who_came_later_sit_in_where_the_quorum_could_not_be_reached(incident: Incident, cast: Cast) -> None:
    case = opened("incident", incident.pk)
    for person in impartial(case)[1:]:
        role_revoke(person=person, role=BOARD, actor="system:tests")
    late = person_create(username="late", actor="system:tests", roles=[BOARD])
    services.cases_advance()
    vote(case, cast.board)
    vote(case, late)
    assert case.state == "decided"


def test_members_who_came_later_do_not_pack_a_vote_that_can_be_decided(incident: Incident, cast: Cast) -> None:
    case = opened("incident", incident.pk)
    late = person_create(username="late", actor="system:tests", roles=[BOARD])
    services.cases_advance()
    with pytest.raises(PermissionDenied):
        vote(case, late)
    assert not Seat.objects.filter(person=late).exists()


def test_an_incident_does_not_close_before_the_board_has_decided(incident: Incident, cast: Cast) -> None:
    case = opened("incident", incident.pk)
    ask = {"incident_id": incident.pk, "person": cast.officer, "statement": "Over.", "lessons": "Pin."}
    finish(cast, incident)
    assert code(lambda: incident_closure_request(**ask)) == "open"
    for person in impartial(case):
        vote(case, person)
    incident_closure_request(**ask)
    services.cases_advance()
    assert Case.objects.count() == 1


@pytest.mark.parametrize(
    "link",
    [
        "javascript:alert(1)",
        "//evil.example",
        "/\t/evil.example",
        "https:evil.example",
        "/\\evil.example",
        "data:text/html,x",
        "x",
    ],
)
def test_a_paper_links_to_pages_alone(incident: Incident, cast: Cast, link: str) -> None:
    case = convened("incident", incident.pk)
    assert code(lambda: paper(case, cast, link=link)) == "invalid"
    assert paper(case, cast, text="", link="/models/claims-triage/").link == "/models/claims-triage/"
    assert code(lambda: paper(case, cast, text=" ", link="")) == "missing"


def test_the_clock_of_a_case_runs_in_business_hours(incident: Incident, cast: Cast) -> None:
    friday = clock.now().replace(hour=16, minute=0) + timedelta(days=(4 - clock.now().weekday()) % 7 + 7)
    with clock.frozen(friday):
        case = convened("incident", incident.pk)
    assert (case.papers_until.weekday(), case.papers_until.hour) == (0, 16)
    assert not Conflict.objects.exists()
