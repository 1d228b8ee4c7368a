"""The example gateway of the documentation, against the real server."""

from __future__ import annotations

import importlib.util
import json
import threading
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from apps.common import clock
from apps.responses import selectors
from apps.responses.services import restriction_confirm
from biasgov.client import Failing, StatusClient
from tests.apps.api.door import token
from tests.apps.responses.worlds import answer, look
from tests.cast import Cast

EXAMPLE = Path(__file__).parents[2] / "docs" / "examples" / "gateway.py"


@contextmanager
def gateway(status: StatusClient) -> Iterator[str]:
    found = importlib.util.spec_from_file_location("example_gateway", EXAMPLE)
    assert found is not None
    assert found.loader is not None
    example = importlib.util.module_from_spec(found)
    found.loader.exec_module(example)
    with example.Gateway(0, status) as server:
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02})
        thread.start()
        try:
            yield f"http://127.0.0.1:{server.server_address[1]}"
        finally:
            server.shutdown()
            thread.join()


def decide(url: str, kind: str = "decline") -> tuple[int, Any]:
    asked = json.dumps({"type": kind, "features": {"reports": 7}}).encode()
    with urllib.request.urlopen(f"{url}/decide", asked, timeout=10) as given:
        return given.status, json.load(given)


@pytest.mark.django_db(transaction=True)
def test_the_example_stops_deciding_when_the_model_is_restricted_and_acknowledges_it(live_server: Any) -> None:
    cast = Cast.assemble()
    status = StatusClient(
        live_server.url,
        model=cast.owned.slug,
        token=token("read"),
        keys=[selectors.status_public_key()],
        gateway="eu-1",
        failing=Failing.CLOSED,
    )
    with gateway(status) as url:
        assert decide(url)[0] == 202
        assert status.refresh()
        assert decide(url) == (200, {"decision": 1, "by": "model"})
        now = clock.now()
        answer(cast.owned, look(cast.owned, window="30d", severity="medium", as_of=now), at=now)
        found = selectors.restriction_of(cast.owned.id)
        assert found is not None
        restriction_confirm(restriction_id=found.id, person=cast.officer)
        assert status.refresh()
        code, said = decide(url)
    assert (code, said["by"], said["basis"]) == (202, "a person", "status")
    assert said["because"].startswith("People from APAC")
    after = selectors.restriction_of(cast.owned.id)
    assert after is not None
    assert after.acknowledged_at is not None
