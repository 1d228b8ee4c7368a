"""Registers of a large house, written past the services into a scratch database: as many rows as the goals speak of.

Run as the owner of the tables, who can put the guards of the tables aside; nothing here could write to a real house.
"""

from __future__ import annotations

import uuid
from collections.abc import Iterable, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any

MODELS, VERSIONS, INCIDENTS, REQUESTS, OVERRIDES, MESSAGES, PEOPLE = 50, 5_000, 10_000, 10_000, 10_000, 10_000, 2_000
CASES, FINDINGS, ENTRIES, DAYS = 5_000, 5_000, 1_000_000, 90
NOW = datetime.now(UTC).replace(microsecond=0)
ACTOR = "system:bench"
HOUR, DAY = timedelta(hours=1), timedelta(days=1)
WORDS = ("postcode", "threshold", "sampling", "premium", "hospital", "appeal", "library", "branch", "letter", "score")

Row = dict[str, Any]


def fill(people: dict[str, int], specs: Sequence[tuple[int, str]]) -> None:
    """Write everything. people: {user name: id} of those who look at the pages; specs: (id, slug) of the models."""
    ids = [model_id for model_id, _ in specs]
    _versions(ids)
    _registers(ids, people)
    _requests(ids, people)
    _cases(ids, people)
    _findings(ids, people)
    _messages(ids, people)
    _people()
    _overrides(ids[0])
    _runs(ids)
    _log([slug for _, slug in specs])


def _rows(table: str, rows: Iterable[Row]) -> None:
    """Copy rows into a table whose triggers are put aside."""
    import psycopg
    from django.db import connection
    from psycopg import sql

    given = list(rows)
    names = list(given[0])
    with connection.cursor() as cursor:
        cursor.execute(sql.SQL("ALTER TABLE {} DISABLE TRIGGER USER").format(sql.Identifier(table)))
    statement = sql.SQL("COPY {} ({}) FROM STDIN").format(
        sql.Identifier(table), sql.SQL(", ").join(map(sql.Identifier, names))
    )
    with psycopg.Cursor(connection.connection) as cursor, cursor.copy(statement) as copy:
        for row in given:
            copy.write_row([row[name] for name in names])


def _json(content: Any) -> Any:
    from psycopg.types.json import Jsonb

    return Jsonb(content)


def _text(number: int, words: int = 12) -> str:
    return " ".join(WORDS[(number * 7 + place * 3) % len(WORDS)] for place in range(words))


def _versions(ids: Sequence[int]) -> None:
    """Each model's first version again and again, all superseded but the last of each model."""
    from apps.thresholds.models import PolicyVersion

    first = {row.model_id: row for row in PolicyVersion.objects.filter(model_id__in=ids)}
    each = VERSIONS // len(ids)
    _rows("thresholds_policyversion", (
        {
            "model_id": model_id, "version": version, "body": _json(first[model_id].body),
            "digest": first[model_id].digest, "effective_from": NOW - (each - version) * DAY,
            "assessment_reference": f"RA-{version}", "legal_basis": _json(first[model_id].legal_basis),
            "justification": _text(version), "limits": _json(first[model_id].limits),
            "review_due": (NOW + (model_id % 40) * DAY).date(), "way": "emergency", "published_by": "user:olivia",
            "published_at": NOW - (each - version) * DAY,
        }
        for model_id in ids for version in range(2, each + 1)
    ))  # fmt: skip


