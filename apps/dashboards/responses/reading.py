"""The response ladder of a model's page: where it stands, why, what comes next, and what this person may do."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from django.urls import reverse

from apps.accounts.permissions import may, may_somewhere, models_within
from apps.approvals import selectors as approvals
from apps.approvals import states
from apps.dashboards.waiting import Provider, Task
from apps.dashboards.words import NBSP, Badge, duration
from apps.registry.spec import ModelSpec
from apps.responses import selectors as responses
from apps.responses.selectors import FindingRow, GatewayRow, ResponsePlan, RestrictionRow

ALERT, MONITOR, RESTRICT, ESCALATE = responses.TIERS
TITLES = {ALERT: "Alert", MONITOR: "Monitor closer", RESTRICT: "Restrict", ESCALATE: "Escalate"}
CONFIRM = "restriction.confirm"
SILENCES = {"4": "4 hours", "24": "1 day", "72": "3 days", "168": "7 days"}
"""Hours that a silence may last, as the page offers them."""


@dataclass(frozen=True, slots=True)
class Rung:
    """A tier of the ladder. why: what led to it; detail: what it means at present."""

    title: str
    entered: bool
    current: bool
    since: datetime | None
    why: str
    detail: str


@dataclass(frozen=True, slots=True)
class GatewayLine:
    id: int
    name: str
    token: str
    status: Badge
    at: datetime


@dataclass(frozen=True, slots=True)
class SilenceLine:
    id: int
    about: str
    person: str
    reason: str
    until: datetime


@dataclass(frozen=True, slots=True)
class ResponsePanel:
    """What is done about a model's findings, in words; `request` is the open request to lift, if there is one."""

    say: str
    following: str
    deadline: datetime | None
    restriction: RestrictionRow | None
    blocked: str
    effect: str
    gateways: tuple[GatewayLine, ...]
    silences: tuple[SilenceLine, ...]
    incidents: tuple[int, ...]
    request: str
    may_confirm: bool
    may_lift: bool
    may_silence: bool
    silence_choices: Mapping[str, str]

    @property
    def shown(self) -> bool:
        return bool(self.say)


def ladder(findings: Sequence[FindingRow], panel: ResponsePanel, plan: ResponsePlan) -> tuple[Rung, ...]:
    """The four tiers: entered by the open findings that are on them or above, since the first of those."""
    top = _top(findings)
    return tuple(_rung(tier, findings, panel, plan, current=tier == top) for tier in responses.TIERS)


def response_panel(user: Any, spec: ModelSpec, findings: Sequence[FindingRow], plan: ResponsePlan) -> ResponsePanel:
    """Everything below the ladder; a constant number of queries."""
    restriction, top = responses.restriction_of(spec.id), _top(findings)
    known = tuple(each for each in responses.gateways(spec.id) if not each.retired)
    waiting = approvals.approvals(kind="restriction_lift", state_in=states.OPEN, model_id=spec.id, limit=1)
    upper = top in (RESTRICT, ESCALATE)
    decided = restriction is None or restriction.in_force
    return ResponsePanel(
        say=_say(top, restriction, findings),
        following=_following(top, findings, plan),
        deadline=min((each.deadline_at for each in findings if each.deadline_at), default=None),
        restriction=restriction,
        blocked=responses.decision_types_text(restriction.blocked_decision_types) if restriction else "",
        effect=_effect(restriction, known) if restriction else "",
        gateways=tuple(_gateway(each, restriction) for each in known),
        silences=tuple(
            SilenceLine(
                each.pk,
                "one finding" if each.finding_id else "all findings",
                each.person.display_name,
                each.reason,
                each.until,
            )
            for each in responses.silences_of(spec.id)
        ),
        incidents=responses.incidents_of({each.cause_id for each in findings if each.cause_id}),
        request=reverse("approval", args=[waiting[0].id]) if waiting else "",
        may_confirm=restriction is not None and not restriction.in_force and _may(user, CONFIRM, spec),
        may_lift=upper and decided and not waiting and _may(user, "restriction.lift", spec),
        may_silence=bool(findings) and _may(user, "alert.silence", spec),
        silence_choices=SILENCES,
    )


def to_confirm(user: Any, specs: Sequence[ModelSpec], limit: int) -> list[Task]:
    """Proposed restrictions that this person may decide on, the oldest first."""
    names = {spec.id: spec for spec in specs}
    return [
        Task(
            kind="Confirm",
            text=f"Restrict {names[each.model_id].name}: {each.reason}",
            about="proposed by the response ladder",
            url=f"{reverse('model', args=[names[each.model_id].slug])}#response",
            since=each.proposed_at,
        )
        for each in responses.proposed_restrictions(models_within(user, CONFIRM), limit=limit)
    ]


def _to_confirm_count(user: Any, most: int | None) -> int:
    return responses.proposed_count(models_within(user, CONFIRM), most) if may_somewhere(user, CONFIRM) else 0


TO_CONFIRM = Provider(to_confirm, _to_confirm_count)


