"""Cases as their pages show them: the sentence, the members, and what this person may do."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Any

from django.urls import Resolver404, resolve, reverse

from apps.accounts.permissions import may
from apps.accounts.roles import OFFICER
from apps.accounts.selectors import names_by_username, owners_of, people_with_role
from apps.approvals import selectors as approvals
from apps.board import selectors, states
from apps.board.rules import CHAIR, Rules
from apps.board.selectors import CaseDetail, CaseRow, MemberView
from apps.board.wording import people, standing_sentence
from apps.dashboards.actors import Names, actor_name, names_among
from apps.dashboards.approvals.reading import facts_of, url_of
from apps.dashboards.board.conditions import STATUS
from apps.dashboards.words import Badge
from apps.incidents import selectors as incidents
from apps.incidents.selectors import ActionRow

SHOWN_AT_ONCE = 50

_BADGES = {
    states.CONVENED: Badge("plain", "papers are gathered"),
    states.VOTING: Badge("inconclusive", "voting is open"),
    states.LAPSED: Badge("stale", "lapsed undecided"),
    states.CARRIED: Badge("within", "decided: yes"),
    states.FAILED: Badge("breach", "decided: no"),
}
KINDS = {"incident": "Incident", "approval": "Request"}
CHOICES = {states.FOR: "For", states.AGAINST: "Against", states.ABSTAIN: "I abstain"}
SAID = {states.FOR: "for", states.AGAINST: "against", states.ABSTAIN: "abstained"}
_EVENTS = {
    "convened": "convened the board",
    "members_drawn": "seated the members",
    "question_changed": "put the question in other words",
    "paper_added": "added a paper",
    "condition_added": "added a condition",
    "condition_dropped": "took a condition out",
    "conflict_declared": "noted a conflict of interest",
    "voting_opened": "opened the vote",
    "vote_cast": "voted",
    "reminded": "reminded the members",
    "decided": "counted the votes",
    "lapsed": "ended the case undecided",
}


@dataclass(frozen=True, slots=True)
class CaseLine:
    """A case in the list."""

    id: int
    title: str
    about: str
    kind: str
    at: datetime
    due: datetime | None
    status: Badge
    yours: bool


@dataclass(frozen=True, slots=True)
class CaseOfSubject:
    """A case as the page of its subject shows it; `due` is None once it has ended, `url` "" for who may not see it."""

    id: int
    question: str
    due: datetime | None
    status: Badge
    url: str


@dataclass(frozen=True, slots=True)
class MemberLine:
    """A member of a case; `vote` and `reason` are shown once the board has decided, and to who gave them."""

    name: str
    said: str
    vote: Badge | None
    reason: str


@dataclass(frozen=True, slots=True)
class StepLine:
    actor: str
    text: str
    detail: str
    at: datetime


@dataclass(frozen=True, slots=True)
class ActionOfCase:
    """What has become of a condition since the board said yes."""

    title: str
    owner: str
    due: datetime
    status: Badge
    outcome: str
    url: str


@dataclass(frozen=True, slots=True)
class CasePage:
    """A case with all that this person may do about it.

    owners: who may be given a condition to meet. asked: what the request that it is about says, as it would be signed.
    """

    view: CaseDetail
    kind: str
    status: Badge
    sentence: str
    following: str
    url: str
    rules: str
    members: tuple[MemberLine, ...]
    names: Names
    steps: tuple[StepLine, ...]
    gathering: bool
    may_vote: bool
    may_declare: bool
    may_add_papers: bool
    may_set_conditions: bool
    may_manage: bool
    conflicted: bool
    owners: tuple[tuple[str, str], ...]
    actions: tuple[ActionOfCase, ...]
    asked: tuple[tuple[str, str], ...]


def list_of(user: Any, *, open_only: bool, before_id: int | None) -> list[CaseLine]:
    """Cases, newest first."""
    found = selectors.cases(open_only=open_only, before_id=before_id, limit=SHOWN_AT_ONCE)
    yours = selectors.cases_waiting_for(user, [each.id for each in found])
    return [line_of(each, yours=each.id in yours) for each in found]


def line_of(row: CaseRow, *, yours: bool = False) -> CaseLine:
    """A case in one line."""
    return CaseLine(
        id=row.id,
        title=row.title,
        about=row.model_name or "the whole house",
        kind=KINDS.get(row.kind, row.kind),
        at=row.convened_at,
        due=row.due,
        status=badge_of(row),
        yours=yours,
    )


def badge_of(row: CaseRow) -> Badge:
    """How a case stands, in words."""
    return _BADGES[row.outcome or row.state]


def cases_about(user: Any, kind: str, subject_id: int) -> tuple[CaseOfSubject, ...]:
    """The cases of one subject for its own page, newest first."""
    sees = may(user, "board.view")
    return tuple(
        CaseOfSubject(
            id=row.id,
            question=row.question,
            due=row.due,
            status=badge_of(row),
            url=reverse("case", args=[row.id]) if sees else "",
        )
        for row in selectors.cases_about(kind, subject_id)
    )


def page_of(user: Any, view: CaseDetail) -> CasePage:
    """What the case's page shows to this person."""
    row = view.row
    seat = view.member(user)
    names = names_of(view)
    conflicted = seat is not None and seat.standing == "conflict"
    gathering = row.state == states.CONVENED
    member = seat is not None and may(user, "board.vote")
    manages = may(user, "board.manage")
    sets_conditions = gathering and not conflicted and (manages or may(user, "board.vote"))
    return CasePage(
        view=view,
        kind=KINDS.get(row.kind, row.kind),
        status=badge_of(row),
        sentence=_sentence(view),
        following=_following(view),
        url=subject_url(view),
        rules=rules_text(view.rules),
        members=tuple(_member(each, view, mine=each.person_id == user.pk) for each in view.members),
        names=names,
        steps=tuple(_step(each, names) for each in reversed(view.steps)),
        gathering=gathering,
        may_vote=view.may_vote(user) and member,
        may_declare=member and not conflicted and row.state in states.OPEN,
        may_add_papers=gathering
        and not conflicted
        and (manages or may(user, "board.convene") or may(user, "board.vote")),
        may_set_conditions=sets_conditions,
        may_manage=manages and gathering,
        conflicted=conflicted,
        owners=_owners(view) if sets_conditions else (),
        actions=tuple(map(_action, incidents.actions_of_case(row.id))) if row.state == states.DECIDED else (),
        asked=_asked(user, view),
    )


