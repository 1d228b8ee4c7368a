"""Addresses of the HTTP API, version 1; every call is an `Endpoint` of `apps.api.calls`."""

from __future__ import annotations

from functools import cache
from itertools import groupby

import msgspec
from django.http import HttpRequest, HttpResponse
from django.urls import path, re_path
from django.views.decorators.http import require_safe

from apps.api import openapi
from apps.api.calls import (
    attributes,
    audit,
    complaints,
    governance,
    incidents,
    ingest,
    models,
    overrides,
    retraining,
    runs,
    status,
    uploads,
)
from apps.api.dispatch import nothing_here, view
from apps.api.endpoint import JSON

ENDPOINTS = (
    *models.ENDPOINTS,
    *ingest.ENDPOINTS,
    *attributes.ENDPOINTS,
    *uploads.ENDPOINTS,
    *runs.ENDPOINTS,
    *governance.ENDPOINTS,
    *status.ENDPOINTS,
    *retraining.ENDPOINTS,
    *incidents.ENDPOINTS,
    *audit.ENDPOINTS,
    *complaints.ENDPOINTS,
    *overrides.ENDPOINTS,
)


@cache
def _document() -> bytes:
    return msgspec.json.encode(openapi.document(ENDPOINTS))


@require_safe
def show_document(request: HttpRequest) -> HttpResponse:
    return HttpResponse(_document(), content_type=JSON)


_by_path = groupby(sorted(ENDPOINTS, key=lambda each: each.path), key=lambda each: each.path)

urlpatterns = [
    path("openapi.json", show_document, name="openapi"),
    *(path(address, view({each.method: each for each in same})) for address, same in _by_path),
    re_path(r"^.*$", nothing_here),
]
