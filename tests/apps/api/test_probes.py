"""What an orchestrator asks."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest
from django.db import OperationalError
from django.test import Client

from apps.api import probes
from apps.common import clock
from apps.pipeline import heartbeat
from apps.pipeline.models import Side
from apps.registry.spec import ModelSpec
from tests.apps.api.door import caller, row


def test_process_is_alive_without_a_database() -> None:
    assert Client().get("/healthz").json() == {"status": "ok"}


def test_ready_with_database_and_broker(db: None) -> None:
    answer = Client().get("/readyz")
    parts = {"database": "ok", "broker": "ok", "compute": "never seen", "governance": "never seen"}
    assert (answer.status_code, answer.json()) == (200, parts)


def test_still_ready_without_the_broker(db: None, settings: Any) -> None:
    settings.REDIS_URL = "redis://127.0.0.1:1/0"
    answer = Client().get("/readyz")
    assert (answer.status_code, answer.json()["broker"]) == (200, "down")


def test_not_ready_without_the_database(monkeypatch: pytest.MonkeyPatch) -> None:
    class Broken:
        def cursor(self) -> None:
            raise OperationalError

    monkeypatch.setattr(probes, "connection", Broken())
    answer = Client().get("/readyz")
    assert (answer.status_code, answer.json()["database"]) == (503, "down")


def test_a_side_that_stands_still_is_named(db: None) -> None:
    now = clock.now()
    with clock.frozen(now - timedelta(minutes=5)):
        heartbeat.beat(Side.GOVERNANCE)
    heartbeat.beat(Side.COMPUTE)
    answer = Client().get("/readyz")
    assert (answer.status_code, answer.json()["governance"], answer.json()["compute"]) == (200, "stalled", "ok")
    told = Client().get("/metrics").content.decode()
    (age,) = [line.split()[1] for line in told.splitlines() if line.startswith('biasgov_round_age_seconds{side="gov')]
    assert 300 <= float(age) <= 420


def test_counters_grow_and_name_no_model(spec: ModelSpec) -> None:
    def accepted() -> float:
        lines = Client().get("/metrics").content.decode().splitlines()
        values = [line.split()[1] for line in lines if line.startswith('biasgov_rows_total{kind="events",result="acc')]
        return float(values[0]) if values else 0.0

    before = accepted()
    caller().post("models/hiring/events", {"events": [row(1), row(2)]})
    assert accepted() == before + 2
    assert "hiring" not in Client().get("/metrics").content.decode()


@pytest.mark.parametrize("address", ["/healthz", "/readyz", "/metrics"])
def test_probes_only_answer_questions(address: str) -> None:
    assert Client().post(address).status_code == 405
