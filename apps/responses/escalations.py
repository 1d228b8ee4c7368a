"""What goes to the board: findings of one cause, as a value that the pipeline carries over to the incidents."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from apps.audit import services as audit
from apps.common import clock
from apps.registry.selectors import slug_of
from apps.responses import ladder
from apps.responses.ladder import rank
from apps.responses.models import Cause, Finding
from apps.responses.selectors import FindingRow, findings_by_id, joined_by
from apps.responses.steps import SYSTEM, climbed, step


@dataclass(frozen=True, slots=True)
class Escalation:
    """Findings of one cause that have just reached the last rung.

    first: no finding of the cause had been there before. anew: none of its open findings stands there already.
    severity: the worst of them. why: in words. others: the open findings of the cause below them. release: the version
    whose release the cause followed, if one did. detected_at: when the breach was computed, or when the deadline was
    found to have passed.
    """

    cause_id: int
    cause_key: str
    model_id: int
    first: bool
    anew: bool
    severity: str
    why: str
    findings: tuple[FindingRow, ...]
    others: tuple[FindingRow, ...]
    release: str
    detected_at: datetime


@dataclass(frozen=True, slots=True)
class Addition:
    """Findings that have opened in a cause whose incident is not closed; reason: by what they belong there."""

    cause_key: str
    findings: tuple[FindingRow, ...]
    reason: str


def escalate(findings: Sequence[Finding], *, detected_at: datetime) -> tuple[Escalation, ...]:
    """One escalation for each cause of those that are on the last rung; the others are none of the board's."""
    by_cause: dict[int, list[Finding]] = {}
    for finding in findings:
        if finding.tier == ladder.ESCALATE and finding.cause_id is not None:
            by_cause.setdefault(finding.cause_id, []).append(finding)
    return tuple(_escalation(cause_id, found, detected_at) for cause_id, found in by_cause.items())


def additions(opened: Sequence[Finding]) -> tuple[Addition, ...]:
    """What incidents gain by findings that have just opened, one addition for each cause."""
    by_cause: dict[str, list[int]] = {}
    for finding in opened:
        if finding.cause is not None and finding.cause.incident_id is not None:
            by_cause.setdefault(finding.cause.key, []).append(finding.pk)
    return tuple(
        Addition(key, findings_by_id(found), "; ".join(sorted(set(joined_by(found).values()))))
        for key, found in by_cause.items()
    )


def overdue(model_id: int, now: datetime) -> list[Finding]:
    """Lift the model's findings whose deadline has passed to the last rung; those that were lifted."""
    why = "the remediation deadline has passed"
    to_tier, _ = ladder.STEPS[ladder.ALERT, ladder.OVERDUE]
    due = Finding.objects.filter(model_id=model_id, state=Finding.State.OPEN, deadline_at__lte=now)
    return [
        finding
        for finding in due.exclude(tier=to_tier).order_by("pk")
        if step(
            finding,
            ladder.OVERDUE,
            run_id=finding.run_id,
            as_of=finding.last_as_of,
            detail={"why": why, "deadline": finding.deadline_at.isoformat() if finding.deadline_at else None},
            changes=climbed(finding, to_tier, why),
        )
    ]


def escalation_answered(*, cause_id: int, incident_id: int) -> None:
    """Note which incident looks after a cause, which stays open with it."""
    found = Cause.objects.filter(pk=cause_id).exclude(incident_id=incident_id, closed_at=None)
    if found.update(incident_id=incident_id, closed_at=None):
        audit.append(
            actor=SYSTEM,
            action="cause.incident",
            subject=f"cause:{cause_id}",
            model=slug_of(Cause.objects.values_list("model_id", flat=True).get(pk=cause_id)),
            detail={"incident": incident_id},
        )


def _escalation(cause_id: int, findings: Sequence[Finding], detected_at: datetime) -> Escalation:
    first = Cause.objects.filter(pk=cause_id, escalated_at=None).update(escalated_at=clock.now()) == 1
    worst = min(findings, key=lambda each: (-rank(each.severity), each.pk))
    rows = findings_by_id([finding.pk for finding in findings])
    there = Finding.objects.filter(cause_id=cause_id, state=Finding.State.OPEN, tier=ladder.ESCALATE)
    below = Finding.objects.filter(cause_id=cause_id, state=Finding.State.OPEN).exclude(tier=ladder.ESCALATE)
    if first:
        audit.append(
            actor=SYSTEM,
            action="cause.escalated",
            subject=f"cause:{cause_id}",
            model=slug_of(worst.model_id),
            detail={"findings": [row.id for row in rows], "severity": worst.severity},
        )
    return Escalation(
        cause_id=cause_id,
        cause_key=f"cause:{cause_id}",
        model_id=worst.model_id,
        first=first,
        anew=not there.exclude(pk__in=[finding.pk for finding in findings]).exists(),
        severity=worst.severity,
        why=worst.entered[ladder.ESCALATE]["why"],
        findings=rows,
        others=findings_by_id(list(below.values_list("pk", flat=True))),
        release=Cause.objects.values_list("release", flat=True).get(pk=cause_id),
        detected_at=detected_at,
    )
