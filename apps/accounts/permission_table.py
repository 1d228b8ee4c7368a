"""The permission matrix as a document: `docs/permissions.md` is this text."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import groupby

from apps.accounts.roles import APART, EVERYWHERE, OWN, PERMISSIONS, ROLES, SIGNING, Permission

CELLS = {EVERYWHERE: "yes", OWN: "own models", "": "–"}
"""What stands in a cell."""

_HEAD = """# Who may do what

The whole permission matrix, as `apps/accounts/roles.py` holds it and every page and service asks it. This file is
written by `manage.py permission_table > docs/permissions.md`; a test fails when it is out of date. The product shows
the same table to everybody who is signed in, at `/permissions/`.

"yes" is for every model there is. "own models" is for the models that a person owns; owning one is given model by
model, and the role alone opens none. An auditor's role can be narrowed to some models; then it reaches as far as an
owner's would. Nobody signs what they asked for, whatever their roles.
"""


def headed() -> tuple[tuple[str, tuple[Permission, ...]], ...]:
    """The matrix as (heading, its rows)."""
    return tuple((heading, tuple(rows)) for heading, rows in groupby(PERMISSIONS, key=lambda each: each.heading))


def apart() -> tuple[tuple[str, str, str], ...]:
    """Roles that must not meet in one person, in words: (one, any of these, why)."""
    return tuple((_titles(some), _titles(others), why) for some, others, why in APART)


def signing() -> str:
    """The roles that need a second factor, in words."""
    return _titles(SIGNING)


def document() -> str:
    """The matrix, and the rules beside it, in Markdown."""
    parts = [_HEAD]
    for heading, rows in headed():
        lines = [[each.words, *(CELLS[each.cells.get(role, "")] for role in ROLES), f"`{each.verb}`"] for each in rows]
        parts.append(f"\n## {heading}\n\n{_table(['', *ROLES.values(), 'named'], lines)}")
    kept = [list(each) for each in apart()]
    parts.append(f"\n## Roles that must not be one person\n\n{_table(['who is', 'is not', 'why'], kept)}")
    parts.append(f"\nWhoever is {signing()} needs a second factor to sign or to give out roles.\n")
    return "".join(parts)


def _table(head: Sequence[str], lines: Sequence[Sequence[str]]) -> str:
    rows = [head, ["---"] * len(head), *lines]
    return "".join(f"| {' | '.join(row)} |\n" for row in rows)


def _titles(roles: frozenset[str]) -> str:
    """Titles in the order of the roles: `Data steward or auditor`."""
    titles = [title for role, title in ROLES.items() if role in roles]
    return f"{', '.join(titles[:-1])} or {titles[-1]}" if titles[1:] else titles[0]
