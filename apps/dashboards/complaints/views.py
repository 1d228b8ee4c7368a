"""The complaints register, and one complaint: recorded, examined, answered, and led to an incident."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING

from django.contrib import messages
from django.http import Http404, HttpRequest, HttpResponse, QueryDict, StreamingHttpResponse
from django.shortcuts import redirect, render
from django.views.decorators.http import require_GET, require_http_methods, require_POST

from apps.accounts.permissions import demand, may, may_somewhere, requires
from apps.common import clock
from apps.common.errors import Refused
from apps.dashboards import selectors as dashboards
from apps.dashboards.acting import person_of
from apps.dashboards.actors import names_among
from apps.dashboards.complaints import listing
from apps.dashboards.incidents.forms import Failed, Given
from apps.dashboards.registers import csv_file, view_forgotten, view_kept
from apps.dashboards.taken import taken
from apps.incidents import selectors, services
from apps.incidents.clocks import COMPLAINT_RULES
from apps.incidents.selectors import ComplaintRow
from apps.registry import selectors as registry

if TYPE_CHECKING:
    from apps.accounts.models import User

REFUSED = 422
_DONE: Mapping[str, str] = {
    "recorded": "recorded it",
    "examination_started": "started examining it",
    "answered": "answered it",
    "withdrawn": "noted that it was taken back",
    "reopened": "took it up again",
    "linked": "linked it to an incident",
}


@require_GET
@requires(listing.VIEW)
def register(request: HttpRequest) -> HttpResponse:
    """The complaints about the models that this person may see, under a filter."""
    specs = dashboards.specs_visible_to(request.user)
    asked = listing.asked_of(request.GET, specs)
    context = {
        "asked": asked,
        "page": listing.page_of(request.user, asked),
        "specs": specs,
        "sources": selectors.COMPLAINT_SOURCES,
        "attributes": sorted({name for spec in specs for name in spec.attribute_names}),
        "deadlines": listing.DEADLINES,
        "views": selectors.saved_views(person_of(request).pk, "complaints"),
        "may_record": may_somewhere(request.user, listing.RECORD),
    }
    return render(request, "complaints/register.html", context)


@require_GET
@requires(listing.VIEW)
def register_csv(request: HttpRequest) -> StreamingHttpResponse:
    """The same complaints as CSV."""
    asked = listing.asked_of(request.GET, dashboards.specs_visible_to(request.user))
    taken(request, "a table", subject="register:complaints")
    return csv_file("complaints", listing.export(request.user, asked))


@require_POST
@requires(listing.VIEW)
def view_save(request: HttpRequest) -> HttpResponse:
    """Keep the present filter under a name."""
    specs = dashboards.specs_visible_to(request.user)
    return view_kept(request, listing.asked_of(QueryDict(request.POST.get("query", "")), specs).address)


@require_POST
@requires(listing.VIEW)
def view_forget(request: HttpRequest, view_id: int) -> HttpResponse:
    """Forget one of one's own filters."""
    return view_forgotten(request, "complaints", view_id)


@require_http_methods(["GET", "POST"])
@requires(listing.RECORD)
def new(request: HttpRequest) -> HttpResponse:
    """Write a complaint down: its model first, then what it is about."""
    specs = [spec for spec in dashboards.specs_visible_to(request.user) if may(request.user, listing.RECORD, spec)]
    asked = (request.POST if request.method == "POST" else request.GET).get("model", "")
    spec = next((each for each in specs if each.slug == asked), None)
    if spec is None and (asked or request.method == "POST"):
        raise Http404("There is no such model.")
    failed = None
    if request.method == "POST" and spec is not None:
        given = Given(request.POST)
        try:
            complaint = services.complaint_record(
                model=spec,
                actor=person_of(request).actor,
                person=person_of(request),
                source=given.text("source"),
                channel=given.text("channel"),
                summary=given.text("summary"),
                received_at=given.moment("received_at") or clock.now(),
                rule=given.text("rule"),
                attribute=given.text("attribute"),
                reference=given.text("reference"),
            )
        except Refused as refusal:
            failed = Failed("new", refusal, request.POST)
        else:
            messages.success(request, f"Recorded as complaint {complaint.pk}.")
            return redirect("complaint", number=complaint.pk)
    context = {
        "specs": specs,
        "spec": spec,
        "sources": selectors.COMPLAINT_SOURCES,
        "channels": selectors.COMPLAINT_CHANNELS,
        "rules": COMPLAINT_RULES,
        "failed": failed,
        "given": failed.parts if failed else {},
    }
    return render(request, "complaints/new.html", context, status=REFUSED if failed else 200)


