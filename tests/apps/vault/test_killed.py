"""A compute process that is killed (SIGKILL) amid an upload or a rotation: nothing is lost, nothing is double."""

from __future__ import annotations

import os
import signal
import time
from collections.abc import Callable
from functools import partial
from typing import Any, NoReturn

import pytest
from django.db import connection

from apps.pipeline import services as pipeline
from apps.vault import blocks, mending, opening, rotation, selectors, services, shelf
from apps.vault.purpose import entering
from tests.apps.pipeline.world import ACTOR, company
from tests.apps.vault.test_uploads import codes, left
from tests.sides import side

pytestmark = pytest.mark.django_db(transaction=True)

CROWD = [(f"person {n}", {"sex": ("female", "male")[n % 2]}) for n in range(400)]
KILLS = 3


@pytest.fixture(autouse=True)
def _small(monkeypatch: pytest.MonkeyPatch) -> None:
    """Many small slices and blocks, and time enough in the midst of each to be killed there."""
    company()
    monkeypatch.setattr(opening, "SLICE", 20)
    monkeypatch.setattr(rotation, "blocks_reseal", partial(rotation.blocks_reseal, limit=4))
    monkeypatch.setattr(blocks, "WANTED", 4)
    monkeypatch.setattr(blocks, "MOST", 6)
    for owner, name in ((shelf, "put"), (shelf, "put_back")):
        monkeypatch.setattr(owner, name, slowly(getattr(owner, name)))


def slowly(work: Callable[..., Any]) -> Callable[..., Any]:
    def slow(*given: Any, **named: Any) -> Any:
        done = work(*given, **named)
        time.sleep(0.01)
        return done

    return slow


def started(work: Callable[[], Any]) -> int:
    """A process of the compute side that does the work; its id."""
    # Closed first, so that the child inherits no connection that it could end for us.
    connection.close()
    child = os.fork()
    if not child:
        _only(work)
    return child


def _only(work: Callable[[], Any]) -> NoReturn:
    try:
        with connection.cursor() as cursor:
            cursor.execute("SET ROLE biasgov_compute")
        work()
    finally:
        os._exit(0)


def killed_when(child: int, reached: Callable[[], bool]) -> None:
    deadline = time.monotonic() + 60
    while not reached() and time.monotonic() < deadline:
        time.sleep(0.002)
    os.kill(child, signal.SIGKILL)
    _, status = os.waitpid(child, 0)
    assert os.WIFSIGNALED(status), "it was done before it could be killed"


def finished(child: int) -> None:
    os.waitpid(child, 0)


def test_an_upload_is_stored_once_whoever_is_killed_amid_it() -> None:
    identity = services.attributes_upload(actor=ACTOR, subjects=CROWD).upload_id

    def done() -> int:
        row = selectors.upload(identity)
        assert row is not None
        return row.done

    stopped_at = []
    for _ in range(KILLS):
        before = done()
        killed_when(started(pipeline.open_uploads), lambda before=before: done() > before)
        stopped_at.append(done())
    assert stopped_at == sorted(set(stopped_at))
    assert stopped_at[-1] < len(CROWD)
    while selectors.upload(identity).state != "stored":
        finished(started(pipeline.open_uploads))
    row = selectors.upload(identity)
    assert (row.stored, row.replaced, row.done) == (400, 0, 400)
    assert held() == 400
    assert codes(*(name for name, _ in CROWD))[0] == [n % 2 for n in range(400)]
    assert left() == 0


def test_a_rotation_goes_on_whoever_is_killed_amid_it() -> None:
    services.attributes_upload(actor=ACTOR, subjects=CROWD)
    finished(started(pipeline.open_uploads))
    with side("compute"):
        rotation.data_key_make()
    for _ in range(KILLS):
        before = waiting()
        killed_when(started(lambda: list(rotation.resealing())), lambda before=before: waiting() < before)
        assert codes(*(name for name, _ in CROWD))[0] == [n % 2 for n in range(400)]
    assert waiting() > 0
    finished(started(lambda: list(rotation.resealing())))
    assert (waiting(), held()) == (0, 400)
    with side("compute"):
        assert mending.vault_check().faults == ()
        assert rotation.floor_raise(version=2) == 1
    assert codes(*(name for name, _ in CROWD))[0] == [n % 2 for n in range(400)]


def waiting() -> int:
    """How many people are still under an older key."""
    with side("compute"):
        return rotation.vault_keys().left


def held() -> int:
    """How many people the blocks say that they hold."""
    with side("compute"), entering("keys") as cursor:
        cursor.execute("SELECT sum(people) FROM vault.block")
        return int(cursor.fetchall()[0][0])
