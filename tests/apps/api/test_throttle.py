"""How often a token may call."""

from __future__ import annotations

from typing import Any

import pytest

from apps.api import throttle
from apps.registry.spec import ModelSpec
from tests.apps.api.door import caller, problem


def test_token_that_calls_too_often_is_told_when_to_come_back(spec: ModelSpec, settings: Any) -> None:
    settings.API_RATE_PER_MINUTE = 3
    who, other = caller("read"), caller("read")
    answers = [who.get("models") for _ in range(8)]  # eight, so that at least four fall into one minute
    refused = [answer for answer in answers if answer.status_code != 200]
    assert refused
    for answer in refused:
        problem(answer, 429)
        assert 1 <= int(answer["Retry-After"]) <= 60
    assert other.get("models").status_code == 200


def test_nobody_is_refused_while_the_counter_is_down(
    spec: ModelSpec, settings: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(throttle, "_silent_until", 0.0)
    settings.REDIS_URL = "redis://127.0.0.1:1/0"
    settings.API_RATE_PER_MINUTE = 1
    who = caller("read")
    assert [who.get("models").status_code for _ in range(3)] == [200, 200, 200]