def subject_url(view: CaseDetail) -> str:
    """The page of what the case is about; "" where there is none."""
    if view.row.kind == "approval":
        request = approvals.approval(view.row.subject_id)
        return url_of(request) if request else ""
    try:
        resolve(view.path)
    except Resolver404:
        return ""
    return view.path


def rules_text(rules: Rules) -> str:
    """The rules of a case in words."""
    tie = "a tie fails"
    if rules.tie == CHAIR:
        chair = names_by_username([rules.chair]).get(rules.chair, rules.chair)
        tie = f"a tie is broken by the chair's vote ({chair})"
    return (
        f"Quorum: {rules.quorum_share} % of the members without a conflict of interest, and at least"
        f" {people(rules.quorum_least)}; abstentions count for it. More votes for than against carry the question;"
        f" {tie}. Papers for {rules.papers_hours}, votes for {rules.voting_hours} business hours."
    )


def _sentence(view: CaseDetail) -> str:
    if view.row.state == states.CONVENED:
        papers, conditions = len(view.papers), len(view.conditions)
        return (
            f"The board gathers papers: {papers or 'no'} paper{'s' if papers != 1 else ''} and"
            f" {conditions or 'no'} condition{'s' if conditions != 1 else ''} so far."
        )
    if view.count is not None:
        return f"{standing_sentence(view.count)[:1].upper()}{standing_sentence(view.count)[1:]}"
    return view.steps[-1].text if view.steps else ""


def _following(view: CaseDetail) -> str:
    return {
        states.CONVENED: "Then voting opens, and what is voted on stays as it is.",
        states.VOTING: "The board decides with the last vote, or at the end of the time with the quorum there.",
    }.get(view.row.state, "")


def _asked(user: Any, view: CaseDetail) -> tuple[tuple[str, str], ...]:
    """The text that the board decides on; nothing once another one stands there, or for who may not read it."""
    found = approvals.approval(view.row.subject_id) if view.row.kind == "approval" else None
    if found is None or found.digest != view.key or not approvals.may_read(user, found):
        return ()
    return tuple(facts_of(found))


def _member(each: MemberView, view: CaseDetail, *, mine: bool) -> MemberLine:
    shown = mine or view.row.state == states.DECIDED
    if each.standing == "conflict":
        said = f"has a conflict of interest, neither votes nor counts: {each.conflict}"
    elif each.standing == "left":
        said = "no longer a member, counts no more"
    elif each.vote is None:
        said = "has not voted" if view.row.state == states.VOTING else ""
    else:
        said = "" if shown else "has voted"
    vote = each.vote if shown else None
    kinds = {states.FOR: "within", states.AGAINST: "breach"}
    return MemberLine(
        name=each.name,
        said=said,
        vote=Badge(kinds.get(vote.choice, "plain"), SAID[vote.choice]) if vote else None,
        reason=vote.reason if vote else "",
    )


def names_of(view: CaseDetail) -> Names:
    """The names of who did something in a case. One query."""
    actors = [step.actor for step in view.steps] + [each.added_by for each in view.papers]
    return names_among([view.convened_by, *actors])


def _step(step: Any, names: Names) -> StepLine:
    return StepLine(actor_of_case(step.actor, names), _EVENTS.get(step.event, step.event), step.text, step.at)


def actor_of_case(actor: str, names: Names) -> str:
    """Who did something, as people read it, or the house where nobody had to."""
    return "the house" if actor.startswith("system:") else actor_name(actor, names)


def _action(row: ActionRow) -> ActionOfCase:
    url = (
        f"{reverse('incident', args=[row.incident_id])}#actions"
        if row.incident_id
        else reverse("board-condition", args=[row.id])
    )
    return ActionOfCase(row.title, row.owner, row.due_at, STATUS[row.state], row.outcome, url)


def _owners(view: CaseDetail) -> tuple[tuple[str, str], ...]:
    found = {each.username: each.display_name for each in people_with_role(OFFICER)}
    model = view.model_id
    if model is not None:
        found |= {each.username: each.display_name for each in owners_of(model)}
    return tuple(sorted(found.items(), key=lambda each: each[1]))
