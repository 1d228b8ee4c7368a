"""What PostgreSQL itself says the two sides may do, read from its catalogue: `biasgov.grants` says what they should.

The two are compared by a test, and `docs/privileges.md` is written from the catalogue, so that a privilege which came
from somewhere else (a default, PUBLIC, a membership, a hand) is seen by both.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from biasgov.grants import COMPUTE, GRANTS, WEB

ROLES = (WEB, COMPUTE)
VERBS = ("SELECT", "INSERT", "UPDATE", "DELETE", "TRUNCATE", "REFERENCES", "TRIGGER", "MAINTAIN")
WHOLE = ("*",)
"""In place of columns: the whole table, columns to come included."""

Matrix = Mapping[str, Mapping[str, Mapping[str, tuple[str, ...]]]]
"""Role -> table -> verb -> the columns that it is held for, sorted, or `WHOLE`. What is not there is not allowed."""

_TABLES = """
SELECT c.oid, CASE WHEN n.nspname = 'public' THEN c.relname ELSE n.nspname || '.' || c.relname END
FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
WHERE c.relkind IN ('r', 'p', 'v', 'm', 'f') AND n.nspname !~ '^pg_' AND n.nspname <> 'information_schema' ORDER BY 2
"""
_HELD = """
SELECT c.oid::bigint, v.name, has_table_privilege(%s, c.oid, v.name),
    (SELECT array_agg(a.attname::text ORDER BY a.attname) FROM pg_attribute a
     WHERE a.attrelid = c.oid AND a.attnum > 0 AND NOT a.attisdropped
       AND v.name IN ('SELECT', 'INSERT', 'UPDATE', 'REFERENCES')
       AND has_column_privilege(%s, c.oid, a.attnum, v.name))
FROM pg_class c CROSS JOIN unnest(%s::text[]) AS v(name) WHERE c.oid = ANY(%s::oid[])
"""
_SECURED = """
SELECT n.nspname || '.' || c.relname, c.relrowsecurity AND c.relforcerowsecurity,
    (SELECT array_agg(p.polname::text ORDER BY p.polname) FROM pg_policy p WHERE p.polrelid = c.oid)
FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
WHERE c.relkind IN ('r', 'p') AND n.nspname = 'vault' ORDER BY 1
"""
_FUNCTIONS = """
SELECT p.proname::text,
    ARRAY(SELECT r.name FROM unnest(%s::text[]) AS r(name) WHERE has_function_privilege(r.name, p.oid, 'EXECUTE'))
FROM pg_proc p JOIN pg_namespace n ON n.oid = p.pronamespace
WHERE p.prosecdef AND n.nspname !~ '^pg_' AND n.nspname <> 'information_schema' ORDER BY 1
"""
_POWERS = """
SELECT r.rolname::text, array_remove(ARRAY[
    CASE WHEN r.rolsuper THEN 'superuser' END, CASE WHEN r.rolbypassrls THEN 'bypasses row level security' END,
    CASE WHEN r.rolcreaterole THEN 'makes roles' END, CASE WHEN r.rolcreatedb THEN 'makes databases' END,
    CASE WHEN r.rolreplication THEN 'replicates' END], NULL)
    || ARRAY(SELECT 'member of ' || m.roleid::regrole FROM pg_auth_members m WHERE m.member = r.oid)
    || ARRAY(SELECT 'owns ' || c.relname FROM pg_class c WHERE c.relowner = r.oid)
    || ARRAY(SELECT 'creates in ' || n.nspname FROM pg_namespace n
             WHERE n.nspname !~ '^pg_' AND has_schema_privilege(r.oid, n.oid, 'CREATE'))
