"""Keys change while the vault is in use, and what was is refused afterwards."""

from __future__ import annotations

import io
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import timedelta
from pathlib import Path
from threading import Event, Thread
from typing import Any
from uuid import UUID

import numpy as np
import psycopg
import pytest
from django.core.management import CommandError, call_command
from django.db import DatabaseError, connection, transaction

from apps.audit.models import AuditEntry
from apps.common import clock
from apps.common.errors import Refused
from apps.pipeline import services as pipeline
from apps.vault import blocks, enrichment, keys, rotation, services
from apps.vault.crypto import VaultError
from apps.vault.pseudonyms import Pseudonymiser
from apps.vault.purpose import entering
from apps.vault.wrapping import key_file as replacing
from apps.vault.wrapping.choice import key_encryption
from apps.vault.wrapping.key_file import KeyFile
from biasgov.fairness.cube import Axis
from tests.apps.pipeline.world import ACTOR, NOW, company
from tests.apps.vault.keys import own_key_file
from tests.sides import side

AXES = (Axis("sex", ("female", "male")),)
NAMES = [f"person {n}" for n in range(50)]
TRUTH = [n % 2 for n in range(50)]


@pytest.fixture
def key_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A key-encryption key of this test's own, so that the others keep theirs."""
    return own_key_file(tmp_path, monkeypatch)


@pytest.fixture
def filled(db: None, key_file: Path, small_blocks: None) -> Iterator[None]:
    """Fifty people in the vault, under data key 1."""
    with clock.frozen(NOW):
        fill()
        yield


def fill() -> None:
    company()
    people = [(name, {"sex": ("female", "male")[sex]}) for name, sex in zip(NAMES, TRUTH, strict=True)]
    services.attributes_upload(actor=ACTOR, subjects=people)
    with side("compute"):
        pipeline.open_uploads()


def read() -> list[int]:
    subjects = np.frombuffer(b"".join(Pseudonymiser().many(NAMES)), np.uint8).reshape(-1, 16)
    with side("compute"):
        (sexes,) = enrichment.attribute_codes(subjects=subjects, axes=AXES, model="hiring", hours=(NOW, NOW))
    return sexes.tolist()


def stored() -> dict[UUID, tuple[int, bytes]]:
    """Key version and bytes of every block, by where it begins."""
    with side("compute"), entering("keys") as cursor:
        cursor.execute("SELECT first, key_version, body FROM vault.block")
        return {first: (version, bytes(body)) for first, version, body in cursor.fetchall()}


@pytest.fixture
def small_blocks(monkeypatch: pytest.MonkeyPatch) -> None:
    """Blocks of at most five people, so that fifty fill some."""
    monkeypatch.setattr(blocks, "WANTED", 4)
    monkeypatch.setattr(blocks, "MOST", 5)


