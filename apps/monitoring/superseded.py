"""Letting go of provisional runs that a later revision replaced: the only way in which a run is ever deleted."""

from __future__ import annotations

from datetime import timedelta

from django.db import connection, transaction

from apps.audit import services as audit
from apps.common import clock

KEPT = timedelta(days=1)


def runs_drop_superseded() -> int:
    """Drop provisional runs superseded for more than a day that nothing refers to; answers how many. Compute side.

    The newest revision of a moment is always kept, and so are final ones and those that a finding, one of its steps,
    a point or a waiting answer names: the database's own function decides that, and nobody may delete without it. What
    was dropped is one entry of the audit log.
    """
    before = clock.now() - KEPT
    with transaction.atomic():
        with connection.cursor() as cursor:
            cursor.execute("SELECT monitoring_drop_superseded(%s)", [before])
            (dropped,) = cursor.fetchone()
        if dropped:
            audit.append(
                actor="system:compute",
                action="runs.superseded_dropped",
                subject="monitoring:runs",
                detail={"runs": dropped, "superseded_before": before.isoformat()},
            )
    return int(dropped)
