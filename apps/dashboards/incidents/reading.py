"""One incident as its page shows it: how it stands in a sentence, and all that this person may do about it."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

from apps.accounts.models import User
from apps.accounts.permissions import may
from apps.accounts.roles import COMPLIANCE, OFFICER
from apps.accounts.selectors import owners_of, people_with_role
from apps.approvals import selectors as approvals
from apps.common import clock
from apps.dashboards.actors import Names, actor_name, names_among
from apps.dashboards.approvals.reading import ApprovalLine, line_of
from apps.dashboards.board.reading import CaseOfSubject, cases_about
from apps.dashboards.incidents.evidence import Frozen, frozen_charts
from apps.dashboards.incidents.findings import FindingsOfIncident, findings_of
from apps.dashboards.incidents.links import LinkGroup, links_of
from apps.dashboards.incidents.words import EVENTS, STATES, deadline_words, severity_badge
from apps.dashboards.words import Badge, group_name
from apps.incidents import selectors, states
from apps.incidents.causes import CAUSES
from apps.incidents.clocks import RULES, ClockRule
from apps.incidents.selectors import ActionRow, ClockRow, ComplaintRow, CostRow, EvidenceRow, IncidentDetail, Money
from apps.registry.spec import ModelSpec

STEPS_SHOWN = 12
HIDDEN = "fewer than 10"
_CLOCKS = {
    "proposed": Badge("inconclusive", "may apply"),
    "running": Badge("inconclusive", "runs"),
    "reported": Badge("within", "reported"),
    "set_aside": Badge("plain", "does not apply"),
}
_ACTIONS = {
    "open": Badge("inconclusive", "open"),
    "done": Badge("within", "done"),
    "dropped": Badge("plain", "dropped"),
}
_WAITING = ("proposed", "running")
_UNTOLD = frozenset({"action", "approval", "digest", "explanation", "line", "model", "request", "summary"})
_MOMENT = re.compile(r"\d{4}-\d{2}-\d{2}T\d{2}:\d{2}")
_OVERDUE = Badge("breach", "overdue")


@dataclass(frozen=True, slots=True)
class ClockLine:
    row: ClockRow
    status: Badge
    due: str
    late: bool

    @property
    def waits(self) -> bool:
        return self.row.state in _WAITING


@dataclass(frozen=True, slots=True)
class ActionLine:
    """An action, and whether this person may say that it is done, and drop it."""

    row: ActionRow
    status: Badge
    due: str
    may_finish: bool
    may_drop: bool


@dataclass(frozen=True, slots=True)
class AffectedLine:
    attribute: str
    group: str
    decisions: str
    window: str
    run_id: int | None
    people: str
    source: str


@dataclass(frozen=True, slots=True)
class StepLine:
    at: datetime
    actor: str
    did: str
    facts: str
    text: str


@dataclass(frozen=True, slots=True)
class Rights:
    """What the person may do to the incident as it stands."""

    manage: bool
    plan: bool
    note: bool
    cost: bool
    reopen: bool


@dataclass(frozen=True, slots=True)
class IncidentPage:
    """`unlike` names what is wrong with the evidence, where it is not what its digests say."""

    detail: IncidentDetail
    spec: ModelSpec
    say: str
    severity: Badge
    state: Badge
    causes: tuple[str, ...]
    clocks: tuple[ClockLine, ...]
    further_clocks: Mapping[str, ClockRule]
    actions: tuple[ActionLine, ...]
    affected: tuple[AffectedLine, ...]
    names: Names
    findings: FindingsOfIncident
    links: tuple[LinkGroup, ...]
    cases: tuple[CaseOfSubject, ...]
    may_convene: bool
    charts: tuple[Frozen, ...]
    unlike: str
    documents: tuple[EvidenceRow, ...]
    costs: tuple[CostRow, ...]
    totals: tuple[Money, ...]
    sums: Mapping[str, Decimal]
    steps: tuple[StepLine, ...]
    earlier: tuple[StepLine, ...]
    requests: tuple[ApprovalLine, ...]
    complaints: tuple[ComplaintRow, ...]
    hindrances: tuple[str, ...]
    rights: Rights
    owners: tuple[User, ...]
    groups: tuple[tuple[str, str], ...]


def page_of(user: Any, detail: IncidentDetail, spec: ModelSpec) -> IncidentPage:
    """What the page shows to this person; a constant number of queries."""
    row, now = detail.row, clock.now()
    rights = _rights(user, detail)
    try:
        charts, unlike = frozen_charts(spec, detail.evidence), ""
    except ValueError as error:
        charts, unlike = (), str(error)
    names = names_among(_actors(detail))
    lines = [_step(each, names) for each in reversed(detail.steps)]
    requests = approvals.approvals(subject=f"incident:{row.id}", limit=10)
    cases = cases_about(user, "incident", row.id)
    return IncidentPage(
        detail=detail,
        spec=spec,
        say=say(detail, now),
        severity=severity_badge(row.severity),
        state=STATES[row.state],
        causes=tuple(CAUSES[key].title for key in row.causes),
        clocks=tuple(_clock(each, now) for each in detail.clocks),
        further_clocks={key: rule for key, rule in RULES.items() if key not in {c.key for c in detail.clocks}},
        actions=tuple(_action(each, user, rights, now) for each in detail.actions),
        affected=tuple(_affected(each) for each in detail.affected),
        names=names,
        findings=findings_of(user, detail, spec),
        links=links_of(detail, spec),
        cases=cases,
        may_convene=rights.manage and may(user, "board.convene") and not any(each.due for each in cases),
        charts=charts,
        unlike=unlike,
        documents=detail.evidence,
        costs=detail.costs,
        totals=detail.totals,
        sums=selectors.by_currency(detail.totals),
        steps=tuple(lines[:STEPS_SHOWN]),
        earlier=tuple(lines[STEPS_SHOWN:]),
        requests=tuple(line_of(each) for each in requests),
        complaints=selectors.complaints_of_incident(row.id),
        hindrances=_hindrances(detail),
        rights=rights,
        owners=_owners(spec) if rights.plan else (),
        groups=tuple(
            (f"{attribute.name}={level}", f"{attribute.name}: {level}")
            for attribute in spec.attributes
            for level in attribute.levels
        ),
    )


def say(detail: IncidentDetail, now: datetime) -> str:
    """How the incident stands, in one or two sentences."""
    row = detail.row
    if row.state == states.CLOSED:
        return f"This incident is closed{': ' + ', '.join(_titles(row.causes)) if row.causes else ''}."
    led = f", led by {row.lead}" if row.lead else ", and nobody leads it"
    standing = {
        states.OPEN: "Nobody has looked into this incident yet",
        states.INVESTIGATING: f"This incident is being investigated{led}",
        states.REMEDIATING: f"This incident is being remedied{led}",
        states.CLOSING: "Closure is asked for and waits for a second person",
    }[row.state]
    waiting = [(each.due_at, f"“{each.rule.title}”") for each in detail.clocks if each.state in _WAITING]
    waiting += [(each.due_at, f"“{each.title}”") for each in detail.actions if each.state == "open"]
    if not waiting:
        return f"{standing}."
    late = [what for at, what in waiting if at < now]
    if late:
        said = f"{late[0]} is" if len(late) == 1 else f"{len(late)} deadlines are"
        return f"{standing}. {said} overdue."
    at, what = min(waiting)
    return f"{standing}. Next: {what}, {deadline_words(at, now)}."


def leads() -> tuple[User, ...]:
    """Who may be given the lead of an incident. One query."""
    return tuple(people_with_role(OFFICER))


def _titles(keys: Sequence[str]) -> list[str]:
    return [CAUSES[key].title.lower() for key in keys]


def _rights(user: Any, detail: IncidentDetail) -> Rights:
    row = detail.row
    manages = may(user, "incident.manage", row.model_id)
    plans = may(user, "remediation.plan", row.model_id)
    still = row.state != states.CLOSING
    return Rights(
        manage=manages and row.changeable,
        plan=plans and row.changeable,
        note=(manages or plans) and still,
        cost=manages and still,
        reopen=manages and row.state == states.CLOSED,
    )


def _owners(spec: ModelSpec) -> tuple[User, ...]:
    found = {each.pk: each for role in (OFFICER, COMPLIANCE) for each in people_with_role(role)}
    found |= {each.pk: each for each in owners_of(spec.id)}
    return tuple(sorted(found.values(), key=lambda each: each.display_name))


def _clock(row: ClockRow, now: datetime) -> ClockLine:
    waits = row.state in _WAITING
    due = deadline_words(row.due_at, now) if waits else ""
    return ClockLine(row, _CLOCKS[row.state], due, late=waits and row.due_at < now)


def _action(row: ActionRow, user: Any, rights: Rights, now: datetime) -> ActionLine:
    open_ = row.state == "open"
    late = open_ and row.due_at < now
    may_end = open_ and (rights.plan or row.owner_id == user.pk)
    return ActionLine(
        row=row,
        status=_OVERDUE if late else _ACTIONS[row.state],
        due=deadline_words(row.due_at, now) if open_ else "",
        may_finish=may_end,
        may_drop=open_ and rights.plan,
    )


def _affected(row: Any) -> AffectedLine:
    hidden = HIDDEN if row.too_small else "not counted"
    return AffectedLine(
        attribute=row.attribute,
        group=group_name(row.group),
        decisions=HIDDEN if row.too_small else f"{row.decisions:,}" if row.decisions is not None else "–",
        window=row.window,
        run_id=row.run_id,
        people=f"{row.people:,}" if row.people is not None else hidden,
        source=row.source,
    )


def _actors(detail: IncidentDetail) -> Iterator[str]:
    """Whom the page speaks of by an actor of the log: in its steps and their details, its actions and its costs."""
    yield detail.row.opened_by
    for step in detail.steps:
        yield step.actor
        yield from (value for value in step.detail.values() if isinstance(value, str))
    yield from (each.ended_by for each in detail.actions)
    yield from (each.booked_by for each in detail.costs)


def _step(step: Any, names: Names) -> StepLine:
    did = EVENTS.get(step.event, step.event)
    return StepLine(step.at, actor_name(step.actor, names), did, _facts(step.detail, names), step.text)


def _facts(detail: Mapping[str, Any], names: Names) -> str:
    """The detail of a step in words: only what says something to a reader that the page does not say elsewhere."""
    if "documents" in detail:
        return "; ".join(each["title"] for each in detail["documents"])
    told = {name: value for name, value in detail.items() if name not in _UNTOLD and value not in (None, "", [])}
    return "; ".join(f"{name.replace('_', ' ')}: {_told(value, names)}" for name, value in told.items())


def _told(value: Any, names: Names) -> str:
    """A value of a step's detail: moments in UTC, people by their names."""
    if isinstance(value, list):
        return ", ".join(_told(each, names) for each in value)
    text = str(value)
    if _MOMENT.match(text):
        return f"{datetime.fromisoformat(text).astimezone(UTC):%-d %b %Y %H:%M} UTC"
    return actor_name(text, names) if text.startswith("user:") else text


def _hindrances(detail: IncidentDetail) -> tuple[str, ...]:
    """What still stands in the way of closure, as `incident_closure_request` would say it."""
    actions = sum(each.state == "open" for each in detail.actions)
    waiting = sum(each.state in _WAITING for each in detail.clocks)
    found = []
    if actions:
        found.append(f"{actions} action{'s are' if actions > 1 else ' is'} open")
    if waiting:
        found.append(f"{waiting} regulatory clock{'s are' if waiting > 1 else ' is'} neither reported nor set aside")
    if not detail.row.causes:
        found.append("no root cause is named")
    return tuple(found)
