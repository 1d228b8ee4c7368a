"""Answering runs: findings, the ladder, alerts, acknowledgements, delivery."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from django.db import transaction
from django.db.models import Max

from apps.accounts.models import User
from apps.accounts.permissions import demand
from apps.common import clock
from apps.common.errors import Refused
from apps.registry.spec import ModelSpec
from apps.responses import findings, ladder
from apps.responses.alerts import alert
from apps.responses.causes import cause_end, cause_for_incident, cause_resume
from apps.responses.deadlines import plan_of
from apps.responses.deadman import alive
from apps.responses.delivery import deliver, deliver_for, message_resend, messages_resend
from apps.responses.digests import digests_write
from apps.responses.escalations import Addition, Escalation, additions, escalate, escalation_answered, overdue
from apps.responses.gateways import Acknowledged, acknowledgements_chase, gateway_retire, status_acknowledge
from apps.responses.lifting import lift_request
from apps.responses.models import Answered, Finding, Notification
from apps.responses.observations import AnsweredRun, Observation
from apps.responses.preferences import preference_set
from apps.responses.restrictions import restrict, restriction_confirm, restriction_decline
from apps.responses.silences import silence_end, silence_set
from apps.responses.status import status_settle
from apps.responses.steps import hold, step
from biasgov.fairness.response_plan import ResponsePlan

__all__ = [
    "Acknowledged",
    "Addition",
    "Answer",
    "AnsweredRun",
    "Escalation",
    "Observation",
    "acknowledgements_chase",
    "alive",
    "cause_end",
    "cause_for_incident",
    "cause_resume",
    "deadlines_enforce",
    "deliver",
    "deliver_for",
    "digests_write",
    "escalation_answered",
    "finding_acknowledge",
    "findings_acknowledge",
    "gateway_retire",
    "hold",
    "lift_request",
    "message_resend",
    "messages_resend",
    "notifications_read",
    "preference_set",
    "respond",
    "restriction_confirm",
    "restriction_decline",
    "silence_end",
    "silence_set",
    "status_acknowledge",
]


@dataclass(frozen=True, slots=True)
class Answer:
    """What an answer asks of others, to be carried over in its transaction.

    alerted: ids of the findings that people were told of. escalations: incidents to be opened. additions: findings that
    belong to incidents which are open. evaluate_every: how often the model wants to be evaluated from now on, None for
    the usual hour.
    """

    alerted: tuple[int, ...] = ()
    escalations: tuple[Escalation, ...] = ()
    additions: tuple[Addition, ...] = ()
    evaluate_every: timedelta | None = None


@transaction.atomic
def respond(*, model: ModelSpec, run_group: Sequence[Observation], runs: Sequence[AnsweredRun] = ()) -> Answer:
    """Answer the runs of one model: open, continue and close findings; where the evaluation is live, climb and alert.

    Safe to repeat and to run twice at once: a run that has been answered is passed over, and responders of one
    model take turns. An evaluation of an earlier moment than the newest answered one (a late restatement of the past)
    is recorded as answered and moves nothing.

    Parameters
    ----------
    run_group
        What the runs judged, usually the three windows of one moment.
    runs
        The runs themselves; needed for those that judged nothing, and harmless for the others.
    """
    hold(model.id)
    given = {run.run_id: run for run in (*runs, *(observation.run for observation in run_group))}
    done = set(Answered.objects.filter(run_id__in=given).values_list("run_id", flat=True))
    fresh = {run_id: run for run_id, run in given.items() if run_id not in done}
    newest = _newest(model.id)
    Answered.objects.bulk_create(
        Answered(run_id=run.run_id, model_id=model.id, window=run.window, as_of=run.as_of) for run in fresh.values()
    )
    current = [run for run in fresh.values() if run.as_of >= newest.get(run.window, run.as_of)]
    alerted: list[int] = []
    escalations: list[Escalation] = []
    opened: list[Finding] = []
    plan = plan_of(model.id, clock.now())
    for as_of in sorted({run.as_of for run in current}):
        evaluated = {
            run.window: run.run_id for run in sorted(current, key=lambda run: run.run_id) if run.as_of == as_of
        }
        said = [each for each in run_group if each.bounded and evaluated.get(each.window) == each.run_id]
        live = clock.now() - as_of <= ladder.LIVE_FOR
        moved = findings.evaluate(findings.Moment(model, as_of, evaluated, plan, live), said)
        opened += moved.opened
        if live:
            detected_at = min((each.detected_at for each in said if each.detected_at), default=clock.now())
            escalations += escalate(moved.climbed, detected_at=detected_at)
            restrict(model, moved.climbed, plan, detected_at=detected_at)
            alerted += alert(model, moved.in_breach, as_of=as_of, detected_at=detected_at)
    status_settle(model.id)
    return Answer(tuple(alerted), tuple(escalations), additions(opened), _wish(model.id, plan))


@transaction.atomic
def deadlines_enforce(*, model: ModelSpec) -> Answer:
    """Escalate the model's findings whose remediation deadline has passed, and tell people. Harmless when repeated."""
    hold(model.id)
    plan, now = plan_of(model.id, clock.now()), clock.now()
    late = overdue(model.id, now)
    escalations = escalate(late, detected_at=now)
    restrict(model, late, plan, detected_at=now)
    alerted = alert(model, late, as_of=now, detected_at=now)
    status_settle(model.id)
    return Answer(alerted, escalations, evaluate_every=_wish(model.id, plan))