def response_words(tier: str, restricted: bool, open_findings: int) -> str:
    """A model's response in the table of models."""
    if restricted:
        return "Restricted" + (", escalated" if tier == ESCALATE else "")
    if tier == ALERT:
        return f"Alert, {_findings(open_findings)}"
    return {
        MONITOR: "Monitored closer",
        RESTRICT: "To be restricted",
        ESCALATE: "Escalated",
    }.get(tier, "–")


def _top(findings: Sequence[FindingRow]) -> str:
    return max((each.tier for each in findings), key=responses.TIERS.index, default="")


def _rung(
    tier: str, findings: Sequence[FindingRow], panel: ResponsePanel, plan: ResponsePlan, *, current: bool
) -> Rung:
    on_it = [each for each in findings if tier in each.entered]
    if not on_it:
        return Rung(TITLES[tier], False, False, None, "", _not_entered(tier, panel))
    first = min(on_it, key=lambda each: each.entered[tier]["at"])
    since = min(each.opened_as_of for each in on_it) if tier == ALERT else _at(first, tier)
    return Rung(TITLES[tier], True, current, since, first.entered[tier]["why"], _detail(tier, on_it, panel, plan))


def _at(finding: FindingRow, tier: str) -> datetime:
    return datetime.fromisoformat(finding.entered[tier]["at"])


def _not_entered(tier: str, panel: ResponsePanel) -> str:
    if tier == ESCALATE and panel.deadline is not None:
        return "if not remediated in time"
    return "not entered"


def _detail(tier: str, on_it: Sequence[FindingRow], panel: ResponsePanel, plan: ResponsePlan) -> str:
    if tier == ALERT:
        people = sorted({each.acknowledged_by for each in on_it if each.acknowledged_by})
        return f"{_findings(len(on_it))}, {'acknowledged by ' + ', '.join(people) if people else 'not acknowledged'}"
    if tier == MONITOR:
        return f"evaluated every {plan.enhanced_minutes}{NBSP}min"
    if tier == RESTRICT:
        return panel.effect or "not restricted"
    return f"incident {', '.join(map(str, panel.incidents))}" if panel.incidents else "the ethics board is convened"


def _say(top: str, restriction: RestrictionRow | None, findings: Sequence[FindingRow]) -> str:
    if restriction is not None and restriction.in_force:
        return "The model is restricted."
    if restriction is not None:
        return "A restriction is proposed and waits for a person's confirmation."
    if not top:
        return ""
    return {
        ALERT: f"{_findings(len(findings)).capitalize()} out of bounds; the officers and the owner are told.",
        MONITOR: "A breach persists: the model is evaluated more often.",
        RESTRICT: "A breach is sustained, and people declined to restrict the model.",
        ESCALATE: "The matter is with the ethics board.",
    }[top]


def _following(top: str, findings: Sequence[FindingRow], plan: ResponsePlan) -> str:
    down = f"{plan.step_down_after} evaluations within bounds in a row"
    if top == ALERT:
        sooner = f", or a breach in the {plan.persist_window} window" if plan.persist_window else ""
        return (
            f"Next: closer monitoring after {plan.persist_after} breaching evaluations in a row{sooner}. Down: {down}."
        )
    if top == MONITOR:
        sooner = f", or a breach in the {plan.sustain_window} window" if plan.sustain_window else ""
        return (
            f"Next: a restriction after {plan.sustain_hours}{NBSP}h of {plan.sustain_severity} severity{sooner}. "
            f"Down: {down}."
        )
    if top in (RESTRICT, ESCALATE):
        ready = responses.recovered(findings, plan)
        evidence = "The evidence is back within bounds." if ready else f"Down: {down}, or the board's signature."
        return f"{evidence} From here down only people decide: one asks, a second one signs."
    return ""


def _effect(restriction: RestrictionRow, gateways: Sequence[GatewayRow]) -> str:
    if not restriction.in_force:
        return "waits for confirmation"
    if restriction.acknowledged_at is not None:
        taken = (restriction.acknowledged_at - restriction.breach_at).total_seconds()
        return f"in effect {duration(taken)} after the breach"
    if not gateways:
        return "no gateway has asked yet"
    reached = sum(each.sequence >= (restriction.sequence or 0) for each in gateways)
    return f"acknowledged by {reached} of {len(gateways)} gateways"


def _gateway(gateway: GatewayRow, restriction: RestrictionRow | None) -> GatewayLine:
    status = Badge("within", "up to date")
    if restriction is not None and restriction.in_force:
        reached = gateway.sequence >= (restriction.sequence or 0)
        status = Badge("within", "restricts") if reached else Badge("breach", "not acknowledged")
    return GatewayLine(gateway.id, gateway.name, gateway.token.partition(":")[2], status, gateway.acknowledged_at)


def _findings(number: int) -> str:
    return f"{number} open finding{'s' if number != 1 else ''}"


def _may(user: Any, verb: str, spec: ModelSpec) -> bool:
    return may_somewhere(user, verb) and may(user, verb, spec)
