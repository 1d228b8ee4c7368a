"""The Vault page, and who read attributes and why."""

from __future__ import annotations

from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.views.decorators.http import require_GET

from apps.accounts.permissions import requires
from apps.dashboards.vault import reading


@require_GET
@requires("vault.view")
def vault(request: HttpRequest) -> HttpResponse:
    """Coverage, uploads, access, reads and keys at a glance."""
    return render(request, "vault/page.html", {"page": reading.page_of(request.user)})


@require_GET
@requires("vault.view")
def reads(request: HttpRequest) -> HttpResponse:
    """Every read of attributes, newest first."""
    before = request.GET.get("before", "")
    lines = reading.read_lines(reading.AT_ONCE, before_id=int(before) if before.isdecimal() else None)
    more = lines[-1].id if len(lines) == reading.AT_ONCE else None
    return render(request, "vault/reads.html", {"lines": lines, "more": more})
