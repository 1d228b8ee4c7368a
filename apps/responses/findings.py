"""What an evaluation does to a model's findings. Runs inside the transaction of `services.respond`."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from apps.common import clock
from apps.registry.spec import ModelSpec
from apps.responses import ladder
from apps.responses.causes import Release, attributes_of, cause_join, causes_close, releases_of
from apps.responses.deadlines import deadline_of
from apps.responses.ladder import Persistence, Recovery, rank
from apps.responses.models import Finding
from apps.responses.observations import BREACH, WINDOWS, Key, Observation
from apps.responses.steps import SYSTEM, brought_down, climbed, record, step
from apps.responses.wording import sentence_of
from biasgov.fairness.response_plan import ResponsePlan

NOT_JUDGED = "not_judged"
_SILENT = {NOT_JUDGED, "not_estimable"}


@dataclass(frozen=True, slots=True)
class Moment:
    """One evaluation of one model: the evaluated windows with the ids of their runs, and by which plan it is answered.

    A moment that is not live is history: findings open and close, and none climbs.
    """

    spec: ModelSpec
    as_of: datetime
    runs: Mapping[str, int]
    plan: ResponsePlan
    live: bool


@dataclass(slots=True)
class Moved:
    """What a moment did: those that opened, the open findings in breach now, and of those that climbed, the present
    rung's."""

    opened: list[Finding] = field(default_factory=list)
    in_breach: list[Finding] = field(default_factory=list)
    climbed: list[Finding] = field(default_factory=list)


def evaluate(moment: Moment, observations: Iterable[Observation]) -> Moved:
    """Move the model's findings by one moment. observations: those of its runs that have a bound."""
    seen: dict[Key, list[Observation]] = {}
    for observation in observations:
        seen.setdefault(observation.key, []).append(observation)
    known = {
        (finding.metric, finding.attribute, finding.group): finding
        for finding in Finding.objects.filter(model_id=moment.spec.id, state=Finding.State.OPEN)
    }
    fresh = sorted((key for key in seen if key not in known), key=lambda key: -len(attributes_of(key[1])))
    releases = releases_of(moment.spec.id) if fresh else ()
    moved = Moved()
    for key in [*known, *fresh]:
        looks = seen.get(key, [])
        worst = worst_of([look for look in looks if look.verdict == BREACH])
        if (finding := known.get(key)) is not None:
            _count(moment, finding, looks, worst)
        elif worst:
            finding = _open(moment, worst, releases)
            moved.opened.append(finding)
            _count(moment, finding, looks, None)
        else:
            continue
        if worst and finding.state == Finding.State.OPEN:
            moved.in_breach.append(finding)
            if moment.live and _climb(moment, finding):
                moved.climbed.append(finding)
    causes_close(moment.spec.id)
    return moved


def worst_of(breaches: Sequence[Observation]) -> Observation | None:
    """The breach to speak of: the most severe, and among those the one of the shortest window."""
    return min(breaches, key=lambda look: (-rank(look.severity), _place(look.window)), default=None)


def _open(moment: Moment, worst: Observation, releases: Sequence[Release]) -> Finding:
    to_tier, name = ladder.STEPS[ladder.ABSENT, ladder.BREACHED]
    cause, joined_by = cause_join(worst, releases)
    now, figures = clock.now(), _figures(moment.spec, worst)
    finding = Finding.objects.create(
        model_id=moment.spec.id,
        metric=worst.metric,
        attribute=worst.attribute,
        group=worst.group or "",
        state=Finding.State.OPEN,
        tier=to_tier,
        cause=cause,
        entered={to_tier: {"at": now.isoformat(), "why": f"breach in the {worst.period or worst.window} window"}},
        deadline_at=deadline_of(moment.plan, figures["severity"], now),
        opened_at=now,
        opened_as_of=worst.as_of,
        opened_run_id=worst.run_id,
        last_as_of=worst.as_of,
        last_verdict=BREACH,
        **figures,
    )
    detail = {
        "window": worst.window,
        "severity": finding.severity,
        "sentence": finding.sentence,
        "cause": cause.pk,
        **({"joined_by": joined_by} if joined_by else {}),
    }
    record(finding, name, ladder.ABSENT, SYSTEM, worst.run_id, worst.as_of, detail)
    return finding


def _count(moment: Moment, finding: Finding, looks: Sequence[Observation], worst: Observation | None) -> None:
    """Take in what the moment says of a finding: figures, persistence, recovery, judgement."""
    severities = {
        look.window: (look.severity or "low")
        if look.verdict == BREACH and ladder.counts(look.window, moment.as_of, finding.counts_from)
        else ""
        for look in looks
    }
    before = Persistence.from_dict(finding.persistence) if finding.persistence else Persistence(moment.as_of, {})
    found = before.after(severities, moment.as_of, moment.plan)
    changes: dict[str, Any] = {"persistence": found.to_dict()}
    # A moment that is evaluated again may bring one window alone: a milder breach does not speak for a worse one.
    if worst and rank(worst.severity) >= rank(found.worst):
        changes |= _new_figures(moment, finding, worst)
    _judge(moment, finding, looks, changes)


