"""The register of incidents: its pages, its file, and the filters that people keep."""

from __future__ import annotations

from django.http import HttpRequest, HttpResponse, QueryDict, StreamingHttpResponse
from django.shortcuts import render
from django.views.decorators.http import require_GET, require_POST

from apps.accounts.permissions import may_somewhere, requires
from apps.dashboards import selectors as dashboards
from apps.dashboards.acting import person_of
from apps.dashboards.incidents import listing
from apps.dashboards.incidents.words import ORIGINS
from apps.dashboards.registers import csv_file, view_forgotten, view_kept
from apps.dashboards.taken import taken
from apps.incidents import selectors
from apps.incidents.causes import CAUSES


@require_GET
@requires(listing.VIEW)
def register(request: HttpRequest) -> HttpResponse:
    """The incidents of the models that this person may see, under a filter."""
    specs = dashboards.specs_visible_to(request.user)
    asked = listing.asked_of(request.GET, request.user, specs)
    context = {
        "asked": asked,
        "page": listing.page_of(request.user, asked),
        "specs": specs,
        "severities": selectors.SEVERITIES,
        "causes": CAUSES,
        "origins": ORIGINS,
        "deadlines": listing.DEADLINES,
        "views": selectors.saved_views(person_of(request).pk, "incidents"),
        "may_open": may_somewhere(request.user, "incident.open"),
    }
    return render(request, "incidents/register.html", context)


@require_GET
@requires(listing.VIEW)
def register_csv(request: HttpRequest) -> StreamingHttpResponse:
    """The same incidents as CSV."""
    asked = listing.asked_of(request.GET, request.user, dashboards.specs_visible_to(request.user))
    taken(request, "a table", subject="register:incidents")
    return csv_file("incidents", listing.export(request.user, asked))


@require_POST
@requires(listing.VIEW)
def view_save(request: HttpRequest) -> HttpResponse:
    """Keep the present filter under a name."""
    specs = dashboards.specs_visible_to(request.user)
    return view_kept(request, listing.asked_of(QueryDict(request.POST.get("query", "")), request.user, specs).address)


@require_POST
@requires(listing.VIEW)
def view_forget(request: HttpRequest, view_id: int) -> HttpResponse:
    """Forget one of one's own filters."""
    return view_forgotten(request, "incidents", view_id)
