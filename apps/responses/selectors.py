"""Reading findings, notifications and how fast they were delivered."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from django.db.models import Count, Q, QuerySet

from apps.common import clock
from apps.responses import ladder
from apps.responses.deadlines import plan_of
from apps.responses.delivered import (
    ChannelRow,
    ChannelTimes,
    channel_rows,
    dead_by_channel,
    dead_letter_count,
    dead_letters,
    delivery_times,
)
from apps.responses.ladder import TIERS, rank
from apps.responses.models import Answered, Cause, Finding, FindingTransition, Notification
from apps.responses.preferences import Preference, preference_of
from apps.responses.restricted import (
    GatewayRow,
    RestrictionRow,
    RestrictionTime,
    gateways,
    incidents_of,
    proposed_count,
    proposed_restrictions,
    restriction_counts,
    restriction_model,
    restriction_moments,
    restriction_of,
    restriction_register,
    restriction_times,
    restrictions_of,
    standings_of,
    status_number,
)
from apps.responses.silences import silences_of
from apps.responses.status import status_document, status_public_key
from apps.responses.unacknowledged import number_of_causes, worst_of_causes
from apps.responses.wording import decision_types_text
from biasgov.fairness.response_plan import ResponsePlan

__all__ = [
    "TIERS",
    "CauseRow",
    "ChannelRow",
    "ChannelTimes",
    "FindingRow",
    "GatewayRow",
    "Preference",
    "ResponsePlan",
    "RestrictionRow",
    "RestrictionTime",
    "WaitingFindings",
    "answered",
    "causes",
    "channel_rows",
    "dead_by_channel",
    "dead_letter_count",
    "dead_letters",
    "decision_types_text",
    "delivery_times",
    "finding",
    "findings",
    "findings_by_id",
    "findings_of",
    "findings_of_cause",
    "gateways",
    "incidents_of",
    "joined_by",
    "metrics_alerted",
    "notifications",
    "open_counts",
    "open_findings",
    "overdue_models",
    "plan_of",
    "preference_of",
    "proposed_count",
    "proposed_restrictions",
    "recovered",
    "restriction_counts",
    "restriction_model",
    "restriction_moments",
    "restriction_of",
    "restriction_register",
    "restriction_times",
    "restrictions_of",
    "silences_of",
    "standings_of",
    "status_document",
    "status_number",
    "status_public_key",
    "transitions",
    "unread_count",
    "waiting_count",
    "waiting_for",
]


@dataclass(frozen=True, slots=True)
class FindingRow:
    """A finding as pages and the API read it. group, reference: None for an aggregate over groups.

    Severity, sentence, window, value, interval, bound and run are those of its last breach; `standing` says in words
    what the last evaluation made of it. entered: since when and why it is on each rung up to its tier, as
    {rung: {at, why}}. windows: how far each that was in breach has recovered (`ladder.Recovery`). acknowledged_by: a
    name, empty while nobody has.
    """

    id: int
    model_id: int
    model_slug: str
    model_name: str
    metric: str
    attribute: str
    group: str | None
    reference: str | None
    state: str
    tier: str
    severity: str
    sentence: str
    standing: str
    window: str
    value: float | None
    low: float | None
    high: float | None
    bound_low: float | None
    bound_high: float | None
    run_id: int
    cause_id: int | None
    entered: Mapping[str, Mapping[str, str]]
    windows: Mapping[str, Mapping[str, Any]]
    deadline_at: datetime | None
    opened_at: datetime
    opened_as_of: datetime
    opened_run_id: int
    last_as_of: datetime
    last_verdict: str
    unjudged_since: datetime | None
    alerted_at: datetime | None
    acknowledged_at: datetime | None
    acknowledged_by: str
    acknowledgement: str
    closed_at: datetime | None


@dataclass(frozen=True, slots=True)
class WaitingFindings:
    """The findings of a cause that nobody has acknowledged: the worst of them, how many, since when the oldest.

    incident: the one that looks after the cause.
    """

    worst: FindingRow
    number: int
    since: datetime
    incident: int | None


@dataclass(frozen=True, slots=True)
class CauseRow:
    """What findings have in common. release: the version that they followed, or "". incident: what looks after it."""

    id: int
    release: str
    incident: int | None


def open_findings(model_ids: Sequence[int]) -> tuple[FindingRow, ...]:
    """The open findings of these models, worst first, then the oldest. One query."""
    found = _complete().filter(model_id__in=model_ids, state=Finding.State.OPEN)
    return _rows(sorted(found, key=_urgency))


def overdue_models() -> tuple[int, ...]:
    """The models that have a finding whose remediation deadline has passed and that the board does not know of."""
    late = Finding.objects.filter(state=Finding.State.OPEN, deadline_at__lte=clock.now()).exclude(tier=ladder.ESCALATE)
    return tuple(late.order_by("model_id").values_list("model_id", flat=True).distinct())


def open_counts(model_ids: Sequence[int]) -> dict[int, int]:
    """The number of open findings of each model that has any; one query."""
    rows = Finding.objects.filter(model_id__in=model_ids, state=Finding.State.OPEN).order_by()
    return dict(rows.values_list("model_id").annotate(number=Count("id")))


def metrics_alerted(model_ids: Sequence[int], since: datetime) -> dict[int, frozenset[str]]:
    """By model the metrics with a finding that was opened at or after `since`, or that is still open; one query."""
    rows = Finding.objects.filter(Q(opened_as_of__gte=since) | Q(state=Finding.State.OPEN), model_id__in=model_ids)
    found: dict[int, set[str]] = {}
    for model_id, metric in rows.order_by().values_list("model_id", "metric").distinct():
        found.setdefault(model_id, set()).add(metric)
    return {model_id: frozenset(metrics) for model_id, metrics in found.items()}


def findings(model_id: int, *, limit: int, state: str = "", before_id: int | None = None) -> tuple[FindingRow, ...]:
    """A page of a model's findings, newest first; `before_id` continues after that one."""
    found = _complete().filter(model_id=model_id).order_by("-id")
    if state:
        found = found.filter(state=state)
    if before_id is not None:
        found = found.filter(pk__lt=before_id)
    return _rows(found[:limit])


