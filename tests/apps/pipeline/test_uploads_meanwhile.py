"""Attributes that arrive while their subjects' events are being counted: no hour keeps a count of before."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest
from django.db import connection, transaction

from apps.common import clock
from apps.inference import services as inference
from apps.monitoring import selectors
from apps.pipeline import services as pipeline
from apps.vault import services as vault
from tests.apps.pipeline import world

pytestmark = pytest.mark.django_db(transaction=True)


def as_role(role: str, work: Callable[[], Any]) -> Any:
    try:
        with connection.cursor() as cursor:
            cursor.execute(f"SET ROLE {role}")
        return work()
    finally:
        connection.close()


def somebody_waits_for_the_vault() -> bool:
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT EXISTS (SELECT FROM pg_locks WHERE relation = 'vault.entering'::regclass AND NOT granted)"
        )
        return bool(cursor.fetchone()[0])


def test_events_that_an_upload_did_not_see_are_not_counted_without_it() -> None:
    spec = world.company()
    frame = world.people(60, before=clock.now())
    world.send_attributes(frame)
    opened, sent, counted = threading.Event(), threading.Event(), threading.Event()

    def open_slowly() -> None:
        upload = vault.upload_open_next()
        assert upload is not None
        with transaction.atomic():
            vault.upload_store_some(upload)
            assert inference.hours_mark_dirty_for_subjects(subjects=vault.upload_finish(upload)) == 0
            opened.set()
            assert sent.wait(timeout=30)
            while not (counted.is_set() or somebody_waits_for_the_vault()):
                time.sleep(0.01)

    def send_and_count() -> None:
        assert opened.wait(timeout=30)
        world.send_events(spec, frame)
        with connection.cursor() as cursor:
            cursor.execute("SET ROLE biasgov_compute")
        sent.set()
        while pipeline.sweep():
            pass
        counted.set()

    with ThreadPoolExecutor(2) as pool:
        opening = pool.submit(as_role, "biasgov_compute", open_slowly)
        counting = pool.submit(as_role, "biasgov_web", send_and_count)
        opening.result(timeout=60)
        counting.result(timeout=60)
    run = selectors.latest_runs(spec.id)["24h"]
    assert run.n == 60
    assert run.coverage["sex"] == 1.0
