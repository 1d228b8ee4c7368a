"""Several connections at once: overlapping batches, first partitions, labels racing their events, leases."""

from __future__ import annotations

import random
import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from typing import Any

import pytest
from django.db import connection, transaction

from apps.inference.services import events_ingest, hours_lease, labels_ingest
from apps.registry.spec import ModelSpec
from tests.apps.inference.models import ACTOR, event, hour_ago, label, registered

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture
def stored_spec(transactional_db: None) -> ModelSpec:
    return registered("hiring")


def apart(*works: Callable[[], Any], role: str = "biasgov_web") -> list[Any]:
    """The results of `works`, started together on a connection each; a deadlock or any error is raised here."""
    together = threading.Barrier(len(works))

    def one(work: Callable[[], Any]) -> Any:
        try:
            with connection.cursor() as cursor:
                cursor.execute(f"SET ROLE {role}")
            together.wait(timeout=10)
            return work()
        finally:
            connection.close()

    with ThreadPoolExecutor(len(works)) as pool:
        return [future.result(timeout=60) for future in [pool.submit(one, work) for work in works]]


def test_overlapping_batches_store_every_event_once(stored_spec: ModelSpec) -> None:
    events = [event(n, occurred_at=hour_ago() - timedelta(hours=n % 30)) for n in range(600)]

    def sender(seed: int) -> Callable[[], int]:
        def send() -> int:
            order = random.Random(seed)
            accepted = 0
            for _ in range(6):
                accepted += events_ingest(spec=stored_spec, events=order.sample(events, 400), actor=ACTOR).accepted
            return accepted + events_ingest(spec=stored_spec, events=events, actor=ACTOR).accepted

        return send

    assert sum(apart(*(sender(seed) for seed in range(4)))) == 600
    with connection.cursor() as cursor:
        cursor.execute("SELECT count(*), count(DISTINCT event_key) FROM inference_event")
        assert cursor.fetchone() == (600, 600)
        cursor.execute("SELECT received FROM inference_heartbeat")
        assert cursor.fetchone() == (600,)


def test_first_events_of_the_same_days_arrive_together(stored_spec: ModelSpec) -> None:
    days = [hour_ago() - timedelta(days=1000 + n) for n in range(4)]

    def sender(worker: int) -> Callable[[], int]:
        order = days if worker % 2 else days[::-1]
        batches = [[event(n, event_id=f"{worker}-{n}", occurred_at=day)] for n, day in enumerate(order)]
        return lambda: sum(events_ingest(spec=stored_spec, events=batch, actor=ACTOR).accepted for batch in batches)

    assert apart(*(sender(worker) for worker in range(4))) == [4, 4, 4, 4]


def generation() -> int:
    with connection.cursor() as cursor:
        cursor.execute("SELECT generation FROM inference_dirty_hour")
        return cursor.fetchone()[0]


def test_label_waits_for_the_batch_that_stores_its_event(stored_spec: ModelSpec) -> None:
    """Otherwise the label would find no hour to mark, and the hour could be counted without it."""
    stored, counted = threading.Event(), threading.Event()

    def store_slowly() -> int:
        with transaction.atomic():
            events_ingest(spec=stored_spec, events=[event(1)], actor=ACTOR)
            stored.set()
            assert not counted.wait(timeout=0.3)
            return generation()

    def label_meanwhile() -> int:
        assert stored.wait(timeout=10)
        accepted = labels_ingest(spec=stored_spec, labels=[label(1, 1)], actor=ACTOR).accepted
        counted.set()
        return accepted

    marked_by_event, accepted = apart(store_slowly, label_meanwhile)
    assert accepted == 1
    assert generation() > marked_by_event


def test_workers_share_the_hours_without_overlap(stored_spec: ModelSpec) -> None:
    batch = [event(n, occurred_at=hour_ago() - timedelta(hours=n)) for n in range(40)]
    events_ingest(spec=stored_spec, events=batch, actor=ACTOR)

    def worker(name: str) -> Callable[[], list[Any]]:
        def work() -> list[Any]:
            taken = []
            while leased := hours_lease(limit=3, seconds=600, worker=name):
                taken += [each.hour for each in leased]
            return taken

        return work

    shares = apart(*(worker(f"w{n}") for n in range(4)), role="biasgov_compute")
    hours = [hour for share in shares for hour in share]
    assert len(hours) == len(set(hours)) == 40
