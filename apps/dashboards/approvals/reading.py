"""Requests as their pages show them: what is asked, who has to sign, and what this person may do about it."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from django.urls import reverse

from apps.accounts.roles import MATRIX, OWN, ROLES
from apps.approvals import selectors, states
from apps.approvals.kinds import Need, kind
from apps.approvals.selectors import ApprovalView, StepView
from apps.board import selectors as board
from apps.dashboards.actors import actor_name, names_among
from apps.dashboards.waiting import Provider, Task
from apps.dashboards.words import Badge
from apps.registry.spec import ModelSpec

SHOWN_AT_ONCE = 50

PAGES: dict[str, str] = {"threshold_change": "threshold-proposal"}
"""Kinds with a page of their own: kind -> the name of an address that takes the request's id."""

ABOUT: dict[str, str] = {"incident": "incident"}
"""What requests are about -> the name of its page, which takes the number in the request's subject."""

FACTS: dict[str, Callable[[ApprovalView], Sequence[tuple[str, str]]]] = {}
"""Kinds whose content is told in words of their own where it is read and signed (`apps.dashboards.apps`)."""

_BADGES = {
    states.DRAFT: Badge("plain", "draft"),
    states.SUBMITTED: Badge("inconclusive", "waits for signatures"),
    states.SIGNED: Badge("within", "signed, not yet effective"),
    states.EFFECTIVE: Badge("within", "in effect"),
    states.REJECTED: Badge("breach", "rejected"),
    states.WITHDRAWN: Badge("plain", "withdrawn"),
    states.EXPIRED: Badge("stale", "expired unsigned"),
}
_EVENTS = {
    "drafted": "written down",
    "changed": "changed",
    "submitted": "submitted for signature",
    "signature_given": "signed",
    "board_agreed": "agreed, as a whole",
    "signed": "has all its signatures",
    "became_effective": "took effect",
    "rejected": "rejected",
    "withdrawn": "withdrawn",
    "expired": "expired unsigned",
    "voided": "void: what it was asked for has changed",
    selectors.REMARK: "remarked",
}


@dataclass(frozen=True, slots=True)
class SignatureLine:
    """One needed signature: of whom, why, and who gave it; a decision of the board has the page of its case."""

    role: str
    why: str
    person: str
    signed_at: datetime | None
    yours: bool
    case_url: str = ""


@dataclass(frozen=True, slots=True)
class StepLine:
    text: str
    actor: str
    remark: str
    at: datetime


@dataclass(frozen=True, slots=True)
class ApprovalLine:
    """A request in a list."""

    title: str
    kind: str
    about: str
    requester: str
    at: datetime
    status: Badge
    url: str
    id: int


@dataclass(frozen=True, slots=True)
class ApprovalPage:
    """A request with all that this person may do about it.

    facts: its content as label and text. about: the page of what it is about, "" where there is none.
    """

    view: ApprovalView
    kind: str
    status: Badge
    facts: tuple[tuple[str, str], ...]
    signatures: tuple[SignatureLine, ...]
    steps: tuple[StepLine, ...]
    may_sign: bool
    may_reject: bool
    is_own: bool
    about: str

    @property
    def may_withdraw(self) -> bool:
        return self.is_own and self.view.is_open

    @property
    def may_submit(self) -> bool:
        return self.is_own and self.view.state == states.DRAFT


def page_of(user: Any, view: ApprovalView) -> ApprovalPage:
    """What the request's page shows to this person."""
    need = selectors.signable(user, view)
    return ApprovalPage(
        view=view,
        kind=kind(view.kind).title,
        status=_BADGES[view.state],
        facts=tuple(facts_of(view)),
        signatures=tuple(_signature(view, one, need.verb if need else "") for one in view.needs),
        steps=_steps(selectors.steps(view.id)),
        may_sign=need is not None,
        may_reject=need is not None,
        is_own=user.pk == view.requester_id,
        about=about_of(view),
    )


def facts_of(view: ApprovalView) -> Sequence[tuple[str, str]]:
    """What the request says, as labels and texts: in words of its kind, where it has any."""
    return FACTS[view.kind](view) if view.kind in FACTS else facts(view.content)


