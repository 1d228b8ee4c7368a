"""Watching the measuring itself: a stall or a gap in the attributes is said aloud, because silence is never green."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta

from django.db import transaction

from apps.accounts.roles import AUDITOR, COMPLIANCE, OFFICER
from apps.audit import services as audit
from apps.audit.checking import log_faults
from apps.common import clock
from apps.monitoring import selectors as monitoring
from apps.monitoring import services as verbs
from apps.pipeline import heartbeat
from apps.pipeline.models import Alarm, Side
from apps.registry import selectors as registry
from apps.registry.spec import ModelSpec
from apps.responses import announcements
from biasgov.fairness.data_quality import COVERAGE_ALERT

FEWEST_EVENTS = 30
RECENT = timedelta(hours=3)

_SEVERITY = {Alarm.Kind.STALE: "high", Alarm.Kind.COVERAGE: "medium", Alarm.Kind.AUDIT: "critical"}

Problems = Mapping[tuple[str, str], str]


def watch() -> int:
    """Raise an alarm for what is wrong and was not, clear what is right again; answers how many are open.

    A stale model's live windows are marked due, so that the work starts again by itself. While there is no fresh week
    to ask, alarms about coverage stay as they are.
    """
    heartbeat.beat(Side.GOVERNANCE)
    heartbeat.prune()
    specs = registry.all_specs()
    identities = [spec.id for spec in specs]
    freshness = monitoring.freshness(identities)
    waiting = verbs.evaluations_waiting()
    latest = monitoring.latest_runs_of(identities)
    raised = 0
    for spec in specs:
        problems = _stale(freshness[spec.id], waiting.get(spec.id))
        if problems:
            verbs.evaluations_mark_live(model_ids=[spec.id])
        week = latest.get(spec.id, {}).get("7d")
        fresh = week is not None and clock.now() - week.as_of <= RECENT
        uncovered = _uncovered(week) if week is not None and fresh else {}
        raised += _reconcile(spec, {**problems, **uncovered}, unknown=() if fresh else (Alarm.Kind.COVERAGE,))
    return raised


def watch_log() -> int:
    """Raise and clear the alarms of the audit log: is it still what was signed, and is it kept safe? How many are open.

    Asked on the web side, which can check a signature and not make one.
    """
    problems = {(Alarm.Kind.AUDIT.value, kind): message for kind, message in log_faults().items()}
    return _reconcile(None, problems)


def _stale(found: monitoring.Freshness, due_since: datetime | None) -> Problems:
    since = found.evaluated_at or due_since
    overdue = found.state == "unknown" and due_since and clock.now() - due_since > monitoring.FRESHNESS_OBJECTIVE
    if found.state != "missed" and not overdue:
        return {}
    waiting = f" {found.waiting_hours} hours of events wait to be counted." if found.waiting_hours else ""
    when = f"at {since:%Y-%m-%d %H:%M} UTC" if found.evaluated_at else "never"
    message = f"The daily window was last evaluated {when}, which is more than 2 hours ago.{waiting}"
    return {(Alarm.Kind.STALE.value, ""): message}


def _uncovered(week: monitoring.RunRow) -> Problems:
    if week.n < FEWEST_EVENTS:
        return {}
    low = {
        name: f"{share:.0%}" for name, share in week.coverage.items() if share is not None and share < COVERAGE_ALERT
    }
    if None in week.coverage.values():
        # Where a small group would follow from the share, the run tells no more than that it is low.
        document = monitoring.run_document(week.id) or {}
        untold = {name for name in document["quality"]["low_coverage"] if week.coverage.get(name) is None}
        low |= dict.fromkeys(sorted(untold), "too few")
    return {
        (Alarm.Kind.COVERAGE.value, attribute): (
            f"{attribute} is known for {share} of the {week.n:,} events of the last 7 days, less than "
            f"{COVERAGE_ALERT:.0%}: results may speak for the known only."
        )
        for attribute, share in low.items()
    }


@transaction.atomic
def _reconcile(spec: ModelSpec | None, problems: Problems, *, unknown: Sequence[str] = ()) -> int:
    """Open alarms are those of `problems`, and those of `unknown` kinds that were open; answers how many."""
    now, stay = clock.now(), 0
    model_id, subject = (spec.id, f"model:{spec.slug}") if spec else (None, "audit:log")
    known = {
        (alarm.kind, alarm.attribute): alarm
        for alarm in Alarm.objects.select_for_update(of=("self",)).filter(model_id=model_id, cleared_at=None)
    }
    for key, alarm in known.items():
        if key[0] in unknown:
            stay += 1
        elif key not in problems:
            Alarm.objects.filter(pk=alarm.pk, cleared_at=None).update(cleared_at=now)
            audit.append(actor="system:pipeline", action=f"alarm.{alarm.kind}_cleared", subject=subject)
    for (kind, attribute), message in problems.items():
        if (kind, attribute) in known:
            continue
        alarm = Alarm.objects.create(model_id=model_id, kind=kind, attribute=attribute, message=message, raised_at=now)
        audit.append(
            actor="system:pipeline",
            action=f"alarm.{kind}_raised",
            subject=subject,
            detail={"message": message},
        )
        title = f"{Alarm.Kind(kind).label.lower()}{f' ({attribute})' if spec and attribute else ''}"
        announcements.announce(
            model=spec,
            key=f"alarm-{alarm.pk}",
            title=f"{spec.name}: {title}" if spec else title.capitalize(),
            body=message,
            severity=_SEVERITY[Alarm.Kind(kind)],
            path="/health/",
            detected_at=now,
            roles=(OFFICER,) if spec else (OFFICER, COMPLIANCE, AUDITOR),
        )
    return len(problems) + stay
