"""How the board decides: quorum, tie, and how long it takes. The board itself agrees to a change of its rules.

A case carries the rules as they were when it was convened; a change holds for those convened afterwards.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, fields
from datetime import datetime
from typing import Any, Self
from zoneinfo import ZoneInfo

from apps.accounts.models import User
from apps.accounts.roles import BOARD
from apps.accounts.selectors import people_with_role
from apps.approvals.kinds import Kind, Need
from apps.approvals.selectors import ApprovalView
from apps.approvals.services import approval_draft, approval_submit
from apps.audit import services as audit
from apps.board.models import RulesVersion
from apps.common import clock
from apps.common.business_hours import BusinessHours, check_calendar
from apps.common.errors import Refused

NAME = "board_rules"
FAILS, CHAIR = "fails", "chair"
LEAST = 2
"""One member alone is never the board."""
_WHOLE = {
    "quorum_share": (1, 100),
    "quorum_least": (LEAST, 1000),
    "papers_hours": (1, 400),
    "voting_hours": (2, 400),
    "opens": (0, 23),
    "closes": (1, 24),
}


@dataclass(frozen=True, slots=True)
class Rules:
    """How the board decides.

    quorum_share: per cent of the members without a conflict who must vote, abstentions included; quorum_least: and at
    least so many people. tie: ``fails`` where as many are for as against, or ``chair``: as the chair has voted, and it
    fails where the chair has not. chair: a user name. papers_hours, voting_hours: business hours of the calendar until
    voting opens and from then until it ends.
    """

    quorum_share: int = 50
    quorum_least: int = LEAST
    tie: str = FAILS
    chair: str = ""
    papers_hours: int = 8
    voting_hours: int = 24
    calendar: str = ""
    time_zone: str = "UTC"
    opens: int = 9
    closes: int = 17

    @classmethod
    def of(cls, given: Mapping[str, Any]) -> Self:
        """Rules from JSON values. Raises Refused naming what does not fit."""
        known = {each.name for each in fields(cls)}
        for name in given:
            if name not in known:
                raise Refused(f"content.{name}", f"The board has no rule called {name!r}.")
        made = cls(**given)
        made._check()
        return made

    def plain(self) -> dict[str, Any]:
        """JSON values, for `of`."""
        return asdict(self)

    @property
    def hours(self) -> BusinessHours:
        return BusinessHours(self.calendar, self.time_zone, self.opens, self.closes)

    def needed(self, eligible: int) -> int:
        """How many of `eligible` members must vote."""
        return max(self.quorum_least, -(-eligible * self.quorum_share // 100))

    def _check(self) -> None:
        for name, (least, most) in _WHOLE.items():
            value = getattr(self, name)
            if isinstance(value, bool) or not isinstance(value, int) or not least <= value <= most:
                raise Refused(f"content.{name}", f"It must be a whole number from {least} to {most}, not {value!r}.")
        if self.opens >= self.closes:
            raise Refused("content.opens", "A working day opens before it closes.")
        if self.tie not in (FAILS, CHAIR):
            raise Refused("content.tie", f"It must be {FAILS!r} or {CHAIR!r}, not {self.tie!r}.")
        if not isinstance(self.chair, str) or (self.tie == CHAIR) != bool(self.chair):
            raise Refused("content.chair", "Name the chair where a tie is theirs to break, and only there.")
        try:
            ZoneInfo(self.time_zone)
        except (KeyError, ValueError, TypeError, OSError):
            raise Refused("content.time_zone", f"{self.time_zone!r} is no known time zone.") from None
        if not isinstance(self.calendar, str):
            raise Refused("content.calendar", f"{self.calendar!r} is no known calendar.")
        check_calendar(self.calendar, field="content.calendar")


def rules_in_force() -> Rules:
    """The rules for a case that is convened now: the latest that the board has agreed to, or the house's own."""
    latest = RulesVersion.objects.order_by("-id").first()
    return Rules.of(latest.rules) if latest else Rules()


def rules_propose(*, person: User, rules: Mapping[str, Any], reason: str) -> ApprovalView:
    """Ask the board to decide by other rules. Raises PermissionDenied, or Refused for rules that do not fit."""
    drafted = approval_draft(
        kind=NAME,
        model_id=None,
        subject="board:rules",
        title="Other rules of the ethics board",
        content=Rules.of(rules).plain(),
        reason=reason,
        person=person,
    )
    return approval_submit(approval_id=drafted.id, person=person)


def _set(approval: ApprovalView, actor: str) -> datetime | None:
    rules = Rules.of(approval.content)
    RulesVersion.objects.create(rules=rules.plain(), approval_id=approval.id, set_by=actor, set_at=clock.now())
    audit.append(
        actor=actor, action="board.rules_set", subject="board:rules", detail={"approval": approval.id, **rules.plain()}
    )
    return None


def _check(model_id: int | None, content: Mapping[str, Any]) -> None:
    rules = Rules.of(content)
    if rules.chair and not people_with_role(BOARD).filter(username=rules.chair).exists():
        raise Refused("content.chair", f"{rules.chair!r} is no member of the board.")


KIND = Kind(
    name=NAME,
    title="Rules of the ethics board",
    request="board.manage",
    view="board.view",
    signers=("board.vote",),
    needs=lambda content: [Need("board.vote", "The board agrees to its own rules.")],
    check=_check,
    effect=_set,
)
