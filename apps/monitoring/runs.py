"""Reading `monitoring_run`: rows without their documents, and documents as the API shows them."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from datetime import datetime
from typing import Any

import psycopg
from django.db import connection
from django.db.models import Exists, OuterRef, Q
from psycopg.rows import tuple_row

from apps.common.errors import Refused
from apps.monitoring import documents
from apps.monitoring.models import MonitoringRun, RunState
from apps.monitoring.rows import RunPage, RunRow, StoredResults
from apps.monitoring.windows import LENGTHS
from biasgov.fairness.result_columns import ResultColumns

_DOCUMENTS = "SELECT id, document FROM monitoring_run WHERE id = ANY(%s)"
_FIELDS = tuple(RunRow.__dataclass_fields__)
KEPT_AT_MOST = 4_096
_kept: dict[tuple[int, datetime, str], RunRow] = {}


def run(run_id: int) -> RunRow | None:
    """The run of that id."""
    found = MonitoringRun.objects.filter(pk=run_id).only(*_FIELDS).first()
    return _row(found) if found else None


def latest_runs(model_id: int) -> dict[str, RunRow]:
    """The newest run of each window (newest revision of the newest moment); windows never run are absent."""
    return latest_runs_of([model_id]).get(model_id, {})


def latest_runs_of(model_ids: Sequence[int]) -> dict[int, dict[str, RunRow]]:
    """`latest_runs` of many models: one query, and a second one where this process has not read a run yet.

    No stored run ever changes.
    """
    with connection.cursor() as cursor:
        # One step down the unique index per model and window, however many runs there are.
        cursor.execute(
            "SELECT r.* FROM unnest(%s::bigint[]) AS m(id) CROSS JOIN unnest(%s::text[]) AS w(name)"
            " CROSS JOIN LATERAL (SELECT id, computed_at, document_digest FROM monitoring_run"
            ' WHERE model_id = m.id AND "window" = w.name ORDER BY as_of DESC, revision DESC LIMIT 1) r',
            [list(model_ids), list(LENGTHS)],
        )
        newest = cursor.fetchall()
    known = {key: _kept[key] for key in newest if key in _kept}
    missing = [identity for identity, *rest in newest if (identity, *rest) not in known]
    if missing:
        rows = map(_row, MonitoringRun.objects.filter(pk__in=missing).only(*_FIELDS))
        read = {(row.id, row.computed_at, row.document_digest): row for row in rows}
        if len(_kept) + len(read) > KEPT_AT_MOST:
            _kept.clear()
        _kept.update(read)
        known |= read
    found: dict[int, dict[str, RunRow]] = {}
    for row in known.values():
        found.setdefault(row.model_id, {})[row.window] = row
    return {identity: {w: rows[w] for w in LENGTHS if w in rows} for identity, rows in found.items()}


def runs(
    model_id: int,
    window: str,
    *,
    as_of: datetime | None = None,
    since: datetime | None = None,
    cursor: str | None = None,
    limit: int = 50,
    all_revisions: bool = False,
) -> RunPage:
    """The newest revision of each moment of one window (or every stored one), newest first.

    Parameters
    ----------
    as_of
        Only that moment.
    since
        Only moments at or after it.
    cursor
        The `next_cursor` of the page before.
    limit
        At most so many rows, 1 to 1,000.

    Raises
    ------
    Refused
        The cursor or the window is none of ours.
    """
    if window not in LENGTHS:
        raise Refused("window", f"{window!r} is none of {', '.join(LENGTHS)}.", code="unknown_window")
    bounds = {"as_of": as_of, "as_of__gte": since}
    wanted = {name: bound for name, bound in bounds.items() if bound is not None}
    limit = min(max(limit, 1), 1000)
    newest = (
        MonitoringRun.objects.filter(_before(cursor, all_revisions), model_id=model_id, window=window, **wanted)
        .only(*_FIELDS)
        .order_by("-as_of", "-revision")
    )
    rows = tuple(map(_row, (newest if all_revisions else newest.distinct("as_of"))[: limit + 1]))
    return RunPage(rows[:limit], _cursor(rows[limit - 1], all_revisions) if len(rows) > limit else None)


def runs_at(
    model_ids: Sequence[int], window: str, moments: Sequence[datetime], *, first: bool = False
) -> dict[tuple[int, datetime], RunRow]:
    """The newest revision, or the first, of each model's run of one window at each of the moments; one query."""
    found = (
        MonitoringRun.objects.filter(model_id__in=list(model_ids), window=window, as_of__in=list(moments))
        .only(*_FIELDS)
        .order_by("model_id", "as_of", "revision" if first else "-revision")
        .distinct("model_id", "as_of")
    )
    return {(row.model_id, row.as_of): row for row in map(_row, found)}