def findings_of(model_id: int) -> tuple[FindingRow, ...]:
    """Every finding of a model, newest first."""
    return _rows(_complete().filter(model_id=model_id).order_by("-id"))


def finding(finding_id: int) -> FindingRow | None:
    """One finding, or None if there is no such one."""
    return next(iter(_rows(_complete().filter(pk=finding_id))), None)


def findings_by_id(finding_ids: Sequence[int]) -> tuple[FindingRow, ...]:
    """These findings, worst first, then the oldest."""
    return _rows(sorted(_complete().filter(pk__in=finding_ids), key=_urgency))


def recovered(findings: Sequence[FindingRow], plan: ResponsePlan) -> bool:
    """Whether the evidence would let people bring down what stands on the upper rungs, without the board."""
    upper = [each for each in findings if ladder.height(each.tier) >= ladder.height(ladder.RESTRICT)]
    return all(ladder.recovered(each.windows, plan) for each in upper)


def transitions(finding_id: int) -> list[FindingTransition]:
    """The steps of a finding's life, oldest first."""
    return list(FindingTransition.objects.filter(finding_id=finding_id).order_by("at", "id"))


def joined_by(finding_ids: Sequence[int]) -> dict[int, str]:
    """By what each of these findings belongs to its cause, in words; those that opened a cause are missing. One query.

    A person who took findings out of a cause has the last word.
    """
    steps = FindingTransition.objects.filter(finding__in=list(finding_ids), event__in=("opened", "separated"))
    found: dict[int, str] = {}
    for step in steps.order_by("at", "id"):
        if step.event == "separated":
            found[step.finding_id] = "a person's choice"
        elif why := step.detail.get("joined_by"):
            found[step.finding_id] = str(why)
    return found


def waiting_for(user: Any, *, limit: int = 50) -> tuple[WaitingFindings, ...]:
    """What waits for this person: causes with open findings that nobody has acknowledged, the worst first.

    Three queries beside those for the person's roles.
    """
    worst = worst_of_causes(user, limit)
    rows = findings_by_id(list(worst))
    known = causes(rows)
    return tuple(
        WaitingFindings(each, *worst[each.id], known[each.cause_id].incident if each.cause_id else None)
        for each in rows
    )


def causes(findings: Sequence[FindingRow]) -> dict[int, CauseRow]:
    """The causes of these findings by id. One query, none for no findings."""
    wanted = {each.cause_id for each in findings if each.cause_id}
    rows = Cause.objects.filter(pk__in=wanted).values_list("pk", "release", "incident_id")
    return {row[0]: CauseRow(*row) for row in rows}


def findings_of_cause(cause_id: int) -> tuple[FindingRow, ...]:
    """The open findings of a cause, worst first."""
    return _rows(sorted(_complete().filter(cause_id=cause_id, state=Finding.State.OPEN), key=_urgency))


def waiting_count(user: Any, most: int | None = None) -> int:
    """How many causes wait for this person, counted up to `most`; one query beside those for the person's roles."""
    return number_of_causes(user, most)


def notifications(user: Any, *, unread_only: bool = False) -> QuerySet[Notification]:
    """The person's notifications, newest first."""
    own = Notification.objects.filter(person_id=user.pk).order_by("-created_at", "-id")
    return own.filter(read_at=None) if unread_only else own


def unread_count(user: Any) -> int:
    return Notification.objects.filter(person_id=user.pk, read_at=None).count()


def answered(run_ids: Sequence[int]) -> frozenset[int]:
    """Those of the runs that have been answered."""
    return frozenset(Answered.objects.filter(run_id__in=run_ids).values_list("run_id", flat=True))


def _complete() -> QuerySet[Finding]:
    found = Finding.objects.select_related("model", "acknowledged_by")
    return found.defer("persistence", "model__words", "model__features", "model__population", "model__purpose")


def _urgency(found: Finding) -> tuple[int, datetime, int]:
    return -rank(found.severity), found.opened_as_of, found.pk


def _rows(found: Iterable[Finding]) -> tuple[FindingRow, ...]:
    return tuple(
        FindingRow(
            id=each.pk,
            model_id=each.model_id,
            model_slug=each.model.slug,
            model_name=each.model.name,
            metric=each.metric,
            attribute=each.attribute,
            group=each.group or None,
            reference=each.reference or None,
            state=each.state,
            tier=each.tier,
            severity=each.severity,
            sentence=each.sentence,
            standing=each.standing,
            window=each.window,
            value=each.value,
            low=each.low,
            high=each.high,
            bound_low=each.bound_low,
            bound_high=each.bound_high,
            run_id=each.run_id,
            cause_id=each.cause_id,
            entered=each.entered,
            windows=each.windows,
            deadline_at=each.deadline_at,
            opened_at=each.opened_at,
            opened_as_of=each.opened_as_of,
            opened_run_id=each.opened_run_id,
            last_as_of=each.last_as_of,
            last_verdict=each.last_verdict,
            unjudged_since=each.unjudged_since,
            alerted_at=each.alerted_at,
            acknowledged_at=each.acknowledged_at,
            acknowledged_by=each.acknowledged_by.display_name if each.acknowledged_by else "",
            acknowledgement=each.acknowledgement,
            closed_at=each.closed_at,
        )
        for each in found
    )