def test_blocks_are_sealed_again_batch_by_batch_and_read_at_every_step(filled: None) -> None:
    before = stored()
    with side("compute"):
        assert rotation.data_key_make() == 2
    assert read() == TRUTH
    done = []
    while batch := _reseal(5):
        done.append(batch)
        assert read() == TRUTH
    assert sum(done) == 50
    assert len(done) == -(-len(before) // 5) > 2
    after = stored()
    assert {version for version, _ in after.values()} == {2}
    assert all(before[first][1] != body for first, (_, body) in after.items())
    with side("compute"):
        state = rotation.vault_keys()
    assert [(key.version, key.people) for key in state.keys] == [(1, 0), (2, 50)]
    assert state.keys[1].sealed == len(before)


def test_what_comes_in_meanwhile_is_sealed_under_the_newest_key(filled: None) -> None:
    with side("compute"):
        rotation.data_key_make()
    _reseal(1)
    services.attributes_upload(actor=ACTOR, subjects=[("newcomer", {"sex": "male"}), (NAMES[-1], {"sex": "female"})])
    with side("compute"):
        pipeline.open_uploads()
    for name in ("newcomer", NAMES[-1]):
        subject = Pseudonymiser().one(name)
        home = max(first for first in stored() if first.bytes <= subject)
        assert stored()[home][0] == 2
    assert read() == [*TRUTH[:-1], 0]


def test_the_old_key_is_refused_and_gone_after_the_floor_is_raised(filled: None) -> None:
    with side("compute"):
        rotation.data_key_make()
        with pytest.raises(Refused, match="50 people's blocks are under older keys"):
            rotation.floor_raise(version=2)
        old = next(iter(stored().items()))
        while rotation.blocks_reseal():
            pass
        assert rotation.floor_raise(version=2) == 1
        with pytest.raises(Refused, match="from 2 to 2"):
            rotation.floor_raise(version=1)
        with entering("upload") as cursor:
            assert set(keys.data_keys(cursor)) == {2}
    assert read() == TRUTH
    # A key and a block of before come back, out of a backup say.
    first, (_, body) = old
    with unprotected() as cursor:
        cursor.execute(
            "INSERT INTO vault.data_key (version, wrapped, wrapped_by, created_at) VALUES (1, '', '', now())"
        )
        cursor.execute("UPDATE vault.block SET body = %s, key_version = 1 WHERE first = %s", [body, first])
    with pytest.raises(VaultError, match="data key 1, which does not exist"):
        read()


@pytest.mark.parametrize(
    "statement",
    [
        "UPDATE vault.key_floor SET version = 1",
        "DELETE FROM vault.key_floor",
        "TRUNCATE vault.key_floor",
        "INSERT INTO vault.key_floor (one, version, raised_at) VALUES (false, 1, now())",
    ],
)
@pytest.mark.parametrize("who", ["compute", "owner"])
def test_nobody_lowers_the_floor(filled: None, statement: str, who: str) -> None:
    with side("compute"):
        rotation.data_key_make()
        while rotation.blocks_reseal():
            pass
        rotation.floor_raise(version=2)
    entered = unprotected() if who == "owner" else compute("keys")
    with entered as cursor, pytest.raises((DatabaseError, psycopg.Error)), transaction.atomic():
        cursor.execute(statement)


def test_a_new_key_encryption_key_takes_the_old_ones_place(filled: None, key_file: Path) -> None:
    old = key_encryption().key_id()
    with side("compute"):
        new = rotation.key_encryption_rotate()
        state = rotation.vault_keys()
    assert new != old
    assert {key.wrapped_by for key in state.keys} == {new} == {key_encryption().key_id()}
    assert [path.name for path in key_file.parent.iterdir()] == [key_file.name]
    keys._unwrapped.cache_clear()
    assert read() == TRUTH


def test_readers_never_miss_the_key_that_is_taking_over(
    filled: None, key_file: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Killed between wrapping again and putting the file in place: readers go on, and so does the next rotation."""

    def killed(*_: Any) -> None:
        raise KeyboardInterrupt

    really = replacing.os.replace
    monkeypatch.setattr(replacing.os, "replace", killed)
    with side("compute"), pytest.raises(KeyboardInterrupt):
        rotation.key_encryption_rotate()
    monkeypatch.setattr(replacing.os, "replace", really)
    keys._unwrapped.cache_clear()
    assert read() == TRUTH
    upcoming = KeyFile(KeyFile(key_file).upcoming).key_id()
    with side("compute"):
        assert rotation.key_encryption_rotate() == upcoming
    keys._unwrapped.cache_clear()
    assert read() == TRUTH


def test_a_damaged_block_stops_the_batch_and_changes_nothing(filled: None) -> None:
    with side("compute"):
        rotation.data_key_make()
    with unprotected() as cursor:
        cursor.execute(
            "UPDATE vault.block SET body = set_byte(body, 50, get_byte(body, 50) # 1)"
            " WHERE first = (SELECT max(first::text)::uuid FROM vault.block)"
        )
    before = stored()
    with side("compute"), pytest.raises(VaultError, match="damaged"):
        rotation.blocks_reseal()
    assert stored() == before


@pytest.mark.parametrize(("days", "sealed", "made"), [(29, 0, False), (30, 0, True), (1, rotation.MOST_SEALED, True)])
def test_data_keys_are_made_by_age_and_by_count(filled: None, days: int, sealed: int, made: bool) -> None:
    with side("compute"), entering("keys") as cursor:
        cursor.execute("UPDATE vault.data_key SET sealed = sealed + %s", [sealed])
    with clock.frozen(NOW + timedelta(days=days)), side("compute"):
        assert rotation.rotate_when_due(seconds=60) is False
        assert rotation.vault_keys().newest == 1 + made
        assert rotation.vault_keys().left == 0


def test_the_command_says_how_the_keys_stand_and_what_it_did(filled: None) -> None:
    def said(*options: str) -> str:
        out = io.StringIO()
        with side("compute"):
            call_command("rotate_keys", *options, stdout=out, stderr=out)
        return out.getvalue()

    assert "data key 1: made" in said()
    assert "Data key 2 is made." in said("--data")
    assert "1 destroyed" in said("--floor", "2")
    assert "wrapped by local:" in said("--kek")
    with side("compute"), pytest.raises(CommandError, match="must be a version from 2 to 2"):
        call_command("rotate_keys", floor=9, stdout=io.StringIO())
    assert {
        "vault.data_key_made",
        "vault.blocks_resealed",
        "vault.key_floor_raised",
        "vault.key_encryption_rotated",
    } <= set(AuditEntry.objects.values_list("action", flat=True))
    assert read() == TRUTH


@pytest.mark.django_db(transaction=True)
def test_no_read_fails_while_keys_and_blocks_change(key_file: Path, small_blocks: None) -> None:
    """Four rotations of both kinds beside a reader in another connection that never stops."""
    with clock.frozen(NOW):
        fill()
    finished, failures, reads = Event(), [], []

    def reader() -> None:
        try:
            with clock.frozen(NOW):
                while not finished.is_set() or not reads:
                    reads.append(read() == TRUTH)
        except Exception as error:
            failures.append(error)
        finally:
            connection.close()

    thread = Thread(target=reader)
    thread.start()
    try:
        with clock.frozen(NOW), side("compute"):
            for _ in range(4):
                rotation.data_key_make()
                while rotation.blocks_reseal(limit=3):
                    pass
                rotation.key_encryption_rotate()
    finally:
        finished.set()
        thread.join()
    assert failures == []
    assert reads
    assert all(reads)


def _reseal(limit: int) -> int:
    with side("compute"):
        return rotation.blocks_reseal(limit=limit)


@contextmanager
def compute(purpose: Any) -> Iterator[Any]:
    with side("compute"), entering(purpose) as cursor:
        yield cursor


@contextmanager
def unprotected() -> Iterator[Any]:
    """The owner's cursor with row level security out of the way, as only a migration could put it."""
    tables = ("vault.data_key", "vault.block", "vault.key_floor")
    with side("owner"), connection.cursor() as cursor:
        cursor.execute("SET CONSTRAINTS ALL IMMEDIATE")
        for table in tables:
            cursor.execute(f"ALTER TABLE {table} NO FORCE ROW LEVEL SECURITY")
        yield cursor
        cursor.execute("SET CONSTRAINTS ALL IMMEDIATE")
        for table in tables:
            cursor.execute(f"ALTER TABLE {table} FORCE ROW LEVEL SECURITY")
        cursor.execute("SET CONSTRAINTS ALL DEFERRED")
