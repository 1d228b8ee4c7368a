"""Writing the log: what is kept, what is refused, and that nothing in it can be changed."""

from __future__ import annotations

import hashlib
import json
import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime
from typing import Any

import psycopg
import pytest
from django.db import DatabaseError, connection, transaction

from apps.audit import selectors
from apps.audit.models import AuditEntry, AuditLeaf
from apps.audit.services import append
from apps.common import clock
from biasgov.audit import merkle
from tests.apps.audit.log import checked, integrate, rewritten, written
from tests.sides import side

NOON = datetime(2026, 5, 4, 12, 0, 0, 120, tzinfo=UTC)


def leave(role: str) -> None:
    with connection.cursor() as cursor:
        cursor.execute(f"SET ROLE {role}")


@pytest.mark.django_db
def test_the_leaf_hash_is_over_the_documented_bytes() -> None:
    with clock.frozen(NOON):
        number = append(
            actor="user:zoë",
            action="run.made",
            subject="model:a",
            detail={"z": 1.0, "a": [0.5, -0.0, None, True, 10**20, 1e22], "ü": 'tab\t"', "b": {"y": 1, "x": 2}},
        )
    expected = (
        '{"action":"run.made","actor":"user:zoë","at":"2026-05-04T12:00:00.000120Z","detail":'
        '{"a":[0.5,0,null,true,100000000000000000000,10000000000000000000000],"b":{"x":2,"y":1},'
        '"ü":"tab\\t\\"","z":1},"subject":"model:a","v":1}'
    )
    expected = expected.replace('"ü":"tab\\t\\"","z":1}', '"z":1,"ü":"tab\\t\\""}')
    assert bytes(AuditEntry.objects.get(pk=number).leaf_hash) == hashlib.sha256(b"\0" + expected.encode()).digest()


@pytest.mark.django_db
@pytest.mark.parametrize(
    "detail",
    [
        {},
        {"numbers": [0, -1, 1.5, 1e-7, 1e16, 2.5e300, 0.1 + 0.2, 123456789012345678901234567890, -0.0]},
        {"text": "é\u2028\U0001f600\x01\x7f\\/\"'"},
        {"deep": {"b": [{"a": {}}], "a": [], "A": None, "é": False}},
    ],
)
def test_what_the_database_gives_back_has_the_same_hash(detail: dict[str, Any]) -> None:
    entry = AuditEntry.objects.get(pk=written(detail=detail)[0])
    assert selectors.content_hash(entry) == bytes(entry.leaf_hash)


@pytest.mark.django_db
@pytest.mark.parametrize(
    "detail",
    [
        {"x": float("nan")},
        {"x": float("inf")},
        {"x": "a\0b"},
        {"x": "\ud800"},
        {"x": b"bytes"},
        {"x": {1: 2}},
        {"x": NOON},
    ],
)
def test_a_detail_that_cannot_be_kept_faithfully_is_refused(detail: dict[str, Any]) -> None:
    with pytest.raises(ValueError, match="audit entry"):
        written(detail=detail)
    assert not AuditEntry.objects.exists()


@pytest.mark.django_db
@pytest.mark.parametrize("missing", ["actor", "action", "subject"])
def test_an_entry_says_who_did_what_to_what(missing: str) -> None:
    with pytest.raises(ValueError, match="needs actor"):
        written(**{missing: ""})


@pytest.mark.django_db
def test_an_entry_is_lost_with_what_it_records() -> None:
    with transaction.atomic():
        written()
        transaction.set_rollback(True)
    assert not AuditEntry.objects.exists()


CHANGES = [
    "UPDATE {} SET {} = {}",
    "DELETE FROM {0}",
    "TRUNCATE {0} CASCADE",
]
TABLES = {"audit_entry": "actor", "audit_leaf": "leaf_hash", "audit_node": "node_hash"}


