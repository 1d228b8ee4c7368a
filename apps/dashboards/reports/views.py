"""The reports of the quarter: fetch, permit, render."""

from __future__ import annotations

from typing import Any

from django.http import Http404, HttpRequest, HttpResponse, StreamingHttpResponse
from django.shortcuts import render
from django.views.decorators.http import require_GET

from apps.accounts.permissions import requires
from apps.common import clock
from apps.common.errors import Refused
from apps.dashboards.registers import csv_file
from apps.dashboards.reports import papers, reading
from apps.dashboards.taken import taken
from apps.reports.selectors import Quarter


@require_GET
@requires("coverage.view")
def coverage(request: HttpRequest) -> HttpResponse:
    """For whom attributes are known: the models of the person, a page of them at a time."""
    after = request.GET.get("after", "")
    page = reading.coverage_page(
        request.user, _quarter(request), after=int(after) if after.isdecimal() and len(after) < 10 else 0
    )
    return render(request, "reports/coverage.html", {"page": page})


@require_GET
@requires("coverage.view")
def coverage_csv(request: HttpRequest) -> StreamingHttpResponse:
    """Every week of every attribute, as a table."""
    quarter = _quarter(request)
    taken(request, f"the table of {quarter.name}", subject="report:coverage")
    return csv_file(f"coverage-{quarter.name}", reading.coverage_tables(request.user, quarter))


@require_GET
@requires("report.view")
def coverage_pdf(request: HttpRequest) -> HttpResponse:
    """The Demographic Coverage Report on paper."""
    quarter = _quarter(request)
    taken(request, f"the paper of {quarter.name}", subject="report:coverage")
    content = papers.coverage_paper(reading.whole_report(request.user, quarter))
    headers = {"Content-Disposition": f'attachment; filename="coverage-{quarter.name}.pdf"'}
    return HttpResponse(content, content_type="application/pdf", headers=headers)


def _quarter(request: HttpRequest) -> Quarter:
    """The quarter that was asked for, the present one by default. Raises Http404 for none that there could be."""
    now: Any = Quarter.of(clock.now())
    try:
        asked = Quarter.named(request.GET["quarter"]) if "quarter" in request.GET else now
    except Refused as refusal:
        raise Http404(refusal.message) from None
    if asked > now:
        raise Http404("That quarter has not begun.")
    return asked