def _new_figures(moment: Moment, finding: Finding, worst: Observation) -> dict[str, Any]:
    """The figures of the last breach; a change of severity is a step of its own, and a worse one is due sooner."""
    figures, before = _figures(moment.spec, worst), finding.severity
    if figures["severity"] == before:
        return figures
    if rank(figures["severity"]) > rank(before):
        sooner = deadline_of(moment.plan, figures["severity"], clock.now())
        figures["deadline_at"] = min(finding.deadline_at or sooner, sooner)
    step(
        finding,
        ladder.SEVERITY_CHANGED,
        run_id=worst.run_id,
        as_of=worst.as_of,
        detail={"from": before, "to": figures["severity"], "window": worst.window},
        changes=figures,
    )
    return {}


def _judge(moment: Moment, finding: Finding, looks: Sequence[Observation], counted: Mapping[str, Any]) -> None:
    """Count how far each window has recovered; say when nothing judges the finding any more; step down in the end."""
    verdicts = dict.fromkeys(moment.runs, NOT_JUDGED) | {look.window: look.verdict for look in looks}
    standing: dict[str, Recovery] = {window: Recovery.from_dict(kept) for window, kept in finding.windows.items()}
    for window, verdict in verdicts.items():
        after = ladder.recovery_after(standing.get(window), verdict, moment.as_of)
        if after:
            standing[window] = after
    said = [verdict for window, verdict in verdicts.items() if window in standing]
    if not said:
        return
    changes: dict[str, Any] = {
        **counted,
        "windows": {window: recovery.to_dict() for window, recovery in standing.items()},
        "last_as_of": moment.as_of,
        "last_verdict": BREACH if BREACH in said else next((one for one in said if one not in _SILENT), said[0]),
    }
    about: dict[str, Any] = {"run_id": next(iter(moment.runs.values())), "as_of": moment.as_of}
    silent = all(verdict in _SILENT for verdict in said)
    if silent and finding.unjudged_since is None:
        changes["unjudged_since"] = moment.as_of
        why = "no bound is set for it" if NOT_JUDGED in said else "it cannot be estimated"
        step(finding, ladder.JUDGEMENT_LOST, **about, detail={"why": why}, changes=changes)
    elif not silent and finding.unjudged_since is not None:
        changes["unjudged_since"] = None
        step(finding, ladder.JUDGEMENT_REGAINED, **about, changes=changes)
    elif _recovered(moment.plan, standing) and (finding.tier, ladder.RECOVERED) in ladder.STEPS:
        _step_down(moment, finding, standing, changes, about)
    else:
        step(finding, ladder.BREACHED, changes=changes)


def _recovered(plan: ResponsePlan, standing: Mapping[str, Recovery]) -> bool:
    return all(recovery.streak >= plan.step_down_after for recovery in standing.values())


def _step_down(
    moment: Moment,
    finding: Finding,
    standing: Mapping[str, Recovery],
    changes: dict[str, Any],
    about: Mapping[str, Any],
) -> None:
    to_tier, _ = ladder.STEPS[finding.tier, ladder.RECOVERED]
    detail = {"windows": list(standing), "in_a_row": moment.plan.step_down_after}
    if to_tier == ladder.CLOSED:
        changes["closed_at"] = clock.now()
    else:
        changes |= brought_down(finding, to_tier)
        changes["windows"] = {window: ladder.counted_anew(each).to_dict() for window, each in standing.items()}
    step(finding, ladder.RECOVERED, **about, detail=detail, changes=changes)


def _climb(moment: Moment, finding: Finding) -> bool:
    """Lift a finding to the rung that its breaches justify; False if it is there or above."""
    due = ladder.climb_due(Persistence.from_dict(finding.persistence), moment.plan)
    if due is None or (finding.tier, due.event) not in ladder.STEPS:
        return False
    to_tier, _ = ladder.STEPS[finding.tier, due.event]
    return step(
        finding,
        due.event,
        run_id=finding.run_id,
        as_of=moment.as_of,
        detail={"why": due.why},
        changes=climbed(finding, to_tier, due.why),
    )


def _figures(spec: ModelSpec, worst: Observation) -> dict[str, Any]:
    return {
        "reference": worst.reference or "",
        "severity": worst.severity or "low",
        "sentence": sentence_of(worst, spec),
        "window": worst.window,
        "value": worst.value,
        "low": worst.low,
        "high": worst.high,
        "bound_low": worst.bound_low,
        "bound_high": worst.bound_high,
        "run_id": worst.run_id,
    }


def _place(window: str) -> int:
    return WINDOWS.index(window) if window in WINDOWS else len(WINDOWS)
