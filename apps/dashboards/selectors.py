"""What the pages read, each in a constant number of queries. Nothing here writes."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from apps.common import clock
from apps.dashboards.changes import change_events
from apps.dashboards.charts import HOURLY, trend_groups
from apps.dashboards.history import Event, finding_events, latest, restriction_events, version_events
from apps.dashboards.panels import Panel, headline_of, panel
from apps.dashboards.portfolio import PortfolioEntry, portfolio_entry, status_of
from apps.dashboards.reading import Reading
from apps.dashboards.responses.reading import response_words
from apps.dashboards.tasks import finding_text
from apps.dashboards.topics import Choice, topic_of
from apps.dashboards.words import SEVERITY_ORDER, Badge, percent
from apps.monitoring import selectors as monitoring
from apps.monitoring.selectors import Freshness, PortfolioRow, TrendSeries
from apps.registry import selectors as registry
from apps.registry.spec import ModelSpec
from apps.responses import selectors as responses
from apps.responses.selectors import FindingRow
from apps.thresholds import selectors as thresholds

EVENTS_AT_MOST = 6
CHANGES_FIRST = 3
EARLIER_AT_MOST = REMEMBERED = 50


@dataclass(frozen=True, slots=True)
class ModelPage:
    """A model's panel (None before its first run), and what changed, newest first: the latest and what was before.

    longer: whether there is more than that; the registers have all of it.
    """

    panel: Panel | None
    events: tuple[Event, ...]
    earlier: tuple[Event, ...]
    longer: bool
    confidence: str


@dataclass(frozen=True, slots=True)
class ModelHead:
    """What stands above the panel: status over all windows, freshness, newest version, open findings.

    worst: where to look first, as the switches' values: what is in breach, else what an open finding is about.
    """

    status: Badge
    worst: Mapping[str, str]
    fresh: Freshness
    version: str
    findings: tuple[FindingRow, ...]


def specs_visible_to(user: Any) -> tuple[ModelSpec, ...]:
    """The models whose fairness the person may see, by name."""
    return registry.specs_of(registry.models_visible_to(user))


def portfolio(specs: Sequence[ModelSpec]) -> list[PortfolioEntry]:
    """One entry a model, in order of need: breach, too few, stale, within; then by name."""
    ids = [spec.id for spec in specs]
    rows = monitoring.portfolio_points(ids)
    fresh = monitoring.freshness(ids)
    policies = thresholds.policies_in_force(ids, clock.now())
    findings, standings = responses.open_counts(ids), responses.standings_of(ids)
    entries = [
        portfolio_entry(
            spec,
            rows.get(spec.id),
            fresh[spec.id],
            policies[spec.id].policy.bounds if spec.id in policies else {},
            response_words(*standings.get(spec.id, ("", False)), findings.get(spec.id, 0)),
        )
        for spec in specs
    ]
    order = {"breach": 0, "inconclusive": 1, "stale": 2, "not_estimable": 3, "plain": 4, "within": 5}
    severity = {"breach, critical": 0, "breach, high": 1, "breach, medium": 2, "breach, low": 3}
    return sorted(
        entries, key=lambda each: (order[each.status.kind], severity.get(each.status.text, 4), each.name.lower())
    )


def model_page(spec: ModelSpec, choice: Choice, *, whole: bool = False) -> ModelPage:
    """A model under one choice; a window without a run falls back to none.

    whole: the trend has every hour ever computed, as a file does, and not one value a day before the last week.
    """
    changes = change_events(spec, choice, monitoring.changes(spec.id))
    events = [*history(spec), *changes]
    shown, earlier = latest(events, most=EVENTS_AT_MOST, changes=CHANGES_FIRST)
    listed, longer = earlier[:EARLIER_AT_MOST], len(earlier) > EARLIER_AT_MOST
    runs = monitoring.latest_runs(spec.id)
    if choice.window not in runs:
        return ModelPage(None, shown, listed, longer, "")
    documents = monitoring.run_documents([run.id for run in runs.values()])
    readings = {window: Reading.of(documents[run.id]) for window, run in runs.items()}
    series = _series(spec, choice, readings[choice.window], daily_before=None if whole else clock.now() - HOURLY)
    body = readings[choice.window].document["policy"]["body"]
    drawn = panel(spec, choice, runs, readings, series, events)
    return ModelPage(drawn, shown, listed, longer, percent(body["confidence"]))


def model_head(spec: ModelSpec) -> ModelHead:
    """The header of a model's page."""
    fresh = monitoring.freshness([spec.id])[spec.id]
    row = monitoring.portfolio_points([spec.id], lines=False).get(spec.id)
    versions = registry.version_details(spec.id)
    findings = responses.open_findings([spec.id])
    return ModelHead(
        status=status_of(row, fresh),
        worst=_worst(row) or _found(findings),
        fresh=fresh,
        version=versions[0]["version"] if versions else "",
        findings=findings,
    )


def _worst(row: PortfolioRow | None) -> Mapping[str, str]:
    worst = row.worst if row else None
    topic = topic_of(worst.metric) if worst else None
    if worst is None or topic is None or worst.verdict != "breach":
        return {}
    return {"window": worst.window, "attribute": worst.attribute, "metric": topic.key}


def _found(findings: Sequence[FindingRow]) -> Mapping[str, str]:
    """The severest finding of a named group of one attribute, in the window with the most evidence."""
    named = [each for each in findings if each.group and "*" not in each.attribute and topic_of(each.metric)]
    if not named:
        return {}
    first = min(named, key=lambda each: (SEVERITY_ORDER.get(each.severity, 4), each.opened_as_of))
    topic = topic_of(first.metric)
    return {"window": "30d", "attribute": first.attribute, "metric": topic.key if topic else ""}


def history(spec: ModelSpec) -> list[Event]:
    """Versions, policies, restrictions and findings, whatever a reader looks at; the newest of each."""
    events = version_events(registry.version_details(spec.id))
    events += [
        Event(
            policy.effective_from,
            "policy",
            f"Threshold policy version {policy.version} in force (assessment {policy.assessment_reference}).",
            f"policy {policy.version}" if policy.version > 1 else "",
        )
        for policy in thresholds.policy_starts(spec.id, limit=REMEMBERED)
    ]
    events += restriction_events(responses.restriction_moments(spec.id))
    opened = responses.findings(spec.id, limit=REMEMBERED)
    return events + finding_events(
        (each.opened_as_of, each.severity, finding_text(each, spec.words)) for each in opened
    )


def _series(
    spec: ModelSpec, choice: Choice, reading: Reading, *, daily_before: datetime | None
) -> Mapping[str | None, TrendSeries]:
    groups = trend_groups(spec, reading, choice, headline_of(reading, choice))
    asked = (spec.id, choice.window, choice.attribute, choice.topic.metric)
    return {group: monitoring.trend(*asked, group, daily_before=daily_before) for group in groups}
