"""Opening incidents: whose right it is, what is frozen, and one incident for each cause."""

from __future__ import annotations

import json
from collections import Counter
from dataclasses import replace
from datetime import timedelta
from functools import partial

import pytest
from django.core.exceptions import PermissionDenied
from django.db import DatabaseError, connection, transaction
from django.http import Http404

from apps.audit.selectors import entries
from apps.common import clock
from apps.common.errors import Refused
from apps.incidents.evidence import thawed
from apps.incidents.models import AffectedGroup, Evidence, Incident, IncidentLink, RegulatoryClock
from apps.incidents.services import (
    Escalated,
    Group,
    incident_findings_add,
    incident_open,
    incident_open_for_escalation,
    title_of,
)
from apps.responses.models import Notification
from tests.apps.approvals.test_at_once import together
from tests.apps.incidents.conftest import breached, document, given
from tests.cast import Cast

pytestmark = pytest.mark.django_db

CAUSE = "model:claims-triage:library"


def open_by_hand(cast: Cast, **changes: object) -> Incident:
    fields = {
        "model": cast.owned,
        "title": "APAC claims wait longer",
        "summary": "Noticed in the weekly figures.",
        "severity": "high",
        "origin": "person",
        "actor": cast.officer.actor,
        "person": cast.officer,
    }
    return incident_open(**(fields | changes))


def escalate(
    cast: Cast,
    *groups: str,
    run_id: int = 71,
    severity: str = "critical",
    cause: str = CAUSE,
    anew: bool = True,
) -> Escalated:
    return incident_open_for_escalation(
        model=cast.owned,
        findings=breached(cast, *groups, run_id=run_id),
        cause_key=cause,
        severity=severity,
        evidence=given(("APAC", 812), ("NA", 2900), run_id=run_id),
        anew=anew,
    )


def test_an_officer_opens_one_and_leads_it(cast: Cast) -> None:
    incident = open_by_hand(cast, groups=[Group("region", "APAC", 340, "claims with a desk code of Singapore")])
    assert incident.state == "open"
    assert incident.lead == cast.officer
    row = AffectedGroup.objects.get(incident=incident)
    assert (row.group, row.people, row.too_small) == ("APAC", 340, False)
    (entry,) = entries(action="incident.opened")
    assert entry.subject == f"incident:{incident.pk}"
    assert Notification.objects.filter(person=cast.owner, path=f"/incidents/{incident.pk}/").exists()


@pytest.mark.parametrize("part", ["compliance", "board", "owner", "auditor"])
def test_nobody_else_opens_one(cast: Cast, part: str) -> None:
    who = getattr(cast, part)
    with pytest.raises(PermissionDenied):
        open_by_hand(cast, person=who, actor=who.actor)
    assert not Incident.objects.exists()


@pytest.mark.parametrize("part", ["outsider", "steward", "administrator"])
def test_who_may_not_see_the_model_is_told_nothing(cast: Cast, part: str) -> None:
    with pytest.raises(Http404):
        open_by_hand(cast, person=getattr(cast, part))


@pytest.mark.parametrize(
    ("changes", "field"),
    [
        ({"title": "  "}, "title"),
        ({"title": "x" * 201}, "title"),
        ({"summary": "\n"}, "summary"),
        ({"summary": "a\0b"}, "summary"),
        ({"severity": "terrible"}, "severity"),
        ({"groups": [Group("shoe size", "44")]}, "groups[0]"),
        ({"groups": [Group("region", "EMEA")]}, "groups[0]"),
        ({"groups": [Group("region", "APAC", -1)]}, "groups[0].people"),
        ({"aware_at": clock.now() + timedelta(days=1)}, "aware_at"),
        ({"began_at": clock.now(), "aware_at": clock.now() - timedelta(days=1)}, "began_at"),
    ],
)
def test_what_is_missing_or_wrong_is_named(cast: Cast, changes: dict[str, object], field: str) -> None:
    with pytest.raises(Refused) as refusal:
        open_by_hand(cast, **changes)
    assert refusal.value.field == field


def test_fewer_than_ten_people_are_not_counted(cast: Cast) -> None:
    incident = open_by_hand(cast, groups=[Group("region", "APAC", 9, "by hand")])
    row = AffectedGroup.objects.get(incident=incident)
    assert (row.people, row.decisions, row.too_small) == (None, None, True)


def test_an_escalation_freezes_the_documents_and_charts_of_its_runs(cast: Cast) -> None:
    done = escalate(cast, "APAC")
    assert done.opened
    incident = Incident.objects.get(pk=done.incident_id)
    assert (incident.origin, incident.severity, incident.cause_key) == ("escalation", "critical", CAUSE)
    run, chart = Evidence.objects.filter(incident=incident).order_by("kind")[::-1]
    assert json.loads(thawed(run)) == document(("APAC", 812), ("NA", 2900))
    assert run.run_id == 71
    assert json.loads(thawed(chart))["lines"][0]["value"] == [0.71]
    row = AffectedGroup.objects.get(incident=incident)
    assert (row.attribute, row.group, row.decisions) == ("region", "APAC", 812)


def test_a_hidden_group_stays_hidden(cast: Cast) -> None:
    incident_open_for_escalation(
        model=cast.owned,
        findings=breached(cast, "APAC"),
        cause_key=CAUSE,
        severity="high",
        evidence=given(("APAC", None)),
    )
    row = AffectedGroup.objects.get()
    assert (row.decisions, row.people, row.too_small) == (None, None, True)


