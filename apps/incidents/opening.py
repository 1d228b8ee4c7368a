"""Opening incidents: by a person, by a complaint, by a program, or because a finding escalated (`gathering`)."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Any

from django.db import IntegrityError, transaction

from apps.accounts.models import User
from apps.accounts.permissions import demand
from apps.common import clock
from apps.common.errors import Refused
from apps.common.wording import shortened
from apps.incidents import clocks, steps
from apps.incidents.checks import LONGEST_TITLE, Group, check_causes, check_group, check_text
from apps.incidents.evidence import NONE, Given, freeze, run_label, threshold_label
from apps.incidents.models import AffectedGroup, Incident, IncidentLink, RegulatoryClock
from apps.incidents.models.incidents import ORIGINS, SEVERITIES
from apps.incidents.states import CLOSED
from apps.registry.spec import ModelSpec
from apps.responses.announcements import announce
from apps.responses.selectors import FindingRow

_SMALLEST_COUNTED = 10


@transaction.atomic
def incident_open(
    *,
    model: ModelSpec,
    title: str,
    summary: str,
    severity: str,
    origin: str,
    actor: str,
    person: User | None = None,
    began_at: datetime | None = None,
    aware_at: datetime | None = None,
    groups: Sequence[Group] = (),
    causes: Sequence[str] = (),
    cause_key: str = "",
    findings: Sequence[FindingRow] = (),
    evidence: Given = NONE,
) -> Incident:
    """Open an incident, tell the officers and the model's owners, and propose the clocks that may apply.

    Parameters
    ----------
    origin
        ``person``, ``complaint``, ``api`` or ``escalation``.
    person
        Who opens it, where a person does: they must be allowed to, and become its lead.
    began_at, aware_at
        Since when people were concerned, if that is known; when the house became aware (default: now).
    cause_key
        Names the cause for machines; among the incidents that are not closed each one is unique.
    findings, evidence
        What it is opened for, and the documents of these runs, which are frozen with it.

    Raises
    ------
    Http404, PermissionDenied
        `person` may not open incidents of this model.
    Refused
        A part is missing or wrong; code ``exists`` where an incident of that cause is open.
    """
    if person is not None:
        demand(person, "incident.open", model)
    now = clock.now()
    checked = _checked(model, title, summary, severity, origin, began_at, aware_at or now, groups, causes)
    incident = Incident(
        model_id=model.id,
        origin=origin,
        cause_key=cause_key,
        causes=list(causes),
        opened_by=actor,
        lead=person,
        began_at=began_at,
        opened_at=now,
        **checked,
    )
    try:
        with transaction.atomic():
            incident.save()
    except IntegrityError:
        running = Incident.objects.exclude(state=CLOSED).filter(cause_key=cause_key).first()
        if running is None:
            raise
        message = f"Incident {running.pk} of this cause is open."
        raise Refused("cause_key", message, code="exists") from None
    steps.opened(
        incident,
        actor=actor,
        detail={"model": model.slug, "title": incident.title, "severity": severity, "origin": origin},
    )
    attach(incident, findings, evidence, actor=actor)
    count_groups(incident, findings, evidence, groups)
    _propose_clocks(incident, model)
    announce(
        model=model,
        key=f"incident-{incident.pk}",
        title=shortened(f"{model.name}: incident {incident.pk} opened, {severity}", 200),
        body=incident.title,
        severity=severity,
        path=f"/incidents/{incident.pk}/",
        detected_at=now,
    )
    return incident


def _checked(
    model: ModelSpec,
    title: str,
    summary: str,
    severity: str,
    origin: str,
    began_at: datetime | None,
    aware_at: datetime,
    groups: Sequence[Group],
    causes: Sequence[str],
) -> dict[str, Any]:
    check_text("title", title, longest=LONGEST_TITLE, missing="Say in a few words what has happened.")
    check_text("summary", summary, missing="Say what has happened, to which groups, and since when.")
    if severity not in SEVERITIES:
        raise Refused("severity", f"{severity!r} is none of {', '.join(SEVERITIES)}.")
    if origin not in ORIGINS:
        raise ValueError(f"{origin!r} is none of {ORIGINS}")
    if aware_at > clock.now():
        raise Refused("aware_at", "Nobody can have become aware of it in the future.")
    if began_at is not None and began_at > aware_at:
        raise Refused("began_at", "It cannot have begun after the house became aware of it.")
    check_causes(causes)
    for place, each in enumerate(groups):
        check_group(model, each, field=f"groups[{place}]")
    return {"title": title.strip(), "summary": summary.strip(), "severity": severity, "aware_at": aware_at}


def attach(incident: Incident, findings: Sequence[FindingRow], evidence: Given, *, actor: str) -> int:
    """Link the findings, their runs, and the versions and thresholds of those; freeze the evidence.

    Returns how much of it was new.
    """
    wanted = [
        IncidentLink(kind=IncidentLink.Kind.FINDING, target=str(each.id), label=each.sentence) for each in findings
    ]
    wanted += [
        IncidentLink(
            kind=IncidentLink.Kind.RUN,
            target=str(run_id),
            label=run_label(document["window"], document["as_of"]),
        )
        for run_id, document in sorted(evidence.runs.items())
    ]
    wanted += _judged_by(evidence)
    known = set(IncidentLink.objects.filter(incident=incident).values_list("kind", "target"))
    fresh = [each for each in wanted if (each.kind, each.target) not in known]
    for each in fresh:
        each.incident, each.added_by, each.added_at = incident, actor, clock.now()
    IncidentLink.objects.bulk_create(fresh)
    return len(fresh) + len(freeze(incident, evidence, actor=actor))


def _judged_by(evidence: Given) -> list[IncidentLink]:
    """The versions of the model that decided in the runs, and the versions of its thresholds that judged them."""
    deciding = sorted({version for document in evidence.runs.values() for version in document["versions"]})
    judging = {each["version"]: each["assessment"] for each in (run["policy"] for run in evidence.runs.values())}
    return [
        *(
            IncidentLink(kind=IncidentLink.Kind.VERSION, target=version, label="decided in the runs of the findings")
            for version in deciding
        ),
        *(
            IncidentLink(kind=IncidentLink.Kind.THRESHOLD, target=str(version), label=threshold_label(version, named))
            for version, named in sorted(judging.items())
        ),
    ]


def count_groups(incident: Incident, findings: Sequence[FindingRow], evidence: Given, groups: Sequence[Group]) -> None:
    """Write down the groups concerned, with the decisions about them as the runs tell them; each group once."""
    rows: dict[tuple[str, str], AffectedGroup] = {}
    for finding in findings:
        if finding.group is None:
            continue
        result = _rate_of(evidence, finding)
        hidden = bool(result and result["suppressed"])
        rows.setdefault(
            (finding.attribute, finding.group),
            AffectedGroup(
                incident=incident,
                attribute=finding.attribute,
                group=finding.group,
                decisions=result["n"] if result and not hidden else None,
                window=finding.window,
                run_id=finding.run_id,
                too_small=hidden,
            ),
        )
    for given in groups:
        row = rows.setdefault(
            (given.attribute, given.group),
            AffectedGroup(incident=incident, attribute=given.attribute, group=given.group),
        )
        set_people(row, given)
    AffectedGroup.objects.bulk_create(rows.values(), ignore_conflicts=True)


def set_people(row: AffectedGroup, given: Group) -> None:
    """Fewer than ten are not written down, only that they are fewer than ten."""
    row.source = given.source.strip()[:300]
    if given.people is not None and given.people < _SMALLEST_COUNTED:
        row.too_small, row.people, row.decisions = True, None, None
    elif not row.too_small:
        row.people = given.people


def _rate_of(evidence: Given, finding: FindingRow) -> Any:
    """The result of the finding's run that tells how many decisions were about the group, if it is there."""
    document = evidence.runs.get(finding.run_id)
    if document is None:
        return None
    about = [
        each
        for each in document["results"]
        if each["attribute"] == finding.attribute and each["group"] == finding.group
    ]
    rates = [each for each in about if each["metric"] == "selection_rate"]
    return next(iter(rates or about), None)


def _propose_clocks(incident: Incident, model: ModelSpec) -> None:
    RegulatoryClock.objects.bulk_create(
        RegulatoryClock(
            incident=incident,
            rule=key,
            started_at=incident.aware_at,
            due_at=clocks.RULES[key].due(incident.aware_at),
            added_at=incident.opened_at,
        )
        for key in clocks.proposed(model.industry, model.risk_level)
    )
