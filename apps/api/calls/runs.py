"""What was measured: the runs of a model, small groups suppressed."""

from __future__ import annotations

import base64
import binascii
import json
from collections.abc import Iterable, Mapping
from datetime import datetime
from typing import Any

from apps.api.calls.models import CURSOR, LIMIT, limit_of
from apps.api.endpoint import Answer, Call, Endpoint, Parameter
from apps.api.shapes.metrics import MetricsAnswer
from apps.common.errors import Refused
from apps.monitoring import selectors
from apps.monitoring.windows import LENGTHS
from apps.registry.spec import ModelSpec
from biasgov.fairness.drift import EVERYBODY
from biasgov.fairness.policy import METRICS
from biasgov.fairness.schema import SEPARATOR

PAGE = 10
_FINISHED = ""


def show_metrics(call: Call[None]) -> Answer:
    query = call.query
    windows = _windows(query.get("window", ""))
    metrics = _choice(query.get("metric", ""), "metric", METRICS)
    attributes = _attributes(query.get("attribute", ""), call.spec)
    limit = limit_of(query, default=PAGE)
    as_of, since = _moment(query, "as_of"), _moment(query, "since")
    every = _choice(query.get("revisions", ""), "revisions", ("newest", "all")) == {"all"}
    cursors = _cursors(query.get("cursor", ""), windows)
    following: dict[str, str] = {}
    rows: list[selectors.RunRow] = []
    for window in windows:
        if cursors.get(window) == _FINISHED:
            following[window] = _FINISHED
            continue
        page = selectors.runs(
            call.spec.id,
            window,
            as_of=as_of,
            since=since,
            cursor=cursors.get(window),
            limit=limit,
            all_revisions=every,
        )
        following[window] = page.next_cursor or _FINISHED
        rows += page.rows
    documents = selectors.run_documents([row.id for row in rows])
    more = any(each != _FINISHED for each in following.values())
    content = {
        "model": call.spec.slug,
        "window": ",".join(windows),
        "as_of": max((row.as_of for row in rows), default=as_of),
        "runs": [
            {**documents[row.id], "window": row.window, **_chosen(documents[row.id], metrics, attributes)}
            for row in rows
        ],
        "next": base64.urlsafe_b64encode(json.dumps(following).encode()).decode() if more else None,
    }
    return Answer(200, content)


def _chosen(document: Mapping[str, Any], metrics: frozenset[str], attributes: frozenset[str]) -> dict[str, list[Any]]:
    """The results of a run, its changes and its early breaches if it has them, as far as they were asked for."""

    def asked(rows: Iterable[Mapping[str, Any]]) -> list[Mapping[str, Any]]:
        return [
            each
            for each in rows
            if (not metrics or each["metric"] in metrics) and (not attributes or each["attribute"] in attributes)
        ]

    chosen: dict[str, list[Any]] = {name: asked(document[name]) for name in ("results", "changes") if name in document}
    if "early" in document:
        parts = [{**part, "results": asked(part["results"])} for part in document["early"]]
        chosen["early"] = [part for part in parts if part["results"]]
    return chosen


def _windows(given: str) -> list[str]:
    chosen = _choice(given, "window", tuple(LENGTHS)) or frozenset(LENGTHS)
    return [window for window in LENGTHS if window in chosen]


def _attributes(given: str, spec: ModelSpec) -> frozenset[str]:
    """Attribute names as in results: one name, or several joined by '*' in any order; '*' alone is everybody."""
    wanted = {name.strip() for name in given.split(",") if name.strip()}
    chosen = {EVERYBODY} if SEPARATOR in wanted else set()
    for name in wanted - {SEPARATOR}:
        parts = name.split(SEPARATOR)
        if not set(parts) <= set(spec.attribute_names) or len(set(parts)) < len(parts):
            raise Refused("attribute", f"{name[:80]!r} is none of {', '.join(spec.attribute_names)}, alone or joined.")
        ordered = sorted(parts, key=spec.attribute_names.index)
        chosen |= {name, SEPARATOR.join(ordered)}
    return frozenset(chosen)


def _choice(given: str, name: str, known: tuple[str, ...]) -> frozenset[str]:
    wanted = frozenset(each.strip() for each in given.split(",") if each.strip())
    unknown = sorted(wanted - set(known))
    if unknown:
        raise Refused(name, f"{unknown[0][:80]!r} is none of {', '.join(known)}.")
    return wanted


def _moment(query: Mapping[str, str], name: str) -> datetime | None:
    given = query.get(name)
    if given is None:
        return None
    try:
        # An unescaped '+' of an offset arrives as a blank.
        moment = datetime.fromisoformat(given.strip().replace(" ", "+"))
    except ValueError:
        moment = None
    if moment is None or moment.tzinfo is None or not 1970 <= moment.year <= 2200:
        raise Refused(name, "This must be an RFC 3339 time with an offset, e.g. 2026-11-02T09:00:00Z.")
    return moment


def _cursors(cursor: str, windows: list[str]) -> dict[str, str]:
    if not cursor:
        return {}
    try:
        found = json.loads(base64.urlsafe_b64decode(cursor.encode()))
    except (binascii.Error, ValueError, RecursionError):
        found = None
    if not isinstance(found, dict) or set(found) != set(windows) or not all(isinstance(v, str) for v in found.values()):
        raise Refused("cursor", "This is not a cursor of this list.", code="invalid_cursor")
    return found


_TIME = {"type": "string", "format": "date-time"}

ENDPOINTS = (
    Endpoint(
        "GET",
        "models/<slug>/metrics",
        "read",
        "Show what was measured, newest first within each window",
        show_metrics,
        {200: MetricsAnswer},
        query=(
            Parameter("window", "Windows, joined by commas; all by default.", {"type": "string"}, "24h,7d"),
            Parameter("metric", "Metrics, joined by commas; all by default.", {"type": "string"}, METRICS[0]),
            Parameter(
                "attribute",
                "Attributes, joined by commas; an intersection is joined by '*', and '*' alone is what is measured "
                "over everybody. All by default.",
                {"type": "string"},
                "sex",
            ),
            Parameter("as_of", "Only the runs as of this moment.", _TIME, "2026-11-02T09:00:00Z"),
            Parameter("since", "Only runs as of this moment or later.", _TIME, "2026-11-01T00:00:00Z"),
            Parameter(
                "revisions",
                "`newest` of every moment, the default, or `all`: what was published before a restatement, too.",
                {"type": "string", "enum": ["newest", "all"]},
                "all",
            ),
            LIMIT,
            CURSOR,
        ),
    ),
)
