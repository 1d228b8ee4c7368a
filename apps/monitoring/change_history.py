"""The changes of a model, beyond what the newest run can see: a window's first days are its own baseline."""

from __future__ import annotations

import zlib
from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta
from typing import Any

import msgspec
from django.db import connection

Change = Mapping[str, Any]

DAYS_APART = 10
RUNS = 10
BLIND = timedelta(days=14)
"""A change in the first days of a window may be taken for its baseline; there an older run is believed."""
SAME = timedelta(days=3)
"""Two runs that put a change of the same direction so close mean the same one."""


class _Changes(msgspec.Struct):
    """The one member of a run document that is read here; the decoder skips the others."""

    changes: list[dict[str, Any]] = []


def changes(model_id: int) -> tuple[Change, ...]:
    """The changes of a model within about four months, newest first, in the shape of a run document. One query.

    Every change is told as the newest run tells it that can see it.
    """
    with connection.cursor() as cursor:
        cursor.execute(
            "WITH newest AS (SELECT max(as_of) AS as_of FROM monitoring_run"
            " WHERE model_id = %(model)s AND \"window\" = '30d')"
            " SELECT r.from_at, r.document FROM newest CROSS JOIN generate_series(0, %(last)s) AS step(n)"
            " CROSS JOIN LATERAL (SELECT id, from_at, document FROM monitoring_run WHERE model_id = %(model)s"
            " AND \"window\" = '30d' AND as_of <= newest.as_of - make_interval(days => step.n * %(days)s)"
            " ORDER BY as_of DESC, revision DESC LIMIT 1) r ORDER BY step.n",
            {"model": model_id, "last": RUNS - 1, "days": DAYS_APART},
        )
        stored = cursor.fetchall()
    known: list[Change] = []
    horizon: datetime | None = None
    for from_at, document in stored:
        for change in msgspec.json.decode(zlib.decompress(bytes(document)), type=_Changes).changes:
            at = datetime.fromisoformat(change["at"])
            if horizon is None or (at < horizon and not _told(change, at, known)):
                known.append(change)
        horizon = from_at + BLIND
    return tuple(sorted(known, key=lambda change: change["at"], reverse=True))


def _told(change: Change, at: datetime, known: Sequence[Change]) -> bool:
    return any(
        _subject(each) == _subject(change) and abs(datetime.fromisoformat(each["at"]) - at) <= SAME for each in known
    )


def _subject(change: Change) -> tuple[str, str, str, bool]:
    return change["attribute"], change["group"], change["metric"], change["after"] > change["before"]
