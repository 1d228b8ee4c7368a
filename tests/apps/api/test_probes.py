"""What an orchestrator asks."""

from __future__ import annotations

from typing import Any

import pytest
from django.db import OperationalError
from django.test import Client

from apps.api import probes
from apps.registry.spec import ModelSpec
from tests.apps.api.door import caller, row


def test_process_is_alive_without_a_database() -> None:
    assert Client().get("/healthz").json() == {"status": "ok"}


def test_ready_with_database_and_broker(db: None) -> None:
    answer = Client().get("/readyz")
    assert (answer.status_code, answer.json()) == (200, {"database": "ok", "broker": "ok"})


def test_still_ready_without_the_broker(db: None, settings: Any) -> None:
    settings.REDIS_URL = "redis://127.0.0.1:1/0"
    answer = Client().get("/readyz")
    assert (answer.status_code, answer.json()) == (200, {"database": "ok", "broker": "down"})


def test_not_ready_without_the_database(monkeypatch: pytest.MonkeyPatch) -> None:
    class Broken:
        def cursor(self) -> None:
            raise OperationalError

    monkeypatch.setattr(probes, "connection", Broken())
    answer = Client().get("/readyz")
    assert (answer.status_code, answer.json()["database"]) == (503, "down")


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
