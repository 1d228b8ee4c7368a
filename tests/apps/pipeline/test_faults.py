"""A worker that dies or dawdles: every event is counted exactly once, and nothing newer is undone."""

from __future__ import annotations

import io
from collections.abc import Iterator
from datetime import timedelta
from typing import Any
from uuid import UUID

import pytest
from django.core.management import CommandError, call_command
from django.db import connection
from kombu.exceptions import OperationalError

from apps.common import clock
from apps.inference import services as inference
from apps.monitoring import selectors
from apps.monitoring import services as monitoring
from apps.pipeline import services as pipeline
from apps.pipeline import tasks
from apps.pipeline.models import UnansweredEvaluation
from apps.registry.spec import ModelSpec
from apps.thresholds import selectors as thresholds
from apps.vault import blocks
from apps.vault import services as vault
from apps.vault.models import VaultUpload
from apps.vault.pseudonyms import Pseudonymiser
from apps.vault.purpose import entering
from biasgov.celery import app
from tests.apps.pipeline import world
from tests.apps.pipeline.world import NOW
from tests.sides import side

pytestmark = pytest.mark.django_db


class Killed(BaseException):
    """What SIGKILL looks like to a transaction."""


@pytest.fixture
def spec(db: None) -> Iterator[ModelSpec]:
    with clock.frozen(NOW):
        yield world.company()


def counted_events() -> int:
    return int(world.rows("SELECT coalesce(sum(n), 0) FROM cube.hour_cube")[0][0])


def lease(seconds: float) -> list[inference.LeasedHour]:
    return inference.hours_lease(limit=168, seconds=seconds, worker="doomed")


def test_a_worker_killed_while_counting_leaves_its_hours_to_the_next(
    spec: ModelSpec, monkeypatch: pytest.MonkeyPatch
) -> None:
    world.send_events(spec, world.people(200))

    def killed(**_: Any) -> Iterator[Any]:
        raise Killed
        yield

    with side("compute"):
        leased = lease(0.0)
        with monkeypatch.context() as patch:
            patch.setattr(pipeline.monitoring, "hours_count", killed)
            with pytest.raises(Killed):
                pipeline.run_hour(leased)
    world.compute()
    assert counted_events() == 200
    assert selectors.latest_runs(spec.id)["24h"].n == 200


def test_a_worker_killed_between_cubes_and_release_counts_nothing_twice(
    spec: ModelSpec, monkeypatch: pytest.MonkeyPatch
) -> None:
    world.send_events(spec, world.people(200))

    def killed(done: Any) -> int:
        raise Killed

    with side("compute"):
        leased = lease(0.0)
        with monkeypatch.context() as patch:
            patch.setattr(pipeline.inference, "hours_release", killed)
            with pytest.raises(Killed):
                pipeline.run_hour(leased)
    assert counted_events() == 0, "cubes and release are one transaction"
    world.compute()
    assert counted_events() == 200


def test_a_live_lease_is_not_taken_by_another(spec: ModelSpec) -> None:
    world.send_events(spec, world.people(200))
    with side("compute"):
        leased = lease(60.0)
        assert leased
        while pipeline.sweep():
            pass
        assert counted_events() == 0
        pipeline.run_hour(leased)
    assert counted_events() == 200


def test_a_slow_worker_does_not_undo_a_faster_one(spec: ModelSpec, monkeypatch: pytest.MonkeyPatch) -> None:
    world.send_events(spec, world.people(200, seed=1))
    count = monitoring.hours_count

    def slow(**arguments: Any) -> Iterator[Any]:
        counted = list(count(**arguments))
        monkeypatch.undo()
        with side("web"):
            world.send_events(spec, world.people(100, seed=2))
        world.compute()
        yield from counted

    with side("compute"):
        leased = lease(0.0)
        monkeypatch.setattr(pipeline.monitoring, "hours_count", slow)
        pipeline.run_hour(leased)
    assert counted_events() == 300


def test_what_arrives_while_an_hour_is_counted_is_counted_next(
    spec: ModelSpec, monkeypatch: pytest.MonkeyPatch
) -> None:
    world.send_events(spec, world.people(200, seed=1))
    count = monitoring.hours_count

    def meanwhile(**arguments: Any) -> Iterator[Any]:
        counted = list(count(**arguments))
        monkeypatch.undo()
        with side("web"):
            world.send_events(spec, world.people(100, seed=2))
        yield from counted

    with side("compute"):
        leased = lease(60.0)
        monkeypatch.setattr(pipeline.monitoring, "hours_count", meanwhile)
        pipeline.run_hour(leased)
        assert counted_events() == 200
    world.compute()
    assert counted_events() == 300


