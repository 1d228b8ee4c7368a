"""Is it still the person who signed in? Asked again before a signature, and good for five minutes."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime, timedelta
from functools import wraps
from typing import Any
from urllib.parse import urlencode

from django.contrib import messages
from django.http import HttpRequest, HttpResponse, HttpResponseBase, HttpResponseRedirect
from django.shortcuts import resolve_url

from apps.accounts.addresses import came_from
from apps.accounts.permissions import sign_in_first
from apps.accounts.second_factors import has_second_factor, lacks_second_factor
from apps.common import clock

VALID_FOR = timedelta(minutes=5)
PASSWORD = "password"  # noqa: S105 - the name of a way, not a secret
_AT, _BY = "confirmed_at", "confirmed_by"
View = Callable[..., HttpResponseBase]


def confirmed_at(request: HttpRequest) -> datetime | None:
    """When the person of this session last confirmed that it is them; None if that is more than five minutes ago."""
    said = request.session.get(_AT)
    if said is None or not request.user.is_authenticated:
        return None
    at = datetime.fromisoformat(said)
    return at if timedelta(0) <= clock.now() - at < VALID_FOR else None


def confirm(request: HttpRequest, *, by: str) -> None:
    """Note that the person has just confirmed, and how. The session gets a new name, since it may do more from now."""
    request.session.cycle_key()
    request.session[_AT] = clock.now().isoformat()
    request.session[_BY] = by


def requires_confirmation(view: View) -> View:
    """A view for people who have just confirmed that it is them; the others are led to confirm, and back.

    What was about to be sent by POST is not carried out by itself afterwards: the person returns to the page that
    they came from, and sends it again. Who must set up a second factor first is led there. Stands inside of
    `requires`.
    """

    @wraps(view)
    def guarded(request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponseBase:
        if not request.user.is_authenticated:
            return sign_in_first(request)
        if lacks_second_factor(request.user):
            messages.error(request, "Set up a second factor first: what your roles sign must be signed by you alone.")
            return _lead(request, resolve_url("account"))
        return view(request, *args, **kwargs) if confirmed_at(request) else confirm_first(request)

    return guarded


def requires_proof(view: View) -> View:
    """Like `requires_confirmation`, for changes of how one signs in.

    Who has a second factor must have confirmed by it: whoever finds an open session and knows the password shall not
    take the second factor away.
    """

    @wraps(view)
    def guarded(request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponseBase:
        if not request.user.is_authenticated:
            return sign_in_first(request)
        weak = request.session.get(_BY, PASSWORD) == PASSWORD and has_second_factor(request.user)
        return view(request, *args, **kwargs) if confirmed_at(request) and not weak else confirm_first(request, "proof")

    return guarded


def confirm_first(request: HttpRequest, ask: str = "") -> HttpResponse:
    """Leads to the confirmation page and back; with `ask` "proof" a password is not enough there."""
    sent = request.method not in ("GET", "HEAD")
    query = {"next": came_from(request)} | ({"again": "1"} if sent else {}) | ({"ask": ask} if ask else {})
    return _lead(request, f"{resolve_url('confirm')}?{urlencode(query)}")


def is_undone(response: HttpResponseBase) -> bool:
    """Whether an answer leads to confirm first, so that what was sent was not carried out."""
    return getattr(response, "undone", False)


def _lead(request: HttpRequest, address: str) -> HttpResponse:
    """An HTMX fragment makes the whole page go there."""
    if request.headers.get("HX-Request"):
        return HttpResponse(status=401, headers={"HX-Redirect": address})
    answer = HttpResponseRedirect(address)
    answer.undone = True  # type: ignore[attr-defined]
    return answer
