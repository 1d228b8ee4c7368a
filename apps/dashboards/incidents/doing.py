"""What people do on an incident's page, by the name of its form: each reads its parts, acts and says what it did."""

from __future__ import annotations

from collections.abc import Callable, Mapping

from django.http import Http404

from apps.accounts.models import User
from apps.accounts.selectors import active_person
from apps.common.errors import Refused
from apps.dashboards.incidents.forms import Given
from apps.incidents import selectors, services
from apps.incidents.selectors import IncidentDetail
from apps.monitoring import selectors as monitoring
from apps.pipeline.escalating import evidence_of
from apps.registry import selectors as registry
from apps.registry.spec import ModelSpec
from apps.thresholds import selectors as thresholds

Verb = Callable[[IncidentDetail, ModelSpec, User, Given], str]


def move(detail: IncidentDetail, spec: ModelSpec, person: User, given: Given) -> str:
    services.incident_move(incident_id=detail.row.id, person=person, event=given.text("event"), text=given.text("text"))
    return "The incident has moved on, in your name."


def note(detail: IncidentDetail, spec: ModelSpec, person: User, given: Given) -> str:
    services.incident_note(incident_id=detail.row.id, person=person, text=given.text("text"))
    return "Your note is in the timeline."


def group(detail: IncidentDetail, spec: ModelSpec, person: User, given: Given) -> str:
    attribute, _, level = given.text("group").partition("=")
    counted = services.Group(attribute, level, given.number("people"), given.text("source"))
    services.incident_group_set(incident_id=detail.row.id, person=person, model=spec, group=counted)
    return "The group is written down."


def link(detail: IncidentDetail, spec: ModelSpec, person: User, given: Given) -> str:
    """Link a version, a policy version or another incident, once it is sure that there is such a thing."""
    kind, target = given.text("kind"), given.text("target").strip().lstrip("#")
    label = _label(kind, target, spec, person, detail)
    fresh = services.incident_link(incident_id=detail.row.id, person=person, kind=kind, target=target, label=label)
    return "Linked." if fresh else "It was linked already."


def freeze(detail: IncidentDetail, spec: ModelSpec, person: User, given: Given) -> str:
    """Freeze further runs of the model, and link them."""
    wanted = given.numbers("runs")
    evidence = evidence_of(spec, run_ids=wanted)
    if not wanted or set(wanted) - set(evidence.runs):
        unknown = next((each for each in wanted if each not in evidence.runs), None)
        raise Refused("runs", f"{spec.name} has no run {unknown}." if wanted else "Name the run by its number.")
    added = services.incident_evidence_add(incident_id=detail.row.id, person=person, evidence=evidence)
    for run_id, document in evidence.runs.items():
        label = services.run_label(document["window"], document["as_of"])
        services.incident_link(incident_id=detail.row.id, person=person, kind="run", target=str(run_id), label=label)
    return f"{added} document{'s are' if added != 1 else ' is'} frozen."


def action(detail: IncidentDetail, spec: ModelSpec, person: User, given: Given) -> str:
    owner = active_person(given.number("owner"))
    if owner is None:
        raise Refused("owner", "Choose who does it.")
    services.action_add(
        incident_id=detail.row.id,
        person=person,
        title=given.text("title"),
        owner=owner,
        due_at=given.needed_moment("due_at", "Say by when it has to be done."),
    )
    return f"Added. {owner.display_name} sees it in the inbox."


def action_end(detail: IncidentDetail, spec: ModelSpec, person: User, given: Given) -> str:
    action_id = _among(given.number("action"), {each.id for each in detail.actions})
    done = given.text("end") != "dropped"
    services.action_end(action_id=action_id, person=person, done=done, outcome=given.text("outcome"))
    return "The action is done." if done else "The action is dropped."


def clock_start(detail: IncidentDetail, spec: ModelSpec, person: User, given: Given) -> str:
    started = services.clock_start(
        incident_id=detail.row.id,
        person=person,
        rule=given.text("rule"),
        started_at=given.moment("started_at"),
        note=given.text("note"),
    )
    return f"The clock runs until {started.due_at:%-d %B %Y, %H:%M} UTC."


