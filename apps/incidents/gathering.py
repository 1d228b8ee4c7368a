"""One incident for each cause: an escalation opens it, and what opens or escalates later is gathered in it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from django.db import transaction

from apps.accounts.models import User
from apps.common import clock
from apps.common.errors import Refused
from apps.common.wording import breach_phrase, shortened
from apps.incidents import steps
from apps.incidents.checks import LONGEST_TITLE
from apps.incidents.closing import closure_void
from apps.incidents.evidence import Given
from apps.incidents.models import Incident
from apps.incidents.models.incidents import SEVERITIES
from apps.incidents.opening import attach, count_groups, incident_open
from apps.incidents.states import CLOSED, CLOSING
from apps.registry.spec import ModelSpec
from apps.responses.selectors import FindingRow

_SAID_AT_MOST = 5


@dataclass(frozen=True, slots=True)
class Escalated:
    """The incident of an escalation; `opened` is False where one of the same cause was open already."""

    incident_id: int
    opened: bool


@transaction.atomic
def incident_open_for_escalation(
    *,
    model: ModelSpec,
    findings: Sequence[FindingRow],
    cause_key: str,
    severity: str,
    evidence: Given,
    others: Sequence[FindingRow] = (),
    release: str = "",
    anew: bool = True,
    actor: str = "system:pipeline",
) -> Escalated:
    """Open the incident of an escalation, or attach its findings to the one that is open for this cause.

    Runs in the transaction of the escalation. Of two that come at once one opens and the other attaches. Attaching
    raises the severity where the new findings are worse, freezes the evidence that is not there yet, and ends a
    request for closure: what was to be signed is no longer all there is.

    Parameters
    ----------
    findings, others
        Those that were escalated, and those of the same cause that stand below them.
    release
        The version whose release the cause followed, "" if none did.
    anew
        No other finding of the cause stands on the last rung at present. The board looks at an incident again that is
        escalated anew after its decision, or that has become more severe; it knows of the others.

    Raises
    ------
    ValueError
        Without a finding or a cause key there is nothing to escalate.
    """
    if not findings or not cause_key:
        raise ValueError("an escalation needs a finding and the key of its cause")
    everything = (*findings, *others)
    if (running := _running(cause_key)) is None:
        try:
            incident = incident_open(
                model=model,
                title=title_of(model, everything, release=release),
                summary=said_by(everything),
                severity=severity,
                origin="escalation",
                actor=actor,
                # A live window ends with the present hour: what opened in it has begun by now.
                began_at=min(clock.now(), *(finding.opened_as_of for finding in everything)),
                cause_key=cause_key,
                findings=everything,
                evidence=evidence,
            )
        except Refused as refusal:
            running = _running(cause_key)
            if refusal.code != "exists" or running is None:
                raise
        else:
            return Escalated(incident.pk, True)
    worse = SEVERITIES.index(severity) > SEVERITIES.index(running.severity)
    event = "finding_escalated" if anew or worse else "finding_attached"
    _take_in(running, event, findings, evidence, severity=severity, reason="", actor=actor)
    return Escalated(running.pk, False)


@transaction.atomic
def incident_findings_add(
    *,
    findings: Sequence[FindingRow],
    cause_key: str,
    reason: str,
    evidence: Given,
    actor: str = "system:pipeline",
) -> bool:
    """Write findings that have opened into the timeline of the incident that is open for their cause, with evidence.

    It raises the severity and ends a request for closure as an escalation does. False where no incident of the cause is
    open. `reason` is by what they belong to the cause.
    """
    running = _running(cause_key)
    if running is None or not findings:
        return False
    severity = max((finding.severity for finding in findings), key=SEVERITIES.index)
    _take_in(running, "finding_attached", findings, evidence, severity=severity, reason=reason, actor=actor)
    return True


@transaction.atomic
def incident_findings_leave(
    *, incident_id: int, findings: Sequence[FindingRow], new_incident: int, person: User
) -> None:
    """Write into an incident's timeline that a person took findings of it up in another one. Harmless once closed."""
    incident = steps.held(incident_id)
    if incident.state == CLOSED:
        return
    detail = {"findings": [finding.id for finding in findings], "incident": new_incident}
    steps.note(incident, "finding_separated", actor=person.actor, text=said_by(findings), detail=detail)
    if incident.state == CLOSING:
        closure_void(incident, reason="Findings were taken up in another incident.", actor=person.actor)


def _take_in(
    incident: Incident,
    event: str,
    findings: Sequence[FindingRow],
    evidence: Given,
    *,
    severity: str,
    reason: str,
    actor: str,
) -> None:
    """Attach findings to an incident that is held; nothing where they and their evidence are there already."""
    added = attach(incident, findings, evidence, actor=actor)
    count_groups(incident, findings, evidence, ())
    worse = SEVERITIES.index(severity) > SEVERITIES.index(incident.severity)
    if not added and not worse:
        return
    detail = {"findings": [finding.id for finding in findings], "severity": severity}
    steps.note(
        incident,
        event,
        actor=actor,
        text=said_by(findings),
        detail=detail | ({"joined_by": reason} if reason else {}),
        changes={"severity": severity} if worse else {},
    )
    if incident.state == CLOSING:
        closure_void(incident, reason="A further finding of the same cause was attached.", actor=actor)


def _running(cause_key: str) -> Incident | None:
    return Incident.objects.select_for_update(of=("self",)).filter(cause_key=cause_key).exclude(state=CLOSED).first()


def title_of(model: ModelSpec, findings: Sequence[FindingRow], *, release: str = "") -> str:
    """What has happened in a few words: the model, what is unequal in the first finding, by which attributes of all."""
    about = {name for finding in findings for name in finding.attribute.split("*")}
    attributes = [name for name in model.attribute_names if name in about]
    said = f"{model.name}: {breach_phrase(findings[0].metric, attributes)}"
    since = f" since version {release}" if release else ""
    return f"{said}{since}" if len(said) + len(since) <= LONGEST_TITLE else shortened(said, LONGEST_TITLE)


def said_by(findings: Sequence[FindingRow]) -> str:
    """The sentences of findings, one a line; of many the first five."""
    lines = [finding.sentence for finding in findings[:_SAID_AT_MOST]]
    more = len(findings) - _SAID_AT_MOST
    return "\n".join(
        [*lines, *([f"And {more} more finding{'s' if more > 1 else ''} of the same cause."] if more > 0 else [])]
    )
