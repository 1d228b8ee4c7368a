"""What an evaluation does to a model's findings. Runs inside the transaction of `services.respond`."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime
from typing import Any

from apps.audit import services as audit
from apps.common import clock
from apps.registry.spec import ModelSpec
from apps.responses import ladder
from apps.responses.ladder import Recovery, rank, recovery_after
from apps.responses.models import Finding, FindingTransition
from apps.responses.observations import BREACH, WINDOWS, Key, Observation
from apps.responses.wording import sentence_of

SYSTEM = "system:responses"
NOT_JUDGED = "not_judged"
_SILENT = {NOT_JUDGED, "not_estimable"}


def evaluate(
    spec: ModelSpec, as_of: datetime, runs: Mapping[str, int], observations: Iterable[Observation]
) -> list[Finding]:
    """Move the model's findings by one moment; returns the open ones that are in breach now.

    runs: the evaluated windows with the ids of their runs. observations: those of these runs that have a bound.
    """
    seen: dict[Key, list[Observation]] = {}
    for observation in observations:
        seen.setdefault(observation.key, []).append(observation)
    known = {
        (finding.metric, finding.attribute, finding.group): finding
        for finding in Finding.objects.filter(model_id=spec.id, state=Finding.State.OPEN)
    }
    in_breach: list[Finding] = []
    for key in [*known, *(key for key in seen if key not in known)]:
        looks = seen.get(key, [])
        worst = worst_of([look for look in looks if look.verdict == BREACH])
        finding = known.get(key)
        if finding is None and worst:
            finding = _open(spec, worst)
        elif finding is not None:
            _continue(spec, finding, worst)
        if finding is None:
            continue
        _judge(finding, as_of, runs, looks)
        if worst and finding.state == Finding.State.OPEN:
            in_breach.append(finding)
    return in_breach


def worst_of(breaches: Sequence[Observation]) -> Observation | None:
    """The breach to speak of: the most severe, and among those the one of the shortest window."""
    return min(breaches, key=lambda look: (-rank(look.severity), _place(look.window)), default=None)


def step(
    finding: Finding,
    event: str,
    *,
    actor: str = SYSTEM,
    run_id: int | None = None,
    as_of: datetime | None = None,
    detail: Mapping[str, Any] | None = None,
    changes: Mapping[str, Any] | None = None,
    only_if: Mapping[str, Any] | None = None,
) -> bool:
    """Take one step of the ladder: guarded UPDATE, transition row and audit entry; False if somebody was faster.

    only_if: further conditions that the stored finding must still meet. Raises KeyError for a step that the ladder
    does not have.
    """
    before = finding.state
    after, name = ladder.STEPS[before, event]
    fields = {**(changes or {}), "state": after}
    if Finding.objects.filter(pk=finding.pk, state=before, **(only_if or {})).update(**fields) != 1:
        return False
    for field, value in fields.items():
        setattr(finding, field, value)
    if name:
        _record(finding, name, before, actor, run_id, as_of, detail or {})
    return True


def _open(spec: ModelSpec, worst: Observation) -> Finding:
    to_state, name = ladder.STEPS[ladder.ABSENT, ladder.BREACHED]
    finding = Finding.objects.create(
        model_id=spec.id,
        metric=worst.metric,
        attribute=worst.attribute,
        group=worst.group or "",
        state=to_state,
        opened_at=clock.now(),
        opened_as_of=worst.as_of,
        opened_run_id=worst.run_id,
        last_as_of=worst.as_of,
        last_verdict=BREACH,
        **_figures(spec, worst),
    )
    detail = {"window": worst.window, "severity": finding.severity, "sentence": finding.sentence}
    _record(finding, name, ladder.ABSENT, SYSTEM, worst.run_id, worst.as_of, detail)
    return finding


def _continue(spec: ModelSpec, finding: Finding, worst: Observation | None) -> None:
    if worst is None:
        return
    before = finding.severity
    event = ladder.BREACHED if (worst.severity or before) == before else ladder.SEVERITY_CHANGED
    step(
        finding,
        event,
        run_id=worst.run_id,
        as_of=worst.as_of,
        detail={"from": before, "to": worst.severity or before, "window": worst.window},
        changes=_figures(spec, worst),
    )


def _judge(finding: Finding, as_of: datetime, runs: Mapping[str, int], looks: Sequence[Observation]) -> None:
    """Count how far each window has recovered; say when nothing judges the finding any more; close it in the end."""
    verdicts = dict.fromkeys(runs, NOT_JUDGED) | {look.window: look.verdict for look in looks}
    standing: dict[str, Recovery] = {window: Recovery.from_dict(kept) for window, kept in finding.windows.items()}
    for window, verdict in verdicts.items():
        after = recovery_after(standing.get(window), verdict, as_of)
        if after:
            standing[window] = after
    said = [verdict for window, verdict in verdicts.items() if window in standing]
    if not said:
        return
    changes: dict[str, Any] = {
        "windows": {window: recovery.to_dict() for window, recovery in standing.items()},
        "last_as_of": as_of,
        "last_verdict": BREACH if BREACH in said else next((one for one in said if one not in _SILENT), said[0]),
    }
    run_id = next(iter(runs.values()))
    silent = all(verdict in _SILENT for verdict in said)
    if silent and finding.unjudged_since is None:
        changes["unjudged_since"] = as_of
        why = "no bound is set for it" if NOT_JUDGED in said else "it cannot be estimated"
        step(finding, ladder.JUDGEMENT_LOST, run_id=run_id, as_of=as_of, detail={"why": why}, changes=changes)
    elif not silent and finding.unjudged_since is not None:
        changes["unjudged_since"] = None
        step(finding, ladder.JUDGEMENT_REGAINED, run_id=run_id, as_of=as_of, changes=changes)
    elif all(recovery.complete for recovery in standing.values()):
        changes["closed_at"] = clock.now()
        detail = {"windows": list(standing), "in_a_row": ladder.CLOSE_AFTER}
        step(finding, ladder.RECOVERED, run_id=run_id, as_of=as_of, detail=detail, changes=changes)
    else:
        step(finding, ladder.BREACHED, changes=changes)


def _record(
    finding: Finding,
    name: str,
    before: str,
    actor: str,
    run_id: int | None,
    as_of: datetime | None,
    detail: Mapping[str, Any],
) -> None:
    FindingTransition.objects.create(
        finding=finding,
        event=name,
        from_state=before,
        to_state=finding.state,
        actor=actor,
        run_id=run_id,
        as_of=as_of,
        detail=dict(detail),
    )
    about = {"metric": finding.metric, "attribute": finding.attribute, "group": finding.group, "run": run_id}
    audit.append(actor=actor, action=f"finding.{name}", subject=f"finding:{finding.pk}", detail={**about, **detail})


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
