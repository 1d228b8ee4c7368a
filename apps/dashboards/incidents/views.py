"""The register of incidents: its pages, its file, and the filters that people keep."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, cast

from django.contrib import messages
from django.http import Http404, HttpRequest, HttpResponse, QueryDict, StreamingHttpResponse
from django.shortcuts import redirect, render
from django.urls import reverse
from django.views.decorators.http import require_GET, require_POST

from apps.accounts.permissions import may_somewhere, requires
from apps.common.errors import Refused
from apps.dashboards import selectors as dashboards
from apps.dashboards.incidents import listing
from apps.dashboards.incidents.words import ORIGINS
from apps.incidents import selectors, services
from apps.incidents.causes import CAUSES

if TYPE_CHECKING:
    from apps.accounts.models import User

REGISTER = "incidents"


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
        "views": selectors.saved_views(_person(request).pk, REGISTER),
        "may_open": may_somewhere(request.user, "incident.open"),
    }
    return render(request, "incidents/register.html", context)


@require_GET
@requires(listing.VIEW)
def register_csv(request: HttpRequest) -> StreamingHttpResponse:
    """The same incidents as CSV."""
    asked = listing.asked_of(request.GET, request.user, dashboards.specs_visible_to(request.user))
    headers = {"Content-Disposition": 'attachment; filename="incidents.csv"'}
    return StreamingHttpResponse(_lines(request, asked), content_type="text/csv; charset=utf-8", headers=headers)


@require_POST
@requires(listing.VIEW)
def view_save(request: HttpRequest) -> HttpResponse:
    """Keep the present filter under a name."""
    specs = dashboards.specs_visible_to(request.user)
    asked = listing.asked_of(QueryDict(request.POST.get("query", "")), request.user, specs)
    name = request.POST.get("name", "")
    try:
        services.view_save(person=_person(request), register=REGISTER, name=name, query=asked.query)
    except Refused as refusal:
        messages.error(request, refusal.message)
    else:
        messages.success(request, f"Kept as “{name.strip()}”.")
    return redirect(f"{reverse('incidents')}?{asked.query}")


@require_POST
@requires(listing.VIEW)
def view_forget(request: HttpRequest, view_id: int) -> HttpResponse:
    """Forget one of one's own filters; somebody else's does not exist."""
    if not services.view_forget(person=_person(request), view_id=view_id):
        raise Http404("You keep no such view.")
    return redirect("incidents")


def _lines(request: HttpRequest, asked: listing.Asked) -> Iterator[str]:
    for place, part in enumerate(listing.export(request.user, asked)):
        yield part.csv(headed=place == 0)


def _person(request: HttpRequest) -> User:
    return cast("User", request.user)
