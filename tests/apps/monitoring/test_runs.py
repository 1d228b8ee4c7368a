"""Runs stay as they were written; pages read them in a fixed number of queries."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta

import numpy as np
import pytest
from django.db import connection, transaction
from django.db.utils import ProgrammingError
from django.test.utils import CaptureQueriesContext

from apps.common import clock
from apps.common.errors import Refused
from apps.monitoring import cubes, documents, selectors
from apps.monitoring import services as monitoring
from apps.monitoring.models import MonitoringRun, MonitoringStanding
from apps.monitoring.people import People
from apps.monitoring.windows import moments_touched
from apps.registry.spec import ModelSpec
from apps.thresholds import selectors as thresholds
from biasgov.fairness.cube import OutcomeCube
from biasgov.fairness.policy import Policy
from tests.apps.pipeline import world
from tests.apps.pipeline.world import NOW
from tests.sides import side

pytestmark = pytest.mark.django_db
MIDNIGHT = NOW.replace(hour=0, minute=0)


@pytest.fixture
def spec(db: None) -> Iterator[ModelSpec]:
    with clock.frozen(NOW):
        found = world.company()
        frame = world.people(250, hours=24 * 4)
        world.send_events(found, frame)
        world.send_attributes(frame)
        world.compute()
        yield found


def cube(spec: ModelSpec, n: int) -> cubes.Counted:
    codes, subjects = [np.zeros(n, np.int16)] * 2, np.random.default_rng(n).integers(256, size=(n, 16), dtype=np.uint8)
    counted = OutcomeCube.count(spec.schema(), codes, np.ones(n, int), np.zeros(n, int))
    return cubes.Counted(counted, People.count(spec.schema(), codes, subjects))


def stored(spec: ModelSpec) -> dict[tuple[datetime, int], int]:
    rows = world.rows("SELECT hour, version_id, n FROM cube.hour_cube WHERE model_id = %s", spec.id)
    return {(hour, version): n for hour, version, n in rows}


@pytest.mark.parametrize("change", ["UPDATE monitoring_run SET n = 0", "DELETE FROM monitoring_run"])
def test_a_run_cannot_be_changed_even_by_a_role_that_is_given_the_privilege(spec: ModelSpec, change: str) -> None:
    with side("owner"), connection.cursor() as cursor:
        cursor.execute("GRANT UPDATE, DELETE ON monitoring_run TO biasgov_compute")
    with (
        side("compute"),
        pytest.raises(ProgrammingError, match="immutable"),
        transaction.atomic(),
        connection.cursor() as cursor,
    ):
        cursor.execute(change)


def test_a_document_is_canonical_and_without_a_clock(spec: ModelSpec) -> None:
    row = selectors.latest_runs(spec.id)["24h"]
    run = MonitoringRun.objects.get(pk=row.id)
    content = documents.read(bytes(run.document))
    again = documents.close(
        {**content, "results": documents.columns([dict(reversed(each.items())) for each in content["results"]])}
    )
    assert again.digest == run.document_digest
    assert "computed_at" not in content
    assert content["cubes"] == {"count": run.cubes, "digest": run.cubes_digest}
    assert content["policy"]["assessment"] == "GOV002-17"


def test_another_policy_restates_the_moment(spec: ModelSpec) -> None:
    policy = thresholds.policy_in_force(spec.id, NOW)
    live = selectors.latest_runs(spec.id)["24h"]

    class Other:
        id, version, digest, assessment_reference = 99, 2, "f" * 64, "GOV002-18"
        policy = Policy(bounds={})

    with side("compute"):
        same = monitoring.windows_evaluate(spec=spec, as_of=live.as_of, policy=policy)
        other = monitoring.windows_evaluate(spec=spec, as_of=live.as_of, policy=Other())
    assert live.id in same
    assert set(same).isdisjoint(other)
    assert selectors.latest_runs(spec.id)["24h"].revision == 2
    assert {point.verdict for point in selectors.points(spec.id)} == {""}


def test_replacing_an_hour_replaces_all_its_versions(spec: ModelSpec) -> None:
    hour, first, second = MIDNIGHT, *spec.versions.values()
    with side("compute"):
        cubes.replace_hours(spec.id, [cubes.CountedHour(hour, {first: cube(spec, 3), second: cube(spec, 4)})])
        others = {key: n for key, n in stored(spec).items() if key[0] != hour}
        assert stored(spec) == {**others, (hour, first): 3, (hour, second): 4}
        cubes.replace_hours(spec.id, [cubes.CountedHour(hour, {second: cube(spec, 5)})])
        assert stored(spec) == {**others, (hour, second): 5}
        cubes.replace_hours(spec.id, [cubes.CountedHour(hour, {})])
        assert stored(spec) == others


def test_a_window_is_the_sum_of_its_cubes_also_after_one_was_replaced(spec: ModelSpec) -> None:
    (version, _) = spec.versions.values()
    with side("compute"):
        before = cubes.window_cubes(spec.id, MIDNIGHT, spec.schema())
        for n in (7, 11):
            cubes.replace_hours(spec.id, [cubes.CountedHour(MIDNIGHT - timedelta(days=20), {version: cube(spec, n)})])
            after = cubes.window_cubes(spec.id, MIDNIGHT, spec.schema())
            assert after["30d"].cube.total == before["30d"].cube.total + n
            assert after["30d"].digest != before["30d"].digest
            assert after["7d"].digest == before["7d"].digest
            assert after["7d"].cube == before["7d"].cube


def test_the_moments_of_an_hour_are_the_live_one_and_thirty_midnights() -> None:
    hour = datetime(2026, 1, 10, 0, tzinfo=UTC)
    touched = moments_touched([hour], now=datetime(2026, 1, 20, 5, 30, tzinfo=UTC))
    assert touched == [
        *(datetime(2026, 1, day, tzinfo=UTC) for day in range(11, 21)),
        datetime(2026, 1, 20, 6, tzinfo=UTC),
    ]
    long_ago = moments_touched([hour], now=datetime(2026, 6, 1, tzinfo=UTC))
    assert (len(long_ago), long_ago[0], long_ago[-1]) == (
        30,
        datetime(2026, 1, 11, tzinfo=UTC),
        datetime(2026, 2, 9, tzinfo=UTC),
    )
    assert all(moment - timedelta(days=30) <= hour < moment for moment in long_ago)


def test_pages_of_runs_follow_each_other_without_gap_or_repeat(spec: ModelSpec) -> None:
    everything = selectors.runs(spec.id, "24h", limit=100).rows
    seen, cursor = [], None
    while True:
        page = selectors.runs(spec.id, "24h", cursor=cursor, limit=2)
        seen += page.rows
        cursor = page.next_cursor
        if cursor is None:
            break
    assert tuple(seen) == everything
    assert [row.as_of for row in seen] == sorted((row.as_of for row in seen), reverse=True)
    with pytest.raises(Refused):
        selectors.runs(spec.id, "24h", cursor="yesterday")
    with pytest.raises(Refused):
        selectors.runs(spec.id, "1h")


def test_a_trend_has_one_value_a_moment_in_order(spec: ModelSpec) -> None:
    series = selectors.trend(spec.id, "7d", "sex", "demographic_parity_ratio", "female")
    rows = selectors.runs(spec.id, "7d", limit=100).rows
    assert series.as_of == sorted(row.as_of for row in rows)
    assert series.run_id == [row.id for row in reversed(rows)]
    recent = selectors.trend(spec.id, "7d", "sex", "demographic_parity_ratio", "female", since=MIDNIGHT)
    assert recent.as_of == [at for at in series.as_of if at >= MIDNIGHT]
    nothing = selectors.trend(spec.id, "7d", "sex", "no_such_metric")
    assert (nothing.as_of, nothing.value.tolist()) == ([], [])


def test_of_a_day_that_is_long_past_a_trend_may_tell_the_last_value_alone(spec: ModelSpec) -> None:
    """What is computed at midnight looks back on the day that ends there."""
    asked = (spec.id, "7d", "sex", "demographic_parity_ratio", "female")
    policy = thresholds.policy_in_force(spec.id, NOW)
    with side("compute"):
        for hours in (-30, -25, -24, -23, -1, 0):
            monitoring.windows_evaluate(spec=spec, as_of=MIDNIGHT + timedelta(hours=hours), policy=policy)
    every = selectors.trend(*asked).as_of
    daily = selectors.trend(*asked, daily_before=MIDNIGHT + timedelta(hours=1)).as_of
    assert {MIDNIGHT + timedelta(hours=hours) for hours in (-30, -25, -24, -23, -1, 0)} <= set(every)
    assert daily == list({(at - timedelta(microseconds=1)).date(): at for at in every}.values())
    assert MIDNIGHT - timedelta(hours=24) in daily
    assert MIDNIGHT - timedelta(hours=1) not in daily
    assert selectors.trend(*asked, daily_before=MIDNIGHT - timedelta(days=9)).as_of == every


def test_the_portfolio_shows_the_worst_first_and_costs_the_same_for_many_models(spec: ModelSpec) -> None:
    with CaptureQueriesContext(connection) as one:
        selectors.portfolio_points([spec.id])
    others = [world.company(f"model-{n}").id for n in range(3)]
    with CaptureQueriesContext(connection) as many:
        found = selectors.portfolio_points([spec.id, *others])
    assert len(many) == len(one)
    worst = found[spec.id].worst
    assert worst is not None
    verdicts = {point.verdict for point in selectors.points(spec.id) if point.verdict}
    order = ["breach", "inconclusive", "not_estimable", "within"]
    assert worst.verdict == next(verdict for verdict in order if verdict in verdicts)
    assert found[spec.id].sparkline[-1] == (worst.as_of, worst.value)
    assert found[others[0]].worst is None


def test_where_a_model_stands_is_kept_with_its_runs_and_worked_out_anew_for_others(spec: ModelSpec) -> None:
    kept = selectors.portfolio_points([spec.id])[spec.id].worst
    stored = MonitoringStanding.objects.get(pk=spec.id)
    assert stored.runs == [row.id for row in selectors.latest_runs(spec.id).values()]
    with CaptureQueriesContext(connection) as known:
        assert selectors.portfolio_points([spec.id])[spec.id].worst == kept
    with side("owner"):
        MonitoringStanding.objects.update(runs=[0], worst={**stored.worst, "metric": "of other runs"})
    with CaptureQueriesContext(connection) as unknown:
        assert selectors.portfolio_points([spec.id])[spec.id].worst == kept
    assert len(unknown) == len(known) + 1
    policy = thresholds.policy_in_force(spec.id, NOW)
    with side("compute"):
        monitoring.windows_evaluate(spec=spec, as_of=NOW + timedelta(days=2), policy=policy)
    stored.refresh_from_db()
    assert stored.runs == [row.id for row in selectors.latest_runs(spec.id).values()]


def test_the_cache_forgets_the_oldest_beyond_its_size(spec: ModelSpec, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(cubes, "CACHED_CELLS", 60)
    cache = cubes._Cache()
    for n in range(1, 20):
        cache.put((str(n), spec.schema()), cube(spec, n))
    assert ("19", spec.schema()) in cache
    assert ("1", spec.schema()) not in cache
    assert len(cache._held) == 3  # 1 cell and 19, 18 and 17 people