def clock_report(detail: IncidentDetail, spec: ModelSpec, person: User, given: Given) -> str:
    clock_id = _among(given.number("clock"), {each.id for each in detail.clocks})
    at = given.needed_moment("reported_at", "Say when it was reported.")
    services.clock_report(clock_id=clock_id, person=person, reported_at=at, note=given.text("note"))
    return "The report is written down."


def clock_set_aside(detail: IncidentDetail, spec: ModelSpec, person: User, given: Given) -> str:
    clock_id = _among(given.number("clock"), {each.id for each in detail.clocks})
    services.clock_set_aside(clock_id=clock_id, person=person, note=given.text("note"))
    return "The clock is set aside, in your name."


def cost(detail: IncidentDetail, spec: ModelSpec, person: User, given: Given) -> str:
    line = services.cost_book(
        incident_id=detail.row.id,
        person=person,
        kind=given.text("kind"),
        description=given.text("description"),
        quantity=given.money("quantity"),
        unit_amount=given.money("unit_amount"),
        currency=given.text("currency").strip().upper(),
        incurred_on=given.day("incurred_on"),
    )
    return f"{line.amount} {line.currency} are booked."


def cost_reverse(detail: IncidentDetail, spec: ModelSpec, person: User, given: Given) -> str:
    line_id = _among(given.number("line"), {each.id for each in detail.costs})
    services.cost_reverse(line_id=line_id, person=person, reason=given.text("reason"))
    return "The line is taken back by another one."


def close(detail: IncidentDetail, spec: ModelSpec, person: User, given: Given) -> str:
    services.incident_closure_request(
        incident_id=detail.row.id, person=person, statement=given.text("statement"), lessons=given.text("lessons")
    )
    return "Asked. Those who may sign see it in their inbox; until then the incident's content stays as it is."


def reopen(detail: IncidentDetail, spec: ModelSpec, person: User, given: Given) -> str:
    services.incident_reopen(incident_id=detail.row.id, person=person, reason=given.text("reason"))
    return "The incident is open again."


VERBS: Mapping[str, tuple[Verb, str]] = {
    "move": (move, "timeline"),
    "note": (note, "timeline"),
    "group": (group, "affected"),
    "link": (link, "links"),
    "freeze": (freeze, "evidence"),
    "action": (action, "actions"),
    "action_end": (action_end, "actions"),
    "clock": (clock_start, "clocks"),
    "clock_report": (clock_report, "clocks"),
    "clock_set_aside": (clock_set_aside, "clocks"),
    "cost": (cost, "costs"),
    "cost_reverse": (cost_reverse, "costs"),
    "close": (close, "closure"),
    "reopen": (reopen, "closure"),
}
"""By the last part of the address: what is done, and the part of the page that shows it."""


def _label(kind: str, target: str, spec: ModelSpec, person: User, detail: IncidentDetail) -> str:
    """What is linked, in words. Raises Refused if there is no such thing, or it is another model's."""
    if kind == "version":
        if target in {each["version"] for each in registry.version_details(spec.id)}:
            return f"{spec.name}, version {target}"
    elif kind == "threshold":
        found = {str(each.version): each for each in thresholds.policy_versions(spec.id)}.get(target)
        if found is not None:
            return services.threshold_label(found.version, found.assessment_reference)
    elif kind == "incident":
        other = selectors.incident(_number(target))
        if other is not None and other.model_id == spec.id and other.id != detail.row.id:
            return other.title
    elif kind == "run":
        run = monitoring.run(_number(target))
        if run is not None and run.model_id == spec.id:
            return services.run_label(run.window, run.as_of)
    else:
        raise Refused("kind", "Choose what is linked.")
    raise Refused("target", f"{spec.name} has no {kind} {target[:60]!r}.", code="unknown")


def _number(target: str) -> int:
    """The number that is linked; 0, which nothing has, for anything else."""
    return int(target) if target.isascii() and target.isdecimal() and len(target) < 19 else 0


def _among(given: int | None, known: set[int]) -> int:
    """An id that belongs to the incident. Raises Http404 for another one's."""
    if given is None or given not in known:
        raise Http404("This incident has nothing of that number.")
    return given
