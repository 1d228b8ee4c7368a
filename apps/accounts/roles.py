"""The whole permission matrix: which role may do what, and how far it reaches.

``everywhere``: for every model. ``own``: for the models a person owns, by the object permission
``registry.own_model``, which also makes a model owner of whoever is not in that group; the group alone opens no
model. An empty cell: not at all.
"""

from __future__ import annotations

from typing import Any

EVERYWHERE = "everywhere"
OWN = "own"

OFFICER = "rai_officer"
COMPLIANCE = "compliance"
BOARD = "board_member"
OWNER = "model_owner"
STEWARD = "data_steward"
AUDITOR = "auditor"
ADMINISTRATOR = "administrator"

ROLES: dict[str, str] = {
    OFFICER: "Responsible AI officer",
    COMPLIANCE: "Compliance officer",
    BOARD: "Ethics board member",
    OWNER: "Model owner",
    STEWARD: "Data steward",
    AUDITOR: "Auditor",
    ADMINISTRATOR: "Administrator",
}

SIGNING = frozenset({OFFICER, COMPLIANCE, BOARD, ADMINISTRATOR})
"""Whose word takes effect: they sign, vote, lift restrictions or give out roles, and need a second factor for it."""

APART: tuple[tuple[frozenset[str], frozenset[str], str], ...] = (
    (frozenset({COMPLIANCE}), frozenset({OFFICER, OWNER, STEWARD}), "Compliance signs what they ask for."),
    (frozenset({BOARD}), frozenset({OFFICER, OWNER}), "The board judges what they bring before it."),
    (frozenset({BOARD}), frozenset({COMPLIANCE}), "A relaxation beyond the limit needs both, and so two people."),
    (
        frozenset({ADMINISTRATOR}),
        frozenset({OFFICER, COMPLIANCE, BOARD, OWNER, STEWARD}),
        "Who gives out roles has no say in what they decide.",
    ),
    (frozenset({AUDITOR}), frozenset(ROLES) - {AUDITOR}, "Who audits the work has no part in it."),
)
"""Roles that must not meet in one person: any of the first with any of the second, and why."""

_COLUMNS = {"O": OFFICER, "C": COMPLIANCE, "B": BOARD, "M": OWNER, "S": STEWARD, "A": AUDITOR, "P": ADMINISTRATOR}

# O officer, C compliance, B board, M model owner, S steward, A auditor, P administrator ("people");
# a small m is the owner's reach: own models only.
_TABLE = """
inbox.view              O C B M S A P
model.view              O C B m . A .
run.view                O C B m . A .
run.recompute           O . . . . A .
finding.view            O C B m . A .
finding.acknowledge     O . . m . . .
alert.silence           O . . . . . .
incident.view           O C B m . A .
incident.open           O . . . . . .
incident.manage         O . . . . . .
incident.close          O C . . . . .
complaint.view          O C B m . A .
complaint.record        O C . . . . .
override.view           O C B m . A .
remediation.plan        O . . m . . .
threshold.view          O C B m . A .
threshold.propose       O . . m . . .
threshold.sign          . C . . . . .
threshold.relax         . . B . . . .
restriction.confirm     O . . . . . .
restriction.lift        O . . . . . .
restriction.countersign O C . . . . .
retraining.sign         . C . . . . .
board.view              O C B . . A .
board.vote              . . B . . . .
board.convene           O C . . . . .
board.manage            . C . . . . .
register.view           O C B . . A .
report.view             O C B m S A .
vault.view              O C . . S A .
vault.upload            . . . . S . .
vault.erase             . . . . S . .
vault.rotate            . . . . . . .
coverage.view           O C B m S A .
access.request          . . . . S . .
access.sign             . C . . . . .
audit.view              . C . . . A .
audit.verify            . C . . . A .
health.view             O C . m S A P
delivery.resend         O . . . . . P
person.manage           . . . . . . P
token.manage            . . . . . . P
setting.manage          . . . . . . P
matrix.view             O C B M S A P
"""


def _read(table: str) -> dict[str, dict[str, str]]:
    """{verb: {role: reach}} from the table above."""
    matrix: dict[str, dict[str, str]] = {}
    for line in table.strip().splitlines():
        verb, *cells = line.split()
        held = [cell for cell in cells if cell != "."]
        matrix[verb] = {_COLUMNS[cell.upper()]: OWN if cell.islower() else EVERYWHERE for cell in held}
    return matrix


MATRIX: dict[str, dict[str, str]] = _read(_TABLE)


def reach(verb: str, role: str) -> str:
    """`EVERYWHERE`, `OWN` or "". Raises KeyError for an unknown verb: a typing error must never pass as a no."""
    return MATRIX[verb].get(role, "")


def kept_apart(one: str, other: str) -> str:
    """Why nobody may hold both roles; "" where they may meet."""
    for some, others, why in APART:
        if (one in some and other in others) or (other in some and one in others):
            return why
    return ""


def create_groups(**_: Any) -> None:
    """One Django group per role; harmless when repeated."""
    from django.contrib.auth.models import Group

    for role in ROLES:
        Group.objects.get_or_create(name=role)