@require_GET
@requires(listing.VIEW)
def complaint(request: HttpRequest, number: int) -> HttpResponse:
    """One complaint with what happened to it."""
    return _page(request, _visible(request, number))


@require_POST
@requires(listing.VIEW)
def act(request: HttpRequest, number: int, verb: str) -> HttpResponse:
    """Do what one of the page's forms asks for; a refusal shows the page again with what was written."""
    row = _visible(request, number)
    if verb not in VERBS:
        raise Http404("There is no such thing to do.")
    try:
        said = VERBS[verb](row, person_of(request), Given(request.POST))
    except Refused as refusal:
        return _page(request, _visible(request, number), Failed(verb, refusal, request.POST))
    messages.success(request, said)
    return redirect("complaint", number=number)


def _examine(row: ComplaintRow, person: User, given: Given) -> str:
    services.complaint_examine(complaint_id=row.id, person=person)
    return "It is being examined, in your name."


def _answer(row: ComplaintRow, person: User, given: Given) -> str:
    outcome, answer = given.text("outcome"), given.text("answer")
    services.complaint_answer(complaint_id=row.id, person=person, outcome=outcome, answer=answer)
    return "The answer is written down."


def _withdraw(row: ComplaintRow, person: User, given: Given) -> str:
    services.complaint_withdraw(complaint_id=row.id, person=person, reason=given.text("reason"))
    return "It is written down that the complaint was taken back."


def _reopen(row: ComplaintRow, person: User, given: Given) -> str:
    services.complaint_reopen(complaint_id=row.id, person=person, reason=given.text("reason"))
    return "It is being examined again. Its deadline stays the same."


def _link(row: ComplaintRow, person: User, given: Given) -> str:
    incident_id = given.number("incident")
    if incident_id is None:
        raise Refused("incident", "Name the incident by its number.")
    services.complaint_link(complaint_id=row.id, person=person, incident_id=incident_id)
    return f"It belongs to incident {incident_id} now."


def _open(row: ComplaintRow, person: User, given: Given) -> str:
    opened = services.complaint_open_incident(
        complaint_id=row.id,
        person=person,
        model=registry.model_spec_by_id(row.model_id),
        title=given.text("title"),
        severity=given.text("severity"),
    )
    return f"Incident {opened.pk} is open, and you lead it."


VERBS: Mapping[str, Callable[[ComplaintRow, User, Given], str]] = {
    "examine": _examine,
    "answer": _answer,
    "withdraw": _withdraw,
    "reopen": _reopen,
    "link": _link,
    "open": _open,
}
"""By the last part of the address."""


def _visible(request: HttpRequest, number: int) -> ComplaintRow:
    """The complaint, for who may see it; for others it does not exist."""
    row = selectors.complaint(number)
    if row is None:
        raise Http404("There is no such complaint.")
    demand(request.user, listing.VIEW, row.model_id)
    return row


def _page(request: HttpRequest, row: ComplaintRow, failed: Failed | None = None) -> HttpResponse:
    records = may(request.user, listing.RECORD, row.model_id)
    steps = selectors.complaint_steps(row.id)
    context = {
        "row": row,
        "names": names_among([row.recorded_by, *(each.actor for each in steps)]),
        "line": listing.line_of(row, clock.now()),
        "outcome": listing.OUTCOMES.get(row.outcome, ""),
        "steps": [(each, _DONE.get(each.event, each.event)) for each in reversed(steps)],
        "outcomes": listing.OUTCOMES,
        "severities": selectors.SEVERITIES,
        "may_record": records,
        "may_link": records and row.incident_id is None and may(request.user, "incident.manage", row.model_id),
        "may_open": records and row.incident_id is None and may(request.user, "incident.open", row.model_id),
        "failed": failed,
    }
    return render(request, "complaints/page.html", context, status=REFUSED if failed else 200)
