"""Provisional runs that were replaced go after a day; whatever anybody rests on stays."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta

import pytest
from django.db import connection, transaction
from django.db.utils import ProgrammingError

from apps.audit.models import AuditEntry
from apps.common import clock
from apps.monitoring import services as monitoring
from apps.monitoring.models import MonitoringPoint, MonitoringRun
from apps.pipeline import answering, tasks
from apps.pipeline.models import UnansweredEvaluation
from apps.registry.spec import ModelSpec
from apps.responses.models import Finding
from biasgov.fairness.evaluation import Bound, Policy
from tests.apps.pipeline import world
from tests.apps.pipeline.world import NOW
from tests.sides import side

pytestmark = pytest.mark.django_db
LATER = NOW + timedelta(days=1, hours=2)
# Nothing to find, so that no finding holds a run back.
LENIENT = Policy(bounds={"demographic_parity_ratio": Bound(0.01, None)})


@pytest.fixture
def spec(db: None) -> Iterator[ModelSpec]:
    """Three provisional revisions of the live moment, all answered."""
    spec = world.company(policy=LENIENT)
    for number in range(3):
        with clock.frozen(NOW + timedelta(minutes=number)):
            world.send_events(spec, world.people(40, seed=number + 1, hours=1))
            world.compute()
    answering.answer_waiting()
    return spec


def live(spec: ModelSpec) -> list[tuple[str, int, str]]:
    rows = MonitoringRun.objects.filter(model_id=spec.id, as_of=clock.hour_floor(NOW) + timedelta(hours=1))
    return sorted(rows.values_list("window", "revision", "state"))


def drop() -> int:
    with side("compute"):
        return monitoring.runs_drop_superseded()


def entries() -> list[dict]:
    return list(AuditEntry.objects.filter(action="runs.superseded_dropped").values_list("detail", flat=True))


def newest_only(state: str = "provisional") -> list[tuple[str, int, str]]:
    return [(window, 3, state) for window in ("24h", "30d", "7d")]


def test_they_go_after_a_day_and_the_newest_stays_with_its_points(spec: ModelSpec) -> None:
    assert len(live(spec)) == 9
    others = MonitoringRun.objects.count() - 9
    with clock.frozen(NOW + timedelta(hours=23)):
        assert drop() == 0
        assert entries() == []
    with clock.frozen(LATER):
        assert drop() == 6
        assert drop() == 0
    assert live(spec) == newest_only()
    assert MonitoringRun.objects.count() == 3 + others
    assert set(MonitoringPoint.objects.values_list("run_id", flat=True)) <= set(
        MonitoringRun.objects.values_list("id", flat=True)
    )
    assert entries() == [{"runs": 6, "superseded_before": (LATER - timedelta(days=1)).isoformat()}]


def test_final_revisions_are_history_and_stay(spec: ModelSpec) -> None:
    moment = clock.hour_floor(NOW) + timedelta(hours=1)
    with clock.frozen(NOW + timedelta(hours=1)):
        for seed in (8, 9):
            world.send_events(spec, world.people(40, seed=seed, hours=1))
            monitoring.evaluations_mark_due(model_id=spec.id, moments=[moment], at_once=True)
            world.compute()
    answering.answer_waiting()
    kept = [row for row in live(spec) if row[2] == "final"]
    assert {revision for _, revision, _ in kept} == {4, 5}
    with clock.frozen(LATER + timedelta(hours=1)):
        assert drop() == 9 + 3  # three of the moment that was live by then
    assert live(spec) == kept


def test_what_a_finding_or_a_waiting_answer_names_stays(spec: ModelSpec) -> None:
    first, second = MonitoringRun.objects.filter(window="24h", revision__in=[1, 2]).order_by("revision")[:2]
    third = MonitoringRun.objects.get(window="7d", revision=1, as_of=first.as_of)
    fields = {"severity": "low", "sentence": "s", "window": "24h", "opened_at": NOW, "opened_as_of": NOW}
    Finding.objects.create(
        model_id=spec.id,
        metric="tpr",
        attribute="sex",
        run_id=second.pk,
        opened_run_id=first.pk,
        last_as_of=NOW,
        last_verdict="breach",
        **fields,
    )
    with side("compute"):
        UnansweredEvaluation.objects.create(model_id=spec.id, as_of=NOW, run_ids=[third.pk])
    with clock.frozen(LATER):
        assert drop() == 3
    assert set(live(spec)) - set(newest_only()) == {
        ("24h", 1, "provisional"),
        ("24h", 2, "provisional"),
        ("7d", 1, "provisional"),
    }


def test_a_run_that_a_point_names_stays(spec: ModelSpec) -> None:
    old = MonitoringRun.objects.get(window="24h", revision=1, as_of__gt=NOW)
    with side("owner"):
        MonitoringPoint.objects.filter(window="24h", as_of=old.as_of, metric="selection_rate").update(run_id=old.pk)
    with clock.frozen(LATER):
        assert drop() == 5
    assert MonitoringRun.objects.filter(pk=old.pk).exists()


def test_nobody_can_hurry_it_or_do_it_otherwise(spec: ModelSpec) -> None:
    with side("owner"):
        MonitoringRun.objects.update(computed_at=datetime.now(UTC) - timedelta(hours=23))
    with side("compute"), connection.cursor() as cursor:
        cursor.execute("SELECT monitoring_drop_superseded('infinity')")
        assert cursor.fetchone() == (0,)
        for forbidden in ("DELETE FROM monitoring_run", "UPDATE monitoring_run SET revision = 9"):
            with pytest.raises(ProgrammingError), transaction.atomic():
                cursor.execute(forbidden)
    with pytest.raises(ProgrammingError, match="permission denied"), transaction.atomic():
        drop_as_web()


def drop_as_web() -> None:
    with connection.cursor() as cursor:
        cursor.execute("SELECT monitoring_drop_superseded(now())")


def test_the_schedule_calls_it(spec: ModelSpec) -> None:
    with clock.frozen(LATER), side("compute"):
        tasks.drop_superseded.run()
    assert live(spec) == newest_only()
