"""The sign of life for somebody outside."""

from __future__ import annotations

from typing import Any

import pytest

from apps.pipeline import tasks, watching
from apps.responses import deadman
from apps.responses.services import alive
from tests.apps.responses.receivers import dripping
from tests.client.server import serving


def test_every_round_pings_and_a_failed_one_does_not(db: None, settings: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    with serving() as outside:
        outside.given = b"OK"
        settings.HEARTBEAT_URLS = [f"{outside.url}/ping/one"]
        tasks.watch()
        tasks.watch()
        assert len(outside.asked) == 2

        def broken() -> int:
            raise RuntimeError

        monkeypatch.setattr(watching, "watch", broken)
        with pytest.raises(RuntimeError):
            tasks.watch()
        assert len(outside.asked) == 2


def test_an_address_that_does_not_answer_harms_nothing(settings: Any) -> None:
    with serving() as outside:
        outside.given = 500
        settings.HEARTBEAT_URLS = ["http://127.0.0.1:1/", f"{outside.url}/ping", "nonsense"]
        assert alive() == 0
        outside.given = b"OK"
        assert alive() == 1


def test_an_address_that_never_comes_to_an_end_does_not_hold_the_round_up(
    settings: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(deadman, "PATIENCE", 0.5)
    with serving() as outside, dripping() as endless:
        outside.given = b"OK"
        settings.HEARTBEAT_URLS = [endless, f"{outside.url}/ping"]
        assert alive() == 1