def _registers(ids: Sequence[int], people: dict[str, int]) -> None:
    """Incidents with a clock, an action and a cost each, and complaints; half of them wait for the officer."""
    states = ("open", "investigating", "remediating", "closing", "closed")
    severities = ("low", "medium", "high", "critical")
    _rows("incidents_incident", (
        {
            "id": n, "model_id": ids[n % len(ids)], "title": f"Incident about {_text(n, 4)}", "summary": _text(n, 60),
            "severity": severities[n % 4], "state": states[n % 5], "cause_key": "",
            "origin": ("escalation", "person", "complaint", "api")[n % 4],
            "causes": [("proxy", "label", "other")[n % 3]],
            "explanation": _text(n + 1, 30), "lessons": "", "opened_by": "user:olivia", "lead_id": people["olivia"],
            "aware_at": NOW - n * HOUR, "opened_at": NOW - n * HOUR, "revision": 1,
            "closed_at": NOW if n % 5 == 4 else None, "reopened_at": NOW if n % 50 == 0 else None,
        }
        for n in range(1, INCIDENTS + 1)
    ))  # fmt: skip
    _rows("incidents_clock", (
        {
            "incident_id": n, "rule": "aia-73-2", "state": "proposed", "started_at": NOW - 15 * DAY - n * HOUR,
            "due_at": NOW - n * HOUR, "decided_by": "", "note": "", "added_at": NOW,
        }
        for n in range(1, INCIDENTS + 1)
    ))  # fmt: skip
    _rows("incidents_action", (
        {
            "incident_id": n, "model_id": ids[n % len(ids)], "title": f"Action about {_text(n, 4)}",
            "owner_id": people["olivia"] if n % 2 else people["mona"], "due_at": NOW + n * HOUR, "state": "open",
            "outcome": "", "added_by": "user:olivia", "added_at": NOW, "ended_by": "",
        }
        for n in range(1, INCIDENTS + 1)
    ))  # fmt: skip
    _rows("incidents_cost", (
        {
            "incident_id": n, "kind": "hours", "description": "Work", "quantity": 2, "unit_amount": 100, "amount": 200,
            "currency": "EUR", "incurred_on": NOW.date(), "booked_by": "user:olivia", "booked_at": NOW,
        }
        for n in range(1, INCIDENTS + 1)
    ))  # fmt: skip
    _rows("incidents_complaint", (
        {
            "id": n, "model_id": ids[n % len(ids)], "source": ("customer", "regulator")[n % 2], "channel": "letter",
            "reference": f"C-{n}", "summary": _text(n, 40), "attribute": "sex" if n % 3 else "", "rule": "rg-271-30",
            "received_at": NOW - 30 * DAY, "due_at": NOW + timedelta(minutes=n % 4000),
            "state": ("received", "examined", "answered", "withdrawn")[n % 4], "answer": "",
            "outcome": "upheld" if n % 4 == 2 else "", "answered_at": NOW if n % 4 == 2 else None,
            "recorded_by": "user:olivia", "recorded_at": NOW,
        }
        for n in range(1, INCIDENTS + 1)
    ))  # fmt: skip


