"""The demo's gateways are real clients: they are known from the start and obey what a person confirms."""

from __future__ import annotations

import logging
import time
from typing import Any

import pytest

from apps.api.services import token_issue
from apps.demo.gateways import SERVED, Gateways
from apps.demo.run import SCOPES
from apps.responses import selectors
from apps.responses.models import Restriction
from apps.responses.services import restriction_confirm
from tests.apps.responses.worlds import answer, look
from tests.cast import model, person

pytestmark = pytest.mark.django_db(transaction=True)


def test_every_gateway_is_known_at_once_and_acknowledges_a_restriction(
    live_server: Any, caplog: pytest.LogCaptureFixture
) -> None:
    specs = {slug: model(slug) for slug in SERVED}
    token = token_issue(actor="system:demo", name="demo", scopes=SCOPES)
    gateways = Gateways(live_server.url, token=token, key=selectors.status_public_key(), refresh=0.05)
    gateways.start()
    try:
        for slug, names in SERVED.items():
            assert [each.name for each in selectors.gateways(specs[slug].id)] == sorted(names)
        spec = specs["security-triage"]
        answer(spec, look(spec, window="30d", severity="medium"))
        restriction_confirm(restriction_id=Restriction.objects.get().pk, person=person("officer"))
        until = time.monotonic() + 20
        while Restriction.objects.get().acknowledged_at is None and time.monotonic() < until:
            time.sleep(0.05)
        assert Restriction.objects.get().acknowledged_at is not None
    finally:
        gateways.stop()
    assert [each.getMessage() for each in caplog.records if each.levelno >= logging.WARNING] == []