@pytest.mark.django_db
@pytest.mark.parametrize("role", ["web", "compute"])
@pytest.mark.parametrize("table", TABLES)
@pytest.mark.parametrize("change", CHANGES)
def test_neither_side_may_change_the_log(role: str, table: str, change: str) -> None:
    written(3)
    integrate()
    with side(role), pytest.raises(DatabaseError) as refused, transaction.atomic(), connection.cursor() as cursor:
        cursor.execute(change.format(table, TABLES[table], TABLES[table]))
    assert isinstance(refused.value.__cause__, psycopg.errors.InsufficientPrivilege)


@pytest.mark.django_db
@pytest.mark.parametrize("table", TABLES)
@pytest.mark.parametrize("change", CHANGES)
def test_the_owner_of_the_tables_is_stopped_by_a_trigger(table: str, change: str) -> None:
    written(3)
    integrate()
    with side("owner"), connection.cursor() as cursor:
        cursor.execute("SET CONSTRAINTS ALL IMMEDIATE")
        with pytest.raises(DatabaseError, match="what is written there stays") as refused, transaction.atomic():
            cursor.execute(change.format(table, TABLES[table], TABLES[table]))
    assert isinstance(refused.value.__cause__, psycopg.errors.IntegrityError)


@pytest.mark.django_db
def test_the_web_side_writes_entries_and_has_no_hand_in_their_order() -> None:
    written(2)
    integrate()
    (waiting,) = written()
    for statement in (
        "INSERT INTO audit_leaf (leaf_index, entry_id, leaf_hash) SELECT 2, max(id), sha256('') FROM audit_entry",
        "INSERT INTO audit_node (level, position, node_hash) VALUES (1, 1, sha256(''))",
        f"DELETE FROM audit_pending WHERE entry_id = {waiting}",
        "INSERT INTO audit_entry (id, at, actor, action, subject, detail, leaf_hash) "
        "VALUES (99, now(), 'a', 'b', 'c', '{}', sha256(''))",
    ):
        with pytest.raises(DatabaseError, match="permission denied"), transaction.atomic():
            connection.cursor().execute(statement)


@pytest.mark.django_db
def test_entries_are_placed_once_and_in_order() -> None:
    first = written(3)
    assert integrate() == 3
    assert integrate() == 0
    second = written(2)
    assert integrate() == 2
    places = AuditLeaf.objects.order_by("leaf_index").values_list("leaf_index", "entry_id")
    assert list(places) == list(enumerate(first + second))


@pytest.mark.django_db
def test_the_root_and_proofs_are_those_of_the_entries() -> None:
    written(11)
    integrate()
    old = selectors.tree_head()
    written(6, subject="finding:8")
    integrate()
    new = selectors.tree_head()
    hashes = [bytes(entry.leaf_hash) for entry in AuditEntry.objects.order_by("id")]
    assert (old.size, new.size) == (11, 17)
    assert selectors.tree_head(11) == old
    merkle.verify_consistency(selectors.consistency_proof(11), old, new)
    for index, digest in enumerate(hashes):
        merkle.verify_inclusion(selectors.inclusion_proof(index), digest, new)
    for size in (-1, 18):
        with pytest.raises(ValueError, match="17 leaves"):
            selectors.tree_head(size)


@pytest.mark.django_db
def test_a_changed_entry_is_found_even_if_its_own_hash_was_changed_with_it() -> None:
    numbers = written(5)
    integrate()
    assert checked().is_intact
    rewritten("UPDATE audit_entry SET actor = 'user:nobody' WHERE id = %s", numbers[2])
    entry = AuditEntry.objects.get(pk=numbers[2])
    rewritten("UPDATE audit_entry SET leaf_hash = %s WHERE id = %s", selectors.content_hash(entry), numbers[2])
    assert checked().faults == (f"entry {numbers[2]:,} is not what leaf 2 recorded",)


@pytest.mark.django_db
def test_an_entry_taken_out_of_the_queue_is_reported() -> None:
    written(2)
    integrate()
    (number,) = written()
    with side("compute"), connection.cursor() as cursor:
        cursor.execute("DELETE FROM audit_pending WHERE entry_id = %s", [number])
    assert checked().faults == ("1 entries are neither in the tree nor waiting for it",)