def test_one_incident_for_each_cause(cast: Cast) -> None:
    first = escalate(cast, "APAC", severity="high")
    second = escalate(cast, "NA", run_id=72, severity="critical")
    assert second == Escalated(first.incident_id, opened=False)
    assert Incident.objects.count() == 1
    assert Incident.objects.get().severity == "critical"
    linked = Counter(IncidentLink.objects.values_list("kind", flat=True))
    assert linked == {"finding": 2, "run": 2, "version": 1, "threshold": 1}
    assert {row.group for row in AffectedGroup.objects.all()} == {"APAC", "NA"}


def test_an_incident_names_what_decided_and_by_what_it_was_judged(cast: Cast) -> None:
    escalate(cast, "APAC")
    links = dict(IncidentLink.objects.filter(kind__in=["version", "threshold"]).values_list("kind", "target"))
    assert links == {"version": "1.4", "threshold": "2"}
    assert IncidentLink.objects.get(kind="threshold").label == "Threshold policy version 2, assessment RA-2026-031"


def test_a_title_says_in_a_few_whole_words_what_has_happened(cast: Cast) -> None:
    findings = breached(cast, "APAC")
    assert title_of(cast.owned, findings) == "Claims triage: decisions differ by region"
    both = [*findings, replace(findings[0], attribute="sex*region", group="female*APAC")]
    since = title_of(cast.owned, both, release="2.3.1")
    assert since == "Claims triage: decisions differ by region and sex since version 2.3.1"
    long = title_of(replace(cast.owned, name="A name of many words " * 10), both, release="2.3.1")
    assert len(long) <= 200
    assert long.removesuffix("…") + " " in f"{'A name of many words ' * 10}: decisions differ by region and sex "


def test_what_opens_later_in_the_cause_is_gathered_in_its_incident(cast: Cast) -> None:
    escalate(cast, "APAC", severity="high")
    incident = Incident.objects.get()
    later = breached(cast, "NA", run_id=72)
    add = partial(
        incident_findings_add,
        findings=later,
        cause_key=CAUSE,
        reason="the attribute region",
        evidence=given(("NA", 2900), run_id=72),
    )
    assert add()
    assert add()
    step = incident.steps.get(event="finding_attached")
    assert step.detail == {"findings": [later[0].id], "severity": "medium", "joined_by": "the attribute region"}
    assert step.text == later[0].sentence
    assert {row.group for row in AffectedGroup.objects.all()} == {"APAC", "NA"}
    assert Incident.objects.get().severity == "high"
    assert not incident_findings_add(findings=later, cause_key="cause:none", reason="", evidence=given())


def test_repeating_an_escalation_changes_nothing(cast: Cast) -> None:
    first = escalate(cast, "APAC")
    before = (Incident.objects.get().revision, Evidence.objects.count(), len(entries()))
    assert escalate(cast, "APAC") == Escalated(first.incident_id, opened=False)
    assert (Incident.objects.get().revision, Evidence.objects.count(), len(entries())) == before


def test_another_cause_is_another_incident(cast: Cast) -> None:
    assert escalate(cast, "APAC").opened
    assert escalate(cast, "NA", run_id=72, cause="model:claims-triage:feed").opened


def test_clocks_are_proposed_from_the_industry_and_the_risk(cast: Cast) -> None:
    aware = clock.now() - timedelta(hours=5)
    incident = open_by_hand(cast, aware_at=aware)
    due = dict(RegulatoryClock.objects.filter(incident=incident).values_list("rule", "due_at"))
    assert due == {"cps-230-33": aware + timedelta(hours=72), "aia-73-2": aware + timedelta(days=15)}
    assert set(RegulatoryClock.objects.values_list("state", flat=True)) == {"proposed"}


@pytest.mark.parametrize("table", ["incidents_step", "incidents_evidence", "incidents_link"])
@pytest.mark.parametrize("verb", ["UPDATE {} SET id = id", "DELETE FROM {}", "TRUNCATE {} CASCADE"])
@pytest.mark.parametrize("role", ["biasgov_web", "biasgov_owner"])
def test_what_was_told_stays_told(cast: Cast, table: str, verb: str, role: str) -> None:
    escalate(cast, "APAC")
    with connection.cursor() as cursor, transaction.atomic():
        cursor.execute(f"SET LOCAL ROLE {role}")
        with pytest.raises(DatabaseError), transaction.atomic():
            cursor.execute(verb.format(table))


@pytest.mark.django_db(transaction=True)
def test_of_many_escalations_at_once_one_opens_and_the_others_attach() -> None:
    cast = Cast.assemble()
    rows = [breached(cast, group, run_id=run_id) for run_id, group in ((71, "APAC"), (72, "NA"))]
    outcomes: list[Escalated] = []

    def carry(number: int) -> None:
        outcomes.append(
            incident_open_for_escalation(
                model=cast.owned,
                findings=rows[number % 2],
                cause_key=CAUSE,
                severity="high",
                evidence=given(("APAC", 812), run_id=71 + number % 2),
            )
        )

    assert together([partial(carry, number) for number in range(12)]) == Counter(done=12)
    assert Counter(each.opened for each in outcomes) == Counter({False: 11, True: 1})
    assert Incident.objects.count() == 1
    assert IncidentLink.objects.filter(kind="finding").count() == 2
