"""Incidents before the ethics board: every escalation is put to it, once more if the ladder escalates after its
decision, and the conditions of its yes become actions."""

from __future__ import annotations

from django.db.models import F, OuterRef, Q, Subquery

from apps.accounts.models import User
from apps.accounts.permissions import may
from apps.accounts.roles import OFFICER
from apps.accounts.selectors import people_with_role
from apps.board.services import ConditionOfCase, Decision, Matter, Subject
from apps.incidents import states, steps
from apps.incidents.actions import action_create
from apps.incidents.changing import link
from apps.incidents.models import Evidence, Incident, IncidentLink, IncidentStep

INCIDENT = "incident"
BOARD = "system:board"
REACHED = "finding_escalated"


def waiting() -> list[tuple[int, str]]:
    """Every unfinished incident that an escalation has opened, or has reached anew since the board decided."""
    rows = (
        Incident.objects.filter(state__in=states.CHANGEABLE)
        .annotate(
            decided=_last("board_decided", "pk"),
            case=_last("board_decided", "detail__case"),
            reached=_last(REACHED, "pk"),
        )
        .filter(
            Q(origin="escalation", decided=None) | Q(reached__isnull=False, decided=None) | Q(reached__gt=F("decided"))
        )
    )
    return [(number, _occasion(case)) for number, case in rows.order_by("id").values_list("pk", "case")]


def subject(incident_id: int) -> Subject | None:
    """An incident as the board has it before it."""
    incident = Incident.objects.select_related("model", "lead").defer("search").filter(pk=incident_id).first()
    if incident is None:
        return None
    decided = IncidentStep.objects.filter(incident=incident, event="board_decided").order_by("-id")
    case = decided.values_list("detail__case", flat=True).first()
    evidence = Evidence.objects.filter(incident=incident).order_by("id").values_list("digest", flat=True)
    return Subject(
        id=incident.pk,
        key=_occasion(case),
        open=incident.state in states.CHANGEABLE,
        title=incident.title,
        question=f"May {incident.model.name} stay in use, as the response stands, until this incident is remedied?",
        model_id=incident.model_id,
        facts=(
            ("incident", f"{incident.pk}, {states.TITLES[incident.state]}"),
            ("severity", incident.severity),
            ("what happened", incident.summary),
            ("led by", incident.lead.display_name if incident.lead else "nobody yet"),
            ("digests of the frozen evidence", ", ".join(evidence) or "none"),
        ),
        path=f"/incidents/{incident.pk}/",
        parties=((incident.lead, "Leads the incident."),) if incident.lead else (),
    )


def decided(decision: Decision) -> bool:
    """Write the decision into the incident's timeline and link the case."""
    incident = steps.held(decision.subject_id)
    target, label = str(decision.case_id), f"The ethics board's case {decision.case_id}"
    link(incident, IncidentLink.Kind.CASE, target, label, actor=BOARD)
    steps.note(
        incident,
        "board_decided",
        actor=BOARD,
        text=decision.sentence,
        detail={"case": decision.case_id, "carried": decision.carried},
    )
    return True


def condition_take(condition: ConditionOfCase) -> None:
    """Make an action of a condition: of the incident, or of the case alone where that is about a request.

    Whoever was to do it and may no longer see the model's incidents is stood in for by the incident's lead, or by an
    officer.
    """
    incident = steps.held(condition.subject_id) if condition.kind == INCIDENT else None
    action_create(
        model_id=condition.model_id,
        incident=incident,
        title=condition.title,
        owner=_owner(condition, incident),
        due_at=condition.due_at,
        actor=BOARD,
        case_id=condition.case_id,
    )


def _last(event: str, column: str) -> Subquery:
    """That column of an incident's last step of this kind."""
    steps_of = IncidentStep.objects.filter(incident=OuterRef("pk"), event=event).order_by("-id")
    return Subquery(steps_of.values(column)[:1])


def _occasion(case: int | None) -> str:
    """What tells the occasions apart on which an incident comes before the board: what it has decided last."""
    return "" if case is None else f"after-{case}"


def _owner(condition: ConditionOfCase, incident: Incident | None) -> User:
    stand_ins = [condition.owner, *([incident.lead] if incident and incident.lead else []), *people_with_role(OFFICER)]
    able = (person for person in stand_ins if may(person, "incident.view", condition.model_id))
    return next(able, condition.owner)


MATTER = Matter(kind=INCIDENT, title="incident", waiting=waiting, subject=subject, decided=decided, by_hand=True)