def list_of(user: Any, *, open_only: bool, before_id: int | None) -> list[ApprovalLine]:
    """Requests that the person may read, newest first."""
    found = selectors.approvals_visible_to(user, open_only=open_only, before_id=before_id, limit=SHOWN_AT_ONCE)
    return [line_of(view) for view in found]


def line_of(view: ApprovalView) -> ApprovalLine:
    """A request in one line."""
    return ApprovalLine(
        title=view.title,
        kind=kind(view.kind).title,
        about=view.model_name or "the whole house",
        requester=view.requester,
        at=view.submitted_at or view.created_at,
        status=_BADGES[view.state],
        url=url_of(view),
        id=view.id,
    )


def url_of(view: ApprovalView) -> str:
    """The request's page: its kind's own one, where it has one."""
    return reverse(PAGES.get(view.kind, "approval"), args=[view.id])


def about_of(view: ApprovalView) -> str:
    """The page of what the request is about, "" where there is none."""
    what, _, number = view.subject.partition(":")
    return reverse(ABOUT[what], args=[int(number)]) if what in ABOUT and number.isdecimal() else ""


def roles_with(verb: str) -> str:
    """The roles whose people may do `verb`, in words."""
    titles = [f"{ROLES[role]}{' of the model' if reach == OWN else ''}" for role, reach in MATRIX[verb].items()]
    return " or ".join(titles)


def facts(content: Any, label: str = "") -> list[tuple[str, str]]:
    """A content as labels and texts: `{"bounds": {"lower": 0.8}}` -> [("bounds, lower", "0.8")]."""
    if isinstance(content, dict):
        return [fact for key, value in content.items() for fact in facts(value, _joined(label, key))]
    if isinstance(content, list) and all(not isinstance(each, dict | list) for each in content):
        return [(label, ", ".join(map(_text, content)) or "none")]
    if isinstance(content, list):
        return [fact for place, each in enumerate(content, 1) for fact in facts(each, _joined(label, str(place)))]
    return [(label, _text(content))]


def _joined(label: str, key: str) -> str:
    return f"{label}, {key.replace('_', ' ')}" if label else key.replace("_", " ")


def _text(value: Any) -> str:
    if value is None or value == "":
        return "–"
    return {True: "yes", False: "no"}[value] if isinstance(value, bool) else str(value)


def _signature(view: ApprovalView, need: Need, yours: str) -> SignatureLine:
    if need.collective:
        return _decision(view, need)
    given = next((each for each in view.signatures if each.verb == need.verb and each.counts), None)
    return SignatureLine(
        role=roles_with(need.verb),
        why=need.why,
        person=given.person if given else "",
        signed_at=given.signed_at if given else None,
        yours=need.verb == yours,
    )


def _decision(view: ApprovalView, need: Need) -> SignatureLine:
    agreed = next((each for each in view.resolutions if each.verb == need.verb), None)
    case = agreed.case_id if agreed else next((each.id for each in board.cases_about("approval", view.id)), None)
    return SignatureLine(
        role="The ethics board",
        why=need.why,
        person="the board" if agreed else "",
        signed_at=agreed.decided_at if agreed else None,
        yours=False,
        case_url=reverse("case", args=[case]) if case else "",
    )


def _steps(taken: Sequence[StepView]) -> tuple[StepLine, ...]:
    """What happened, newest first, by the names of people; a change voids only what somebody had signed."""
    names = names_among(step.actor for step in taken)
    signed = {step.revision for step in taken if step.event in ("signature_given", "board_agreed")}

    def said(step: StepView) -> str:
        voids = step.event == "changed" and step.revision - 1 in signed
        return f"{_EVENTS[step.event]}: earlier signatures count no more" if voids else _EVENTS[step.event]

    return tuple(StepLine(said(step), actor_name(step.actor, names), step.text, step.at) for step in reversed(taken))


def _to_sign(user: Any, specs: Sequence[ModelSpec], limit: int) -> list[Task]:
    return [
        Task(
            kind="Sign",
            text=view.title,
            about=f"{view.model_name or kind(view.kind).title}, asked by {view.requester}",
            url=url_of(view),
            since=view.submitted_at or view.created_at,
            due=view.expires_at,
        )
        for view in selectors.approvals_waiting_for(user, limit=limit)
    ]


TO_SIGN = Provider(_to_sign, selectors.approvals_waiting_count)
