"""Whether what keeps the log as it was written is still in place: triggers, their functions, privileges.

Who owns the tables can take it away, for no longer than until the next look.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator

from django.db import connection

from biasgov.governed import GOVERNED
from biasgov.governed import TRIGGERS as DEMANDS

TABLES = ("audit_entry", "audit_leaf", "audit_node")

_FUNCTIONS = {
    "append_only": "706938313010cfa54a13d3680df1f0acb5269bf2d3c0a769163f76fa3349344b",
    "audit_entry_queue": "5d07a0372ffcf1a37e59bb5027833b51e8d56144e383ff9641ec01a1c70189c5",
    "audit_demanded": "e537512bb0bc9a72ed413a4958ea2550af729b4e6e3087f94162f372e909d270",
}
"""SHA-256 of each function's source as the migrations made it."""

TRIGGERS = {
    "audit_entry": {
        ("audit_entry_append_only", "append_only"),
        ("audit_entry_rows_append_only", "append_only"),
        ("audit_entry_queued", "audit_entry_queue"),
    },
    "audit_leaf": {("audit_leaf_append_only", "append_only"), ("audit_leaf_rows_append_only", "append_only")},
    "audit_node": {("audit_node_append_only", "append_only"), ("audit_node_rows_append_only", "append_only")},
}

_INSTALLED = """
SELECT c.relname, t.tgname, p.proname, t.tgenabled = 'A'
FROM pg_trigger t JOIN pg_class c ON c.oid = t.tgrelid JOIN pg_proc p ON p.oid = t.tgfoid
WHERE NOT t.tgisinternal AND c.oid = ANY (%s::regclass[])
"""
_DEMANDS = """
SELECT wanted.name FROM unnest(%(governed)s::text[]) AS wanted (name)
WHERE (
    SELECT count(*) FROM pg_trigger t
    JOIN pg_class c ON c.oid = t.tgrelid JOIN pg_namespace n ON n.oid = c.relnamespace
    WHERE wanted.name IN (c.relname, n.nspname || '.' || c.relname)
    AND t.tgname = ANY (%(triggers)s::text[]) AND t.tgenabled = 'O'
) < cardinality(%(triggers)s::text[])
ORDER BY 1
"""
_SOURCES = "SELECT proname, prosrc FROM pg_proc WHERE pronamespace = 'public'::regnamespace AND proname = ANY (%s)"
_DETOURS = """
SELECT c.relname, 'has the rule ' || r.rulename FROM pg_rewrite r JOIN pg_class c ON c.oid = r.ev_class
WHERE c.oid = ANY (%(tables)s::regclass[])
UNION ALL
SELECT c.relname, 'is tied to the table ' || other.relname FROM pg_inherits i
JOIN pg_class c ON c.oid IN (i.inhrelid, i.inhparent) JOIN pg_class other ON other.oid IN (i.inhrelid, i.inhparent)
WHERE c.oid = ANY (%(tables)s::regclass[]) AND other.oid <> c.oid
UNION ALL
SELECT relname, 'hides rows by row level security' FROM pg_class
WHERE oid = ANY (%(tables)s::regclass[]) AND (relrowsecurity OR relforcerowsecurity)
UNION ALL
SELECT c.relname, format('may be changed by %%s (%%s)', granted.grantee::regrole, granted.privilege_type)
FROM pg_class c CROSS JOIN LATERAL aclexplode(c.relacl) granted
WHERE c.oid = ANY (%(tables)s::regclass[]) AND granted.grantee <> c.relowner
AND granted.privilege_type IN ('UPDATE', 'DELETE', 'TRUNCATE', 'TRIGGER', 'MAINTAIN')
ORDER BY 1, 2
"""


def guard_faults() -> tuple[str, ...]:
    """What is missing or was put beside the log's guards, in words; empty while they are whole. Four queries."""
    tables = list(TABLES)
    with connection.cursor() as cursor:
        cursor.execute(_INSTALLED, [tables])
        installed = cursor.fetchall()
        cursor.execute(_SOURCES, [list(_FUNCTIONS)])
        sources = dict(cursor.fetchall())
        cursor.execute(_DEMANDS, {"governed": list(GOVERNED), "triggers": list(DEMANDS)})
        undemanded = [f"{table} may change without an entry in the log" for (table,) in cursor.fetchall()]
        cursor.execute(_DETOURS, {"tables": tables})
        detours = [f"{table} {what}" for table, what in cursor.fetchall()]
    return (*_trigger_faults(installed), *_function_faults(sources), *undemanded, *detours)


def _trigger_faults(installed: list[tuple[str, str, str, bool]]) -> Iterator[str]:
    for table, wanted in TRIGGERS.items():
        found = {(name, function): always for where, name, function, always in installed if where == table}
        for name, function in sorted(wanted - found.keys()):
            yield f"{table} has lost its trigger {name}, which calls {function}"
        for name, _ in sorted(found.keys() - wanted):
            yield f"{table} has the foreign trigger {name}"
        for name, function in sorted(wanted & found.keys()):
            if not found[name, function]:
                yield f"the trigger {name} of {table} is switched off"


def _function_faults(sources: dict[str, str]) -> Iterator[str]:
    for name, digest in _FUNCTIONS.items():
        if name not in sources:
            yield f"the function {name} is missing"
        elif hashlib.sha256(sources[name].encode()).hexdigest() != digest:
            yield f"the function {name} was replaced"