def _wish(model_id: int, plan: ResponsePlan) -> timedelta | None:
    """Closer evaluation as long as a finding is on the rung that asks for it, or above."""
    watched = Finding.objects.filter(model_id=model_id, state=Finding.State.OPEN).exclude(tier=ladder.ALERT).exists()
    return timedelta(minutes=plan.enhanced_minutes) if watched else None


@transaction.atomic
def finding_acknowledge(*, finding_id: int, person: User, note: str = "") -> Finding:
    """Say that somebody has taken note and looks after it.

    Raises
    ------
    Http404, PermissionDenied
        The person may not see the model, or may not acknowledge its findings.
    Refused
        There is no such open finding (``closed``), or somebody has acknowledged it before (``acknowledged``).
    """
    finding = Finding.objects.filter(pk=finding_id).first()
    if finding is None:
        raise Refused("finding", f"There is no finding {finding_id}.", code="unknown")
    demand(person, "finding.acknowledge", finding.model_id)
    if finding.state != Finding.State.OPEN:
        raise Refused("finding", f"Finding {finding_id} is closed.", code="closed")
    taken = step(
        finding,
        ladder.ACKNOWLEDGED,
        actor=person.actor,
        run_id=finding.run_id,
        as_of=finding.last_as_of,
        detail={"note": note.strip()} if note.strip() else {},
        changes={"acknowledged_at": clock.now(), "acknowledged_by": person, "acknowledgement": note.strip()},
        only_if={"acknowledged_at": None},
    )
    if not taken:
        raise Refused("finding", f"Finding {finding_id} has been acknowledged already.", code="acknowledged")
    return finding


@transaction.atomic
def findings_acknowledge(*, finding_ids: Sequence[int], person: User, note: str = "") -> int:
    """Acknowledge findings together, each by itself in the log; how many nobody had acknowledged.

    Those that somebody has acknowledged or that have closed meanwhile are passed over. Raises as `finding_acknowledge`,
    and Refused (``acknowledged``) where none is left.
    """
    done = 0
    for finding_id in sorted(set(finding_ids)):
        try:
            finding_acknowledge(finding_id=finding_id, person=person, note=note)
        except Refused as refusal:
            if refusal.code not in ("acknowledged", "closed"):
                raise
        else:
            done += 1
    if not done:
        raise Refused("findings", "These findings have been acknowledged or closed already.", code="acknowledged")
    return done


def notifications_read(*, person: User, ids: Sequence[int] | None = None) -> int:
    """Mark the person's own notifications as read, all of them by default; returns how many were unread."""
    unread = Notification.objects.filter(person=person, read_at=None)
    if ids is not None:
        unread = unread.filter(pk__in=ids)
    return unread.update(read_at=clock.now())


def _newest(model_id: int) -> dict[str, datetime]:
    rows = Answered.objects.filter(model_id=model_id).values("window").annotate(newest=Max("as_of"))
    return {row["window"]: row["newest"] for row in rows.order_by()}
