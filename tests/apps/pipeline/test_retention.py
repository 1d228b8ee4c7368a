"""What was kept long enough goes, each kind after its own period; what an incident needs stays."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime, timedelta
from io import StringIO

import pytest
from django.core.management import call_command
from django.db import DatabaseError, connection, transaction

from apps.audit.models import AuditEntry
from apps.common import clock
from apps.common.errors import Refused
from apps.incidents.services import incident_open
from apps.inference.services import day_drop
from apps.monitoring.models import MonitoringRun
from apps.pipeline import retention
from apps.pipeline.models import UnansweredEvaluation
from apps.registry.retention import DEFAULT, Retention, retention_of, retention_set
from apps.registry.spec import ModelSpec
from tests.apps.pipeline import world
from tests.apps.pipeline.world import ACTOR
from tests.cast import person
from tests.sides import side

pytestmark = pytest.mark.django_db
LONG_AGO = timedelta(days=100)
SHORT = Retention(events=70, pseudonyms=62, cubes=90, runs=95)


def now() -> datetime:
    """The database's own functions know the real time, so these worlds live in it."""
    return clock.now()


@pytest.fixture
def spec() -> ModelSpec:
    """A model with a hundred decisions of a day a hundred days ago."""
    return watched("hiring")


def watched(slug: str) -> ModelSpec:
    spec, frame = world.company(slug), world.people(100, hours=3, before=now() - LONG_AGO)
    world.send_attributes(frame)
    world.send_events(spec, frame)
    world.compute()
    return spec


def kept(spec: ModelSpec) -> dict[str, int]:
    queries = {
        "events": "SELECT count(*) FROM inference_event WHERE model_id = %s",
        "keys": "SELECT count(*) FROM inference_event_key WHERE model_id = %s",
        "labels": "SELECT count(*) FROM inference_label WHERE model_id = %s",
        "pseudonyms": "SELECT count(*) FROM inference_event WHERE model_id = %s AND subject::text !~ '^0{8}-'",
        "cubes": "SELECT count(*) FROM cube.hour_cube WHERE model_id = %s",
        "old runs": "SELECT count(*) FROM monitoring_run WHERE model_id = %s AND as_of < now() - interval '96 days'",
    }
    return {name: int(world.rows(query, spec.id)[0][0]) for name, query in queries.items()}


def partitions() -> int:
    return len(world.rows("SELECT FROM pg_inherits WHERE inhparent = 'inference_event'::regclass"))


def keep(spec: ModelSpec, wanted: Retention) -> None:
    retention_set(actor=ACTOR, model_id=spec.id, retention=wanted, reason="the contract with the works council")


def apply() -> int:
    with side("compute"):
        return retention.retention_apply()


def evaluate(spec: ModelSpec) -> None:
    at = (now() - LONG_AGO).date() + timedelta(days=1)
    with side("compute"):
        call_command("backfill", "--model", spec.slug, "--from", str(at), "--to", str(at), verbosity=0)


def test_nothing_goes_before_its_period_and_each_kind_goes_after_its_own(spec: ModelSpec) -> None:
    evaluate(spec)
    before = kept(spec)
    assert all(before.values())
    keep(spec, Retention(events=200, pseudonyms=150, cubes=200, runs=200))
    assert apply() == 0
    assert kept(spec) == before
    keep(spec, Retention(events=200, pseudonyms=70, cubes=200, runs=200))
    apply()
    assert kept(spec) == before | {"pseudonyms": 0}
    UnansweredEvaluation.objects.filter(model_id=spec.id).delete()  # as the governance side does once it has answered
    keep(spec, SHORT)
    apply()
    assert not any(kept(spec).values())
    assert apply() == 0


def test_a_day_goes_as_a_partition_when_no_model_needs_it_any_more(spec: ModelSpec) -> None:
    other = watched("lending")
    days = partitions()
    keep(spec, SHORT)
    apply()
    assert kept(spec)["events"] == 0
    assert kept(other)["events"] == 100
    assert partitions() == days
    keep(other, SHORT)
    apply()
    assert partitions() < days
    said = AuditEntry.objects.filter(action="retention.events").values_list("detail", flat=True)
    assert {each["partition"] for each in said} == {"emptied", "dropped"}


def test_a_dry_run_says_what_would_go_and_changes_nothing(spec: ModelSpec) -> None:
    keep(spec, SHORT)
    before, said = kept(spec), StringIO()
    with side("compute"):
        call_command("retention", "--dry-run", stdout=said)
    assert "events of hiring" in said.getvalue()
    assert "would go" in said.getvalue()
    assert kept(spec) == before


