"""Erasing a person's attributes: asked for here by stewards, done by the compute side; and what was asked for."""

from __future__ import annotations

from dataclasses import dataclass

from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.views.decorators.http import require_GET, require_POST

from apps.accounts.confirmation import requires_confirmation
from apps.accounts.permissions import may, requires
from apps.dashboards.acting import done, person_of
from apps.dashboards.actors import actor_name, names_among
from apps.dashboards.vault.reading import AT_ONCE
from apps.dashboards.words import Badge
from apps.vault import selectors, services
from apps.vault.selectors import ErasureRow

ERASE = "vault.erase"
_DONE, _WAITS = Badge("within", "erased"), Badge("inconclusive", "waits for the compute side")


@dataclass(frozen=True, slots=True)
class Line:
    row: ErasureRow
    by: str
    state: Badge


@require_GET
@requires("vault.view")
def erasures(request: HttpRequest) -> HttpResponse:
    """Who asked for an erasure and when it was done, newest first; never whose."""
    before = request.GET.get("before", "")
    known = before.isascii() and before.isdecimal() and len(before) < 19
    rows = selectors.erasures(AT_ONCE, before_id=int(before) if known else None)
    names = names_among(row.actor for row in rows)
    context = {
        "lines": [Line(row, actor_name(row.actor, names), _DONE if row.done else _WAITS) for row in rows],
        "more": rows[-1].id if len(rows) == AT_ONCE else None,
        "may_erase": may(request.user, ERASE),
    }
    return render(request, "vault/erasures.html", context)


@require_POST
@requires(ERASE)
@requires_confirmation
def erase(request: HttpRequest) -> HttpResponse:
    """Ask for the erasure of one person's attributes."""
    subject_id = request.POST.get("subject_id", "").strip()
    done(
        request,
        lambda: services.erasure_ask(person=person_of(request), subject_id=subject_id),
        "Asked for. The compute side erases what was received until now; later decisions count this person as unknown.",
    )
    return redirect("vault-erasures")