def test_an_evaluation_whose_lease_was_lost_stores_nothing(spec: ModelSpec) -> None:
    world.send_events(spec, world.people(200))
    with side("compute"):
        leased = lease(60.0)
        pipeline.run_hour(leased)
        (slow,) = monitoring.evaluations_lease(models=[spec.id], limit=1, seconds=0.0, worker="slow")
        (fast,) = monitoring.evaluations_lease(models=[spec.id], limit=1, seconds=60.0, worker="fast")
        assert slow.as_of == fast.as_of
        policy = thresholds.policy_in_force(spec.id, slow.as_of)
        assert monitoring.windows_evaluate(spec=spec, as_of=slow.as_of, policy=policy, due=slow) == []
        assert len(monitoring.windows_evaluate(spec=spec, as_of=fast.as_of, policy=policy, due=fast)) == 3


def test_one_models_fault_does_not_stop_the_others(
    spec: ModelSpec, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    other = world.company("lending")
    world.send_events(spec, world.people(50, seed=1))
    world.send_events(other, world.people(70, seed=2))
    run_hour = pipeline.run_hour

    def faulty(leased: list[inference.LeasedHour]) -> None:
        if leased[0].model_id == spec.id:
            raise ValueError("female is no number")
        run_hour(leased)

    monkeypatch.setattr(pipeline, "run_hour", faulty)
    world.compute()
    assert counted_events() == 70
    assert "ValueError" in caplog.text
    assert "female" not in caplog.text, "an error's own words may quote values"


def test_a_damaged_block_keeps_its_own_peoples_hours_from_being_counted_and_no_others(
    spec: ModelSpec, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(blocks, "WANTED", 1)
    monkeypatch.setattr(blocks, "MOST", 1)
    frame = world.people(200, hours=6)
    frame["subject"] = frame["event"]
    world.send_events(spec, frame)
    world.send_attributes(frame)
    with side("compute"):
        pipeline.open_uploads()
    victim = frame.iloc[0]
    damage = (
        "UPDATE vault.block SET body = set_byte(body, 60, 255 - get_byte(body, 60)) WHERE %s BETWEEN first AND last"
    )
    with side("compute"), entering("upload") as cursor:
        cursor.execute(damage, [UUID(bytes=Pseudonymiser().one(victim["subject"]))])
    world.compute()
    same_hour = (frame["at"].dt.floor("h") == victim["at"].floor("h")).sum()
    assert counted_events() == 200 - same_hour
    assert "damaged or not in its own place" in caplog.text
    assert not any(level in caplog.text for level in ("female", "male", "north", "south", "west"))
    with side("compute"):
        with pytest.raises(CommandError, match="1 blocks with 1 people cannot be read"):
            call_command("check_vault", stdout=io.StringIO())
        call_command("check_vault", empty=True, stdout=io.StringIO())
        call_command("check_vault", stdout=io.StringIO())
    with side("web"):
        world.send_attributes(frame.iloc[:1])
    with clock.frozen(NOW + timedelta(minutes=3)):
        with side("owner"), connection.cursor() as cursor:
            cursor.execute("UPDATE inference_dirty_hour SET lease_until = NULL")
        world.compute()
    assert counted_events() == 200, "emptied, and mended by the sender's next upload"


def test_without_a_broker_the_round_is_done_and_the_schedule_goes_on(
    spec: ModelSpec, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    def down(*_: Any, **__: Any) -> None:
        raise OperationalError("connection refused")

    world.send_events(spec, world.people(50))
    monkeypatch.setattr(tasks.sweep, "apply_async", down)
    monkeypatch.setattr(pipeline.sweep, "__kwdefaults__", {"seconds": 0.0})
    with side("compute"):
        tasks.sweep.run()
    assert "the schedule will" in caplog.text
    monkeypatch.undo()
    world.compute()
    assert counted_events() == 50


def test_every_evaluation_waits_for_its_answer(spec: ModelSpec) -> None:
    world.send_events(spec, world.people(50))
    world.compute()
    waiting = UnansweredEvaluation.objects.order_by("as_of")
    live = waiting.last()
    assert live is not None
    assert sorted(live.run_ids) == sorted(row.id for row in selectors.latest_runs(spec.id).values())


def test_every_scheduled_task_exists() -> None:
    app.loader.import_default_modules()
    scheduled = {entry["task"] for entry in app.conf.beat_schedule.values()}
    assert scheduled <= set(app.tasks)
    assert {name.split(".")[0] for name in scheduled} == {"compute", "governance"}


def test_an_upload_that_cannot_be_opened_holds_no_erasure_up(spec: ModelSpec) -> None:
    frame = world.people(20)
    world.send_attributes(frame)
    world.compute()
    (before,) = world.rows("SELECT count(*) FROM vault_erasure WHERE state = 'done'")
    vault.erasure_request(actor=world.ACTOR, subject_id=frame.iloc[0]["subject"])
    world.send_attributes(frame.iloc[1:])
    with side("owner"):
        VaultUpload.objects.filter(state="pending").update(sealed_to="0" * 16)
    with side("compute"), pytest.raises(vault.VaultError, match="matching key"):
        pipeline.open_uploads()
    (after,) = world.rows("SELECT count(*) FROM vault_erasure WHERE state = 'done'")
    assert after[0] - before[0] == 1
