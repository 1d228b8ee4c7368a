"""The whole permission matrix: which role may do what, and how far it reaches.

``everywhere``: for every model. ``own``: for the models a person owns, by the object permission
``registry.own_model``, which also makes a model owner of whoever is not in that group; the group alone opens no
model. An empty cell: not at all.
"""

from __future__ import annotations

from dataclasses import dataclass
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

COLLECTIVE = frozenset({"threshold.relax", "board.vote"})
"""Verbs that no one person exercises: a request that needs one of them needs a decision of the ethics board."""

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
# a small m is the owner's reach: own models only. A line without a dot in its first word is a heading.
_TABLE = """
Models and what is measured
inbox.view              O C B M S A P  see what waits for oneself
model.view              O C B m . A .  see a model and how fair it is
run.view                O C B m . A .  read a run and take its evidence away
run.recompute           O . . . . A .  compute a run again and compare
report.view             O C B m S A .  read reports
health.view             O C . m S A P  see whether the figures are fresh and alerts arrive
coverage.view           O C B m S A .  see for how many people attributes are known

Findings and restrictions
finding.view            O C B m . A .  read findings
finding.acknowledge     O . . m . . .  acknowledge a finding
alert.silence           O . . . . . .  silence an alert for a time
restriction.confirm     O . . . . . .  confirm or decline a restriction
restriction.lift        O . . . . . .  ask for a restriction to be lifted
restriction.countersign O C . . . . .  sign that a restriction is lifted
remediation.plan        O . . m . . .  plan a remedy, ask for a retraining release
retraining.sign         . C . . . . .  sign a retraining release
delivery.resend         O . . . . . P  send an undelivered message again

Thresholds
threshold.view          O C B m . A .  read thresholds and their reasons
threshold.propose       O . . m . . .  propose a threshold
threshold.sign          . C . . . . .  sign a change of thresholds
threshold.relax         . . B . . . .  sign a relaxation beyond the policy's limit

Incidents, complaints and the board
incident.view           O C B m . A .  read incidents
incident.open           O . . . . . .  open an incident
incident.manage         O . . . . . .  run an incident
incident.close          O C . . . . .  sign the closure of an incident
complaint.view          O C B m . A .  read complaints
complaint.record        O C . . . . .  record and answer complaints
override.view           O C B m . A .  see how often people overrule a model
board.view              O C B . . A .  read the board's cases
board.vote              . . B . . . .  vote
board.convene           O C . . . . .  put a case to the board
board.manage            . C . . . . .  open the board's votes, ask for other rules of it

Protected attributes
vault.view              O C . . S A .  see what the vault holds, never a value
vault.upload            . . . . S . .  upload attributes
vault.erase             . . . . S . .  erase a person's attributes
vault.rotate            . . . . . . .  change keys: by a command alone
access.request          O . . . S . .  ask for access to attributes
access.sign             . C . . . . .  sign a request for access

The house
audit.view              . C . . . A .  read the audit log
audit.verify            . C . . . A .  verify the audit log
person.manage           . . . . . . P  invite people, give and take roles
token.manage            . . . . . . P  make and revoke API tokens
setting.manage          . . . . . . .  change settings: by the environment and by commands alone
"""


@dataclass(frozen=True, slots=True)
class Permission:
    """One row of the matrix: what may be done, in words, under which heading, and by whom ({role: reach})."""

    verb: str
    words: str
    heading: str
    cells: dict[str, str]


def _read(table: str) -> tuple[Permission, ...]:
    found = []
    heading = ""
    for line in filter(None, table.splitlines()):
        verb, *rest = line.split(maxsplit=len(_COLUMNS) + 1)
        if "." not in verb:
            heading = line
            continue
        cells = {
            _COLUMNS[cell.upper()]: OWN if cell.islower() else EVERYWHERE
            for cell in rest[: len(_COLUMNS)]
            if cell != "."
        }
        found.append(Permission(verb, " ".join(rest[len(_COLUMNS) :]), heading, cells))
    return tuple(found)


PERMISSIONS = _read(_TABLE)
MATRIX: dict[str, dict[str, str]] = {each.verb: each.cells for each in PERMISSIONS}


BY_MODEL = frozenset({"audit.view"})
"""Of the whole house, but shown to a person whose role is held for some models as far as it concerns those."""


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