@pytest.mark.django_db
def test_the_log_can_be_filtered() -> None:
    with clock.frozen(NOON):
        written(actor="user:ines", action="finding.acknowledged", subject="finding:7")
        written(actor="user:omar", action="finding.closed", subject="finding:8")
    written(actor="user:ines", action="policy.published", subject="model:claims")
    found = {
        "actor": selectors.entries(actor="user:ines").count(),
        "action": selectors.entries(action="finding.").count(),
        "subject": selectors.entries(subject="model:claims").count(),
        "text": selectors.entries(text="CLAIMS").count(),
        "until": selectors.entries(until=datetime(2026, 5, 5, tzinfo=UTC)).count(),
        "both": selectors.entries(actor="user:ines", action="finding.").count(),
    }
    assert found == {"actor": 2, "action": 2, "subject": 1, "text": 1, "until": 2, "both": 1}
    assert next(entry.action for entry in selectors.entries()) == "policy.published"


def together(*works: Callable[[], Any]) -> list[Any]:
    """The results of `works`, each with a connection of its own, on the web side."""

    def one(work: Callable[[], Any]) -> Any:
        try:
            leave("biasgov_web")
            return work()
        finally:
            connection.close()

    with ThreadPoolExecutor(len(works)) as pool:
        return [future.result(timeout=60) for future in [pool.submit(one, work) for work in works]]


@pytest.mark.django_db(transaction=True)
def test_an_entry_that_commits_late_is_not_lost() -> None:
    begun, may_commit = threading.Event(), threading.Event()

    def slow() -> int:
        with transaction.atomic():
            (number,) = written(subject="slow:1")
            begun.set()
            assert may_commit.wait(30)
        return number

    def quick() -> tuple[int, int]:
        assert begun.wait(30)
        (number,) = written(subject="quick:1")
        placed = integrate()
        may_commit.set()
        return number, placed

    late, (early, placed) = together(slow, quick)
    assert late < early
    assert placed == 1
    assert integrate() == 1
    assert list(AuditLeaf.objects.order_by("leaf_index").values_list("entry_id", flat=True)) == [early, late]
    assert checked().is_intact


@pytest.mark.django_db(transaction=True)
def test_writers_do_not_wait_for_each_other_or_for_the_sequencer() -> None:
    held, released = threading.Event(), threading.Event()

    def sequencer() -> None:
        with transaction.atomic():
            written()
            integrate()
            held.set()
            assert released.wait(30)

    def writer() -> int:
        assert held.wait(30)
        try:
            with connection.cursor() as cursor:
                cursor.execute("SET lock_timeout = '5s'")
            return len(written(20))
        finally:
            released.set()

    assert together(sequencer, writer)[1] == 20


@pytest.mark.django_db(transaction=True)
def test_many_writers_and_sequencers_make_one_tree_without_gaps() -> None:
    def work() -> None:
        for _ in range(15):
            written()
            integrate()

    together(*[work] * 4)
    integrate()
    assert checked().is_intact
    assert selectors.tree_size() == AuditEntry.objects.filter(subject="finding:7").count() == 60


@pytest.mark.django_db
def test_the_documentation_of_the_bytes_is_what_the_code_does() -> None:
    entry = AuditEntry.objects.get(pk=written(detail={"b": 1, "a": "x"})[0])
    by_hand = {
        "action": entry.action,
        "actor": entry.actor,
        "at": entry.at.strftime("%Y-%m-%dT%H:%M:%S.%fZ"),
        "detail": {"a": "x", "b": 1},
        "subject": entry.subject,
        "v": 1,
    }
    data = json.dumps(by_hand, ensure_ascii=False, separators=(",", ":")).encode()
    assert hashlib.sha256(b"\0" + data).digest() == bytes(entry.leaf_hash)
