"""Carrying findings over to incidents: the evidence of their runs, frozen, and the incident of their cause."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from datetime import datetime, timedelta

from django.db import transaction

from apps.accounts.models import User
from apps.common.errors import Refused
from apps.incidents import services as incidents
from apps.monitoring import selectors as monitoring
from apps.monitoring.selectors import TrendSeries
from apps.registry.spec import ModelSpec
from apps.responses import selectors as responses_read
from apps.responses import services as responses
from apps.responses.selectors import FindingRow

BELONGS = "Chosen findings belong to another incident, as is said below. Send it again if they are to leave that one."
CHARTED_FOR = timedelta(days=30)
CHARTS_AT_MOST = 6


@transaction.atomic
def escalation_carry(*, model: ModelSpec, escalation: responses.Escalation) -> incidents.Escalated:
    """Open the incident of an escalation with its evidence, or attach to the one that is open for this cause.

    Call it in the transaction of the escalation: both are kept or lost together.
    """
    return incidents.incident_open_for_escalation(
        model=model,
        findings=escalation.findings,
        others=escalation.others,
        release=escalation.release,
        anew=escalation.anew,
        cause_key=escalation.cause_key,
        severity=escalation.severity,
        evidence=evidence_of(model, (*escalation.findings, *escalation.others)),
    )


@transaction.atomic
def addition_carry(*, model: ModelSpec, addition: responses.Addition) -> None:
    """Write findings that have just opened into the incident of their cause, in the transaction of their opening."""
    incidents.incident_findings_add(
        findings=addition.findings,
        cause_key=addition.cause_key,
        reason=addition.reason,
        evidence=evidence_of(model, addition.findings),
    )


@transaction.atomic
def incident_open_by_hand(
    *,
    model: ModelSpec,
    person: User,
    findings: Sequence[FindingRow],
    leaving: Collection[int],
    run_ids: Sequence[int],
    title: str,
    summary: str,
    severity: str,
    began_at: datetime | None = None,
    aware_at: datetime | None = None,
) -> int:
    """Open an incident in a person's name; the number of it.

    For findings whose cause no incident looks after it does, and gathers all of them. Findings that belong to another
    incident leave it, which its timeline says, and stay apart. What has been escalated goes to the board from here too.

    Parameters
    ----------
    leaving
        The incidents that the person has read that findings will leave.

    Raises
    ------
    Http404, PermissionDenied
        The person may not open incidents of this model.
    Refused
        A finding is no longer open, a run is none of the model's, or a part is missing or wrong; ``changed`` where the
        findings belong to other incidents than the person has read.
    """
    left: dict[int, list[FindingRow]] = {}
    cause = None
    if findings:
        responses.hold(model.id)
        findings = responses_read.findings_by_id([finding.id for finding in findings])
        known = responses_read.causes(findings)
        for finding in findings:
            before = known[finding.cause_id].incident if finding.cause_id else None
            if before is not None:
                left.setdefault(before, []).append(finding)
        if set(left) != set(leaving):
            raise Refused("findings", BELONGS, code="changed")
        numbers = [finding.id for finding in findings]
        cause = responses.cause_for_incident(model_id=model.id, finding_ids=numbers, person=person)
        findings = responses_read.findings_of_cause(cause.pk)
    evidence = evidence_of(model, findings, run_ids)
    if unknown := [each for each in run_ids if each not in evidence.runs]:
        raise Refused("runs", f"{model.name} has no run {unknown[0]}.")
    opened = incidents.incident_open(
        model=model,
        title=title,
        summary=summary,
        severity=severity,
        origin="escalation" if any(each.tier == "escalate" for each in findings) else "person",
        actor=person.actor,
        person=person,
        began_at=began_at,
        aware_at=aware_at,
        cause_key=cause.key if cause else "",
        findings=findings,
        evidence=evidence,
    )
    if cause is not None:
        responses.escalation_answered(cause_id=cause.pk, incident_id=opened.pk)
    for number, gone in left.items():
        incidents.incident_findings_leave(incident_id=number, findings=gone, new_incident=opened.pk, person=person)
    return opened.pk


def evidence_of(model: ModelSpec, findings: Sequence[FindingRow] = (), run_ids: Sequence[int] = ()) -> incidents.Given:
    """The run documents behind the findings (and further runs of the same model), and the findings' trends."""
    wanted = {*run_ids, *(finding.run_id for finding in findings)}
    documents = monitoring.run_documents(sorted(wanted))
    own = {run_id: document for run_id, document in documents.items() if document["model"] == model.slug}
    return incidents.Given(runs=own, charts=_charts(model, findings))


def _charts(model: ModelSpec, findings: Sequence[FindingRow]) -> list[incidents.Chart]:
    charts: dict[tuple[str, str, str, str | None], incidents.Chart] = {}
    for finding in findings:
        key = (finding.metric, finding.attribute, finding.window, finding.group)
        if key in charts or len(charts) == CHARTS_AT_MOST:
            continue
        series = monitoring.trend(
            model.id,
            finding.window,
            finding.attribute,
            finding.metric,
            finding.group,
            since=finding.last_as_of - CHARTED_FOR,
        )
        if series.as_of:
            charts[key] = incidents.Chart(
                title=finding.sentence,
                metric=finding.metric,
                attribute=finding.attribute,
                window=finding.window,
                bounds=[end for end in (finding.bound_low, finding.bound_high) if end is not None],
                lines=[_line(finding.group, series)],
            )
    return list(charts.values())


def _line(group: str | None, series: TrendSeries) -> incidents.ChartLine:
    def known(values: Sequence[float]) -> list[float | None]:
        return [None if value != value else float(value) for value in values]

    def moment(at: datetime) -> str:
        return at.isoformat()

    return incidents.ChartLine(
        group=group,
        as_of=[moment(at) for at in series.as_of],
        value=known(list(series.value)),
        low=known(list(series.low)),
        high=known(list(series.high)),
        verdict=list(series.verdict),
        run_id=list(series.run_id),
    )