FROM pg_roles r WHERE r.rolname = ANY(%s)
"""
_USAGE = """
SELECT n.nspname::text FROM pg_namespace n
WHERE has_schema_privilege(%s, n.oid, 'USAGE') AND n.nspname !~ '^pg_' AND n.nspname <> 'information_schema'
"""


@dataclass(frozen=True, slots=True)
class Catalogue:
    """What the database allows.

    tables: of all schemas of ours, partitions included. secured: tables of the schema ``vault`` -> (row level security
    is on and forced, policies). functions: those that run with their owner's privileges -> roles that may call them.
    powers: role -> whatever a role of a side should not be.
    """

    tables: tuple[str, ...]
    matrix: Matrix
    schemas: Mapping[str, tuple[str, ...]]
    secured: Mapping[str, tuple[bool, tuple[str, ...]]]
    functions: Mapping[str, tuple[str, ...]]
    powers: Mapping[str, tuple[str, ...]]


def catalogue(connection: Any) -> Catalogue:
    """What the connection's database allows the roles of both sides, however they came by it."""
    with connection.cursor() as cursor:
        cursor.execute(_TABLES)
        names = {int(oid): str(name) for oid, name in cursor.fetchall()}
        matrix: dict[str, dict[str, dict[str, tuple[str, ...]]]] = {}
        schemas: dict[str, tuple[str, ...]] = {}
        for role in ROLES:
            cursor.execute(_HELD, [role, role, list(VERBS), list(names)])
            held: dict[str, dict[str, tuple[str, ...]]] = {}
            for oid, verb, whole, columns in cursor.fetchall():
                if whole or columns:
                    held.setdefault(names[oid], {})[verb] = WHOLE if whole else tuple(columns)
            matrix[role] = held
            cursor.execute(_USAGE, [role])
            schemas[role] = tuple(sorted(name for (name,) in cursor.fetchall()))
        cursor.execute(_SECURED)
        secured = {name: (bool(on), tuple(policies or ())) for name, on, policies in cursor.fetchall()}
        cursor.execute(_FUNCTIONS, [list(ROLES)])
        functions = {name: tuple(sides) for name, sides in cursor.fetchall()}
        cursor.execute(_POWERS, [list(ROLES)])
        powers = {name: tuple(found) for name, found in cursor.fetchall()}
    return Catalogue(tuple(sorted(names.values())), matrix, schemas, secured, functions, powers)


def granted() -> Matrix:
    """What `biasgov.grants` says, in the same shape."""
    return {role: {table: _parsed(verbs) for table, verbs in GRANTS[role].items()} for role in ROLES}


def described(found: Catalogue) -> str:
    """The page ``docs/privileges.md``. Partitions are left out: their names are dates, and they are closed."""
    lines = [
        "# What each side may do",
        "",
        "Written from PostgreSQL's catalogue by `manage.py privileges --write`; a test compares it with the",
        "database and with `biasgov/grants.py`. A table that is not named is closed to that side.",
        "",
    ]
    for role in ROLES:
        schemas = ", ".join(f"`{name}`" for name in found.schemas[role])
        lines += [
            f"## {role}",
            "",
            f"Schemas: {schemas}. It owns nothing, makes nothing and belongs to no other role.",
            "",
        ]
        lines += ["| table | may |", "| --- | --- |"]
        lines += [f"| `{table}` | {_told(verbs)} |" for table, verbs in sorted(found.matrix[role].items())]
        lines.append("")
    lines += ["## Row level security in the vault", "", "On and forced, so that it binds the owner too.", ""]
    lines += ["| table | policies |", "| --- | --- |"]
    lines += [f"| `{name}` | {', '.join(policies)} |" for name, (_, policies) in found.secured.items()]
    lines += ["", "## Functions that run as the owner", "", "| function | may be called by |", "| --- | --- |"]
    lines += [
        f"| `{name}` | {', '.join(sides) or 'nobody; triggers only'} |" for name, sides in found.functions.items()
    ]
    return "\n".join(lines) + "\n"


def _parsed(verbs: str) -> dict[str, tuple[str, ...]]:
    found = re.findall(r"([A-Z]+)(?:\s*\(([^)]*)\))?", verbs)
    return {
        verb: tuple(sorted(re.split(r",\s*", columns.replace('"', "")))) if columns else WHOLE
        for verb, columns in found
    }


def _told(verbs: Mapping[str, Sequence[str]]) -> str:
    return ", ".join(
        verb if tuple(verbs[verb]) == WHOLE else f"{verb} of {', '.join(verbs[verb])}"
        for verb in VERBS
        if verb in verbs
    )
