"""The threshold register and its versions."""

from __future__ import annotations

from django.http import Http404, HttpRequest, HttpResponse, StreamingHttpResponse
from django.shortcuts import render
from django.views.decorators.http import require_GET

from apps.accounts.permissions import demand, requires
from apps.dashboards.registers import csv_file
from apps.dashboards.taken import taken
from apps.dashboards.thresholds import reading
from apps.registry import selectors as registry
from apps.thresholds import selectors as thresholds

VIEW = "threshold.view"


@require_GET
@requires(VIEW)
def register(request: HttpRequest) -> HttpResponse:
    """The versions that this person may see, those in force unless they ask for others."""
    page = request.GET.get("page", "1")
    number = int(page) if page.isdecimal() and len(page) < 7 else 1
    filters = reading.filters_of(request.GET.dict())
    return render(request, "thresholds/register.html", {"register": reading.register_of(request.user, filters, number)})


@require_GET
@requires(VIEW)
def register_csv(request: HttpRequest) -> StreamingHttpResponse:
    """The register under its filters, one bound a row."""
    parts = reading.register_tables(request.user, reading.filters_of(request.GET.dict()))
    taken(request, "a table", subject="register:thresholds")
    return csv_file("threshold-register", parts)


@require_GET
@requires(VIEW)
def version(request: HttpRequest, version_id: int) -> HttpResponse:
    """One version, which never changes."""
    detail = thresholds.version_detail(version_id)
    if detail is None:
        raise Http404("There is no such version.")
    demand(request.user, VIEW, detail.policy.model_id)
    spec = registry.model_spec_by_id(detail.policy.model_id)
    return render(request, "thresholds/version.html", {"page": reading.version_page(request.user, spec, detail)})


def csv_of(text: str, name: str) -> HttpResponse:
    """A CSV file to save."""
    return HttpResponse(
        text,
        content_type="text/csv; charset=utf-8",
        headers={"Content-Disposition": f'attachment; filename="{name}.csv"'},
    )
