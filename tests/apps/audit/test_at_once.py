"""Two hundred writers at once, with sequencers and signers among them: one log without a gap."""

from __future__ import annotations

import random
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from threading import Barrier

import pytest
from django.db import connection, transaction

from apps.audit import sealing, services
from apps.audit.models import AuditEntry, AuditLeaf, AuditPending
from apps.audit.services import append
from tests.apps.audit.log import checked, integrate

pytestmark = pytest.mark.django_db(transaction=True)

WRITERS = 200
CONNECTIONS = 50
"""The test database takes 100; the others of the 200 stand in line for one."""
SEQUENCERS = 6
EACH = 3


def write(number: int) -> list[int]:
    """What one writer does in a transaction of its own; every tenth thinks better of it."""
    with transaction.atomic():
        written = [
            append(actor=f"user:w{number}", action="finding.acknowledged", subject=f"finding:{each}")
            for each in range(EACH)
        ]
        if number % 10 == 0:
            transaction.set_rollback(True)
            return []
    return written


def test_two_hundred_writers_leave_one_log_without_a_gap() -> None:
    numbers = list(range(WRITERS))
    random.Random(5).shuffle(numbers)
    barrier = Barrier(CONNECTIONS + SEQUENCERS)

    def as_role(role: str) -> None:
        with connection.cursor() as cursor:
            cursor.execute(f"SET ROLE {role}")
            cursor.execute("SET lock_timeout = '20s'")
        barrier.wait(timeout=60)

    def writers(part: list[int]) -> list[int]:
        try:
            as_role("biasgov_web")
            return [entry for number in part for entry in write(number)]
        finally:
            connection.close()

    def sequencer(_: int) -> int:
        try:
            as_role("biasgov_compute")
            return sum(services.integrate() for _ in range(20)) + bool(sealing.log_seal())
        finally:
            connection.close()

    with ThreadPoolExecutor(CONNECTIONS + SEQUENCERS) as pool:
        sealers = [pool.submit(sequencer, number) for number in range(SEQUENCERS)]
        written = [pool.submit(writers, numbers[start::CONNECTIONS]) for start in range(CONNECTIONS)]
        committed = [entry for part in written for entry in part.result(timeout=120)]
        for each in sealers:
            each.result(timeout=120)
    integrate()
    assert len(committed) == len(set(committed)) == WRITERS * 9 // 10 * EACH
    assert set(AuditEntry.objects.filter(action="finding.acknowledged").values_list("pk", flat=True)) == set(committed)
    places = list(AuditLeaf.objects.order_by("leaf_index").values_list("leaf_index", "entry_id"))
    assert [place for place, _ in places] == list(range(AuditEntry.objects.count()))
    assert max(Counter(entry for _, entry in places).values()) == 1
    assert not AuditPending.objects.exists()
    assert checked().is_intact
