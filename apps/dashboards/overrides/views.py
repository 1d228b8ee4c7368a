"""A model's overrides: rates by group, and the register behind them."""

from __future__ import annotations

from collections.abc import Iterator

from django.core.exceptions import ObjectDoesNotExist
from django.http import Http404, HttpRequest, HttpResponse, StreamingHttpResponse
from django.shortcuts import render
from django.views.decorators.http import require_GET

from apps.accounts.permissions import demand, requires
from apps.dashboards.overrides import reading
from apps.dashboards.registers import csv_file
from apps.dashboards.tables import Table
from apps.dashboards.taken import taken
from apps.overrides import selectors
from apps.overrides.categories import CATEGORIES
from apps.registry import selectors as registry
from apps.registry.spec import ModelSpec

VIEW = "override.view"


@require_GET
@requires(VIEW)
def overrides(request: HttpRequest, slug: str) -> HttpResponse:
    """How often decisions of a model are overridden, and by whom and why."""
    spec, category = _visible(request, slug), _category(request)
    before = request.GET.get("before", "")
    below = int(before) if before.isascii() and before.isdecimal() and len(before) < 19 else None
    most = reading.SHOWN_AT_ONCE
    rows = selectors.overrides(spec.id, category=category, before_id=below, limit=most + 1)
    context = {
        "spec": spec,
        "rates": reading.rates_of(spec),
        "counts": reading.counts_of(spec),
        "category": category,
        "lines": [reading.line_of(spec, row) for row in rows[:most]],
        "following": rows[most - 1].id if len(rows) > most else None,
    }
    return render(request, "overrides/page.html", context)


@require_GET
@requires(VIEW)
def overrides_csv(request: HttpRequest, slug: str) -> StreamingHttpResponse:
    """The register as CSV."""
    spec = _visible(request, slug)
    taken(request, "a table", subject="register:overrides", model=spec.slug)
    return csv_file(f"{spec.slug}-overrides", _parts(spec, _category(request)))


def _parts(spec: ModelSpec, category: str) -> Iterator[Table]:
    before = None
    while True:
        rows = selectors.overrides(spec.id, category=category, before_id=before, limit=reading.EXPORTED_AT_ONCE)
        yield reading.register_table(spec, rows)
        if len(rows) < reading.EXPORTED_AT_ONCE:
            return
        before = rows[-1].id


def _visible(request: HttpRequest, slug: str) -> ModelSpec:
    try:
        spec = registry.model_spec(slug)
    except ObjectDoesNotExist:
        raise Http404("There is no such model.") from None
    demand(request.user, VIEW, spec)
    return spec


def _category(request: HttpRequest) -> str:
    asked = request.GET.get("category", "")
    return asked if asked in CATEGORIES else ""
