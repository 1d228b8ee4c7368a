"""Processes that are killed (SIGKILL) amid an upload, at either end of it, or a rotation: nothing is lost or double."""

from __future__ import annotations

import os
import signal
import tempfile
import time
from collections.abc import Callable
from functools import partial
from io import BytesIO
from pathlib import Path
from typing import Any, NoReturn
from uuid import uuid4

import pytest
from django.db import connection
from django.http import HttpResponse

from apps.pipeline import services as pipeline
from apps.vault import blocks, keys, mending, opening, receiving, rotation, selectors, services, shelf
from apps.vault.purpose import entering
from apps.vault.wrapping.key_file import KeyFile
from tests.apps.api.door import caller
from tests.apps.pipeline.world import ACTOR, company
from tests.apps.vault.keys import own_key_file
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


def started(work: Callable[[], Any], role: str = "compute") -> int:
    """A process of a side that does the work; its id."""
    # Closed first, so that the child inherits no connection that it could end for us.
    connection.close()
    child = os.fork()
    if not child:
        _only(work, role)
    return child


def _only(work: Callable[[], Any], role: str) -> NoReturn:
    try:
        with connection.cursor() as cursor:
            cursor.execute(f"SET ROLE biasgov_{role}")
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


def test_a_new_key_encryption_key_takes_over_whoever_is_killed_amid_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path, counter = own_key_file(tmp_path, monkeypatch), tmp_path / "wrapped"
    services.attributes_upload(actor=ACTOR, subjects=CROWD)
    finished(started(pipeline.open_uploads))
    with side("compute"):
        for _ in range(8):
            rotation.data_key_make()
    before = wrapped_by()
    wrap = KeyFile.wrap

    def counted(self: KeyFile, *given: Any, **named: Any) -> Any:
        with counter.open("a") as file:
            file.write(".")
        time.sleep(0.02)
        return wrap(self, *given, **named)

    monkeypatch.setattr(KeyFile, "wrap", counted)
    made = set()
    for kill in range(1, KILLS + 1):
        counter.write_text("")
        killed_when(started(rotation.key_encryption_rotate), lambda kill=kill: counter.stat().st_size > kill)
        assert wrapped_by() == before, "what was wrapped again is undone with the rest of it"
        made.add(KeyFile(path).upcoming.read_text())
        keys._unwrapped.cache_clear()
        assert codes(*(name for name, _ in CROWD))[0] == [n % 2 for n in range(400)]
    assert len(made) == 1, "the key that was made first is the one that takes over"
    finished(started(rotation.key_encryption_rotate))
    assert wrapped_by() == {KeyFile(path).key_id()} != before
    assert {path.read_text()} == made
    assert not KeyFile(path).upcoming.exists()
    keys._unwrapped.cache_clear()
    assert codes(*(name for name, _ in CROWD))[0] == [n % 2 for n in range(400)]


def test_a_file_goes_on_where_the_web_process_that_received_it_was_killed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(receiving, "PART", 10)
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    content = b"subject_id,sex\n" + b"".join(f"{name},{levels['sex']}\n".encode() for name, levels in CROWD)
    who, where = caller(), f"attribute-uploads/{uuid4()}"

    def put(start: int) -> HttpResponse:
        rest = content[start:]
        said = {"Content-Range": f"bytes {start}-{len(content) - 1}/{len(content)}"} if start else {}
        slow = {"wsgi.input": Slowly(rest), "CONTENT_LENGTH": str(len(rest))}
        return who.client.generic("PUT", f"/api/v1/{where}", rest, "text/csv", headers=who.headers | said, **slow)

    def received() -> dict[str, Any]:
        return who.get(where).json()

    offset = 0
    for _ in range(KILLS):
        killed_when(
            started(lambda at=offset: put(at), "web"),
            lambda at=offset: who.get(where).status_code == 200 and received()["offset"] > at,
        )
        found = received()
        assert (found["state"], found["offset"] > offset) == ("receiving", True)
        assert (found["subjects"] % 10, left()) == (0, found["subjects"] // 10)
        offset = found["offset"]
    assert list(tmp_path.iterdir()) == []
    assert put(offset).json()["subjects"] == 400
    finished(started(pipeline.open_uploads))
    assert (received()["state"], received()["stored"]) == ("stored", 400)
    assert codes(*(name for name, _ in CROWD))[0] == [n % 2 for n in range(400)]


class Slowly(BytesIO):
    """A body that arrives in drops."""

    def read(self, size: int | None = -1) -> bytes:
        time.sleep(0.002)
        return super().read(min(size, 100) if size and size > 0 else 100)


def wrapped_by() -> set[str]:
    """The key-encryption keys under which data keys lie."""
    with side("compute"):
        return {key.wrapped_by for key in rotation.vault_keys().keys}


def waiting() -> int:
    """How many people are still under an older key."""
    with side("compute"):
        return rotation.vault_keys().left


def held() -> int:
    """How many people the blocks say that they hold."""
    with side("compute"), entering("keys") as cursor:
        cursor.execute("SELECT sum(people) FROM vault.block")
        return int(cursor.fetchall()[0][0])