def _requests(ids: Sequence[int], people: dict[str, int]) -> None:
    """Requests of which half wait for compliance, every tenth of those with a first signature of another person."""
    lift, change = "restriction_lift", "threshold_review"
    _rows("approvals_approval", (
        {
            "id": n, "kind": lift if n % 2 else change, "model_id": ids[n % len(ids)], "subject": f"model:m{n}",
            "title": f"Request {n} about {_text(n, 4)}", "content": _json({"text": _text(n, 200)}), "reason": _text(n),
            "revision": 1, "digest": f"{n:064}", "requester_id": people["olivia"],
            "needs": _json([{"verb": "restriction.countersign" if n % 2 else "threshold.sign", "why": "always"}]),
            "state": "submitted" if n <= REQUESTS // 2 else ("rejected", "withdrawn", "draft")[n % 3],
            "created_at": NOW - HOUR, "submitted_at": NOW - HOUR, "expires_at": NOW + n * HOUR,
        }
        for n in range(1, REQUESTS + 1)
    ))  # fmt: skip
    _rows("approvals_signature", (
        {
            "approval_id": n, "requester_id": people["olivia"], "person_id": people["colin" if n % 20 else "cora"],
            "verb": "restriction.countersign", "digest": f"{n:064}", "confirmed_at": NOW, "signed_at": NOW,
        }
        for n in range(1, REQUESTS // 2, 10)
    ))  # fmt: skip


def _cases(ids: Sequence[int], people: dict[str, int]) -> None:
    _rows("board_case", (
        {
            "id": n, "kind": "incident", "subject_id": n, "key": "", "model_id": ids[n % len(ids)],
            "title": f"Case about {_text(n, 4)}", "question": "Is it enough?", "facts": _json([]), "rules": _json({}),
            "state": "voting" if n % 2 else "decided", "convened_by": ACTOR, "convened_at": NOW, "papers_until": NOW,
            "opened_at": NOW, "vote_until": NOW + n * HOUR, "digest": "0" * 64, "tally": _json({}),
            "ended_at": None if n % 2 else NOW, "outcome": "" if n % 2 else "carried",
        }
        for n in range(1, CASES + 1)
    ))  # fmt: skip
    members = [people["bea"], people["bert"]]
    _rows(
        "board_seat",
        ({"case_id": n, "person_id": who, "drawn_at": NOW} for n in range(1, CASES + 1) for who in members),
    )


def _findings(ids: Sequence[int], people: dict[str, int]) -> None:
    """Open findings that nobody has acknowledged, a hundred a model."""
    entered = {"alert": {"at": NOW.isoformat(), "why": "breach"}}
    windows = {"24h": {"streak": 2, "as_of": NOW.isoformat(), "before": 1}}
    _rows("responses_finding", (
        {
            "model_id": ids[n % len(ids)], "metric": "demographic_parity_ratio", "attribute": "sex", "group": f"g{n}",
            "reference": "male", "state": "open", "tier": "alert", "severity": ("low", "high", "critical")[n % 3],
            "sentence": _text(n, 20), "window": "24h", "value": 0.7, "low": 0.6, "high": 0.75, "bound_low": 0.8,
            "run_id": 1, "entered": _json(entered), "windows": _json(windows),
            "persistence": _json({}), "opened_at": NOW - n * HOUR, "opened_as_of": NOW - n * HOUR, "opened_run_id": 1,
            "last_as_of": NOW, "last_verdict": "breach", "told_severity": "", "told_tier": "", "acknowledgement": "",
        }
        for n in range(FINDINGS)
    ))  # fmt: skip


def _messages(ids: Sequence[int], people: dict[str, int]) -> None:
    _rows("responses_notification", (
        {
            "person_id": people["olivia"], "model_id": ids[n % len(ids)], "dedup_key": f"alert-{n}", "title": "Alert",
            "body": _text(n, 30), "severity": "high", "path": "/", "detected_at": NOW, "created_at": NOW - n * HOUR,
        }
        for n in range(MESSAGES)
    ))  # fmt: skip
    _rows("responses_outboxmessage", (
        {
            "channel": f"json-{n % 4:08}" if n % 2 else f"person-{n % 900}", "dedup_key": f"alert-{n}",
            "title": "Alert", "body": _text(n, 30), "severity": "high", "state": ("dead", "sent", "pending")[n % 3],
            "attempts": 1, "detected_at": NOW - DAY, "created_at": NOW - (n % 168) * HOUR, "next_attempt_at": NOW + DAY,
            "sent_at": NOW - DAY + timedelta(seconds=n % 900) if n % 3 == 1 else None, "last_error": "refused",
        }
        for n in range(2 * MESSAGES)
    ))  # fmt: skip


def _people() -> None:
    from django.contrib.auth.models import Group

    from apps.accounts.models import User

    group = Group.objects.get(name="model_owner").pk
    _rows("accounts_user", (
        {
            "username": f"person{n:05}", "first_name": f"First{n}", "last_name": f"Last{n % 700}", "password": "!",
            "email": f"person{n}@example.org", "is_active": n % 10 > 0, "is_staff": False, "is_superuser": False,
            "date_joined": NOW,
        }
        for n in range(PEOPLE)
    ))  # fmt: skip
    named = User.objects.filter(username__startswith="person").values_list("pk", flat=True)
    _rows("accounts_user_groups", ({"user_id": pk, "group_id": group} for pk in named))


def _overrides(model_id: int) -> None:
    _rows("overrides_override", (
        {
            "model_id": model_id, "event_key": uuid.uuid4(), "occurred_at": NOW - DAY, "from_decision": n % 2,
            "to_decision": 1 - n % 2, "category": ("hardship", "policy", "unfair")[n % 3], "reason": _text(n),
            "by": "clerk", "overridden_at": NOW, "recorded_by": ACTOR, "recorded_at": NOW,
        }
        for n in range(OVERRIDES)
    ))  # fmt: skip


def _runs(model_ids: Sequence[int]) -> None:
    """The newest runs of the first model and their points again, for every hour of 90 days before them that has none.

    The other models get them too, with those of every day of a month.
    """
    from django.db import connection

    from apps.monitoring.standing import standing_keep

    first, others = model_ids[0], list(model_ids[1:])
    with connection.cursor() as cursor:
        for table, moved in (("monitoring_run", {"as_of", "from_at", "to_at"}), ("monitoring_point", {"as_of"})):
            newest = (
                f"FROM {table} WHERE model_id = %s AND as_of = (SELECT max(as_of) FROM {table} WHERE model_id = %s)"
            )
            cursor.execute(f"ALTER TABLE {table} DISABLE TRIGGER USER")
            cursor.execute(f"CREATE TEMPORARY TABLE newest_{table} AS SELECT * {newest}", [first, first])
            for models, steps in (
                ([first], f"generate_series(1, {DAYS * 24})"),
                (others, "generate_series(0, 720, 24)"),
            ):
                names, values = _repeated(table, moved)
                cursor.execute(
                    f"INSERT INTO {table} ({names}) SELECT {values} FROM newest_{table} AS newest, {steps} AS hours,"
                    " unnest(%s::bigint[]) AS model ON CONFLICT DO NOTHING",
                    [models],
                )
    for model_id in model_ids:
        standing_keep(model_id)


def _repeated(table: str, moved: set[str]) -> tuple[str, str]:
    """The columns of a table but its key, and their values for a `model` and so many `hours` earlier."""
    from django.db import connection

    with connection.cursor() as cursor:
        cursor.execute("SELECT column_name FROM information_schema.columns WHERE table_name = %s", [table])
        names = [name for (name,) in cursor.fetchall() if name != "id"]
    changed = {"model_id": "model"} | {name: f"newest.{name} - hours * interval '1 hour'" for name in moved}
    values = [changed.get(name, f'newest."{name}"') for name in names]
    return ", ".join(f'"{name}"' for name in names), ", ".join(values)


def _log(slugs: Sequence[str]) -> None:
    """A million entries in the proportions of a house: mostly runs and reads, some by people, rare words."""
    from django.db import connection

    with connection.cursor() as cursor:
        cursor.execute("ALTER TABLE audit_entry DISABLE TRIGGER USER")
        cursor.execute("ALTER TABLE audit_entry DISABLE TRIGGER audit_entry_queued")
        cursor.execute(
            "INSERT INTO audit_entry (at, actor, action, subject, detail, leaf_hash)"
            " SELECT now() - (%(entries)s - n) * interval '30 seconds',"
            " CASE WHEN n %% 10 < 8 THEN 'system:compute' ELSE 'user:person' || n / 10 %% 50 END,"
            " CASE n %% 10 WHEN 8 THEN 'finding.acknowledged' WHEN 9 THEN 'approval.remark'"
            " WHEN 7 THEN 'vault.attributes_read' ELSE 'run.stored' END,"
            " CASE WHEN n %% 10 = 9 THEN 'approval:' || n / 10 %% 5000"
            " ELSE 'model:' || (%(slugs)s::text[])[1 + n / 7 %% %(models)s] END,"
            " jsonb_build_object('text', CASE WHEN n %% 10 = 9 THEN"
            " 'remark about ' || (%(words)s::text[])[1 + n / 10 %% 10]"
            " || CASE WHEN n %% 100000 = 79 THEN ' quicksilver' ELSE '' END ELSE '' END, 'n', n,"
            " 'model', (%(slugs)s::text[])[1 + n / 7 %% %(models)s], 'digest', md5(n::text)), sha256(n::text::bytea)"
            " FROM generate_series(1, %(entries)s) AS n",
            {"entries": ENTRIES, "slugs": list(slugs), "models": len(slugs), "words": list(WORDS)},
        )
        cursor.execute("ALTER TABLE audit_leaf DISABLE TRIGGER USER")
        cursor.execute(
            "INSERT INTO audit_leaf (leaf_index, entry_id, leaf_hash)"
            " SELECT row_number() OVER (ORDER BY id) - 1, id, leaf_hash FROM audit_entry"
            " WHERE NOT EXISTS (SELECT FROM audit_leaf) "
        )
