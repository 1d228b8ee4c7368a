"""What models were not allowed to decide, who decided so, and how soon every gateway obeyed."""

from __future__ import annotations

from django.http import HttpRequest, HttpResponse, StreamingHttpResponse
from django.shortcuts import render
from django.views.decorators.http import require_GET

from apps.accounts.permissions import requires
from apps.dashboards.registers import csv_file
from apps.dashboards.restrictions import listing
from apps.dashboards.taken import taken


@require_GET
@requires(listing.VIEW)
def register(request: HttpRequest) -> HttpResponse:
    """The restrictions of the models that this person may see, newest first."""
    asked = listing.asked_of(request.GET, request.user)
    context = {"asked": asked, "page": listing.page_of(asked)}
    return render(request, "restrictions/register.html", context)


@require_GET
@requires(listing.VIEW)
def register_csv(request: HttpRequest) -> StreamingHttpResponse:
    """The same restrictions as CSV."""
    asked = listing.asked_of(request.GET, request.user)
    taken(request, "a table", subject="register:restrictions")
    return csv_file("restrictions", listing.export(asked))
