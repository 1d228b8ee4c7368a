"""Who may do what."""

from __future__ import annotations

from django.contrib.auth.decorators import login_required
from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.views.decorators.http import require_GET

from apps.accounts import permission_table
from apps.accounts.permissions import roles_of
from apps.dashboards.people import reading


@require_GET
@login_required
def permissions(request: HttpRequest) -> HttpResponse:
    """The permission matrix, for everybody who is signed in: rules that bind people are no secret to them."""
    context = {
        "roles": reading.columns(roles_of(request.user)),
        "sections": reading.matrix(),
        "apart": permission_table.apart(),
        "signing": permission_table.signing(),
    }
    return render(request, "people/permissions.html", context)
