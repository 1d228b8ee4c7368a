"""Nobody but the compute side holds what the compute side waits for."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
from django.db import OperationalError, ProgrammingError, connection, transaction

from apps.common import clock
from apps.monitoring import selectors
from apps.monitoring.storing import alone
from apps.pipeline import services as pipeline
from apps.vault import services as vault
from apps.vault.purpose import entering
from tests.apps.pipeline import world
from tests.sides import side

pytestmark = pytest.mark.django_db(transaction=True)

NUMBERS = ("7301002", "7301003")
CLASSES = (0x72756E73, 0x62696173, 7_301, 7_302)


@pytest.fixture
def other() -> Iterator[Any]:
    """Another connection as the web side."""
    made = connection.copy()
    with made.cursor() as cursor:
        cursor.execute("SET ROLE biasgov_web")
    yield made
    made.close()


def test_advisory_locks_of_the_web_side_stall_no_upload_no_count_and_no_run(other: Any) -> None:
    spec = world.company()
    frame = world.people(60, before=clock.now())
    world.send_attributes(frame)
    world.send_events(spec, frame)
    with other.cursor() as cursor:
        for number in NUMBERS:
            cursor.execute(f"SELECT pg_advisory_lock({number})")
        for number in CLASSES:
            cursor.execute("SELECT pg_advisory_lock(%s, %s)", [number, spec.id])
        with side("compute"):
            cursor.execute("SELECT count(*) FROM pg_locks WHERE locktype = 'advisory'")
            assert cursor.fetchone() == (len(NUMBERS) + len(CLASSES),)
            with connection.cursor() as own:
                own.execute("SET lock_timeout = '10s'")
            assert pipeline.open_uploads() == 1
            while pipeline.sweep():
                pass
    run = selectors.latest_runs(spec.id)["24h"]
    assert (run.n, run.coverage["sex"]) == (60, 1.0)


@pytest.mark.parametrize(
    "taking",
    [
        "LOCK TABLE vault.entering IN ACCESS SHARE MODE",
        "LOCK TABLE vault.opening IN ACCESS SHARE MODE",
        "LOCK TABLE cube.turn IN ACCESS SHARE MODE",
        "SELECT FROM cube.turn FOR KEY SHARE",
    ],
)
def test_the_web_side_can_take_no_lock_of_the_compute_side(taking: str) -> None:
    denied = pytest.raises(ProgrammingError, match="permission denied")
    with side("web"), denied, transaction.atomic(), connection.cursor() as cursor:
        cursor.execute(taking)


def test_one_process_opens_uploads_at_a_time() -> None:
    with side("compute"):
        with vault.opening_alone() as first, vault.opening_alone() as second:
            assert (first, second) == (True, False)
        with vault.opening_alone() as again:
            assert again


def test_who_stores_keeps_readers_out_and_readers_do_not_keep_out_each_other(other: Any) -> None:
    with other.cursor() as cursor:
        cursor.execute("SET ROLE biasgov_compute")
        cursor.execute("SET lock_timeout = '10ms'")
        with side("compute"):
            with entering("monitoring"):
                assert tried(cursor, "LOCK TABLE vault.entering IN SHARE MODE")
                assert not tried(cursor, "LOCK TABLE vault.entering IN EXCLUSIVE MODE")
            with entering("upload"):
                assert not tried(cursor, "LOCK TABLE vault.entering IN SHARE MODE")


def test_runs_of_a_model_are_stored_by_one_at_a_time_and_those_of_another_beside_them(
    other: Any,
) -> None:
    one, two = world.company("one").id, world.company("two").id
    with other.cursor() as cursor:
        cursor.execute("SET ROLE biasgov_compute")
        cursor.execute("SET lock_timeout = '10ms'")
        with side("compute"):
            for model in (one, two):
                with transaction.atomic():
                    alone(model)
            with transaction.atomic():
                alone(one)
                assert not tried(cursor, f"SELECT FROM cube.turn WHERE model_id = {one} FOR UPDATE")
                assert tried(cursor, f"SELECT FROM cube.turn WHERE model_id = {two} FOR UPDATE")


def tried(cursor: Any, taking: str) -> bool:
    """Whether a lock is to be had at once."""
    cursor.execute("BEGIN")
    try:
        cursor.execute(taking)
    except OperationalError:
        return False
    finally:
        cursor.execute("ROLLBACK")
    return True
