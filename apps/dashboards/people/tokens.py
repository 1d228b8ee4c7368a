"""The tokens of programs: which there are, a new one, and the end of one."""

from __future__ import annotations

from django.contrib import messages
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_GET, require_http_methods

from apps.accounts.confirmation import requires_confirmation
from apps.accounts.permissions import requires
from apps.api import selectors, services
from apps.common.errors import Refused
from apps.dashboards.acting import person_of
from apps.dashboards.people.forms import ReasonForm, TokenForm

SHOWN_AT_ONCE = 50


@require_GET
@requires("token.manage")
def tokens(request: HttpRequest) -> HttpResponse:
    """Who made which token, for what, when it was used last, and until when it counts."""
    live = request.GET.get("show") != "ended"
    after = request.GET.get("after", "").replace("\x00", "")
    found = selectors.tokens(live=live, after=after, limit=SHOWN_AT_ONCE)
    more = found[-1].name if len(found) == SHOWN_AT_ONCE else ""
    return render(request, "people/tokens.html", {"tokens": found, "live": live, "more": more})


@never_cache
@require_http_methods(["GET", "POST"])
@requires("token.manage")
@requires_confirmation
def issue(request: HttpRequest) -> HttpResponse:
    """A new token, shown this once."""
    form = TokenForm(request.POST or None)
    if request.method == "POST" and form.is_valid():
        given = form.cleaned_data
        try:
            secret = services.token_issue(
                actor=person_of(request),
                name=given["name"],
                scopes=given["scopes"],
                model=given["model"] or None,
                days=given["days"],
            )
        except Refused as refused:
            form.refuse(refused.field, refused.message)
        else:
            return render(request, "people/token_issued.html", {"name": given["name"], "secret": secret})
    return render(request, "people/token_form.html", {"form": form, "title": "Make a token", "button": "Make it"})


@require_http_methods(["GET", "POST"])
@requires("token.manage")
@requires_confirmation
def revoke(request: HttpRequest, token_id: int) -> HttpResponse:
    """End a token."""
    token = selectors.token(token_id)
    if token is None:
        raise Http404("There is no such token.")
    form = ReasonForm(request.POST or None)
    if request.method == "POST" and form.is_valid():
        reason = form.cleaned_data["reason"]
        try:
            ended = services.token_revoke(actor=person_of(request), name=token.name, reason=reason)
        except Refused as refused:
            form.refuse(refused.field, refused.message)
        else:
            done = "The token is revoked. It stops working within five seconds."
            messages.success(request, done if ended else "It was revoked before.")
            return redirect("tokens")
    context = {
        "form": form,
        "title": f"Revoke the token {token.name}",
        "says": "Programs that hold it are refused from then on. It cannot be given back.",
        "button": "Revoke it",
    }
    return render(request, "people/token_form.html", context)
