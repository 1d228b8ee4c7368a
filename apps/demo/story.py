"""What the people of the demo did about security triage in the last weeks, told once, each at its time.

The pipeline has computed the past when this begins, and nobody has answered it. Each evaluation is answered at its own
moment, by the code that answers live ones, and deadlines pass; in between the people act through the services that the
pages call, on working days and each as their role allows. So the ladder climbs by its own rules, from the alert in the
days after the update to the restriction and, when the deadline has passed with nothing mended, to the board; and the
lift comes a few days before today. What opens later after the same update belongs to the same incident, whose timeline
gathers it. Nothing is written past a service.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import timedelta
from decimal import Decimal
from typing import Final

from django.db import transaction

from apps.accounts.models import User
from apps.accounts.selectors import person
from apps.approvals import services as approvals
from apps.board import selectors as board_read
from apps.board import services as board
from apps.common import clock
from apps.demo.past import Past, working_day
from apps.incidents import selectors as incidents_read
from apps.incidents import services as incidents
from apps.registry import selectors as registry
from apps.responses import selectors as responses_read
from apps.responses import services as responses

TRIAGE: Final = "security-triage"


@transaction.atomic
def tell() -> None:
    """Tell it as a whole or not at all; harmless where it has been told.

    Raises StuckError where the ladder did not climb as high as that.
    """
    spec = registry.model_spec(TRIAGE)
    if responses_read.restriction_moments(spec.id):
        return
    past = Past(spec, now=clock.now())
    cast = {name: person(name) for name in ("ines", "omar", "carla", "bela", "noor", "emil")}
    _notice(past, cast)
    incident_id = past.until(lambda: incidents_read.incidents(model_id=spec.id), "opened an incident")[0].id
    build_id = _investigate(past, cast, incident_id)
    _decide(past, cast, incident_id)
    _remedy(past, cast, incident_id, build_id)
    _lift(past, cast)
    with past.at(15, 0):
        _acknowledge(past, cast["ines"])
    past.pass_until(past.now)


def _notice(past: Past, cast: Mapping[str, User]) -> None:
    """The officer sees the alert and looks closer; when the ladder proposes a restriction, she confirms it."""
    past.until(lambda: responses_read.open_findings([past.spec.id]), "opened a finding")
    with past.at(8, 40):
        _acknowledge(past, cast["ines"])
    proposed = past.until(lambda: responses_read.restriction_of(past.spec.id), "proposed a restriction")
    with past.at(8, 50):
        _acknowledge(past, cast["ines"])
        responses.restriction_confirm(
            restriction_id=proposed.id,
            person=cast["ines"],
            note="Analysts read reports in the order of arrival until the update is understood.",
        )
    with past.at(8, 51):
        _obey(past)


def _obey(past: Past) -> None:
    """Every gateway that serves the model has the newest status in effect, and says so."""
    sequence = responses_read.status_number(past.spec.id)
    for each in responses_read.gateways(past.spec.id):
        responses.status_acknowledge(model=past.spec, actor=each.token, gateway=each.name, sequence=sequence)


def _acknowledge(past: Past, person: User) -> None:
    for finding in responses_read.open_findings([past.spec.id]):
        if finding.acknowledged_at is None:
            responses.finding_acknowledge(finding_id=finding.id, person=person)


def _investigate(past: Past, cast: Mapping[str, User], incident_id: int) -> int:
    """The officer leads, names the cause and puts it before the board; the number of what the owner is to do first."""
    ines, omar, carla = cast["ines"], cast["omar"], cast["carla"]
    with past.at(9, 15):
        _acknowledge(past, ines)
        incidents.incident_move(incident_id=incident_id, person=ines, event="investigation_started")
        build = incidents.action_add(
            incident_id=incident_id,
            person=ines,
            title="Build the model on scikit-learn 1.4.2 again and put it through the gate",
            owner=omar,
            due_at=clock.now() + timedelta(days=14),
        )
        incidents.action_add(
            incident_id=incident_id,
            person=ines,
            title="Pin the libraries of the build, and compare the scores of two builds before a release",
            owner=omar,
            due_at=clock.now() + timedelta(days=28),
        )
    with past.at(14, 5):
        detail = incidents_read.incident_detail(incident_id)
        if detail is None:
            raise LookupError(incident_id)
        row = detail.row
        incidents.incident_change(
            incident_id=incident_id,
            person=ines,
            seen=row.revision,
            title="Critical reports from APAC are missed since version 2.3.1",
            summary=row.summary,
            severity=row.severity,
            lead=ines,
            causes=["library_change", "sampling"],
            explanation="The classifier was rebuilt on scikit-learn 1.5.0, on whose defaults it had relied. Critical "
            "reports from the region with the fewest training examples fell below the cut-off first.",
        )
        for each in detail.clocks:
            incidents.clock_set_aside(
                clock_id=each.id,
                person=ines,
                note="Nobody's health, property or rights were harmed as far as we know. To be asked again if a "
                "complaint says otherwise.",
            )
    with past.at(15, 30):
        case_id = board_read.cases_about("incident", incident_id)[0].id
        board.paper_add(
            case_id=case_id,
            person=ines,
            title="What happened after the update",
            text="Since the update the share of critical reports that are rated low has risen in every region, and "
            "most in APAC. The model is restricted and not mended. The runs that show it are frozen in the incident's "
            "evidence.",
        )
        board.condition_add(
            case_id=case_id,
            person=carla,
            title="Show the board a gate report of the next build, by region, before it is released",
            owner=omar,
            hours=160,
        )
    with past.at(16, 30):
        board.voting_open(case_id=case_id, person=carla)
    return build.pk


def _decide(past: Past, cast: Mapping[str, User], incident_id: int) -> None:
    """The board votes on the incident; meanwhile somebody complains."""
    ines, carla = cast["ines"], cast["carla"]
    case_id = board_read.cases_about("incident", incident_id)[0].id
    past.day = working_day(past.day, 1)
    with past.at(9, 40):
        _vote(case_id, cast["bela"], "for", "The restriction has to stay until a build has passed for every region.")
    with past.at(10, 20):
        complaint = incidents.complaint_record(
            model=past.spec,
            actor=carla.actor,
            person=carla,
            source="customer",
            channel="mail",
            summary="A customer in the region writes that a report of an intrusion was closed as low a few days after "
            "the update, and that nobody called back.",
            received_at=clock.now() - timedelta(hours=2),
            attribute=past.spec.attribute_names[0],
        )
        incidents.complaint_examine(complaint_id=complaint.pk, person=carla)
    with past.at(10, 45):
        incidents.complaint_link(complaint_id=complaint.pk, person=ines, incident_id=incident_id)
    with past.at(11, 5):
        _vote(case_id, cast["noor"], "for", "Reports that are missed in one region harm everybody who relies on them.")
    with past.at(13, 20):
        _vote(case_id, cast["emil"], "abstain", "I would have liked to hear the analysts of the region first.")


def _remedy(past: Past, cast: Mapping[str, User], incident_id: int, build_id: int) -> None:
    """The new build is not good enough; what is done until there is a better one, and what that costs."""
    ines, omar = cast["ines"], cast["omar"]
    past.day = working_day(past.lift, -1)
    with past.at(8, 30):
        incidents.action_end(
            action_id=build_id,
            person=omar,
            done=True,
            outcome="Built as 2.3.2. The gate passes it for North America and EMEA and cannot judge it for LATAM: the "
            "test set holds too few reports from there. It is not released until it can.",
        )
    with past.at(9, 30):
        incidents.incident_move(incident_id=incident_id, person=ines, event="remediation_started")
        incidents.incident_note(
            incident_id=incident_id,
            person=omar,
            text="From today a second analyst reads what is rated low. Nothing is closed on the model's word alone.",
        )
    with past.at(9, 45):
        incidents.cost_book(
            incident_id=incident_id,
            person=ines,
            kind="hours",
            description="Analysts read every report in the order of arrival",
            quantity=Decimal(46),
            unit_amount=Decimal("68.00"),
            currency="EUR",
            incurred_on=clock.now().date(),
        )


def _lift(past: Past, cast: Mapping[str, User]) -> None:
    """The officer asks, compliance signs, and the board, which has a say after an escalation, decides."""
    with past.at(10, 0):
        asked = responses.lift_request(
            model_id=past.spec.id,
            person=cast["ines"],
            reason="A second analyst now reads every report that is rated low. Without ratings, reports of all regions "
            "wait longer than a report may. Should the next days be in breach again, the ladder says so.",
        )
        board.cases_advance()
        case_id = board_read.cases_about("approval", asked.id)[0].id
        board.paper_add(
            case_id=case_id,
            person=cast["ines"],
            title="How the second reading works",
            text="Two analysts share a list of what the model rated low. Who reads second does not see what the first "
            "one thought. What they find is counted every day, by region, in the incident's timeline.",
        )
    with past.at(11, 30):
        approvals.approval_sign(
            approval_id=asked.id, person=cast["carla"], digest=asked.digest, confirmed_at=clock.now()
        )
    with past.at(15, 0):
        board.voting_open(case_id=case_id, person=cast["carla"])
    past.day = past.lift
    with past.at(9, 30):
        _vote(case_id, cast["bela"], "for", "A person reads what the model puts aside; that is what I wanted to know.")
    with past.at(11, 0):
        _vote(case_id, cast["noor"], "against", "Two readers tire. I would wait for the build.")
    with past.at(14, 0):
        _vote(case_id, cast["emil"], "for", "I have heard the analysts of the region. They can do it for two weeks.")
    with past.at(14, 1):
        _obey(past)


def _vote(case_id: int, member: User, choice: str, reason: str) -> None:
    """Once the time of a vote is over, the vote that makes the quorum decides, and no later one is taken."""
    case = board_read.case(case_id)
    if case is None:
        raise LookupError(case_id)
    if case.row.state == "voting":
        board.vote_cast(
            case_id=case_id,
            person=member,
            choice=choice,
            reason=reason,
            digest=case.digest,
            confirmed_at=clock.now(),
        )