def revisions(run_id: int) -> tuple[RunRow, ...]:
    """Every revision of the moment that the run speaks of, oldest first."""
    one = run(run_id)
    if one is None:
        return ()
    same = MonitoringRun.objects.filter(model_id=one.model_id, window=one.window, as_of=one.as_of)
    return tuple(map(_row, same.only(*_FIELDS).order_by("revision")))


def run_document(run_id: int) -> dict[str, Any] | None:
    """The run's document as the API shows it: `id`, `revision`, `state` and the rest, small groups suppressed.

    `restated`: a final run of the same moment had been published before, and this one corrects it.
    """
    return run_documents([run_id]).get(run_id)


def run_documents(run_ids: Sequence[int]) -> dict[int, dict[str, Any]]:
    """`run_document` of many runs, in one query."""
    earlier = MonitoringRun.objects.filter(
        model_id=OuterRef("model_id"),
        window=OuterRef("window"),
        as_of=OuterRef("as_of"),
        revision__lt=OuterRef("revision"),
        state=RunState.FINAL,
    )
    stored = MonitoringRun.objects.filter(pk__in=list(run_ids)).annotate(restated=Exists(earlier))
    return {
        identity: {
            "id": identity,
            "revision": revision,
            "restated": restated,
            "computed_at": computed_at.isoformat(),
            **documents.read(bytes(document)),
        }
        for identity, revision, restated, computed_at, document in stored.values_list(
            "id", "revision", "restated", "computed_at", "document"
        )
    }


def run_results(run_ids: Sequence[int], metrics: Collection[str]) -> dict[int, StoredResults]:
    """What each run says of these metrics, small groups suppressed; in one query.

    Many times quicker than whole documents, for who judges a long past again.
    """
    connection.ensure_connection()
    with psycopg.Cursor(connection.connection, row_factory=tuple_row) as cursor:
        cursor.execute(_DOCUMENTS, [list(run_ids)], binary=True)
        return {identity: _results(document, metrics) for identity, document in cursor}


def _results(document: bytes, metrics: Collection[str]) -> StoredResults:
    window, fields, rows = documents.read_results(document, metrics)
    if not rows:
        return StoredResults(window, ResultColumns.of_rows(fields, []), 0)
    known, suppressed = fields.index("known"), fields.index("suppressed")
    told = [row for row in rows if row[known] and not row[suppressed]]
    hidden = sum(bool(row[known] and row[suppressed]) for row in rows)
    return StoredResults(window, ResultColumns.of_rows(fields, told), hidden)


def _row(stored: MonitoringRun) -> RunRow:
    return RunRow(**{name: getattr(stored, name) for name in _FIELDS})


def _before(cursor: str | None, all_revisions: bool) -> Q:
    """What follows a cursor: earlier moments and, where every revision counts, earlier revisions of the same."""
    if not cursor:
        return Q()
    text, _, revision = cursor.partition("/")
    moment = _moment(text)
    if moment is None or bool(revision) != all_revisions or not (revision or "0").isdecimal() or len(revision) > 9:
        raise Refused("cursor", "is not a cursor of this list.", code="invalid_cursor")
    earlier = Q(as_of__lt=moment)
    return earlier | Q(as_of=moment, revision__lt=int(revision)) if all_revisions else earlier


def _cursor(row: RunRow, all_revisions: bool) -> str:
    return f"{row.as_of.isoformat()}/{row.revision}" if all_revisions else row.as_of.isoformat()


def _moment(cursor: str | None) -> datetime | None:
    if not cursor:
        return None
    try:
        moment = datetime.fromisoformat(cursor)
    except ValueError:
        moment = None
    if moment is None or moment.tzinfo is None or not 1970 <= moment.year <= 2200:
        raise Refused("cursor", "is not a cursor of this list.", code="invalid_cursor")
    return moment