def test_an_open_incident_holds_all_that_its_model_has_until_it_is_closed(spec: ModelSpec) -> None:
    other, officer = watched("lending"), person("officer")
    for each in (spec, other):
        keep(each, SHORT)
    incident = incident_open(
        model=spec,
        title="Women wait longer",
        summary="Noticed in the weekly figures.",
        severity="high",
        origin="person",
        actor=officer.actor,
        person=officer,
    )
    before, said = kept(spec), StringIO()
    with side("compute"):
        call_command("retention", "--dry-run", stdout=said)
    held = [line for line in said.getvalue().splitlines() if line.endswith("held by an open incident")]
    assert [line.split(" before ")[0] for line in held] == [
        f"{kind} of hiring"
        for kind in ("events", "pseudonyms", "cubes", "runs")
        if f"{kind} of hiring" in said.getvalue()
    ]
    assert held
    assert apply() > 0
    assert kept(spec) == before
    assert (kept(other)["events"], kept(other)["cubes"]) == (0, 0)
    with side("owner"), connection.cursor() as cursor:
        # How an incident is closed by two people is tested with the incidents.
        cursor.execute("SET CONSTRAINTS ALL IMMEDIATE")
        cursor.execute("ALTER TABLE incidents_incident DISABLE TRIGGER USER")
        cursor.execute("UPDATE incidents_incident SET state = 'closed', closed_at = now() WHERE id = %s", [incident.pk])
    assert apply() > 0
    assert (kept(spec)["events"], kept(spec)["cubes"]) == (0, 0)


def test_the_compute_side_may_ask_which_models_have_open_incidents() -> None:
    with side("compute"):
        assert retention.incidents.models_with_open_incidents() == frozenset()


def test_an_hour_whose_people_are_forgotten_is_not_counted_again(spec: ModelSpec) -> None:
    keep(spec, replace(SHORT, events=200, cubes=200, runs=200))
    apply()
    before = world.rows("SELECT hour, digest FROM cube.hour_cube ORDER BY hour, version_id")
    world.send_events(spec, world.people(20, seed=9, hours=3, before=now() - LONG_AGO))
    world.compute()
    assert world.rows("SELECT hour, digest FROM cube.hour_cube ORDER BY hour, version_id") == before
    assert not world.rows("SELECT FROM inference_dirty_hour")


def test_no_day_of_the_last_two_months_can_be_dropped(spec: ModelSpec) -> None:
    with side("compute"), pytest.raises(DatabaseError, match="too young"), transaction.atomic():
        day_drop(day=(now() - timedelta(days=61)).date(), model_ids=[spec.id])


def test_runs_that_wait_for_their_answer_stay(spec: ModelSpec) -> None:
    evaluate(spec)
    (one, *_) = MonitoringRun.objects.filter(model_id=spec.id).order_by("id").values_list("id", flat=True)
    keep(spec, SHORT)
    with side("compute"):
        UnansweredEvaluation.objects.create(model_id=spec.id, as_of=now() - LONG_AGO, run_ids=[one])
    apply()
    assert MonitoringRun.objects.filter(pk=one).exists()


@pytest.mark.parametrize(
    ("wanted", "field"),
    [
        (Retention(events=61), "events"),
        (Retention(runs=3651), "runs"),
        (Retention(events=80, pseudonyms=90), "pseudonyms"),
    ],
)
def test_periods_that_make_no_sense_are_refused(spec: ModelSpec, wanted: Retention, field: str) -> None:
    with pytest.raises(Refused) as refused:
        keep(spec, wanted)
    assert refused.value.field == field
    assert retention_of([spec.id])[spec.id] == DEFAULT


def test_the_newest_setting_counts_and_each_is_in_the_audit_log(spec: ModelSpec) -> None:
    call_command("retention_set", "--model", "hiring", "--reason", "shorter", "--runs", "400", stdout=StringIO())
    call_command("retention_set", "--model", "hiring", "--reason", "longer", "--runs", "500", stdout=StringIO())
    assert retention_of([spec.id])[spec.id] == replace(DEFAULT, runs=500)
    said = AuditEntry.objects.filter(action="model.retention_set").order_by("id").values_list("detail", flat=True)
    assert [(each["runs"], each["reason"]) for each in said] == [(400, "shorter"), (500, "longer")]
