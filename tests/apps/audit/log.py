"""Writing, ordering, signing and checking the log in tests, each on the side that does it."""

from __future__ import annotations

from typing import Any

from django.db import connection

from apps.audit import sealing, services
from apps.audit.guards import TABLES, TRIGGERS
from apps.audit.verification import VerificationView, verification_continue, verification_latest, verification_request
from biasgov.audit.heads import SignedHead
from tests.sides import side


def written(n: int = 1, **changes: Any) -> list[int]:
    """The numbers of `n` entries that are written now."""
    entry = {"actor": "user:ines", "action": "finding.acknowledged", "subject": "finding:7"} | changes
    return [services.append(**entry) for _ in range(n)]


def integrate() -> int:
    """Order what waits, as the compute side does."""
    with side("compute"):
        return services.integrate()


def sealed() -> SignedHead | None:
    """Order what waits and sign the head if that is due, as the compute side does."""
    with side("compute"):
        return sealing.log_seal()


def checked() -> VerificationView:
    """What a full check of the log finds."""
    verification_request(actor="user:aude")
    while verification_continue(seconds=60):
        pass
    found = verification_latest()
    assert found is not None
    assert not found.is_running
    return found


def rewritten(statement: str, *parameters: Any) -> None:
    """What the owner of the tables can do: take the guards away, change the log, and put the guards back."""
    with side("owner"), connection.cursor() as cursor:
        cursor.execute("SET CONSTRAINTS ALL IMMEDIATE")
        for table in TABLES:
            cursor.execute(f"ALTER TABLE {table} DISABLE TRIGGER USER")
        cursor.execute(statement, parameters)
        for table, triggers in TRIGGERS.items():
            for name, _ in triggers:
                cursor.execute(f"ALTER TABLE {table} ENABLE ALWAYS TRIGGER {name}")
        cursor.execute("SET CONSTRAINTS ALL DEFERRED")
